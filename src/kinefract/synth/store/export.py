"""A dataset as class folders of mp4 files, which other trainers read."""

import csv
import json
from pathlib import Path, PurePosixPath

from kinefract.common.errors import UserError
from kinefract.common.files import partial_of, remove_abandoned, write_json, written_whole
from kinefract.common.layout import EXPORT_FACTS, EXPORT_LABELS
from kinefract.common.progress import progress
from kinefract.synth.store.shards import Shards, member_name

COLUMNS = ("path", "label", "frames")


def export(dataset_id: str, shards: Shards, folder: Path | str) -> int:
    """Write ``<label>/<clip>.mp4`` of every clip, ``labels.csv`` and, last, ``export.json``.

    Labels are padded with zeros to equal width. An export that was stopped is continued: files that hold the
    right bytes are kept.

    Args:
        dataset_id: The dataset's id, by which a later export recognises the folder.
        shards: Its clips.
        folder: The target folder; it is created if it does not exist. Nothing outside it is written.

    Returns:
        The number of clips written, without those that were there before.

    Raises:
        UserError: the folder holds something else, a shard is damaged, or a file cannot be written.
    """
    folder = Path(folder)
    paths = clip_paths(shards)
    _check_target(folder, dataset_id, paths)
    written = 0
    for index, path in enumerate(progress(paths, "exporting", unit="clips")):
        encoded = shards.encoded(index)
        if not _holds(folder / path, encoded):
            with written_whole(folder / path) as partial:
                partial.write_bytes(encoded)
            written += 1
    with (
        written_whole(folder / EXPORT_LABELS) as partial,
        partial.open("w", newline="", encoding="utf-8") as stream,
    ):
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(COLUMNS)
        rows.writerows(zip(paths, shards.labels.tolist(), shards.frames.tolist(), strict=True))
    for found in folder.rglob("*"):  # left by an export that was killed
        if partial_of(found.name):
            remove_abandoned(found)
    about = {"dataset": dataset_id, "clips": len(shards), "classes": int(shards.labels.max()) + 1}
    write_json(folder / EXPORT_FACTS, about)
    return written


def clip_paths(shards: Shards) -> list[PurePosixPath]:
    """Return the file of each clip, relative to the folder of an export."""
    width = len(str(int(shards.labels.max())))
    return [
        PurePosixPath(f"{label:0{width}d}", member_name(index)) for index, label in enumerate(shards.labels)
    ]


def _check_target(folder: Path, dataset_id: str, paths: list[PurePosixPath]) -> None:
    """Raise a UserError if a folder holds anything but an export of this dataset, finished or not."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: not a folder; name one that is empty or does not exist")
    for name in {path.parent for path in paths}:
        if (folder / name).is_symlink():
            raise UserError(
                f"{folder / name}: a link, through which clips would be written elsewhere; remove it"
            )
    earlier = _earlier(folder)
    if earlier == dataset_id:
        return
    if earlier is not None:
        raise UserError(f"{folder}: holds an export of {earlier}, not of {dataset_id}; name another folder")
    own = {folder / path for path in paths} | {folder / EXPORT_LABELS}
    for path in folder.rglob("*"):
        whole = path.with_name(partial_of(path.name) or path.name)
        ours = whole in own or (whole != path and whole == folder / EXPORT_FACTS)
        if not ours and (path.is_symlink() or not path.is_dir()):
            raise UserError(
                f"{folder}: holds something else ({path.relative_to(folder)}); "
                "name a folder that is empty or does not exist"
            )


def _earlier(folder: Path) -> str | None:
    """Return the id of the dataset whose export the folder holds, ``None`` if it holds none."""
    try:
        about = json.loads((folder / EXPORT_FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return str(about["dataset"]) if isinstance(about, dict) and "dataset" in about else None


def _holds(path: Path, content: bytes) -> bool:
    """Return whether a regular file, not a link, has exactly this content."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size != len(content):
        return False
    return path.read_bytes() == content

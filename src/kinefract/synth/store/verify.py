"""The check of a dataset against its recipe: the bytes of every shard, and a sample of clips rendered again.

The rows of a shard hold the CRC-32 of each clip's bytes. The shard is packed again from these clips, and the
SHA-256 of the result must be that of the file. The rows also hold the SHA-256 of each clip's frames before
encoding. A clip that is rendered again must have that SHA-256, and the stored clip must decode to nearly the
same frames.
"""

import hashlib
import tarfile
import time
import zlib
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kinefract import video
from kinefract.common.errors import UserError
from kinefract.common.files import in_bytes, sha256
from kinefract.common.layout import MANIFEST, SHARDS
from kinefract.common.progress import progress
from kinefract.common.words import counted, first_of
from kinefract.synth.dataset_recipe import DatasetRecipe
from kinefract.synth.store.shards import (
    COLUMNS,
    NUMBERS,
    add_clip,
    frames_digest,
    read_table,
    repair_hint,
    shard_clips,
    shard_files,
)

SAMPLE = 20  # clips rendered again
SHOWN = 20  # damaged shards, and clips of each, that a message lists
# Tolerance for another build of the encoder, in its distance from the frames: a factor, and grey levels.
OTHER_ENCODER = 1.5, 0.5


class Row(NamedTuple):
    """A row of the manifest, with its numbers and the whole line."""

    number: int
    label: int
    frames: int
    channels: int
    shard: int
    offset: int
    size: int
    crc32: int
    redrawn: int
    line: str

    @property
    def frames_sha256(self) -> str:
        return self.line.rpartition(",")[2]


class _Digest(BytesIO):
    """A file that keeps nothing but the SHA-256 of what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.sha256 = hashlib.sha256()

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        return len(data)


def verify(recipe: DatasetRecipe, folder: Path | str, sample: int | None = SAMPLE, jobs: int = 1) -> str:
    """Check a dataset against its manifest and its recipe.

    Args:
        recipe: The dataset.
        folder: The dataset's folder.
        sample: Number of clips, evenly spread, that are decoded and rendered again; ``None``: all.
        jobs: Number of threads.

    Returns:
        A line that states what was checked.

    Raises:
        UserError: the manifest is missing or damaged, or shards are damaged; the message names them and the
            commands that make them again.
    """
    folder, start = Path(folder), time.monotonic()
    rows = _read_rows(recipe, folder / MANIFEST)
    wanted = recipe.clips if sample is None else min(sample, recipe.clips)
    chosen = [rows[i] for i in np.linspace(0, recipe.clips - 1, wanted).round().astype(int).tolist()]
    shards = [[rows[index] for index in shard_clips(recipe, shard)] for shard in range(recipe.shards)]
    damage: dict[int, list[str]] = defaultdict(list)
    with ThreadPoolExecutor(jobs) as pool:
        found = pool.map(partial(_shard_damage, recipe, folder), shards)
        for shard, text in enumerate(progress(found, "checking shards", len(shards), "shards")):
            damage[shard] += [text] if text else []
        chosen = [row for row in chosen if not damage[row.shard]]
        found = pool.map(partial(_clip_damage, recipe, folder), chosen)
        for row, text in zip(chosen, progress(found, "rendering again", len(chosen), "clips"), strict=True):
            damage[row.shard] += [f"clip {row.number} {text}"] if text else []
    if damaged := {shard: texts for shard, texts in damage.items() if texts}:
        raise UserError(_summary(folder, recipe.shards, damaged))
    size, seconds = sum(row.size for row in rows), time.monotonic() - start
    return (
        f"{counted(len(rows), 'clip')} in {counted(recipe.shards, 'shard')} checked, "
        f"{in_bytes(size)}; {len(chosen)} of them "
        f"decoded and rendered again; {seconds:.1f} s"
    )


def _read_rows(recipe: DatasetRecipe, manifest: Path) -> list[Row]:
    """Return the rows of the manifest, one for each clip.

    Raises:
        UserError: there is no manifest, or its rows do not match the recipe's clips.
    """
    columns = read_table(manifest)
    lines = manifest.read_text(encoding="utf-8").splitlines()[1:]
    clips = np.arange(recipe.clips)
    expected = {"index": clips, "label": clips % recipe.classes, "shard": clips // recipe.clips_per_shard}
    wrong = [name for name, values in expected.items() if not np.array_equal(columns[name], values)]
    if wrong or len(lines) != recipe.clips:
        raise UserError(
            f"{manifest}: its rows are not those of the recipe's {recipe.clips} clips"
            f"{f' (column {wrong[0]})' if wrong else ''}; {repair_hint(manifest)}"
        )
    numbers = np.stack([columns[name] for name in NUMBERS], axis=1).tolist()
    return [Row._make((*row, line)) for row, line in zip(numbers, lines, strict=True)]


def _shard_damage(recipe: DatasetRecipe, folder: Path, rows: list[Row]) -> str:
    """Return a description of damage to the two files of a shard, given the manifest's rows of its clips."""
    tar_path, csv_path = shard_files(folder, rows[0].shard)
    packed, damaged = _Digest(), []
    try:
        if csv_path.read_text(encoding="utf-8").splitlines() != [",".join(COLUMNS), *(r.line for r in rows)]:
            return f"its rows are not those of {MANIFEST}"
        with tarfile.open(fileobj=packed, mode="w|", format=tarfile.USTAR_FORMAT) as again:
            for row in rows:
                encoded = _stored(tar_path, row)
                add_clip(again, row.number, recipe.label(row.number), encoded)
                damaged += [str(row.number)] if zlib.crc32(encoded) != row.crc32 else []
        if damaged:
            return f"other bytes than were written, of clips {', '.join(first_of(damaged, SHOWN))}"
        if packed.sha256.hexdigest() != sha256(tar_path):
            return "other bytes than were written, beside its clips"
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


def _clip_damage(recipe: DatasetRecipe, folder: Path, row: Row) -> str:
    """Render a clip again, decode the stored one, and return a description of the damage to either."""
    try:
        frames, redrawn = recipe.draw(row.number)
        channels = 1 if frames.ndim == 3 else frames.shape[3]
        facts = (len(frames), channels, redrawn, frames_digest(frames))
        if facts != (row.frames, row.channels, row.redrawn, row.frames_sha256):
            return f"rendered again is another than the one in {MANIFEST}"
        encoded = _stored(shard_files(folder, row.shard)[0], row)
        stored = video.decode(encoded, grey=channels == 1)
    except UserError as error:
        return f"cannot be made or read: {error}"
    if stored.shape != frames.shape or not _same_clip(recipe, encoded, stored, frames):
        return "as it is stored shows other frames than the recipe makes"
    return ""


def _stored(tar_path: Path, row: Row) -> bytes:
    """Return the bytes at a clip's place, which are fewer if the file ends before."""
    with tar_path.open("rb") as tar:
        tar.seek(row.offset)
        return tar.read(min(row.size, tar_path.stat().st_size))


def _same_clip(recipe: DatasetRecipe, encoded: bytes, stored: np.ndarray, frames: np.ndarray) -> bool:
    """Return whether the stored clip is the one encoded here, or as close to the frames as that."""
    again = video.encode(frames, recipe.fps, recipe.crf)
    if again == encoded:
        return True
    nearest = _distance(video.decode(again, grey=frames.ndim == 3), frames)
    factor, levels = OTHER_ENCODER
    return _distance(stored, frames) <= factor * nearest + levels


def _distance(clip: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(clip.astype(np.int16) - other).mean())


def _summary(folder: Path, shards: int, damaged: dict[int, list[str]]) -> str:
    """Return the text that names the damaged shards and the commands that make them again."""
    names = {shard: shard_files(folder, shard)[0].relative_to(folder) for shard in sorted(damaged)}
    lines = [f"{names[shard]}: {'; '.join(damaged[shard][:SHOWN])}" for shard in names]
    files = [str(folder / name.with_suffix(".*")) for name in names.values()]
    files = files if len(files) <= SHOWN else [f"-r {folder / SHARDS}"]
    manifest = folder / MANIFEST
    remedy = f"to make them again: rm {' '.join(files)} {manifest} && snakemake {manifest}"
    verb = "are" if len(damaged) > 1 else "is"
    head = f"{folder}: {len(damaged)} of {counted(shards, 'shard')} {verb} damaged"
    return "\n  ".join([head, *first_of(lines, SHOWN), remedy])

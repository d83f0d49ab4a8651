"""Datasets on disk: shards of encoded clips, the manifest that joins them, and random access to both.

A shard is a tar file in the layout of WebDataset: ``000000123.mp4`` holds clip 123, ``000000123.cls`` its
class as text. The CSV file beside it says where each clip begins, and from what frames it was encoded.
"""

import csv
import hashlib
import io
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from kinefract import video
from kinefract.errors import UserError
from kinefract.files import write_json, written_whole
from kinefract.progress import progress
from kinefract.synth import preview
from kinefract.synth.recipes import DatasetRecipe

COLUMNS = (
    "index", "label", "frames", "channels", "shard", "offset", "size", "redrawn", "frames_sha256",
)  # fmt: skip
NUMBERS = COLUMNS[:-1]

MANIFEST, CARD, SHEET, MOVING_SHEET = "manifest.csv", "card.json", "preview.png", "preview.mp4"


def shard_files(folder: Path | str, shard: int) -> tuple[Path, Path]:
    """Return the tar and the CSV file of a shard."""
    stem = Path(folder) / "shards" / f"{shard:05d}"
    return stem.with_suffix(".tar"), stem.with_suffix(".csv")


def shard_clips(recipe: DatasetRecipe, shard: int) -> range:
    """Return the indices of the clips of a shard."""
    start = shard * recipe.clips_per_shard
    return range(start, min(start + recipe.clips_per_shard, recipe.clips))


def frames_digest(frames: np.ndarray) -> str:
    """Return the SHA-256 of uint8 frames and their shape: equal for equal clips on every machine."""
    return hashlib.sha256(repr(frames.shape).encode() + np.ascontiguousarray(frames).tobytes()).hexdigest()


def write_shard(recipe: DatasetRecipe, shard: int, folder: Path | str) -> None:
    """Render, encode and write the clips of one shard: ``shards/00000.tar``, then ``shards/00000.csv``.

    Clips pass through one by one, so memory does not grow with the shard. The files depend on the recipe and
    the shard's number alone.

    Args:
        recipe: The dataset.
        shard: 0 to ``recipe.shards - 1``.
        folder: The dataset's folder.

    Raises:
        UserError: no such shard, or the files cannot be written.
    """
    if not 0 <= shard < recipe.shards:
        raise UserError(f"shard {shard}: the dataset has shards 0 to {recipe.shards - 1}")
    tar_path, csv_path = shard_files(folder, shard)
    # Left in reverse order: the CSV file takes its place after the tar file has.
    with (
        written_whole(csv_path) as partial_csv,
        written_whole(tar_path) as partial_tar,
        tarfile.open(partial_tar, "w", format=tarfile.USTAR_FORMAT) as tar,
        partial_csv.open("w", newline="", encoding="utf-8") as table,
    ):
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(COLUMNS)
        for index in progress(shard_clips(recipe, shard), f"shard {shard}", unit="clips"):
            frames, redrawn = recipe.draw(index)
            label = recipe.label(index)
            encoded = video.encode(frames, recipe.fps, recipe.crf)
            offset = tar.offset + tarfile.BLOCKSIZE  # behind the member's header
            _add(tar, _member(index), encoded)
            _add(tar, f"{index:09d}.cls", str(label).encode())
            channels = 1 if frames.ndim == 3 else frames.shape[3]
            numbers = (index, label, len(frames), channels, shard, offset, len(encoded), redrawn)
            rows.writerow((*numbers, frames_digest(frames)))


def join(recipe: DatasetRecipe, folder: Path | str) -> None:
    """Check that all shards are there and whole; write previews, ``card.json`` and, last, ``manifest.csv``.

    Raises:
        UserError: a shard is missing, truncated, or does not hold the clips the recipe puts there.
    """
    folder = Path(folder)
    with written_whole(folder / MANIFEST) as partial:
        with partial.open("w", newline="", encoding="utf-8") as manifest:
            manifest.write(",".join(COLUMNS) + "\n")
            for shard in range(recipe.shards):
                manifest.writelines(_checked_lines(recipe, folder, shard))
        shards = Shards(folder, partial)
        preview.write(folder / SHEET, preview.sheet(shards), recipe.fps)
        preview.write(folder / MOVING_SHEET, preview.moving_sheet(shards), recipe.fps)
        write_json(folder / CARD, _card(recipe, shards))


class Shards:
    """The clips of a dataset folder, in any order. Holds no open file, so it may be copied or forked freely.

    Attributes:
        labels: int64 (N,), the class of each clip.
        frames: int64 (N,), its number of frames.
        redrawn: int64 (N,), how many draws were refused before it.
        sizes: int64 (N,), its bytes, encoded.
    """

    def __init__(self, folder: Path | str, manifest: Path | None = None) -> None:
        """Open the dataset in ``folder`` (by another manifest while the folder's is being written).

        Raises:
            UserError: the manifest is missing or damaged, or a shard is missing or truncated.
        """
        self.folder = Path(folder)
        self.manifest = manifest or self.folder / MANIFEST
        table = _read_table(self.manifest)
        columns = dict(zip(NUMBERS, table.T, strict=True))
        self.labels, self.frames = columns["label"], columns["frames"]
        self.redrawn, self.sizes = columns["redrawn"], columns["size"]
        self._channels, self._shard, self._offset = columns["channels"], columns["shard"], columns["offset"]
        if not np.array_equal(columns["index"], np.arange(len(table))):
            raise UserError(f"{self.manifest}: clips are missing or out of order; {_mend(self.manifest)}")
        last = np.flatnonzero(np.append(np.diff(self._shard) != 0, True))
        for row in table[last]:
            _check_size(self.folder, dict(zip(NUMBERS, row.tolist(), strict=True)))

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, index: int, frames: Sequence[int] | None = None, grey: bool | None = None) -> np.ndarray:
        """Decode frames of a clip.

        Args:
            index: 0 to ``len(self) - 1``.
            frames: Numbers of the frames wanted, in any order; all if ``None``.
            grey: Return one channel; ``None``: if the clip was rendered so.

        Returns:
            uint8 (T, H, W) if grey, else (T, H, W, 3).

        Raises:
            UserError: the shard cannot be read, or holds something else where the clip should be.
        """
        tar_path, _ = shard_files(self.folder, int(self._shard[index]))
        start, size = int(self._offset[index]), int(self.sizes[index])
        try:
            with tar_path.open("rb") as tar:
                tar.seek(start - tarfile.BLOCKSIZE)
                header, encoded = tar.read(tarfile.BLOCKSIZE), tar.read(size)
        except OSError as error:
            raise UserError(f"{tar_path}: {error.strerror}; {_mend(tar_path)}") from error
        if header.split(b"\0", 1)[0] != _member(index).encode() or len(encoded) != size:
            raise UserError(f"{tar_path}: clip {index} is not where {self.manifest} says; {_mend(tar_path)}")
        try:
            return video.decode(encoded, frames, self._channels[index] == 1 if grey is None else grey)
        except UserError as error:
            raise UserError(f"{tar_path}, clip {index}: {error}") from error


def _member(index: int) -> str:
    return f"{index:09d}.mp4"


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a member without owner or time, so that equal clips make equal files."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    tar.addfile(member, io.BytesIO(content))


def _mend(path: Path) -> str:
    folder = path.parents[1] if path.parent.name == "shards" else path.parent
    return f"delete {folder} and run snakemake, which makes it again"


def _read_table(path: Path) -> np.ndarray:
    """Return the numeric columns of a shard's CSV file or of a manifest: int64 (N, len(NUMBERS))."""
    try:
        with path.open(encoding="utf-8") as stream:
            header = stream.readline().strip().split(",")
            if tuple(header) != COLUMNS:
                raise UserError(f"{path}: its columns are {header}, not {list(COLUMNS)}; {_mend(path)}")
            body = stream.readlines()
        if not body:
            raise UserError(f"{path}: holds no clips; {_mend(path)}")
        return np.loadtxt(body, np.int64, delimiter=",", usecols=range(len(NUMBERS)), ndmin=2)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; make it first") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {error}; {_mend(path)}") from error


def _check_size(folder: Path, last: dict[str, int]) -> None:
    """Check the size of a shard's tar file against the row of its last clip."""
    tar_path, _ = shard_files(folder, last["shard"])
    blocks = -(
        -last["size"] // tarfile.BLOCKSIZE
    )  # of the clip; then header and text of its class, and the end
    end = last["offset"] + (blocks + 2 + 2) * tarfile.BLOCKSIZE
    expected = -(-end // tarfile.RECORDSIZE) * tarfile.RECORDSIZE
    if not tar_path.exists():
        raise UserError(f"{tar_path}: no such file; make shard {last['shard']} again")
    found = tar_path.stat().st_size
    if found != expected:
        raise UserError(f"{tar_path}: truncated or changed, {found} of {expected} bytes; {_mend(tar_path)}")


def _checked_lines(recipe: DatasetRecipe, folder: Path, shard: int) -> Iterator[str]:
    """Return the lines of a shard's CSV file without its header, once the shard is found whole."""
    _, csv_path = shard_files(folder, shard)
    table = _read_table(csv_path)
    columns = dict(zip(NUMBERS, table.T, strict=True))
    clips = np.array(shard_clips(recipe, shard))
    if not np.array_equal(columns["index"], clips) or (columns["shard"] != shard).any():
        raise UserError(
            f"{csv_path}: holds clips {columns['index'][0]} to {columns['index'][-1]} instead of "
            f"{clips[0]} to {clips[-1]}; {_mend(csv_path)}"
        )
    if not np.array_equal(columns["label"], clips % recipe.classes):
        raise UserError(f"{csv_path}: labels are not those of {recipe.classes} classes; {_mend(csv_path)}")
    _check_size(folder, dict(zip(NUMBERS, table[-1].tolist(), strict=True)))
    with csv_path.open(encoding="utf-8") as stream:
        next(stream)
        yield from stream


def _card(recipe: DatasetRecipe, shards: Shards) -> dict:
    return {
        "family": recipe.family,
        "clips": len(shards),
        "classes": recipe.classes,
        "shards": recipe.shards,
        "size": recipe.size,
        "frames": int(shards.frames.sum()),
        "mean_frames": round(float(shards.frames.mean()), 3),
        "seconds": round(float(shards.frames.sum()) / recipe.fps, 3),
        "bytes": int(shards.sizes.sum()),
        "redrawn_share": round(float((shards.redrawn > 0).mean()), 6),
    }

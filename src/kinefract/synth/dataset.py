"""Datasets on disk: shards of encoded clips, the manifest that joins them, and random access to both.

A shard is a tar file in the layout of WebDataset: ``000000123.mp4`` holds clip 123, ``000000123.cls`` its
class as text. The CSV file beside it says where each clip begins, the CRC-32 of its bytes and the SHA-256 of
the frames they were encoded from.
"""

import csv
import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from kinefract import video
from kinefract.errors import UserError
from kinefract.files import written_whole
from kinefract.progress import progress
from kinefract.synth import card, preview
from kinefract.synth.recipes import DatasetRecipe

COLUMNS = (
    "index", "label", "frames", "channels", "shard", "offset", "size", "crc32", "redrawn", "frames_sha256",
)  # fmt: skip
NUMBERS = COLUMNS[:-1]

MANIFEST = "manifest.csv"
SHEET, MOVING_SHEET = "preview.png", "preview.mp4"


def shard_files(folder: Path | str, shard: int) -> tuple[Path, Path]:
    """Return the tar and the CSV file of a shard."""
    stem = Path(folder) / "shards" / f"{shard:05d}"
    return stem.with_suffix(".tar"), stem.with_suffix(".csv")


def shard_clips(recipe: DatasetRecipe, shard: int) -> range:
    """Return the indices of the clips of a shard."""
    start = shard * recipe.clips_per_shard
    return range(start, min(start + recipe.clips_per_shard, recipe.clips))


def member_name(index: int) -> str:
    """Return the name of a clip in its tar file."""
    return f"{index:09d}.mp4"


def label_name(index: int) -> str:
    """Return the name of the text beside a clip that tells its class."""
    return f"{index:09d}.cls"


def member(name: str, size: int) -> tarfile.TarInfo:
    """Return a member of a shard: without owner or time, so that equal clips make equal files."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info


def padded(size: int | np.ndarray) -> int | np.ndarray:
    """Return a size in bytes, or each of several, rounded up to the whole blocks that a tar file gives it."""
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def tar_size(end: int) -> int:
    """Return the size of a tar file whose members end at ``end``: two empty blocks more, in whole records."""
    return -(-(end + 2 * tarfile.BLOCKSIZE) // tarfile.RECORDSIZE) * tarfile.RECORDSIZE


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
            _add(tar, member_name(index), encoded)
            _add(tar, label_name(index), str(label).encode())
            channels = 1 if frames.ndim == 3 else frames.shape[3]
            stored = (shard, offset, len(encoded), zlib.crc32(encoded))
            rows.writerow((index, label, len(frames), channels, *stored, redrawn, frames_digest(frames)))


def join(recipe: DatasetRecipe, folder: Path | str) -> None:
    """Check that all shards are there and whole; write previews, card and, last, ``manifest.csv``.

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
        card.write(recipe, shards, folder)


class Shards:
    """The clips of a dataset folder, in any order. Holds no open file, so it may be copied or forked freely.

    Attributes:
        labels: int64 (N,), the class of each clip.
        frames: int64 (N,), its number of frames.
        redrawn: int64 (N,), how many draws were refused before it.
        sizes: int64 (N,), its bytes, encoded.
        channels: int64 (N,), 1 where it was rendered in grey, else 3.
        fresh: False: the clips are the same in every epoch.
    """

    def __init__(self, folder: Path | str, manifest: Path | None = None) -> None:
        """Open the dataset in ``folder`` (by another manifest while the folder's is being written).

        Raises:
            UserError: the manifest is missing or damaged, or a shard is missing or truncated.
        """
        self.folder = Path(folder)
        self.manifest = manifest or self.folder / MANIFEST
        columns = _read_table(self.manifest)
        self.labels, self.frames = columns["label"], columns["frames"]
        self.redrawn, self.sizes, self.fresh = columns["redrawn"], columns["size"], False
        self.channels, self._shard = columns["channels"], columns["shard"]
        self._offset, self._crc32 = columns["offset"], columns["crc32"]
        if not np.array_equal(columns["index"], np.arange(len(self))):
            raise UserError(f"{self.manifest}: clips are missing or out of order; {_mend(self.manifest)}")
        _check_places(self.folder, self.manifest, columns)

    def __len__(self) -> int:
        return len(self.labels)

    def encoded(self, index: int) -> bytes:
        """Return a clip as it is stored, the content of an mp4 file.

        Args:
            index: 0 to ``len(self) - 1``.

        Raises:
            UserError: the shard cannot be read, or holds other bytes than it was given.
        """
        tar_path, _ = shard_files(self.folder, int(self._shard[index]))
        start, size = int(self._offset[index]), int(self.sizes[index])
        try:
            with tar_path.open("rb") as tar:
                tar.seek(start - tarfile.BLOCKSIZE)
                header, encoded = tar.read(tarfile.BLOCKSIZE), tar.read(size)
        except OSError as error:
            raise UserError(f"{tar_path}: {error.strerror}; {_mend(tar_path)}") from error
        if header.split(b"\0", 1)[0] != member_name(index).encode() or len(encoded) != size:
            raise UserError(f"{tar_path}: clip {index} is not where {self.manifest} says; {_mend(tar_path)}")
        if zlib.crc32(encoded) != self._crc32[index]:
            raise UserError(
                f"{tar_path}: clip {index} is damaged, other bytes than were written; {_mend(tar_path)}"
            )
        return encoded

    def read(self, index: int, frames: Sequence[int] | None = None, grey: bool | None = None) -> np.ndarray:
        """Decode frames of a clip.

        Args:
            index: 0 to ``len(self) - 1``.
            frames: Numbers of the frames wanted, in any order; all if ``None``.
            grey: Return one channel; ``None``: if the clip was rendered so.

        Returns:
            uint8 (T, H, W) if grey, else (T, H, W, 3).

        Raises:
            UserError: the shard cannot be read, or holds other bytes or frames than it was given.
        """
        encoded = self.encoded(index)
        try:
            decoded = video.decode(encoded, frames, self.channels[index] == 1 if grey is None else grey)
            if frames is None and len(decoded) != self.frames[index]:
                raise UserError(f"{len(decoded)} frames where {self.manifest} says {self.frames[index]}")
        except UserError as error:
            tar_path, _ = shard_files(self.folder, int(self._shard[index]))
            raise UserError(f"{tar_path}, clip {index}: {error}") from error
        return decoded


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    tar.addfile(member(name, len(content)), io.BytesIO(content))


def _mend(path: Path) -> str:
    folder = path.parents[1] if path.parent.name == "shards" else path.parent
    return f"delete {folder} and run snakemake, which makes it again"


def _read_table(path: Path) -> dict[str, np.ndarray]:
    """Return the numeric columns of a shard's CSV file or of a manifest by name: int64 (N,) each."""
    try:
        with path.open(encoding="utf-8") as stream:
            header = stream.readline().strip().split(",")
            if tuple(header) != COLUMNS:
                raise UserError(f"{path}: its columns are {header}, not {list(COLUMNS)}; {_mend(path)}")
            body = stream.readlines()
        if not body:
            raise UserError(f"{path}: holds no clips; {_mend(path)}")
        table = np.loadtxt(body, np.int64, delimiter=",", usecols=range(len(NUMBERS)), ndmin=2)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; make it first") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {error}; {_mend(path)}") from error
    columns = dict(zip(NUMBERS, table.T, strict=True))
    least = {"frames": 1, "channels": 1, "size": 1}
    for name, values in columns.items():
        if (values < least.get(name, 0)).any() or values.max() >= 2**48:
            raise UserError(f"{path}: a number of the column {name} is out of range; {_mend(path)}")
    return columns


def _check_places(folder: Path, table: Path, columns: dict[str, np.ndarray]) -> None:
    """Check that clips lie end to end in shards of just that size, by a table of whole shards."""
    first = np.flatnonzero(np.diff(columns["shard"], prepend=-1))
    header, label = tarfile.BLOCKSIZE, 2 * tarfile.BLOCKSIZE  # the text of a label takes one block
    ends = columns["offset"] + padded(columns["size"]) + label
    starts = np.append(0, ends[:-1])
    starts[first] = 0
    for index in np.flatnonzero(columns["offset"] != starts + header)[:1]:
        tar_path, _ = shard_files(folder, int(columns["shard"][index]))
        clip = columns["index"][index]
        raise UserError(f"{tar_path}: clip {clip} is not where {table} says; {_mend(tar_path)}")
    for last in np.append(first[1:], len(ends)) - 1:
        shard, expected = int(columns["shard"][last]), tar_size(int(ends[last]))
        tar_path, _ = shard_files(folder, shard)
        if not tar_path.exists():
            raise UserError(f"{tar_path}: no such file; make shard {shard} again")
        found = tar_path.stat().st_size
        if found != expected:
            raise UserError(
                f"{tar_path}: truncated or changed, {found} of {expected} bytes; {_mend(tar_path)}"
            )


def _checked_lines(recipe: DatasetRecipe, folder: Path, shard: int) -> Iterator[str]:
    """Return the lines of a shard's CSV file without its header, once the shard is found whole."""
    _, csv_path = shard_files(folder, shard)
    columns = _read_table(csv_path)
    clips = np.array(shard_clips(recipe, shard))
    if not np.array_equal(columns["index"], clips) or (columns["shard"] != shard).any():
        raise UserError(
            f"{csv_path}: holds clips {columns['index'][0]} to {columns['index'][-1]} instead of "
            f"{clips[0]} to {clips[-1]}; {_mend(csv_path)}"
        )
    if not np.array_equal(columns["label"], clips % recipe.classes):
        raise UserError(f"{csv_path}: labels are not those of {recipe.classes} classes; {_mend(csv_path)}")
    _check_places(folder, csv_path, columns)
    with csv_path.open(encoding="utf-8") as stream:
        next(stream)
        yield from stream

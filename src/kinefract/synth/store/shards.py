"""Shards of encoded clips on disk, their common manifest, and random access to both.

A shard is a tar file in the layout of WebDataset: ``000000123.mp4`` holds clip 123, ``000000123.cls`` its
class as text. The CSV file beside it lists for each clip the offset, the CRC-32 of its bytes and the SHA-256
of the frames before encoding.
"""

import hashlib
import io
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kinefract import video
from kinefract.common import checksums
from kinefract.common.errors import UserError
from kinefract.common.layout import DATASETS, MANIFEST, SHARDS
from kinefract.common.remedies import make_again
from kinefract.common.words import counted
from kinefract.synth.dataset_recipe import DatasetRecipe

COLUMNS = (
    "index", "label", "frames", "channels", "shard", "offset", "size", "crc32", "redrawn", "frames_sha256",
)  # fmt: skip
NUMBERS = COLUMNS[:-1]


def shard_files(folder: Path | str, shard: int) -> tuple[Path, Path]:
    """Return the tar and the CSV file of a shard."""
    stem = Path(folder) / SHARDS / f"{shard:05d}"
    return stem.with_suffix(".tar"), stem.with_suffix(".csv")


def shard_clips(recipe: DatasetRecipe, shard: int) -> range:
    """Return the indices of the clips of a shard."""
    start = shard * recipe.clips_per_shard
    return range(start, min(start + recipe.clips_per_shard, recipe.clips))


def member_name(index: int) -> str:
    """Return the name of a clip in its tar file."""
    return f"{index:09d}.mp4"


def label_name(index: int) -> str:
    """Return the name of the text file that holds a clip's class in its tar file."""
    return f"{index:09d}.cls"


def add_clip(tar: tarfile.TarFile, index: int, label: int, encoded: bytes) -> int:
    """Add a clip and its label to a shard, without owner or time, so that equal clips make equal files.

    Returns:
        The offset of the clip's bytes.
    """
    offset = tar.offset + tarfile.BLOCKSIZE  # behind the member's header
    for name, content in ((member_name(index), encoded), (label_name(index), str(label).encode())):
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o644
        tar.addfile(info, io.BytesIO(content))
    return offset


def padded(size: int | np.ndarray) -> int | np.ndarray:
    """Return one or several sizes in bytes, rounded up to whole blocks of a tar file."""
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def tar_size(end: int) -> int:
    """Return the size of a tar file whose members end at ``end``: with two empty blocks, in whole records."""
    return -(-(end + 2 * tarfile.BLOCKSIZE) // tarfile.RECORDSIZE) * tarfile.RECORDSIZE


def frames_digest(frames: np.ndarray) -> str:
    """Return the SHA-256 of uint8 frames and their shape: equal for equal clips on every machine."""
    return hashlib.sha256(repr(frames.shape).encode() + np.ascontiguousarray(frames).tobytes()).hexdigest()


class Shards:
    """Random access to the clips of a dataset folder. No file stays open, so copying and forking are safe.

    Attributes:
        labels: int64 (N,), the class of each clip.
        frames: int64 (N,), its number of frames.
        redrawn: int64 (N,), the number of draws that were rejected before it.
        sizes: int64 (N,), its encoded size in bytes.
        channels: int64 (N,), 1 if it was rendered in grey, else 3.
        fresh: False: the clips are the same in every epoch.
    """

    def __init__(self, folder: Path | str, manifest: Path | None = None) -> None:
        """Open the dataset in ``folder``; another manifest is used while the folder's is being written.

        Raises:
            UserError: the manifest is missing or damaged, or a shard is missing or truncated.
        """
        self.folder = Path(folder)
        self.manifest = manifest or self.folder / MANIFEST
        columns = read_table(self.manifest)
        self.labels, self.frames = columns["label"], columns["frames"]
        self.redrawn, self.sizes, self.fresh = columns["redrawn"], columns["size"], False
        self.channels, self._shard = columns["channels"], columns["shard"]
        self._offset, self._crc32 = columns["offset"], columns["crc32"]
        if not np.array_equal(columns["index"], np.arange(len(self))):
            raise UserError(
                f"{self.manifest}: clips are missing or out of order; {repair_hint(self.manifest)}"
            )
        check_places(self.folder, self.manifest, columns)

    def __len__(self) -> int:
        return len(self.labels)

    def encoded(self, index: int) -> bytes:
        """Return a clip as it is stored: the content of an mp4 file.

        Args:
            index: 0 to ``len(self) - 1``.

        Raises:
            UserError: the shard cannot be read, or the bytes differ from the clip's CRC-32.
        """
        tar_path, _ = shard_files(self.folder, int(self._shard[index]))
        start, size = int(self._offset[index]), int(self.sizes[index])
        try:
            with tar_path.open("rb") as tar:
                tar.seek(start - tarfile.BLOCKSIZE)
                header, encoded = tar.read(tarfile.BLOCKSIZE), tar.read(size)
        except OSError as error:
            raise UserError(f"{tar_path}: {error.strerror}; {repair_hint(tar_path)}") from error
        if header.split(b"\0", 1)[0] != member_name(index).encode() or len(encoded) != size:
            raise UserError(
                f"{tar_path}: clip {index} is not where {self.manifest} says; {repair_hint(tar_path)}"
            )
        if zlib.crc32(encoded) != self._crc32[index]:
            raise UserError(
                f"{tar_path}: clip {index} is damaged, other bytes than were written; {repair_hint(tar_path)}"
            )
        return encoded

    def read(self, index: int, frames: Sequence[int] | None = None, grey: bool | None = None) -> np.ndarray:
        """Decode frames of a clip.

        Args:
            index: 0 to ``len(self) - 1``.
            frames: Numbers of the frames to return, in any order; ``None`` for all.
            grey: Whether to return one channel; ``None``: as the clip was rendered.

        Returns:
            uint8 (T, H, W) if grey, else (T, H, W, 3).

        Raises:
            UserError: the shard cannot be read, or its bytes or frames are not those that were written.
        """
        encoded = self.encoded(index)
        try:
            decoded = video.decode(encoded, frames, self.channels[index] == 1 if grey is None else grey)
            if frames is None and len(decoded) != self.frames[index]:
                raise UserError(
                    f"{counted(len(decoded), 'frame')} where {self.manifest} says {self.frames[index]}"
                )
        except UserError as error:
            tar_path, _ = shard_files(self.folder, int(self._shard[index]))
            raise UserError(f"{tar_path}, clip {index}: {error}") from error
        return decoded


def repair_hint(path: Path) -> str:
    """Return the hint of messages about a damaged file of a dataset."""
    return make_again(_folder(path))


def _folder(path: Path) -> Path:
    return path.parents[1] if path.parent.name == SHARDS else path.parent


def read_table(path: Path) -> dict[str, np.ndarray]:
    """Return the numeric columns of a shard's CSV file or of a manifest by name: int64 (N,) each.

    Raises:
        UserError: the file is missing, or does not hold the expected columns of numbers in range.
    """
    try:
        header, *body = checksums.read_bytes(path).decode("utf-8").splitlines(keepends=True) or [""]
        if tuple(header.strip().split(",")) != COLUMNS:
            raise UserError(f"{path}: its first line is not {','.join(COLUMNS)}; {repair_hint(path)}")
        if not body:
            raise UserError(f"{path}: holds no clips; {repair_hint(path)}")
        if not body[-1].endswith("\n"):
            raise UserError(f"{path}: its last line is cut; {repair_hint(path)}")
        table = np.loadtxt(body, np.int64, delimiter=",", usecols=range(len(NUMBERS)), ndmin=2)
    except FileNotFoundError:
        target = f"{DATASETS}/{path.relative_to(_folder(path).parent)}"
        raise UserError(f"{path}: no such file; make it with `snakemake {target}`") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {error}; {repair_hint(path)}") from error
    columns = dict(zip(NUMBERS, table.T, strict=True))
    least = {"frames": 1, "channels": 1, "size": 1}
    for name, values in columns.items():
        if (values < least.get(name, 0)).any() or values.max() >= 2**48:
            raise UserError(f"{path}: a number of the column {name} is out of range; {repair_hint(path)}")
    return columns


def check_places(folder: Path, table: Path, columns: dict[str, np.ndarray]) -> None:
    """Check by a table of whole shards that clips lie end to end and that shards have the matching sizes.

    Args:
        folder: The dataset's folder.
        table: The file from which the columns were read, for messages.
        columns: The columns as ``read_table`` returns them.

    Raises:
        UserError: a clip has another offset, or a shard is missing or has another size.
    """
    first = np.flatnonzero(np.diff(columns["shard"], prepend=-1))
    header, label = tarfile.BLOCKSIZE, 2 * tarfile.BLOCKSIZE  # a label's text takes one block
    ends = columns["offset"] + padded(columns["size"]) + label
    starts = np.append(0, ends[:-1])
    starts[first] = 0
    for index in np.flatnonzero(columns["offset"] != starts + header)[:1]:
        tar_path, _ = shard_files(folder, int(columns["shard"][index]))
        clip = columns["index"][index]
        raise UserError(f"{tar_path}: clip {clip} is not where {table} says; {repair_hint(tar_path)}")
    for last in np.append(first[1:], len(ends)) - 1:
        shard, expected = int(columns["shard"][last]), tar_size(int(ends[last]))
        tar_path, _ = shard_files(folder, shard)
        if not tar_path.exists():
            raise UserError(f"{tar_path}: no such file; {repair_hint(tar_path)}")
        found = tar_path.stat().st_size
        if found != expected:
            raise UserError(
                f"{tar_path}: truncated or changed, {found} of {expected} bytes; {repair_hint(tar_path)}"
            )
        with tar_path.open("rb") as tar:
            tar.seek(int(ends[last]))
            if tar.read(tarfile.BLOCKSIZE).strip(b"\0"):
                raise UserError(f"{table}: lacks clips that {tar_path} holds; {repair_hint(table)}")

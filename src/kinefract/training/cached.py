"""A cache of a benchmark's videos: decoded once and resized, in one file that is mapped into memory.

Fine-tuning reads each video again in every epoch, and decoding 320 x 240 takes longer than a small network's
step. Windows of the cache are those of the files, resized. Crops taken from them differ in some bits from
crops of the originals, so the use of a cache is part of a recipe.
"""

import json
import math
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from kinefract import video
from kinefract.augment.crop import resize
from kinefract.benchmarks.base import Video
from kinefract.common.errors import UserError
from kinefract.common.files import locked, write_text, written_whole
from kinefract.common.layout import CACHE_INDEX, CACHED_FRAMES, LOCK
from kinefract.common.progress import log_line, progress
from kinefract.common.schema import digest_of

MAKES = "is making this cache"  # the activity of the process that holds the lock, for messages
VERSION = 2  # raised when the same videos give other bytes
BYTES_AT_ONCE = 1 << 28  # bytes that a thread decodes at once of a long video


class CachedVideos:
    """Videos as a source of clips, each frame resized so that its short side is ``side`` pixels.

    The folder holds ``frames.bin``, the frames of all videos one after the other. ``index.json``, which is
    written last, holds the sizes and the fingerprints of the videos. If videos have changed or are others,
    the cache is made again. If several processes need it, one makes it and the others wait.

    Attributes:
        labels: int64 (N,), the class of each video.
        frames: int64 (N,), its number of frames.
    """

    fresh = False

    def __init__(self, videos: list[Video], folder: Path, side: int) -> None:
        """Open the cache, and make it first if it does not exist.

        Args:
            videos: All videos of a benchmark, probed, with absolute paths.
            folder: The folder for caches of this benchmark; ``-<side>`` is added to its name.
            side: Length of the short side in pixels.

        Raises:
            UserError: a video cannot be read or does not match its index, or the cache cannot be written.
        """
        self.labels = np.array([entry.label for entry in videos], np.int64)
        self.frames = np.array([entry.length for entry in videos], np.int64)
        self._sizes = [_size(entry, side) for entry in videos]
        areas = np.array([height * width * 3 for height, width in self._sizes], np.int64)
        self._starts = np.concatenate([[0], np.cumsum(self.frames * areas)])
        self._path = Path(folder).with_name(f"{Path(folder).name}-{side}") / CACHED_FRAMES
        self._bytes: np.memmap | None = None
        self._make(videos, side)

    def only(self, indices: Sequence[int]) -> "CachedVideos":
        """Return some of the videos, for example those of one split, as a source of its own."""
        part = object.__new__(CachedVideos)
        part.labels, part.frames = self.labels[indices], self.frames[indices]
        part._sizes, part._starts = [self._sizes[index] for index in indices], self._starts[indices]
        part._path, part._bytes = self._path, None
        return part

    def read(self, index: int, frames: Sequence[int]) -> np.ndarray:
        """Return frames of a video: uint8 (T, H, W, 3)."""
        if self._bytes is None:  # opened by each process for itself
            self._bytes = np.memmap(self._path, np.uint8, "r")
        shape = (int(self.frames[index]), *self._sizes[index], 3)
        start = int(self._starts[index])
        return self._bytes[start : start + math.prod(shape)].reshape(shape)[np.asarray(frames)]

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_bytes": None}

    def _make(self, videos: list[Video], side: int) -> None:
        made_of = digest_of([VERSION, side, [_stamp(entry) for entry in videos]])
        index = self._path.with_name(CACHE_INDEX)
        if self._is_made(index, made_of):
            return
        with locked(self._path.with_name(LOCK), MAKES):
            if self._is_made(index, made_of):  # by another process, while this one waited
                return
            index.unlink(missing_ok=True)
            log_line(f"{self._path}: {len(videos)} videos take {self._starts[-1] / 1e9:.2f} GB")

            def resized(at: int) -> Iterator[np.ndarray]:
                return _resized(videos[at], self._sizes[at])

            fill(self._path, self._starts, resized, "decoding", "videos")
            sizes = [[int(n), *size] for n, size in zip(self.frames, self._sizes, strict=True)]
            facts = {"made_of": made_of, "side": side, "frames_height_width": sizes}
            write_text(index, json.dumps(facts) + "\n")

    def _is_made(self, index: Path, made_of: str) -> bool:
        try:
            facts = json.loads(index.read_text(encoding="utf-8"))
            return facts["made_of"] == made_of and self._path.stat().st_size == self._starts[-1]
        except (OSError, ValueError, LookupError, TypeError):
            return False


def fill(
    path: Path, starts: np.ndarray, pieces: Callable[[int], Iterable[np.ndarray]], what: str, unit: str
) -> None:
    """Write a file, whole or not at all, whose items are computed in parallel threads.

    Each item is written to its place as soon as it is computed, so that none waits in memory for another.

    Args:
        path: The file.
        starts: int64 (N + 1,), the byte where each item begins, and the file's size.
        pieces: A function from an item's number to the arrays of its bytes, in order; it is called in
            threads.
        what, unit: As for ``progress``.

    Raises:
        UserError: there is no room for the file, or it cannot be written. Errors that ``pieces`` raises pass
            through.
    """
    with written_whole(path) as partial:
        size, free = int(starts[-1]), shutil.disk_usage(path.parent).free
        if size > free:
            raise UserError(
                f"cannot write {path}: it takes {size / 1e9:.2f} GB, {free / 1e9:.2f} GB are free"
            )
        with partial.open("wb", buffering=0) as stream, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            stream.truncate(size)

            def write(item: int) -> None:
                at = int(starts[item])
                for piece in pieces(item):
                    data = np.ascontiguousarray(piece).data.cast("B")
                    while data:
                        written = os.pwrite(stream.fileno(), data, at)
                        at, data = at + written, data[written:]
                if at != starts[item + 1]:
                    raise ValueError(f"item {item} has {at - starts[item]} bytes")

            # libav releases the interpreter's lock, so threads decode side by side.
            items = range(len(starts) - 1)
            for _ in progress(pool.map(write, items), what, len(items), unit):
                pass


def _size(entry: Video, side: int) -> tuple[int, int]:
    """Return height and width of a video after its short side is resized."""
    scale = side / min(entry.height, entry.width)
    return max(side, round(entry.height * scale)), max(side, round(entry.width * scale))


def _resized(entry: Video, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yield a video's resized frames in parts: uint8 (T, H, W, 3)."""
    some = max(1, BYTES_AT_ONCE // (entry.height * entry.width * 3))
    for start in range(entry.start, entry.end, some):
        frames = video.decode(entry.path, range(start, min(start + some, entry.end)))
        if frames.shape[1:3] != (entry.height, entry.width):
            raise UserError(f"{entry.path} has changed since the benchmark was indexed: index it again")
        yield resize(frames, *size).movedim(1, -1).numpy()


def _stamp(entry: Video) -> list:
    """Return the fingerprint by which a changed clip is recognised; moving the project does not change it."""
    stamp = video.stamp(entry.path)
    if stamp is None:
        raise UserError(f"cannot read video {entry.path}: it is not there, or may not be read")
    name = os.fsencode(entry.path.name).hex()
    return [name, *stamp, entry.start, entry.end, entry.height, entry.width]

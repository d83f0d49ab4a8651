"""A cache of a benchmark's videos: decoded once and resized, in one file that is mapped into memory.

Fine-tuning reads each video again in every epoch, and decoding 320 x 240 takes longer than a small network's
step. Windows of the cache are those of the files, resized. Crops taken from them differ in some bits from
crops of the originals, so the use of a cache is part of a recipe.
"""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pydantic import with_config
from typing_extensions import TypedDict

from kinefract import video
from kinefract.augment.crop import resize
from kinefract.benchmarks.base import Video
from kinefract.common.errors import UserError
from kinefract.common.files import in_bytes, locked, write_text
from kinefract.common.layout import CACHE_INDEX, LOCK
from kinefract.common.progress import log_line
from kinefract.common.records import AS_WRITTEN, read_json
from kinefract.common.schema import digest_of
from kinefract.common.words import counted
from kinefract.training.frame_store import FrameStore

MAKES = "is making this cache"  # the activity of the process that holds the lock, for messages
VERSION = 2  # raised when the same videos give other bytes
BYTES_AT_ONCE = 1 << 28  # bytes that a thread decodes at once of a long video


@with_config(AS_WRITTEN)
class Facts(TypedDict):
    """What readers use of ``index.json``: the fingerprint of the videos that a cache holds."""

    made_of: str


class CachedVideos:
    """Videos as a source of clips, each frame resized so that its short side is ``side`` pixels.

    The folder holds a ``FrameStore``, the frames of all videos one after the other. ``index.json``, which is
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
        self._clips: Sequence[int] = range(len(videos))  # their numbers in the store
        sizes = [_size(entry, side) for entry in videos]
        place = Path(folder).with_name(f"{Path(folder).name}-{side}")
        self._store = FrameStore(place, self.frames, [(*size, 3) for size in sizes])
        self._make(videos, side, sizes)

    def only(self, indices: Sequence[int]) -> "CachedVideos":
        """Return some of the videos, for example those of one split, as a source of its own."""
        part = object.__new__(CachedVideos)
        part.labels, part.frames = self.labels[indices], self.frames[indices]
        part._clips, part._store = [self._clips[index] for index in indices], self._store
        return part

    def read(self, index: int, frames: Sequence[int]) -> np.ndarray:
        """Return frames of a video: uint8 (T, H, W, 3)."""
        return self._store.read(self._clips[index], frames)

    def _make(self, videos: list[Video], side: int, sizes: list[tuple[int, int]]) -> None:
        made_of = digest_of([VERSION, side, [_stamp(entry) for entry in videos]])
        path = self._store.path
        index = path.with_name(CACHE_INDEX)
        if self._is_made(index, made_of):
            return
        with locked(path.with_name(LOCK), MAKES):
            if self._is_made(index, made_of):  # by another process, while this one waited
                return
            index.unlink(missing_ok=True)
            log_line(f"{path}: {counted(len(videos), 'video')}, {in_bytes(self._store.bytes)}")

            def resized(at: int) -> Iterator[np.ndarray]:
                return _resized(videos[at], sizes[at])

            self._store.make(resized, "decoding", "videos")
            described = [[int(n), *size] for n, size in zip(self.frames, sizes, strict=True)]
            facts = {"made_of": made_of, "side": side, "frames_height_width": described}
            write_text(index, json.dumps(facts) + "\n")

    def _is_made(self, index: Path, made_of: str) -> bool:
        try:
            return read_json(index, Facts)["made_of"] == made_of and self._store.is_made()
        except (FileNotFoundError, UserError):
            return False


def _size(entry: Video, side: int) -> tuple[int, int]:
    """Return height and width of a video after its short side is resized."""
    scale = side / min(entry.height, entry.width)
    return max(side, round(entry.height * scale)), max(side, round(entry.width * scale))


def _resized(entry: Video, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yield a video's resized frames in parts: uint8 (T, H, W, 3), always bicubic."""
    some = max(1, BYTES_AT_ONCE // (entry.height * entry.width * 3))
    for start in range(entry.start, entry.end, some):
        frames = video.decode(entry.path, range(start, min(start + some, entry.end)))
        if frames.shape[1:3] != (entry.height, entry.width):
            raise UserError(
                f"{entry.path} has changed since the benchmark was indexed; "
                "`kinefract index` indexes it again"
            )
        yield resize(frames, *size).movedim(1, -1).numpy()


def _stamp(entry: Video) -> list:
    """Return the fingerprint by which a changed clip is recognised; moving the project does not change it."""
    stamp = video.stamp(entry.path)
    if stamp is None:
        raise UserError(f"cannot read video {entry.path}: it is not there, or may not be read")
    name = os.fsencode(entry.path.name).hex()
    return [name, *stamp, entry.start, entry.end, entry.height, entry.width]

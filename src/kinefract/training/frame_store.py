"""A store of decoded frames: one file that is mapped into memory, and a CRC-32 of each frame.

Memory maps have no checks of their own, so each frame is compared with its CRC-32 when it is read.
"""

import math
import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from kinefract.common import cores
from kinefract.common.errors import UserError
from kinefract.common.files import in_bytes, written_whole
from kinefract.common.layout import CACHED_FRAMES, FRAME_CHECKSUMS
from kinefract.common.progress import progress


class FrameStore:
    """The frames of clips, one clip after the other, in ``frames.bin``, with ``frames.crc32`` beside it.

    Attributes:
        path: The file of frames.
        bytes: Its size.
    """

    def __init__(self, folder: Path, frames: Sequence[int] | np.ndarray, shapes: list[tuple]) -> None:
        """Describe a store, whether or not it has been made.

        Args:
            folder: The folder of the store.
            frames: The number of frames of each clip, (N,).
            shapes: The shape of one frame of each clip.
        """
        self.path = Path(folder) / CACHED_FRAMES
        self._shapes = shapes
        areas = np.array([math.prod(shape) for shape in shapes], np.int64)
        self._firsts = np.concatenate([[0], np.cumsum(frames, dtype=np.int64)])  # frames before each clip
        self._starts = np.concatenate([[0], np.cumsum(np.asarray(frames, np.int64) * areas)])
        self.bytes = int(self._starts[-1])
        self._maps: tuple[np.ndarray, np.ndarray] | None = None

    def is_made(self) -> bool:
        """Return whether both files are there and have the right size."""
        sizes = ((self.path, self.bytes), (self._checksums, 4 * int(self._firsts[-1])))
        return all(path.exists() and path.stat().st_size == size for path, size in sizes)

    def read(self, clip: int, frames: Sequence[int]) -> np.ndarray:
        """Return frames of a clip by their number: uint8 (T, *shape of one frame).

        Raises:
            UserError: a frame is not as it was written.
        """
        if self._maps is None:  # opened by each process for itself
            self._maps = np.memmap(self.path, np.uint8, "r"), np.fromfile(self._checksums, "<u4")
        content, checksums = self._maps
        start, shape = self.place(clip)
        chosen = content[start : start + math.prod(shape)].reshape(shape)[np.asarray(frames, np.int64)]
        for number, frame in zip(frames, chosen, strict=True):
            if zlib.crc32(frame) != checksums[self._firsts[clip] + number]:
                raise UserError(
                    f"{self.path}: frame {number} of clip {clip} changed since it was written; "
                    f"delete {self.path.parent} to make it again"
                )
        return chosen

    def place(self, clip: int) -> tuple[int, tuple[int, ...]]:
        """Return the offset of a clip in the file, and its shape: frames, then the shape of one frame."""
        return int(self._starts[clip]), (
            int(self._firsts[clip + 1] - self._firsts[clip]),
            *self._shapes[clip],
        )

    def everything(self) -> np.ndarray:
        """Return the bytes of all frames, after comparing each frame: uint8 (bytes,).

        Raises:
            UserError: a frame is not as it was written.
        """
        for clip in range(len(self._shapes)):
            self.read(clip, range(self.place(clip)[1][0]))
        return np.fromfile(self.path, np.uint8)

    def make(self, pieces: Callable[[int], Iterable[np.ndarray]], what: str, unit: str) -> None:
        """Write the store, whole or not at all, from clips that are computed in parallel threads.

        Each clip is written to its place as soon as it is computed, so that none waits in memory for another.
        Only one process at a time may call this.

        Args:
            pieces: A function from a clip's number to the arrays of its frames, uint8 (T, ...), in order; it
                is called in threads.
            what, unit: As for ``progress``.

        Raises:
            UserError: there is no room for the file, or it cannot be written. Errors that ``pieces`` raises
                pass through.
        """
        self._maps = None
        checksums = np.zeros(self._firsts[-1], "<u4")
        with written_whole(self._checksums) as partial_checksums, written_whole(self.path) as partial:
            free = shutil.disk_usage(self.path.parent).free
            if self.bytes > free:
                takes = f"it takes {in_bytes(self.bytes)}, {in_bytes(free)} are free"
                raise UserError(f"cannot write {self.path}: {takes}")
            with partial.open("wb", buffering=0) as stream, ThreadPoolExecutor(cores.usable()) as pool:
                stream.truncate(self.bytes)

                def write(clip: int) -> None:
                    at, number = int(self._starts[clip]), int(self._firsts[clip])
                    for piece in pieces(clip):
                        frames = np.ascontiguousarray(piece)
                        if not frames.size:
                            continue
                        if frames.nbytes > self._starts[clip + 1] - at:
                            raise ValueError(f"clip {clip} has more frames than were announced")
                        for frame in frames:
                            checksums[number] = zlib.crc32(frame)
                            number += 1
                        data = frames.data.cast("B")
                        while data:
                            written = os.pwrite(stream.fileno(), data, at)
                            at, data = at + written, data[written:]
                    if at != self._starts[clip + 1] or number != self._firsts[clip + 1]:
                        raise ValueError(f"clip {clip} has fewer frames than were announced")

                # libav releases the interpreter's lock, so threads decode side by side.
                clips = range(len(self._shapes))
                for _ in progress(pool.map(write, clips), what, len(clips), unit):
                    pass
            checksums.tofile(partial_checksums)

    @property
    def _checksums(self) -> Path:
        return self.path.with_name(FRAME_CHECKSUMS)

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_maps": None}

"""Folders of numbered pictures (``<n>.jpg``, one per frame) as videos, a format of some benchmarks."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from kinefract.common.errors import UserError
from kinefract.common.words import counted
from kinefract.video.reading import VideoInfo

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


def decode(folder: Path | str, indices: Sequence[int] | None = None, grey: bool = False) -> np.ndarray:
    """Read pictures of a folder by their place in it, counted from 0.

    They are sorted by the numbers in their names, ``9.jpg`` before ``10.jpg``. Other files are ignored, and
    so is the orientation that a camera recorded (EXIF).

    Args:
        folder: The folder.
        indices: The frames wanted, in any order, repeats allowed; all of them if ``None``.
        grey: Return luma alone.

    Returns:
        uint8, (len(indices), H, W, 3) in RGB, or (len(indices), H, W) if ``grey``.

    Raises:
        UserError: the folder holds no picture, too few, an unreadable one, or the wanted ones differ in size.
    """
    paths = _listed(folder)
    wanted = list(range(len(paths))) if indices is None else list(indices)
    if not wanted or min(wanted) < 0:
        raise ValueError(f"indices must be frame numbers from 0 on, at least one, got {indices}")
    if max(wanted) >= len(paths):
        raise UserError(
            f"cannot read {folder}: it ends after {counted(len(paths), 'frame')}, asked for {max(wanted)}"
        )
    found = {}
    for index in sorted(set(wanted)):
        with _opened(paths[index]) as picture:
            found[index] = np.asarray(picture.convert("L" if grey else "RGB"))
        _check_size(paths[index], found[index].shape[1::-1], found[min(found)].shape[1::-1])
    return np.stack([found[index] for index in wanted])


def probe(folder: Path | str, fps: float = 25.0) -> VideoInfo:
    """Count the pictures of a folder, each of which is read to its end, and return their size.

    Args:
        folder: The folder.
        fps: Frames per second, which pictures do not state.

    Raises:
        UserError: the folder holds no picture, an unreadable one, or pictures that differ in size.
    """
    paths = _listed(folder)
    first = (0, 0)
    for number, path in enumerate(paths):
        with _opened(path) as picture:
            first = first if number else picture.size
            _check_size(path, picture.size, first)
            picture.draft("L", (1, 1))  # an eighth of a JPEG's size: all of the file is read, in less time
            picture.load()
    return VideoInfo(len(paths), fps, *first)


def _listed(folder: Path | str) -> list[Path]:
    """Return the pictures of a folder, in the order of the numbers in their names."""

    def natural(path: Path) -> tuple:
        parts = re.split(r"([0-9]+)", path.name)  # text and numbers by turns
        return [int(part) if at % 2 else part for at, part in enumerate(parts)], path.name

    try:
        found = [
            path
            for path in Path(folder).iterdir()
            # A link that leads nowhere is a picture that is missing, which opening it tells.
            if path.suffix.lower() in SUFFIXES
            and not path.name.startswith(".")
            and (path.is_file() or (path.is_symlink() and not path.exists()))
        ]
    except OSError as error:
        raise UserError(f"cannot read {folder}: {error.strerror or error}") from error
    if not found:
        raise UserError(f"cannot read {folder}: the folder holds no picture ({', '.join(SUFFIXES)})")
    return sorted(found, key=natural)


@contextmanager
def _opened(path: Path) -> Iterator:
    """Yield a ``PIL.Image.Image``; what fails within is a UserError."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            if picture.mode.startswith(("I", "F")):
                raise UserError(f"cannot read picture {path}: its pixels have more than 8 bits")
            yield picture
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"cannot read picture {path}: {error}") from error


def _check_size(path: Path, size: tuple[int, ...], first: tuple[int, ...]) -> None:
    if size != first:
        raise UserError(
            f"cannot read {path}: it is {size[0]}x{size[1]}, the folder's first frame {first[0]}x{first[1]}"
        )

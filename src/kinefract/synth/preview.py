"""Clips for people to look at: a sheet of moments, and many clips moving side by side."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from kinefract import video
from kinefract.errors import UserError
from kinefract.files import written_whole
from kinefract.synth.recipes import DatasetRecipe

CLASSES, INSTANCES, MOMENTS = 8, 3, (0.0, 0.5, 1.0)  # of the sheet
GRID = 4  # clips a side of the moving sheet
SIDE = 128  # pixels of a clip, at most
GAP = 4
BACKGROUND = 48  # dark grey, or black frames would run into each other
ANIMATIONS = (".mp4", ".webp", ".gif")


class Clips(Protocol):
    """Clips in any order, dealt round-robin over their classes."""

    labels: np.ndarray

    def read(self, index: int, *, grey: bool) -> np.ndarray:
        """Return uint8 frames, (T, H, W, 3) with ``grey=False``."""


class RecipeClips:
    """The clips of a recipe, rendered as they are looked at: what to show where no dataset has been made."""

    def __init__(self, recipe: DatasetRecipe) -> None:
        self.labels = np.arange(recipe.clips) % recipe.classes
        self._clip = lru_cache(maxsize=64)(recipe.clip)

    def read(self, index: int, *, grey: bool) -> np.ndarray:
        frames = self._clip(index)
        if grey:
            raise ValueError("clips to look at are read in colour")
        return frames if frames.ndim == 4 else np.repeat(frames[..., None], 3, axis=3)


def sheet(clips: Clips, classes: Sequence[int] | None = None) -> np.ndarray:
    """Lay out a row per class, and in it three instances at their first, middle and last frame.

    Args:
        clips: What to show.
        classes: Which classes; up to eight, evenly spread, if ``None``.

    Returns:
        uint8 (H, W, 3), H and W even.
    """
    count = int(clips.labels.max()) + 1
    rows = []
    for label in _spread(count, CLASSES) if classes is None else classes:
        cells = []
        for index in range(label, len(clips.labels), count)[:INSTANCES]:
            frames = clips.read(index, grey=False)
            cells.extend(_small(frames[round(at * (len(frames) - 1))]) for at in MOMENTS)
        rows.append(cells)
    # Without its last instance a class has fewer cells; black ones fill up.
    longest = max(len(cells) for cells in rows)
    return tile([cells + [np.zeros_like(cells[0])] * (longest - len(cells)) for cells in rows])


def moving_sheet(clips: Clips, chosen: Sequence[int] | None = None, columns: int | None = None) -> np.ndarray:
    """Lay out clips side by side, playing forth and back.

    Args:
        clips: What to show.
        chosen: Which clips; up to 4 x 4, of different classes where there are so many, if ``None``.
        columns: Clips in a row; as many as rows if ``None``.

    Returns:
        uint8 (T, H, W, 3), H and W even.
    """
    if chosen is None:
        side = min(GRID, int(len(clips.labels) ** 0.5))
        most = max(int(clips.labels.max()) + 1, side**2)
        chosen = _spread(min(len(clips.labels), most), side**2)
    columns = columns or max(1, int(len(chosen) ** 0.5))
    return side_by_side([clips.read(index, grey=False) for index in chosen], columns)


def side_by_side(clips: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Lay out clips (T, H, W, 3) of equal size in rows, playing forth and back: uint8 (T', H', W', 3)."""
    small = [np.stack([_small(image) for image in frames]) for frames in clips]
    # A clip that ends early stays on its last frame until the others are through.
    moving = []
    for t in range(max(len(frames) for frames in small)):
        images = [frames[min(t, len(frames) - 1)] for frames in small]
        images += [np.zeros_like(images[0])] * (-len(images) % columns)
        moving.append(tile([images[i : i + columns] for i in range(0, len(images), columns)]))
    return np.stack(moving + moving[-2:0:-1])


def write(path: Path | str, frames: np.ndarray, fps: int) -> None:
    """Write a picture or an animation, by the ending of ``path``.

    Args:
        path: ``.png`` for uint8 (H, W, 3); ``.mp4``, ``.webp`` or ``.gif`` for (T, H, W, 3).
        frames: What to write, H and W even.
        fps: Frames per second of an animation.

    Raises:
        UserError: another ending, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix not in (*ANIMATIONS, ".png"):
        raise UserError(f"{path}: wants the ending .png for a picture or {', '.join(ANIMATIONS)} for motion")
    if path.suffix == ".mp4":
        video.write_for_people(path, frames, fps)
        return
    images = [Image.fromarray(image) for image in (frames if frames.ndim == 4 else frames[None])]
    # WebP and GIF keep the time of a frame in milliseconds and repeat for ever.
    motion = {"save_all": True, "append_images": images[1:], "duration": round(1000 / fps), "loop": 0}
    with written_whole(path) as partial:
        images[0].save(partial, **({} if path.suffix == ".png" else motion | {"quality": 30, "method": 4}))


def tile(rows: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Put equally large images in rows, with even gaps around them: (H, W, 3), H and W even."""
    height, width = rows[0][0].shape[:2]
    picture = np.full(
        (GAP + len(rows) * (height + GAP), GAP + len(rows[0]) * (width + GAP), 3), BACKGROUND, np.uint8
    )
    for i, cells in enumerate(rows):
        for j, image in enumerate(cells):
            top, left = GAP + i * (height + GAP), GAP + j * (width + GAP)
            picture[top : top + height, left : left + width] = image
    return picture


def _spread(available: int, wanted: int) -> list[int]:
    """Return up to ``wanted`` numbers below ``available``, evenly spread, from 0 on."""
    count = min(available, wanted)
    return [index * available // count for index in range(count)]


def _small(image: np.ndarray) -> np.ndarray:
    """Shrink an (H, W, 3) image to at most 128 pixels a side."""
    scale = min(1.0, SIDE / max(image.shape[:2]))
    if scale == 1.0:
        return image
    height, width = (max(2, round(length * scale)) for length in image.shape[:2])
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BOX))

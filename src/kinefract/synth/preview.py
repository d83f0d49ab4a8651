"""Sheets of clips for people: a picture of a few classes, and a moving one of many clips."""

from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from kinefract import video
from kinefract.files import written_whole

CLASSES, INSTANCES, MOMENTS = 8, 3, (0.0, 0.5, 1.0)  # of the picture
GRID = 4  # clips a side of the moving sheet
SIDE = 128  # pixels of a clip, at most
GAP = 4


class Clips(Protocol):
    """Clips in any order, dealt round-robin over their classes."""

    labels: np.ndarray
    frames: np.ndarray

    def read(self, index: int, frames: list[int] | None = None, grey: bool | None = None) -> np.ndarray:
        """Return uint8 frames, (T, H, W, 3) with ``grey=False``."""


def write_sheet(path: Path | str, clips: Clips) -> None:
    """Write a PNG: a row per class, and in it three instances at their first, middle and last frame."""
    classes = int(clips.labels.max()) + 1
    rows = []
    for label in _spread(classes, CLASSES):
        cells = []
        for index in range(label, len(clips.labels), classes)[:INSTANCES]:
            moments = [round(at * (int(clips.frames[index]) - 1)) for at in MOMENTS]
            cells.extend(_small(image) for image in clips.read(index, moments, grey=False))
        rows.append(cells)
    # Without its last instance a class has fewer cells; black ones fill up.
    longest = max(len(cells) for cells in rows)
    rows = [cells + [np.zeros_like(cells[0])] * (longest - len(cells)) for cells in rows]
    with written_whole(path) as partial:
        Image.fromarray(_tile(rows)).save(partial)


def write_moving_sheet(path: Path | str, clips: Clips, fps: int) -> None:
    """Write an mp4 of up to 4 x 4 clips, of different classes where there are so many, forth and back."""
    side = min(GRID, int(len(clips.labels) ** 0.5))
    chosen = _spread(min(len(clips.labels), max(int(clips.labels.max()) + 1, side**2)), side**2)
    read = [np.stack([_small(image) for image in clips.read(index, grey=False)]) for index in chosen]
    # A clip that ends early stays on its last frame until the others are through.
    moving = []
    for t in range(max(len(frames) for frames in read)):
        images = [frames[min(t, len(frames) - 1)] for frames in read]
        moving.append(_tile([images[row * side : (row + 1) * side] for row in range(side)]))
    video.write_for_people(path, np.stack(moving + moving[-2:0:-1]), fps)


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


def _tile(rows: list[list[np.ndarray]]) -> np.ndarray:
    """Put equally large images in rows, with even gaps around them: (H, W, 3), H and W even."""
    height, width = rows[0][0].shape[:2]
    sheet = np.full(
        (GAP + len(rows) * (height + GAP), GAP + len(rows[0]) * (width + GAP), 3), 48, np.uint8
    )  # dark grey, or black frames would run into each other
    for i, cells in enumerate(rows):
        for j, image in enumerate(cells):
            top, left = GAP + i * (height + GAP), GAP + j * (width + GAP)
            sheet[top : top + height, left : left + width] = image
    return sheet

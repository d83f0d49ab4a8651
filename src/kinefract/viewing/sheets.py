"""Contact sheets of labelled clips: a still sheet of moments, and many clips moving side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from kinefract.common.layout import MOVING, STILL
from kinefract.viewing.tiles import grid, shrunk, side_by_side, spread, write

CLASSES, INSTANCES, MOMENTS = 8, 3, (0.0, 0.5, 1.0)  # of the still sheet
SIDE = 4  # clips a side of the moving sheet


class Clips(Protocol):
    """Clips in any order, dealt round-robin over their classes."""

    labels: np.ndarray

    def read(self, index: int, *, grey: bool) -> np.ndarray:
        """Return uint8 frames, (T, H, W, 3) with ``grey=False``."""


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
    for label in spread(count, CLASSES) if classes is None else classes:
        cells: list[np.ndarray | None] = []
        for index in range(label, len(clips.labels), count)[:INSTANCES]:
            frames = clips.read(index, grey=False)
            cells.extend(shrunk(frames[round(at * (len(frames) - 1))]) for at in MOMENTS)
        rows.append(cells)
    longest = max(len(cells) for cells in rows)  # a class without its last instance has fewer cells
    return grid([cell for cells in rows for cell in cells + [None] * (longest - len(cells))], longest)


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
        side = min(SIDE, int(len(clips.labels) ** 0.5))
        most = max(int(clips.labels.max()) + 1, side**2)
        chosen = spread(min(len(clips.labels), most), side**2)
    columns = columns or max(1, int(len(chosen) ** 0.5))
    return side_by_side([clips.read(index, grey=False) for index in chosen], columns)


def write_sheets(folder: Path, clips: Clips, fps: int) -> None:
    """Write ``preview.png``, the still sheet, and ``preview.mp4``, the moving one.

    Args:
        folder: Where to write.
        clips: What to show.
        fps: Frames per second of the clips.

    Raises:
        UserError: a file cannot be written.
    """
    write(folder / STILL, sheet(clips), fps)
    write(folder / MOVING, moving_sheet(clips), fps)

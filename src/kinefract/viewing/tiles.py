"""Pictures and clips laid out in rows, and written as a picture or an animation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kinefract import video
from kinefract.common.errors import UserError
from kinefract.common.files import written_whole

SIDE = 128  # pixels of a clip, at most
GAP = 4  # pixels between cells, and around them
DARK, WHITE = 48, 255  # what lies behind the cells; on black, black frames would run into each other
ANIMATIONS = (".mp4", ".webp", ".gif")


def grid(
    cells: Sequence[np.ndarray | None], columns: int, background: int = DARK, gap: int = GAP
) -> np.ndarray:
    """Put pictures or clips of one shape in rows, with even gaps around them.

    Args:
        cells: uint8 pictures (H, W, 3) or clips (T, H, W, 3), row by row; None leaves a place empty.
        columns: Cells in a row; the last row may have fewer.
        background: The grey level of gaps and empty places.
        gap: Pixels between cells, and around them.

    Returns:
        uint8 (H', W', 3) or (T, H', W', 3); H' and W' are even where H and W are.
    """
    *time, height, width, channels = next(cell.shape for cell in cells if cell is not None)
    down, across = height + gap, width + gap
    rows = -(-len(cells) // columns)
    picture = np.full((*time, gap + rows * down, gap + columns * across, channels), background, np.uint8)
    for place, cell in enumerate(cells):
        if cell is not None:
            top, left = gap + place // columns * down, gap + place % columns * across
            picture[..., top : top + height, left : left + width, :] = cell
    return picture


def side_by_side(clips: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Lay out clips in rows, playing forth and back.

    A clip that ends early stays on its last frame until the others are through.

    Args:
        clips: uint8 (T, H, W, 3), of equal H and W; each is shrunk to at most 128 pixels a side.
        columns: Clips in a row.

    Returns:
        uint8 (T', H', W', 3).
    """
    longest = max(len(frames) for frames in clips)
    cells = []
    for frames in clips:
        small = np.stack([shrunk(image) for image in frames])
        cells.append(np.concatenate([small, small[-1:].repeat(longest - len(small), axis=0)]))
    moving = grid(cells, columns)
    return np.concatenate([moving, moving[-2:0:-1]])


def shrunk(image: np.ndarray) -> np.ndarray:
    """Return an (H, W, 3) picture of at most 128 pixels a side."""
    scale = min(1.0, SIDE / max(image.shape[:2]))
    if scale == 1.0:
        return image
    height, width = (max(2, round(length * scale)) for length in image.shape[:2])
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BOX))


def in_colour(frames: np.ndarray) -> np.ndarray:
    """Return grey frames (T, H, W) as (T, H, W, 3); frames in colour as they are."""
    return frames if frames.ndim == 4 else np.repeat(frames[..., None], 3, axis=3)


def spread(available: int, wanted: int) -> list[int]:
    """Return up to ``wanted`` numbers below ``available``, evenly spread, from 0 on."""
    count = min(available, wanted)
    return [index * available // count for index in range(count)]


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
    motion: dict[str, Any] = {
        "save_all": True,
        "append_images": images[1:],
        "duration": round(1000 / fps),
        "loop": 0,
    }
    with written_whole(path) as partial:
        images[0].save(partial, **({} if path.suffix == ".png" else motion | {"quality": 30, "method": 4}))

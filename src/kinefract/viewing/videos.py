"""A moving sheet of a benchmark's videos with their class names, and one still of it."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from kinefract import video
from kinefract.common.layout import MOVING, STILL
from kinefract.viewing.tiles import WHITE, grid, spread, write

if TYPE_CHECKING:
    from kinefract.benchmarks.base import Video

TILES, COLUMNS = 24, 6
LONGEST_SIDE = 96
TITLE_HEIGHT = 16
SHEET_FPS, SHEET_FRAMES = 12, 36


def write_sheet(folder: Path, videos: "list[Video]") -> None:
    """Write ``preview.mp4`` and ``preview.png``: up to 24 training videos, at most two of a class.

    Every tile plays its video's beginning at its own speed and starts again at its end. With more than 24
    classes, classes at even distances are shown.

    Args:
        folder: Where to write.
        videos: Readable videos with absolute paths.

    Raises:
        UserError: a video cannot be read, or a file cannot be written.
    """
    shown = _choose([item for item in videos if item.split == "train"] or videos)
    width, height = _tile_size(shown)
    cells = []
    for item in shown:
        title = np.broadcast_to(_title(item.class_name, width), (SHEET_FRAMES, TITLE_HEIGHT, width, 3))
        cells.append(np.concatenate([title, tile(item, width, height)], axis=1))
    sheet = grid(cells, min(COLUMNS, len(cells)), WHITE)
    write(folder / MOVING, sheet, SHEET_FPS)
    write(folder / STILL, sheet[SHEET_FRAMES // 6], SHEET_FPS)


def _choose(videos: "list[Video]") -> "list[Video]":
    by_class: dict[int, list[Video]] = {}
    for item in videos:
        by_class.setdefault(item.label, []).append(item)
    labels = sorted(by_class)
    labels = [labels[place] for place in spread(len(labels), TILES)]
    each = min(2, TILES // len(labels))
    # The first and one from the middle: neighbours in a list are often cut from one recording.
    return [by_class[label][place] for label in labels for place in spread(len(by_class[label]), each)]


def _tile_size(videos: "list[Video]") -> tuple[int, int]:
    """Return width and height, a multiple of four, of the middle one among the videos' shapes."""
    shape = float(np.median([item.width / item.height for item in videos]))
    width = LONGEST_SIDE * min(1.0, max(shape, 0.5))
    height = LONGEST_SIDE * min(1.0, max(1 / shape, 0.5))
    return int(width) // 4 * 4, int(height) // 4 * 4


def tile(item: "Video", width: int, height: int) -> np.ndarray:
    """Return the beginning of a video, cropped and scaled; a short one starts again at its end.

    Args:
        item: The video.
        width: Width in pixels.
        height: Height in pixels.

    Returns:
        uint8 (36, height, width, 3): three seconds at 12 frames a second.

    Raises:
        UserError: the video cannot be read.
    """
    stride = max(1, round(item.fps / SHEET_FPS))
    wanted = range(item.start, min(item.end, item.start + stride * SHEET_FRAMES), stride)
    frames = video.decode(item.path, wanted)
    scaled = [np.asarray(ImageOps.fit(Image.fromarray(frame), (width, height))) for frame in frames]
    return np.stack([scaled[i % len(scaled)] for i in range(SHEET_FRAMES)])


def _title(text: str, width: int) -> np.ndarray:
    """Return (TITLE_HEIGHT, width, 3) with the text in dark grey, shortened to fit."""
    font = ImageFont.load_default(12)
    text = " ".join(text.split())[:width]  # no character is narrower than a pixel
    while text and font.getlength(text) > width:
        text = text.removesuffix("…")[:-1] + "…" if len(text) > 1 else ""
    image = Image.new("RGB", (width, TITLE_HEIGHT), "white")
    ImageDraw.Draw(image).text((1, 1), text, fill=(60, 60, 60), font=font)
    return np.asarray(image)

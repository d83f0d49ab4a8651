"""A moving sheet of a benchmark's videos with their class names, and one still of it."""

import math
from pathlib import Path

import numpy as np

from kinefract import video
from kinefract.benchmarks.recipes import Video
from kinefract.files import written_whole

TILES, COLUMNS = 24, 6
LONGEST_SIDE = 96
TITLE_HEIGHT = 16
GAP = 4
SHEET_FPS, SHEET_FRAMES = 12, 36


def write_sheet(folder: Path, videos: list[Video]) -> None:
    """Write ``preview.mp4`` and ``preview.png``: up to 24 training videos, at most two of a class.

    Every tile plays its video's beginning at its own speed and starts again at its end. With more than 24
    classes, classes at even distances are shown.

    Args:
        folder: Where to write.
        videos: Readable videos with absolute paths.
    """
    from PIL import Image

    shown = _choose([item for item in videos if item.split == "train"] or videos)
    width, height = _tile_size(shown)
    columns = min(COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    across, down = width + GAP, TITLE_HEIGHT + height + GAP
    sheet = np.full((SHEET_FRAMES, rows * down + GAP, columns * across + GAP, 3), 255, np.uint8)
    for place, item in enumerate(shown):
        top, left = GAP + place // columns * down, GAP + place % columns * across
        sheet[:, top : top + TITLE_HEIGHT, left : left + width] = _title(item.class_name, width)
        sheet[:, top + TITLE_HEIGHT :, left:][:, :height, :width] = _tile(item, width, height)
    video.write_for_people(folder / "preview.mp4", sheet, SHEET_FPS)
    with written_whole(folder / "preview.png") as partial:
        Image.fromarray(sheet[SHEET_FRAMES // 6]).save(partial)


def _choose(videos: list[Video]) -> list[Video]:
    by_class: dict[int, list[Video]] = {}
    for item in videos:
        by_class.setdefault(item.label, []).append(item)
    labels = sorted(by_class)
    if len(labels) > TILES:
        labels = [labels[i * len(labels) // TILES] for i in range(TILES)]
    each = min(2, TILES // len(labels))
    # The first and one from the middle: neighbours in a list are often cut from one recording.
    return [by_class[label][i * len(by_class[label]) // each] for label in labels for i in range(each)]


def _tile_size(videos: list[Video]) -> tuple[int, int]:
    """Return width and height, a multiple of four, of the middle one among the videos' shapes."""
    shape = float(np.median([item.width / item.height for item in videos]))
    width = LONGEST_SIDE * min(1.0, max(shape, 0.5))
    height = LONGEST_SIDE * min(1.0, max(1 / shape, 0.5))
    return int(width) // 4 * 4, int(height) // 4 * 4


def _tile(item: "Video", width: int, height: int) -> np.ndarray:
    """Return (SHEET_FRAMES, height, width, 3), the video cut and scaled to the tile."""
    from PIL import Image, ImageOps

    stride = max(1, round(item.fps / SHEET_FPS))
    wanted = range(item.start, min(item.end, item.start + stride * SHEET_FRAMES), stride)
    frames = video.decode(item.path, wanted)
    scaled = [np.asarray(ImageOps.fit(Image.fromarray(frame), (width, height))) for frame in frames]
    return np.stack([scaled[i % len(scaled)] for i in range(SHEET_FRAMES)])


def _title(text: str, width: int) -> np.ndarray:
    """Return (TITLE_HEIGHT, width, 3) with the text in dark grey, shortened to fit."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(12)
    text = " ".join(text.split())
    while text and font.getlength(text) > width:
        text = text.removesuffix("…")[:-1] + "…" if len(text) > 1 else ""
    image = Image.new("RGB", (width, TITLE_HEIGHT), "white")
    ImageDraw.Draw(image).text((1, 1), text, fill=(60, 60, 60), font=font)
    return np.asarray(image)

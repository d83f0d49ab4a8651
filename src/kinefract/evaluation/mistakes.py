"""A picture of a network's worst mistakes: frames of the wrong videos with the highest scores."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from kinefract.benchmarks.base import Video
from kinefract.common.files import written_whole
from kinefract.common.words import counted
from kinefract.evaluation.confusion import shown
from kinefract.evaluation.scores import best
from kinefract.training.data import Videos
from kinefract.viewing.tiles import WHITE, grid

MOST, COLUMNS = 24, 2
FRAMES = 4  # frames of a video, from the middles of its quarters
TILE = (120, 90)  # width and height of a frame, in pixels
GAP = 10
LINE = 16  # height of a line of text, in pixels
INK, MUTED, PAPER, BEHIND = "#1c2230", "#646c7b", "#ffffff", "#303030"
STRIP = (FRAMES * TILE[0], 3 * LINE + TILE[1])  # width and height


def worst(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the videos with a wrong prediction, sorted by the score of that prediction, descending.

    Args:
        scores: float, (videos, classes).
        labels: int, (videos,).

    Returns:
        int64, up to 24 numbers of videos; with equal scores the first video comes first.
    """
    predicted = best(scores, 1)[:, 0]
    wrong = np.flatnonzero(predicted != labels)
    order = np.argsort(-scores[wrong, predicted[wrong]], kind="stable")
    return wrong[order][:MOST]


def write_mistakes(path: Path, videos: list[Video], scores: np.ndarray, classes: Sequence[str]) -> None:
    """Write a PNG with a strip for each of the ``worst`` videos: class, prediction, its score, four frames.

    If no video is wrong, the picture states that. Videos are read one at a time.

    Args:
        path: The file, ending in ``.png``.
        videos: The evaluated videos, which must be readable.
        scores: float, (videos, classes).
        classes: The names in label order.

    Raises:
        UserError: a video cannot be read, or the picture cannot be written.
    """
    chosen = worst(scores, np.array([entry.label for entry in videos]))
    strips = [_strip(videos[index], scores[index], classes) for index in chosen]
    if not strips:
        strips = [Image.new("RGB", (STRIP[0], 2 * LINE), PAPER)]
        _write(strips[0], 0, f"None of {counted(len(videos), 'video')} is wrong.", INK)
    sheet = grid([np.asarray(strip) for strip in strips], min(COLUMNS, len(strips)), WHITE, GAP)
    with written_whole(path) as partial:
        Image.fromarray(sheet).save(partial)


def _strip(entry: Video, result: np.ndarray, classes: Sequence[str]) -> Image.Image:
    """Draw one video: three lines of text above its frames."""
    predicted = int(best(result, 1)[0])
    strip = Image.new("RGB", STRIP, PAPER)
    _write(strip, 0, f"is: {classes[entry.label]}", INK)
    _write(strip, 1, f"taken for ({100 * result[predicted]:.1f} %): {classes[predicted]}", INK)
    _write(strip, 2, "/".join(Path(entry.path).parts[-2:]), MUTED)
    source = Videos([entry])
    quarters = [(2 * part + 1) * int(source.frames[0]) // (2 * FRAMES) for part in range(FRAMES)]
    for part, frame in enumerate(source.read(0, quarters)):
        tile = ImageOps.pad(Image.fromarray(frame), TILE, color=BEHIND)
        strip.paste(tile, (part * TILE[0], 3 * LINE))
    return strip


def _write(strip: Image.Image, line: int, text: str, colour: str) -> None:
    """Write a line of text, shortened to the strip's width."""
    font = ImageFont.load_default(12)
    text = shown(text)
    longest = next((n for n in range(len(text), 1, -1) if font.getlength(shown(text, n)) <= STRIP[0]), 1)
    ImageDraw.Draw(strip).text((0, line * LINE), shown(text, longest), fill=colour, font=font)

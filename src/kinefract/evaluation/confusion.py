"""The confusion matrix as an SVG figure, readable from two classes to more than a hundred."""

import unicodedata
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba

from kinefract.common.style import GRID, INK, MUTED, SERIES, svg

RIGHT, WRONG = SERIES[:2]
FAINTEST = 0.15  # least opacity of a cell; an empty cell is not drawn
NUMBERED = 24  # with more classes the cells are too small for percentages
LONGEST_NAME = 36  # characters
MARGIN = 0.6  # inches for the labels of the axes, beside the names


def shown(text: str, longest: int | None = None) -> str:
    """Return a name that can be drawn and printed, with at most ``longest`` characters.

    Bytes of file names that are no UTF-8, line ends and other characters without a glyph are replaced.
    """
    text = "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
    return text if longest is None or len(text) <= longest else text[: longest - 1] + "…"


def confusion_svg(matrix: np.ndarray, classes: Sequence[str]) -> str:
    """Draw a confusion matrix: a row per class, shaded by the share of its videos that got each prediction.

    The same matrix gives the same bytes. With up to 24 classes the cells show percentages.

    Args:
        matrix: int, (classes, classes): row i counts the videos of class i by predicted class.
        classes: The names, in label order.

    Returns:
        The text of an SVG file with every class's name at its row and at its column.
    """
    count = len(classes)
    videos = matrix.sum(1, keepdims=True)
    shares = np.divide(matrix, videos, out=np.zeros(matrix.shape), where=videos > 0)
    names = [shown(name, LONGEST_NAME) for name in classes]
    cell = 0.42 if count <= 12 else 0.28 if count <= NUMBERED else 0.12 if count <= 64 else 0.1  # inches
    points = 9 if count <= 12 else 8 if count <= NUMBERED else 0.78 * 72 * cell
    longest = max(_width(name) for name in names) * 0.62 * points / 72
    side = max(count * cell, 1.6) + longest + MARGIN

    def draw(axes: Axes) -> None:
        _draw_cells(axes, shares)
        axes.set_xticks(range(count), names, rotation=90, fontsize=points, color=INK)
        axes.set_yticks(range(count), names, fontsize=points, color=INK)
        axes.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5), aspect="equal")
        axes.set_xlabel("taken for" + (", % of the row" if count <= NUMBERED else ""))
        axes.set_ylabel("class")
        axes.tick_params(length=0)
        axes.grid(False)
        axes.spines[:].set(visible=True, color=MUTED)
        lines = np.arange(0.5, count - 1)
        axes.hlines(lines, -0.5, count - 0.5, color=GRID, linewidth=0.4, zorder=0)
        axes.vlines(lines, -0.5, count - 0.5, color=GRID, linewidth=0.4, zorder=0)
        if count <= NUMBERED:
            for row, column in np.argwhere(shares > 0):
                text = f"{100 * shares[row, column]:.0f}"
                axes.text(column, row, text, ha="center", va="center", fontsize=0.9 * points, color=INK)

    return svg(lambda figure: draw(figure.subplots()), (side, side), "confusion")


def _draw_cells(axes: Axes, shares: np.ndarray) -> None:
    # Cells are drawn as shapes rather than as a picture, so that they stay sharp when one zooms in.
    cells = np.argwhere(shares > 0)
    corners = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
    colours = [
        to_rgba(RIGHT if row == column else WRONG, FAINTEST + (1 - FAINTEST) * shares[row, column])
        for row, column in cells
    ]
    axes.add_collection(PolyCollection(cells[:, None, ::-1] + corners, facecolors=colours, linewidths=0))


def _width(text: str) -> int:
    """Return the width of a text in average letters; letters of East Asian scripts count twice."""
    return sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text)

"""The common style of SVG figures: no date, fixed ids, text as text, so that equal runs give equal bytes.

Colour-blind readers can distinguish the colours, which contrast with white and with black, since pages have
both grounds.
"""

import io
import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

# Pages replace these by their own light or dark colours.
INK, MUTED, GRID, PAPER = "#1c2230", "#646c7b", "#d9dde5", "#ffffff"
SCRATCH = "#7f8896"
SERIES = ("#2f7de1", "#d9730d", "#1f9d6b", "#a05ad6", "#d6455d", "#128fa1", "#9a7b1c", "#c2529b")

STYLE: "dict[RcKeyType, Any]" = {
    "svg.fonttype": "none",
    "svg.hashsalt": "kinefract",
    "text.parse_math": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "figure.facecolor": PAPER,
    "axes.facecolor": "none",
    "legend.frameon": False,
}


def svg(draw: Callable[[Figure], None], size: tuple[float, float], salt: str) -> str:
    """Return a drawing as SVG text, the same bytes for the same drawing."""
    buffer = io.BytesIO()
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": salt}), warnings.catch_warnings():
        # The viewer's font draws the letters; one that our font lacks changes the layout only slightly.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    # Trailing blanks and matplotlib's list of licences carry no information.
    text = re.sub(r"[ \t]+\n", "\n", buffer.getvalue().decode("utf-8"))
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    return text.replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")

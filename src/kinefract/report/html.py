"""Helpers of the pages of reports: embedded figures and readable numbers."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from markupsafe import Markup, escape

from kinefract.common.style import GRID, INK, MUTED, PAPER

THEMED = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--line)",
    PAPER: "none",
}


class Numbers(NamedTuple):
    """The numbers behind a chart: the heads of the columns, and rows that begin with their names."""

    heads: list[str]
    rows: list[list[str]]


def inlined(svg: str, prefix: str, description: str, titles: Mapping[str, str] | None = None) -> Markup:
    """Return an SVG file as an element of a page, with a description, the page's colours and unique ids.

    Args:
        svg: The text of the file.
        prefix: The beginning of each id on the page.
        description: The chart in words.
        titles: Id of a group of the drawing -> the text that is shown when one points at it.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r'(href="|url\()#', rf"\1#{prefix}-", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    for group, text in (titles or {}).items():
        start = f'<g id="{prefix}-{group}">'
        svg = svg.replace(start, f"{start}<title>{escape(text)}</title>", 1)
    for colour, variable in THEMED.items():
        svg = svg.replace(colour, variable)
    return Markup(svg.replace("<svg", Markup('<svg role="img" aria-label="{}"').format(description), 1))

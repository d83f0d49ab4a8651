"""The confusion matrices of a study's networks, as its page shows them."""

import re
from dataclasses import dataclass
from xml.etree import ElementTree

from markupsafe import Markup

from kinefract.common import checksums
from kinefract.common.layout import CONFUSION
from kinefract.report.html import inlined
from kinefract.report.results import Row, benchmarks

# The allowed elements of a figure. None of them runs, loads or links to anything.
DRAWN = {"svg", "defs", "g", "path", "use", "text", "tspan", "clipPath", "rect"}
STYLE = (
    '<style type="text/css">*{stroke-linejoin: round; stroke-linecap: butt}</style>'  # the page's own has it
)


@dataclass(frozen=True)
class Matrix:
    """One network's confusion matrix: its title, its drawing, and the drawing's width in points."""

    title: str
    svg: Markup
    width: int


def chosen(rows: list[Row], room: int) -> tuple[list[Matrix], int]:
    """Return the matrices for which a page has room, and the number of the others.

    There is one for each variant and benchmark, from the first seed that has run. It is left out if the run
    drew none, or if the file holds more than a drawing. The best variant of each benchmark gets room first,
    then the next ones.

    Args:
        rows: The study's variants.
        room: The available bytes.

    Returns:
        The matrices, by benchmark and then in the order of the variants; the number of those left out.
    """
    ranked = []
    for place, name in enumerate(benchmarks(rows)):
        ran = [number for number, row in enumerate(rows) if row.cells[name].runs]
        ran.sort(key=lambda number: -rows[number].cells[name].top1.mean)
        ranked += [(rank, place, number, name) for rank, number in enumerate(ran)]
    found: dict[tuple[int, int], Matrix] = {}
    left_out = 0
    for _, place, number, name in sorted(ranked):
        matrix = _matrix(rows[number], name, f"confusion{place}-{number}")
        if matrix is None:
            continue
        size = len(matrix.svg.encode())
        if size > room:
            left_out += 1
            continue
        room -= size
        found[place, number] = matrix
    return [found[key] for key in sorted(found)], left_out


def _matrix(row: Row, benchmark: str, prefix: str) -> Matrix | None:
    seed, run = next(iter(row.cells[benchmark].runs.items()))
    try:
        text = _short(checksums.read_bytes(run.folder / CONFUSION).decode("utf-8"))
        width = _width(text)
    except (OSError, ValueError, KeyError, ElementTree.ParseError):
        return None
    title = f"{row.label} on {benchmark}, seed {seed}"
    return Matrix(title, inlined(text, prefix, f"Confusion matrix of {title}"), width)


def _short(text: str) -> str:
    """Return the ``<svg>`` element of a file, shortened for the page: two decimals, cells not clipped.

    Raises:
        ValueError: there is no such element.
    """
    text = text[text.index("<svg") :].replace(STYLE, "")
    text = re.sub(r'(<path d="[^"]*") clip-path="[^"]*"', r"\1", text)
    text = re.sub(r"(\d\.\d\d)\d+(?=[ )\n\"])", r"\1", text)
    return text.replace("\nL ", "L").replace("\nz\n", "z")


def _width(text: str) -> int:
    """Return the width of a drawing in points.

    Raises:
        ValueError: the text holds anything that is no part of a drawing, such as a script or an address.
        KeyError: the text states no width.
        ElementTree.ParseError: the text is not XML.
    """
    if "<!" in text or "<?" in text:
        raise ValueError("a declaration in a drawing")
    root = ElementTree.fromstring(text)
    for element in root.iter():
        if element.tag.rpartition("}")[2] not in DRAWN:
            raise ValueError(f"<{element.tag}> in a drawing")
        for key, value in element.attrib.items():
            name = key.rpartition("}")[2].lower()
            leads_away = name == "href" and not value.startswith("#")
            if name.startswith("on") or leads_away or re.search(r"//|\\|url\((?!#)", value):
                raise ValueError(f"{key}={value} in a drawing")
    _, _, width, _ = root.attrib["viewBox"].split()
    return round(float(width))

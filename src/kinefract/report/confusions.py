"""The confusion matrices of a study's networks, drawn from their predictions for its page."""

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from kinefract.benchmarks.index import read_classes
from kinefract.common.errors import UserError
from kinefract.common.style import SERIES
from kinefract.evaluation.confusion import FAINTEST, LONGEST_NAME, NUMBERED, shown
from kinefract.evaluation.predictions import Predictions
from kinefract.evaluation.scores import confusion
from kinefract.report.compare import predictions_of
from kinefract.report.html import Numbers
from kinefract.report.results import Row, Run, benchmarks

LISTED = 10  # most confusions in the table below a matrix
MARGIN = 22  # pixels for the name of an axis
AROUND, PER_CELL = 1_300, 22  # bytes of HTML around a matrix and its numbers


@dataclass(frozen=True)
class Matrix:
    """One network's confusion matrix: its title, its drawing with the drawing's width, and its numbers."""

    title: str
    svg: Markup
    width: int
    numbers: Numbers

    @property
    def size(self) -> int:
        """About the bytes that it takes on a page."""
        cells = [text for row in self.numbers.rows for text in row]
        return len(self.svg.encode()) + AROUND + sum(len(text.encode()) + PER_CELL for text in cells)


def chosen(rows: list[Row], room: int) -> tuple[list[Matrix], int]:
    """Return the matrices for which a page has room, and the number of the others.

    There is one for each variant and benchmark, from the first seed that has run. It is left out if the run
    has no predictions. The best variant of each benchmark gets room first, then the next ones.

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
        matrix = _matrix(rows[number], name)
        if matrix is None:
            continue
        if matrix.size > room:
            left_out += 1
            continue
        room -= matrix.size
        found[place, number] = matrix
    return [found[key] for key in sorted(found)], left_out


def names_of(run: Run, said: Predictions) -> list[str]:
    """Return the names of a run's classes by label, from its folder or else from its predictions."""
    try:
        names = read_classes(run.folder)
    except UserError:
        names = []
    count = 1 + max(int(said.labels.max()), int(said.predicted.max()), len(names) - 1)
    known = dict(zip(said.labels.tolist(), said.classes, strict=True)) | dict(enumerate(names))
    return [shown(known.get(label, str(label))) for label in range(count)]


def _matrix(row: Row, benchmark: str) -> Matrix | None:
    seed, run = next(iter(row.cells[benchmark].runs.items()))
    said = predictions_of(run)
    if said is None:
        return None
    names = names_of(run, said)
    matrix = confusion(said.predicted, said.labels, len(names))
    title = f"{row.label} on {benchmark}, seed {seed}"
    svg, width = _drawn(matrix, names, title)
    return Matrix(title, svg, width, _most_frequent(matrix, names))


def _most_frequent(matrix: np.ndarray, names: list[str]) -> Numbers:
    """Return the classes that were confused most often, by number of videos."""
    wrong = matrix - np.diag(matrix.diagonal())
    order = np.argsort(-wrong, axis=None, kind="stable")[:LISTED]
    places = [divmod(int(place), len(names)) for place in order]
    lines = [
        [names[label], names[taken], str(wrong[label, taken]), str(matrix[label].sum())]
        for label, taken in places
        if wrong[label, taken]
    ]
    return Numbers(["Class", "Taken for", "Videos", "of"], lines)


def _drawn(matrix: np.ndarray, names: list[str], title: str) -> tuple[Markup, int]:
    """Draw a matrix with a shape for each cell that is not empty; also return the drawing's width in pixels.

    The title of a shape states its numbers. The element holds shapes and texts alone, and names are escaped.
    """
    count = len(names)
    cell = 36 if count <= 12 else 26 if count <= NUMBERED else 12 if count <= 64 else 10
    size = min(13.0, 0.8 * cell)  # pixels of a letter
    short = [escape(shown(name, LONGEST_NAME)) for name in names]
    beside = MARGIN + max(len(shown(name, LONGEST_NAME)) for name in names) * 0.6 * size
    side = cell * count
    total = round(beside + side + 6)
    parts = [
        f'<svg role="img" aria-label="Confusion matrix of {escape(title)}" viewBox="0 0 {total} {total}" '
        f'font-size="{size:g}" fill="var(--ink)"><g transform="translate({beside:.0f} 3)">'
        f'<rect width="{side}" height="{side}" fill="none" stroke="var(--line)"/>'
    ]
    for label, line in enumerate(matrix):
        videos = int(line.sum())
        for taken in np.flatnonzero(line):
            share = line[taken] / videos
            colour = SERIES[0] if taken == label else SERIES[1]
            opacity = FAINTEST + (1 - FAINTEST) * share
            said = "recognised" if taken == label else f"taken for {escape(names[taken])}"
            of = f"{line[taken]} of {videos} videos, {100 * share:.0f} %"
            parts.append(
                f'<rect x="{cell * taken}" y="{cell * label}" width="{cell}" height="{cell}" fill="{colour}" '
                f'fill-opacity="{opacity:.2f}"><title>{escape(names[label])} {said}: {of}</title></rect>'
            )
            if count <= NUMBERED:
                parts.append(
                    f'<text x="{cell * (taken + 0.5):g}" y="{cell * (label + 0.5):g}" dy=".35em" '
                    f'text-anchor="middle" pointer-events="none">{100 * share:.0f}</text>'
                )
    for place, name in enumerate(short):
        at = cell * (place + 0.5)
        for way in (f"translate(-5 {at:g})", f"translate({at:g} {side + 5}) rotate(-90)"):
            parts.append(f'<text transform="{way}" dy=".35em" text-anchor="end">{name}</text>')
    end = total - 8
    parts.append(
        f'<text x="{side / 2:g}" y="{end}" text-anchor="middle" fill="var(--muted)">taken for</text>'
        f'<text transform="translate({10 - beside:.0f} {side / 2:g}) rotate(-90)" text-anchor="middle" '
        'fill="var(--muted)">class</text></g></svg>'
    )
    return Markup("".join(parts)), total

"""The appearance of a study's clips beside accuracy: figures of the data cards, and top-1."""

import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from kinefract.cards import card
from kinefract.cards.measure import FIGURES
from kinefract.config.specs import DatasetSpec
from kinefract.report.formats import frame_of, to_csv
from kinefract.report.results import Row, benchmarks
from kinefract.report.samples import dataset_of
from kinefract.report.table import DIGITS
from kinefract.report.words import percent

LEAST = 4  # least number of datasets for a rank correlation


@dataclass(frozen=True)
class Look:
    """The appearance of one variant: mean of each figure over its clips, and top-1 (0 to 1) by benchmark."""

    label: str
    figures: dict[str, float]
    top1: dict[str, float]


def appearances(root: Path, rows: list[Row]) -> list[Look]:
    """Return the pre-trained variants whose datasets have been measured.

    Figures that are equal everywhere are left out. The list is empty if there are fewer than two datasets.
    """
    used = [(row, dataset) for row in rows if row.begun and (dataset := dataset_of(row))]
    means = {dataset: _means(root / DatasetSpec.PARENT / dataset) for _, dataset in used}
    known = [entry for entry in means.values() if entry]
    if len(known) < 2:
        return []
    shown = [
        name
        for name in FIGURES
        if all(name in entry for entry in known) and len({entry[name] for entry in known}) > 1
    ]
    return [
        Look(
            row.label,
            {name: means[dataset][name] for name in shown},
            {name: cell.top1.mean for name, cell in row.cells.items() if cell.runs},
        )
        for row, dataset in used
        if means[dataset]
    ]


def correlations(found: list[Look], benchmark: str) -> dict[str, float | None]:
    """Return Spearman's rank correlation of each figure with top-1 on a benchmark.

    Variants of the same clips count as one, with their mean top-1. The value is None if fewer than four
    datasets have both, or if either is the same everywhere.
    """
    from scipy import stats  # imported here since it is slow to load

    of_clips: dict[tuple[float, ...], list[Look]] = defaultdict(list)
    for look in found:
        if benchmark in look.top1:
            of_clips[tuple(look.figures.values())].append(look)
    top1 = [fmean(look.top1[benchmark] for look in same) for same in of_clips.values()]
    values: dict[str, float | None] = {}
    for place, name in enumerate(found[0].figures if of_clips else ()):
        figure = [figures[place] for figures in of_clips]
        varies = len(figure) >= LEAST and len(set(figure)) > 1 and len(set(top1)) > 1
        value = float(stats.spearmanr(figure, top1).statistic) if varies else None
        values[name] = None if value is None or math.isnan(value) else value
    return values


def table(found: list[Look], rows: list[Row]) -> dict[str, Any]:
    """Return the table of the page: headings, a line per variant, and lines of correlations, if any."""
    names = [name for name in benchmarks(rows) if any(name in look.top1 for look in found)]
    figures = list(found[0].figures) if found else []
    ranked = {name: correlations(found, name) for name in names}
    return {
        "heads": [(FIGURES[name].title, FIGURES[name].says) for name in figures],
        "benchmarks": names,
        "lines": [
            (
                look.label,
                [f"{look.figures[name]:.{FIGURES[name].digits}f}" for name in figures],
                [percent(look.top1[name]) if name in look.top1 else "" for name in names],
            )
            for look in found
        ],
        "correlations": [
            (name, ["" if value is None else f"{value:+.2f}" for value in values.values()])
            for name, values in ranked.items()
            if any(value is not None for value in values.values())
        ],
    }


def appearance_csv(found: list[Look], rows: list[Row]) -> str:
    """Return figures and top-1 (0 to 1) of each variant as CSV, and lines of rank correlations."""
    names = benchmarks(rows)
    lines = [
        {"variant": look.label, **look.figures}
        | {f"top1 on {name}": round(value, DIGITS) for name, value in look.top1.items()}
        for look in found
    ]
    columns = ["variant", *(found[0].figures if found else ()), *(f"top1 on {name}" for name in names)]
    for name in names:
        ranks = {figure: value for figure, value in correlations(found, name).items() if value is not None}
        if ranks:
            line = {figure: round(value, DIGITS) for figure, value in ranks.items()}
            lines.append({"variant": f"rank correlation with top1 on {name}", **line})
    return to_csv(frame_of(lines, columns))


def _means(folder: Path) -> dict[str, float]:
    about = card.read(folder)
    figures = about["figures"] if about else {}
    return {name: entry["mean"] for name, entry in figures.items() if entry["mean"] is not None}

"""Comparison of a study's variants with their baselines, on the test videos that both predicted."""

import statistics
from dataclasses import replace

import numpy as np

from kinefract.config.baselines import baseline_of
from kinefract.evaluation import predictions
from kinefract.evaluation.predictions import Predictions
from kinefract.report.results import Cell, Comparison, Overall, Row, Run, Score
from kinefract.report.statistics import holm, mean_difference, paired_difference, verdict

Pair = tuple[np.ndarray, np.ndarray]  # what the runs of a variant and of its baseline predicted correctly


def compared(rows: list[Row], against: Row | None = None) -> list[Row]:
    """Return the rows with a comparison of each cell, and of the mean over benchmarks, with the baseline's.

    Args:
        rows: The study's rows.
        against: One of the rows, with which all others are compared in place of their baselines
            (``baseline_of``).
    """
    if against:
        bases = [None if row is against else against for row in rows]
    else:
        bases = [baseline_of(row, rows) for row in rows]
    distinct = {id(base): base for base in bases if base}
    cells = {id(row): dict(row.cells) for row in rows}
    pairs: dict[int, list[Pair]] = {id(row): [] for row in rows}
    for benchmark in rows[0].cells:
        tested: list[tuple[Row, Comparison]] = []
        said = {key: _said(base.cells[benchmark]) for key, base in distinct.items()}
        for row, base in zip(rows, bases, strict=True):
            if base is None or not row.cells[benchmark].runs or not base.cells[benchmark].runs:
                continue
            points = row.cells[benchmark].top1.mean - base.cells[benchmark].top1.mean
            pair = _paired(row.cells[benchmark], base.cells[benchmark], said[id(base)])
            if isinstance(pair, str):
                comparison = Comparison(points, None, None, pair)
            else:
                comparison = Comparison(points, paired_difference(*pair), None, "")
                tested.append((row, comparison))
                pairs[id(row)].append(pair)
            cells[id(row)][benchmark] = replace(row.cells[benchmark], comparison=comparison)
        for row, comparison in _judged(tested):
            cells[id(row)][benchmark] = replace(row.cells[benchmark], comparison=comparison)
    overall = _overall(rows, bases, pairs)
    return [replace(row, cells=cells[id(row)], overall=overall.get(id(row))) for row in rows]


def _judged(tested: list[tuple[Row, Comparison]]) -> list[tuple[Row, Comparison]]:
    """Return the comparisons with p-values corrected for their number, and verdicts."""
    adjusted = holm([comparison.difference.p for _, comparison in tested if comparison.difference])
    return [
        (row, replace(comparison, adjusted=p, verdict=verdict(comparison.points, p)))
        for (row, comparison), p in zip(tested, adjusted, strict=True)
    ]


def _overall(rows: list[Row], bases: list[Row | None], pairs: dict[int, list[Pair]]) -> dict[int, Overall]:
    """Return the means over benchmarks of the rows that have one, by the row's ``id``."""
    means = {id(row): score for row in rows if (score := _mean(row))}
    tested: list[tuple[Row, Comparison]] = []
    for row, base in zip(rows, bases, strict=True):
        if base and {id(row), id(base)} <= means.keys() and len(pairs[id(row)]) == len(row.cells):
            points = means[id(row)].mean - means[id(base)].mean
            tested.append((row, Comparison(points, mean_difference(pairs[id(row)]), None, "")))
    comparisons = {id(row): comparison for row, comparison in _judged(tested)}
    return {key: Overall(score, comparisons.get(key)) for key, score in means.items()}


def _mean(row: Row) -> Score | None:
    """Return top-1 of each seed as a mean over benchmarks; None if there is one, or if a run is missing."""
    by_seed = [cell.top1.by_seed for cell in row.cells.values()]
    seeds = list(by_seed[0])
    if len(by_seed) < 2 or not seeds or any(list(scores) != seeds for scores in by_seed):
        return None
    return Score({seed: statistics.fmean(scores[seed] for scores in by_seed) for seed in seeds})


def _said(cell: Cell) -> list[Predictions | None]:
    return [predictions_of(run) for run in cell.runs.values()]


def _paired(cell: Cell, reference: Cell, said: list[Predictions | None]) -> Pair | str:
    """Return what both predicted correctly, or why nothing is tested; ``said`` is that of the reference."""
    if min(cell.top1.n, reference.top1.n) < 2:
        return "not tested, one seed"
    sides = [_said(cell), said]
    known = [[entry for entry in side if entry] for side in sides]
    if [len(side) for side in known] != [len(side) for side in sides]:
        return "not tested, a run lacks its predictions"
    if len({entry.paths for side in known for entry in side}) > 1:
        return "not tested, the test videos differ"
    variant, base = (np.array([entry.right for entry in side]) for side in known)
    if variant.shape[1] < 2:
        return "not tested, one test video"
    return variant, base


def predictions_of(run: Run) -> Predictions | None:
    """Return a run's predictions for the test videos; None if it has none.

    Raises:
        UserError: its ``predictions.csv`` is damaged.
    """
    try:
        return predictions.read(run.folder)
    except FileNotFoundError:
        return None

"""Comparison of a study's variants with their baselines, on the test videos that both predicted."""

from dataclasses import replace

import numpy as np

from kinefract.config.baselines import baseline_of
from kinefract.evaluation import predictions
from kinefract.evaluation.predictions import Predictions
from kinefract.report.results import Cell, Comparison, Row, Run
from kinefract.report.statistics import holm, paired_difference, verdict


def compared(rows: list[Row], against: Row | None = None) -> list[Row]:
    """Return the rows with a comparison of each cell with that of the variant's baseline (``baseline_of``).

    Args:
        rows: The study's rows.
        against: One of the rows, with which all others are compared in place of their baselines.
    """
    if against:
        bases = [None if row is against else against for row in rows]
    else:
        bases = [baseline_of(row, rows) for row in rows]
    distinct = {id(base): base for base in bases if base}
    cells = {id(row): dict(row.cells) for row in rows}
    for benchmark in rows[0].cells:
        tested: list[tuple[Row, Comparison]] = []
        said = {key: _said(base.cells[benchmark]) for key, base in distinct.items()}
        for row, base in zip(rows, bases, strict=True):
            if base is None or not row.cells[benchmark].runs or not base.cells[benchmark].runs:
                continue
            comparison = _compared(row.cells[benchmark], base.cells[benchmark], said[id(base)])
            if comparison.difference:
                tested.append((row, comparison))
            cells[id(row)][benchmark] = replace(row.cells[benchmark], comparison=comparison)
        adjusted = holm([comparison.difference.p for _, comparison in tested if comparison.difference])
        for (row, comparison), p in zip(tested, adjusted, strict=True):
            words = verdict(comparison.points, p)
            done = replace(comparison, adjusted=p, verdict=words)
            cells[id(row)][benchmark] = replace(row.cells[benchmark], comparison=done)
    return [replace(row, cells=cells[id(row)]) for row in rows]


def _said(cell: Cell) -> list[Predictions | None]:
    return [predictions_of(run) for run in cell.runs.values()]


def _compared(cell: Cell, reference: Cell, said: list[Predictions | None]) -> Comparison:
    """Return a comparison with a reference and the reference's predictions; p is not yet corrected."""
    points = cell.top1.mean - reference.top1.mean
    if min(cell.top1.n, reference.top1.n) < 2:
        return Comparison(points, None, None, "not tested, one seed")
    sides = [_said(cell), said]
    known = [[entry for entry in side if entry] for side in sides]
    if [len(side) for side in known] != [len(side) for side in sides]:
        return Comparison(points, None, None, "not tested, a run lacks its predictions")
    if len({entry.paths for side in known for entry in side}) > 1:
        return Comparison(points, None, None, "not tested, the test videos differ")
    variant, base = (np.array([entry.right for entry in side]) for side in known)
    if variant.shape[1] < 2:
        return Comparison(points, None, None, "not tested, one test video")
    return Comparison(points, paired_difference(variant, base), None, "")


def predictions_of(run: Run) -> Predictions | None:
    """Return a run's predictions for the test videos; None if it has none.

    Raises:
        UserError: its ``predictions.csv`` is damaged.
    """
    try:
        return predictions.read(run.folder)
    except FileNotFoundError:
        return None

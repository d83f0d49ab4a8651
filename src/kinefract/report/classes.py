"""The changes of accuracy for each class of a benchmark, between a variant and its baseline."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kinefract.config.baselines import baseline_of
from kinefract.report.compare import predictions_of
from kinefract.report.formats import frame_of, to_csv, to_latex
from kinefract.report.results import Cell, Row, baselines, benchmarks
from kinefract.report.table import DIGITS
from kinefract.report.words import percent

SHOWN = 5  # number of gains, and of losses, that are shown
COLUMNS = ("benchmark", "variant", "baseline", "class", "videos", "before", "after", "change")


@dataclass(frozen=True)
class Change:
    """One class: its number of test videos, and its accuracy (0 to 1), averaged over seeds."""

    name: str
    videos: int
    before: float
    after: float

    @property
    def points(self) -> float:
        """Change of the accuracy, above 0 for a gain."""
        return round(self.after - self.before, DIGITS)  # sums of equal shares may differ in the last digits


@dataclass(frozen=True)
class Changes:
    """The classes of one benchmark for one variant, the largest gain first."""

    benchmark: str
    label: str
    baseline: str
    classes: list[Change]

    @property
    def gains(self) -> list[Change]:
        """The largest gains, the largest first."""
        return [change for change in self.classes if change.points > 0][:SHOWN]

    @property
    def losses(self) -> list[Change]:
        """The largest losses, the largest last."""
        return [change for change in self.classes if change.points < 0][-SHOWN:]


def changes(rows: list[Row]) -> list[Changes]:
    """Return the changes of every variant on every benchmark whose runs have predictions."""
    found = []
    for benchmark in benchmarks(rows):
        known = {id(base): _by_class(base.cells[benchmark]) for base in baselines(rows)}
        for row in rows:
            base = baseline_of(row, rows)
            before = known[id(base)] if base else {}
            after = _by_class(row.cells[benchmark]) if before else {}
            if not base or not before or before.keys() != after.keys():
                continue
            classes = [
                Change(name, videos, share, after[name][1]) for name, (videos, share) in before.items()
            ]
            classes.sort(key=lambda change: (-change.points, change.name))
            found.append(Changes(benchmark, row.label, base.label, classes))
    return found


def classes_csv(found: list[Changes]) -> str:
    """Return every class of every variant as CSV, with shares from 0 to 1."""
    return to_csv(_frame([(entry, change) for entry in found for change in entry.classes]))


def classes_tex(found: list[Changes]) -> str:
    """Return the largest gains and losses of every variant for LaTeX with booktabs, in percent."""
    frame = _frame([(entry, change) for entry in found for change in [*entry.gains, *entry.losses]])
    for column, written in (("videos", str), ("before", percent), ("after", percent)):
        frame[column] = frame[column].map(written)
    frame["change"] = frame["change"].map(lambda points: f"{100 * points:+.1f}")
    note = (
        f"The {SHOWN} largest gains and losses in top-1, seeds averaged, in %. Single classes are not tested."
    )
    return to_latex(frame[["class", "variant", "benchmark", "videos", "before", "after", "change"]], note)


def _frame(lines: list[tuple[Changes, Change]]) -> pd.DataFrame:
    values = [
        {
            "benchmark": entry.benchmark,
            "variant": entry.label,
            "baseline": entry.baseline,
            "class": change.name,
            "videos": change.videos,
            "before": round(change.before, DIGITS),
            "after": round(change.after, DIGITS),
            "change": change.points,
        }
        for entry, change in lines
    ]
    return frame_of(values, COLUMNS)


def _by_class(cell: Cell) -> dict[str, tuple[int, float]]:
    """Return class -> (test videos, accuracy); empty if a run has no predictions."""
    known = [entry for entry in map(predictions_of, cell.runs.values()) if entry]
    if not known or len(known) < len(cell.runs) or len({entry.classes for entry in known}) > 1:
        return {}
    names, place, videos = np.unique(known[0].classes, return_inverse=True, return_counts=True)
    right = np.bincount(place, np.mean([entry.right for entry in known], axis=0)) / videos
    return {str(name): (int(n), float(share)) for name, n, share in zip(names, videos, right, strict=True)}

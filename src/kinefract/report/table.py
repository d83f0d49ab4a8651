"""A study's numbers as tables: Markdown, CSV and LaTeX, and metrics for DVC and MLflow."""

import csv
import io
from collections.abc import Iterable
from typing import Any

from kinefract.report import cost, latex
from kinefract.report.compare import Comparison
from kinefract.report.results import (
    Row,
    Score,
    baseline_heading,
    baseline_name,
    baseline_of,
    baselines,
    benchmarks,
)
from kinefract.report.statistics import BETTER, SAME, WORSE, Interval, interval

METRICS, CSV = "metrics.json", "table.csv"
DIGITS = 6  # decimals of a share in files; a test set has fewer than a million videos

COLUMNS = ["variant", "benchmark", "seeds", "top1", "top1_std", "top5", "top5_std", "top1_by_seed"]
COLUMNS += ["top1_low", "top1_high", "class_mean", "pretrain_clips", "compute", "finetune_steps"]
COLUMNS += ["difference", "difference_low", "difference_high", "p", "p_holm", "verdict"]
COLUMNS += ["baseline"]

Metrics = dict[str, dict[str, dict[str, Any]]]


def metrics_of(rows: list[Row]) -> Metrics:
    """Return variant -> benchmark -> the numbers of a study, shares from 0 to 1.

    ``top1``, ``top5``, ``n`` seeds; ``mean_class_accuracy`` where runs measured it; with more seeds than one
    ``top1_std`` and the 95 % interval ``top1_low``, ``top1_high``; where it was tested, the ``difference`` to
    its baseline with ``difference_low``, ``difference_high`` and ``p_holm``; of a pre-trained variant
    ``compute``, its clips over the fewest.
    """
    metrics: Metrics = {}
    for row in rows:
        metrics[row.label] = {}
        for benchmark, cell in row.cells.items():
            if not cell.runs:
                continue
            numbers: dict[str, Any] = {
                "top1": cell.top1.mean,
                "top1_std": cell.top1.std,
                **_ends("top1", interval_of(cell.top1)),
                "top5": cell.top5.mean,
                "mean_class_accuracy": cell.class_mean and cell.class_mean.mean,
                **_tested(cell.comparison),
                "compute": row.clips_factor,
            }
            known = {key: round(value, DIGITS) for key, value in numbers.items() if value is not None}
            metrics[row.label][benchmark] = {**known, "n": cell.top1.n}
    return metrics


def interval_of(score: Score) -> Interval | None:
    """Return the 95 % interval of a score over its seeds; None where there are fewer than two."""
    return interval(list(score.by_seed.values()))


def _ends(name: str, ends: Interval | None) -> dict[str, float | None]:
    return {f"{name}_low": ends and ends.low, f"{name}_high": ends and ends.high}


def _tested(comparison: Comparison | None) -> dict[str, float | None]:
    if comparison is None or comparison.difference is None:
        return {}
    ends = _ends("difference", comparison.difference.interval)
    return {"difference": comparison.points, **ends, "p_holm": comparison.adjusted}


def percent(mean: float, std: float | None = None) -> str:
    """Return ``61.2 ± 2.1`` of shares from 0 to 1, or ``61.2`` where there is no spread."""
    return f"{100 * mean:.1f}" + (f" ± {100 * std:.1f}" if std is not None else "")


def seeds_in_words(n: int) -> str:
    """Return ``3 seeds`` or ``1 seed``."""
    return f"{n} seed{'s' * (n != 1)}"


def range_in_words(ends: Interval) -> str:
    """Return ``47.1 to 51.0`` of an interval of shares."""
    return f"{100 * ends.low:.1f} to {100 * ends.high:.1f}"


def p_in_words(p: float) -> str:
    """Return ``p = 0.012``, or ``p < 0.001``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def verdict_in_words(comparison: Comparison, name: str) -> str:
    """Return ``better than scratch`` and the like, or why it was not tested.

    Args:
        comparison: The comparison.
        name: What with, as ``baseline_name`` gives it.
    """
    if comparison.difference is None:
        return comparison.verdict
    return f"{comparison.verdict} {'from' if comparison.verdict == SAME else 'than'} {name}"


def table_csv(rows: list[Row]) -> str:
    """Return the table as CSV, a line per variant and benchmark, scores as shares from 0 to 1.

    ``compute`` is that of ``cost.in_words``; ``p`` comes before Holm's correction, ``p_holm`` after it;
    ``baseline`` is the variant that it is compared with, nothing of a baseline.
    """
    lines: list[list[Any]] = [COLUMNS]
    for row in rows:
        base = baseline_of(row, rows)
        against = base.label if base else ""
        for benchmark, cell in row.cells.items():
            if not cell.runs:
                lines.append([row.label, benchmark, 0, *[""] * (len(COLUMNS) - 4), against])
                continue
            comparison, ends = cell.comparison, interval_of(cell.top1)
            tested = comparison and comparison.difference
            each = " ".join(f"{seed}:{round(value, DIGITS)}" for seed, value in cell.top1.by_seed.items())
            scores = [cell.top1.mean, cell.top1.std, cell.top5.mean, cell.top5.std]
            limits = [ends and ends.low, ends and ends.high, cell.class_mean and cell.class_mean.mean]
            numbers = [
                comparison and comparison.points,
                tested and tested.interval.low,
                tested and tested.interval.high,
                tested and tested.p,
                comparison and comparison.adjusted,
            ]
            lines.append(
                [
                    *(row.label, benchmark, cell.top1.n, *_rounded(scores), each, *_rounded(limits)),
                    "" if row.clips is None else row.clips,
                    cost.in_words(row, cell),
                    "" if cell.steps is None else cell.steps,
                    *_rounded(numbers),
                    comparison.verdict if comparison else "",
                    against,
                ]
            )
    return to_csv(lines)


def curves_csv(rows: list[Row]) -> str:
    """Return every epoch of every run as CSV: phase, variant, benchmark, seed, epoch, loss, top1."""
    lines: list[list[Any]] = [["phase", "variant", "benchmark", "seed", "epoch", "loss", "top1"]]
    for row in rows:
        own = len(row.pretrainings) > 1  # each seed has its own, else one serves all and is of no seed
        pretrains = row.pretrains.items() if own else [("", run) for run in row.pretrainings]
        runs = [("", seed, run) for seed, run in pretrains]
        runs += [(name, seed, run) for name, cell in row.cells.items() for seed, run in cell.runs.items()]
        for benchmark, seed, run in runs:
            for epoch in run.epochs:
                values = [epoch.get("epoch"), epoch.get("loss"), epoch.get("top1")]
                lines.append(
                    [run.phase, row.label, benchmark, seed, *("" if v is None else v for v in values)]
                )
    return to_csv(lines)


def table_md(rows: list[Row]) -> str:
    """Return the table as Markdown: a line per variant, per benchmark top-1 and top-5 in percent, the mean
    over classes where runs have it, and the verdict; its seeds and compute."""
    names = benchmarks(rows)
    by_class = any(cell.runs and cell.class_mean for row in rows for cell in row.cells.values())
    scores = ["top-1, %", "95 % interval", "top-5, %", *(["mean of classes, %"] if by_class else [])]
    scores.append("against " + baseline_heading(rows))
    head = ["variant", *(f"{name} {score}" for name in names for score in scores), "seeds", "compute"]
    lines = [head, ["---", *["--:"] * (len(head) - 1)]]
    for row in rows:
        lines.append([row.label])
        for name in names:
            cell = row.cells[name]
            if not cell.runs:
                lines[-1] += ["not finished", *[""] * (len(scores) - 1)]
                continue
            ends = interval_of(cell.top1)
            verdict = verdict_in_words(cell.comparison, baseline_name(row, rows)) if cell.comparison else ""
            top1, top5 = (percent(score.mean, score.std) for score in (cell.top1, cell.top5))
            lines[-1] += [top1, range_in_words(ends) if ends else "one seed", top5]
            if by_class:
                lines[-1].append(
                    percent(cell.class_mean.mean, cell.class_mean.std) if cell.class_mean else ""
                )
            lines[-1].append(verdict)
        lines[-1] += _seeds_and_compute(row, names)
    return "".join(f"| {' | '.join(_md(text) for text in line)} |\n" for line in lines)


def table_tex(rows: list[Row]) -> str:
    """Return the table for LaTeX with booktabs: a line per variant, a column per benchmark, in percent.

    Where there are several baselines, a last column names that of each variant.
    """
    names, several = benchmarks(rows), len(baselines(rows)) > 1
    marks = {BETTER: "+", WORSE: "-", SAME: "="}
    lines = []
    for row in rows:
        lines.append([row.label])
        for benchmark in names:
            cell = row.cells[benchmark]
            if not cell.runs:
                lines[-1].append("not finished")
                continue
            ends = interval_of(cell.top1)
            limits = f" [{100 * ends.low:.1f}, {100 * ends.high:.1f}]" if ends else ""
            mark = f" {marks.get(cell.comparison.verdict, '?')}" if cell.comparison else ""
            lines[-1].append(percent(cell.top1.mean) + limits + mark)
        lines[-1] += _seeds_and_compute(row, names)
        if several:
            base = baseline_of(row, rows)
            lines[-1].append(base.label if base else "")
    note = (
        "Mean over seeds [95 % interval, Student's t; none for one seed]. "
        f"Against {baseline_heading(rows)}, by an analysis of variance over videos and seeds with "
        "Holm's correction: + better, - worse, = not distinguishable, ? not tested. "
        "Compute: clips seen in pre-training, relative to the fewest."
    )
    header = ["variant", *(f"{benchmark} top-1, %" for benchmark in names), "seeds", "compute"]
    header += ["against"] if several else []
    return latex.tabular(header, lines, note)


def _seeds_and_compute(row: Row, names: list[str]) -> list[str]:
    """Return the last two columns: counts and statuses, each once where benchmarks agree."""
    cells = [row.cells[name] for name in names if row.cells[name].runs]
    return [joined(cell.top1.n for cell in cells), joined(cost.in_words(row, cell) for cell in cells)]


def joined(values: Iterable[object]) -> str:
    """Return the values apart by commas, each once."""
    return ", ".join(str(value) for value in dict.fromkeys(values))


def _rounded(values: list[float | None]) -> list[float | str]:
    return ["" if value is None else round(value, DIGITS) for value in values]


def to_csv(lines: Iterable[Iterable[Any]]) -> str:
    """Return lines of values as CSV."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(lines)
    return stream.getvalue()


def _md(text: str) -> str:
    """Keep a cell in its column and on its line, and HTML out of it."""
    text = printable(text).replace("\\", "\\\\").replace("|", "\\|")
    return text.replace("&", "&amp;").replace("<", "&lt;")


def printable(text: str) -> str:
    """Return the text with a blank for what cannot be printed."""
    return "".join(character if character.isprintable() else " " for character in text)

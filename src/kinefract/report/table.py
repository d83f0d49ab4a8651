"""The table of a study: a data frame of numbers, its texts for readers, and metrics for DVC and MLflow."""

from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd

from kinefract.config.baselines import baseline_of
from kinefract.report import cost
from kinefract.report.formats import frame_of, to_latex, to_markdown
from kinefract.report.results import Cell, Overall, Row
from kinefract.report.statistics import BETTER, SAME, WORSE, Interval
from kinefract.report.words import percent, range_in_words

DIGITS = 6  # decimals of a share in files; a test set has fewer than a million videos

COLUMNS = ["variant", "benchmark", "seeds", "top1", "top1_std", "top5", "top5_std", "top1_by_seed"]
COLUMNS += ["top1_low", "top1_high", "class_mean", "pretrain_clips", "compute", "finetune_steps"]
COLUMNS += ["difference", "difference_low", "difference_high", "p", "p_holm", "verdict"]
COLUMNS += ["baseline"]
WORDS = ("variant", "benchmark", "top1_by_seed", "compute", "verdict", "baseline")  # the others are numbers

MEAN = "(mean)"  # in place of a benchmark's name, where a score is a mean over benchmarks

UNFINISHED = "not finished"
MARKS = {BETTER: " +", WORSE: " -", SAME: " =", "": ""}

Metrics = dict[str, dict[str, dict[str, Any]]]


def metrics_of(rows: list[Row]) -> Metrics:
    """Return variant -> benchmark -> the numbers of a study, shares from 0 to 1.

    The keys are ``top1``, ``top5``, ``n`` (seeds), and ``mean_class_accuracy`` if runs measured it. With
    several seeds there are ``top1_std`` and the 95 % interval ``top1_low``, ``top1_high``. A test that was
    made gives the ``difference`` to the baseline with ``difference_low``, ``difference_high`` and ``p_holm``.
    A pre-trained variant has ``compute``, its clips over the fewest.
    """
    return {
        row.label: {name: _metrics(row, cell) for name, cell in row.cells.items() if cell.runs}
        for row in rows
    }


def _metrics(row: Row, cell: Cell) -> dict[str, Any]:
    numbers = numbers_of(cell)
    tested = ("difference", "difference_low", "difference_high", "p_holm")
    found = {key: numbers[key] for key in ("top1", "top1_std", "top1_low", "top1_high", "top5")}
    found["mean_class_accuracy"] = numbers["class_mean"]
    found |= {key: numbers[key] for key in tested if numbers["p"] is not None}
    found["compute"] = _rounded(row.clips_factor)
    return {key: value for key, value in found.items() if value is not None} | {"n": cell.top1.n}


def numbers_of(cell: Cell) -> dict[str, float | None]:
    """Return the scores of a cell with runs, and its comparison, by column; None if unknown."""
    numbers = {
        "top5": cell.top5.mean,
        "top5_std": cell.top5.std,
        "class_mean": cell.class_mean.mean if cell.class_mean else None,
    }
    return _top1_and_test(cell) | {name: _rounded(value) for name, value in numbers.items()}


def _top1_and_test(scored: Cell | Overall) -> dict[str, float | None]:
    comparison, ends = scored.comparison, scored.top1.interval
    tested = comparison.difference if comparison else None
    numbers = {
        "top1": scored.top1.mean,
        "top1_std": scored.top1.std,
        "top1_low": ends.low if ends else None,
        "top1_high": ends.high if ends else None,
        "difference": comparison.points if comparison else None,
        "difference_low": tested.interval.low if tested else None,
        "difference_high": tested.interval.high if tested else None,
        "p": tested.p if tested else None,
        "p_holm": comparison.adjusted if comparison else None,
    }
    return {name: _rounded(value) for name, value in numbers.items()}


def _words(scored: Cell | Overall) -> dict[str, str]:
    """Return top-1 of each seed and the verdict as texts, by column."""
    each = scored.top1.by_seed.items()
    return {
        "top1_by_seed": " ".join(f"{seed}:{_rounded(value)}" for seed, value in each),
        "verdict": scored.comparison.verdict if scored.comparison else "",
    }


def table_of(rows: list[Row]) -> pd.DataFrame:
    """Return the table with the columns ``COLUMNS``: a line per variant and benchmark, scores as shares.

    A variant that has finished on several benchmarks has a line for their mean, too.

    ``compute`` is that of ``cost.in_words``. ``p`` is the p-value before Holm's correction, ``p_holm`` after
    it. ``baseline`` is the variant of the comparison; it is blank for a baseline.
    """
    lines = []
    for row in rows:
        base = baseline_of(row, rows)
        for benchmark, cell in row.cells.items():
            line = {"variant": row.label, "benchmark": benchmark, "seeds": len(cell.runs)}
            line["baseline"] = base.label if base else ""
            if cell.runs:
                line |= {
                    **numbers_of(cell),
                    **_words(cell),
                    "pretrain_clips": row.clips,
                    "compute": cost.in_words(row, cell),
                    "finetune_steps": cell.steps,
                }
            lines.append(line)
        if row.overall:
            line = {"variant": row.label, "benchmark": MEAN, "seeds": row.overall.top1.n}
            line["baseline"] = base.label if base else ""
            lines.append({**line, **_top1_and_test(row.overall), **_words(row.overall)})
    return frame_of(lines, COLUMNS)


def curves_of(rows: list[Row]) -> pd.DataFrame:
    """Return every epoch of every run: phase, variant, benchmark, seed, epoch, and what was measured."""
    lines = []
    for row in rows:
        own = len(row.pretrainings) > 1  # each seed has its own; otherwise one serves all seeds
        pretrains = row.pretrains.items() if own else [("", run) for run in row.pretrainings]
        runs = [("", seed, run) for seed, run in pretrains]
        runs += [(name, seed, run) for name, cell in row.cells.items() for seed, run in cell.runs.items()]
        for benchmark, seed, run in runs:
            of = {"phase": run.phase, "variant": row.label, "benchmark": benchmark, "seed": seed}
            lines += [of | epoch for epoch in run.epochs]
    measured = ["loss", "top1", "validation_top1"]
    return frame_of(lines, ["phase", "variant", "benchmark", "seed", "epoch", *measured])


def table_md(table: pd.DataFrame) -> str:
    """Return the table as Markdown: a line per variant with all its scores, in percent."""
    return to_markdown(by_variant(table, _all_scores))


def table_tex(table: pd.DataFrame) -> str:
    """Return the table for LaTeX with booktabs: a line per variant, a column per benchmark, in percent."""
    note = (
        "Mean over seeds [95 % interval, Student's t; none for one seed]. "
        "Compared with the variant under against, by an analysis of variance over videos and seeds with "
        "Holm's correction: + better, - worse, = not distinguishable, ? not tested. "
        "Compute: clips seen in pre-training, relative to the fewest."
    )
    return to_latex(by_variant(table, _marked_scores), note)


def by_variant(table: pd.DataFrame, scores: Callable[[pd.DataFrame], dict[str, pd.Series]]) -> pd.DataFrame:
    """Return the table as texts for readers: a line per variant, without blank columns.

    Args:
        table: The table that ``table_of`` returns.
        scores: A function from a benchmark's lines of the table, by variant, to columns by title.

    Returns:
        The columns ``variant``; for each benchmark with a finished run the columns of ``scores``, whose
        titles follow the benchmark's name; ``seeds``, ``compute`` and ``against``.
    """
    variants = table["variant"].unique()
    made = table[table["seeds"] > 0]
    columns = {"variant": pd.Series(variants, variants)}
    for benchmark in table["benchmark"].unique():
        lines = made[made["benchmark"] == benchmark].set_index("variant").reindex(variants)
        if lines["seeds"].notna().any():
            columns |= {f"{benchmark} {title}": texts for title, texts in scores(lines).items()}
    for title, key in (("seeds", "seeds"), ("compute", "compute"), ("against", "baseline")):
        given = made[made[key].fillna("") != ""]  # the line of the mean has no seeds of its own, nor compute
        values = {variant: given.loc[given["variant"] == variant, key] for variant in variants}
        columns[title] = pd.Series({variant: joined(found) for variant, found in values.items()})
    words = pd.DataFrame(columns, dtype=object).fillna("")
    return words.loc[:, (words != "").any()]


def top1_and_spread(lines: pd.DataFrame) -> pd.Series:
    """Return top-1 in percent with its spread, from a benchmark's lines by variant."""
    return _with_spread(lines, "top1").where(lines["seeds"].notna(), UNFINISHED)


def _all_scores(lines: pd.DataFrame) -> dict[str, pd.Series]:
    intervals = [
        "" if pd.isna(low) else range_in_words(Interval(low, high))
        for low, high in zip(lines["top1_low"], lines["top1_high"], strict=True)
    ]
    return {
        "top-1, %": top1_and_spread(lines),
        "95 % interval": pd.Series(intervals, lines.index),
        "top-5, %": _with_spread(lines, "top5"),
        "mean of classes, %": lines["class_mean"].map(_percent),
        "verdict": lines["verdict"],
    }


def _marked_scores(lines: pd.DataFrame) -> dict[str, pd.Series]:
    """Return top-1 with its interval and a mark for its verdict in one column, to save room."""
    texts = []
    for line in lines.itertuples():
        limits = "" if pd.isna(line.top1_low) else f" [{_percent(line.top1_low)}, {_percent(line.top1_high)}]"
        mark = MARKS.get(line.verdict, " ?")
        texts.append(UNFINISHED if pd.isna(line.top1) else f"{_percent(line.top1)}{limits}{mark}")
    return {"top-1, %": pd.Series(texts, lines.index)}


def _with_spread(lines: pd.DataFrame, key: str) -> pd.Series:
    """Return means and spreads in percent, padded so that decimal points are aligned."""
    means, spreads = lines[key].map(_percent), lines[f"{key}_std"].map(_percent)
    width = spreads.str.len().max()
    return means + spreads.map(lambda spread: f" ± {spread:>{width}}" if spread else "")


def joined(values: Iterable[object]) -> str:
    """Return the distinct values, separated by commas."""
    return ", ".join(str(value) for value in dict.fromkeys(values))


def _percent(share: float | None) -> str:
    return "" if share is None or pd.isna(share) else percent(share)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)

"""The answer of a study as sentences, made from its numbers alone."""

from kinefract.common.words import counted
from kinefract.config.baselines import START, baseline_of
from kinefract.report import cost
from kinefract.report.compare import Comparison
from kinefract.report.results import Cell, Row, baseline_name, baselines, benchmarks
from kinefract.report.statistics import BETTER, WORSE
from kinefract.report.words import (
    meaning_in_words,
    p_in_words,
    percent,
    range_in_words,
    seeds_in_words,
    verdict_in_words,
)

ONE_SEED = (
    "With one seed there is no interval: nothing is known of the spread, and chance may have made this."
)

IN_WORDS = 4  # number of baselines whose variants get sentences; the other comparisons are counted

UNEQUAL = "The variants were not trained equally long, which is a difference of its own."


def answer(rows: list[Row], families: dict[str, str]) -> list[str]:
    """Return a few sentences per benchmark: the best variant, its baseline, and whether it is better.

    If there are several baselines, each of the first four has sentences of its own, and the comparisons with
    the others are counted.

    Each score is followed by the number of its seeds and its compute (``cost.as_clause``). A difference that
    is not significant is called not distinguishable.

    Args:
        rows: The variants, compared (``compare.compared``) and counted (``cost.counted``).
        families: Variant label -> family of the clips it was pre-trained on.
    """
    sentences = [text for name in benchmarks(rows) for text in _on(name, rows, families)]
    if not sentences:
        return ["No fine-tuning has finished yet."]
    return [*sentences, UNEQUAL] if cost.unequal(rows) else sentences


def _on(benchmark: str, rows: list[Row], families: dict[str, str]) -> list[str]:
    bases = baselines(rows)
    groups = [
        (base, [row for row in rows if baseline_of(row, rows) is base and row.cells[benchmark].runs])
        for base in bases
    ]
    groups = [(base, others) for base, others in groups if others]
    if not groups:
        return [_alone(benchmark, next(row for row in rows if row.cells[benchmark].runs))]
    sentences = []
    for base, others in groups[:IN_WORDS]:
        start = _shared_by(base, bases) if len(bases) > 1 else ""
        sentences.append(_against(benchmark, base, others, rows, families, start))
    rest = [row for _, others in groups[IN_WORDS:] for row in others]
    if rest:
        found = _counts(benchmark, rest) or " None was tested."
        sentences.append(
            f"{counted(len(groups) - IN_WORDS, 'more variant')} from scratch on {benchmark}.{found}"
        )
    return sentences


def _alone(benchmark: str, row: Row) -> str:
    cell = row.cells[benchmark]
    over = f"over {cell.top1.n} seeds" if cell.top1.n > 1 else "with one seed"
    found = f"{name_of(row)} reached {percent(cell.top1.mean, cell.top1.std)} % top-1 on {benchmark} {over}"
    return f"{found}{_interval(cell)}."


def _against(
    benchmark: str, base: Row, others: list[Row], rows: list[Row], families: dict[str, str], start: str
) -> str:
    """Return the sentences about the variants that share a baseline; ``start`` names them if not all do."""
    best = max(others, key=lambda row: row.cells[benchmark].top1.mean)
    before, after = base.cells[benchmark], best.cells[benchmark]
    called = "scratch" if start else baseline_name(best, rows)
    from_scratch = called == "scratch"
    if len(others) > 1:
        kind = f"{len(others)} pre-trained" if from_scratch else f"the other {len(others)}"
        subject = f"{'the' if start else 'The'} best of {kind} variants, {name_of(best)},"
    elif from_scratch and best.label in families:
        subject = f"{'pre' if start else 'Pre'}-training on {families[best.label].replace('_', ' ')} clips"
    else:
        subject = name_of(best)
    reached = f"{start}{subject} reached {percent(after.top1.mean)} % top-1 on {benchmark}"
    reached += f" ({_status(best, after)})"
    name = "scratch" if from_scratch else f"the baseline, {name_of(base)}"
    if not before.runs:
        return f"{reached}. The runs of {name} have not finished, so there is nothing to compare it with."
    against = f"{percent(before.top1.mean)} % "
    against += f"from {name}" if from_scratch else f"of {name}"
    # This is the difference in the table; that of the rounded means may be a tenth more or less.
    points = round(100 * (after.top1.mean - before.top1.mean), 1)
    change = (
        "no change" if points == 0 else f"a {'gain' if points > 0 else 'loss'} of {abs(points):.1f} points"
    )
    reached = f"{reached} against {against} ({_status(base, before)}), {change}"
    counts = _counts(benchmark, others) if len(others) > 1 else ""
    return f"{reached}{_judged(after.comparison, called)}{counts}"


def _shared_by(base: Row, bases: list[Row]) -> str:
    """Return the start of a sentence about variants with one baseline: the settings that set it apart."""
    keys = [
        key
        for key in dict.fromkeys(key for row in bases for key in row.values)
        if key not in START and any(row.values.get(key) != base.values.get(key) for row in bases)
    ]
    if keys and all(key in row.values for row in bases for key in keys):
        return f"With {', '.join(_setting(key, base.values[key]) for key in keys)}: "
    return f"Against {base.label}: "


def name_of(row: Row) -> str:
    """Return a variant's label; a bare number is preceded by the name of its setting."""
    keys = list(row.values)
    if len(keys) != 1 or keys[0] in ("init", "pretraining.objective"):
        return row.label
    return _setting(keys[0], row.label)


def _setting(key: str, value: object) -> str:
    return f"{key.rpartition('.')[2]} {value}"


def _status(row: Row, cell: Cell) -> str:
    """Return the number of seeds and the compute of a score."""
    return f"{seeds_in_words(cell.top1.n)}, {cost.as_clause(row, cell)}"


def _interval(cell: Cell) -> str:
    ends = cell.top1.interval
    return f", 95 % interval {range_in_words(ends)}" if ends else ", so there is no interval"


def _judged(comparison: Comparison | None, name: str) -> str:
    if comparison is None or comparison.difference is None or comparison.adjusted is None:
        if comparison and "one seed" in comparison.verdict:
            return f". {ONE_SEED}"
        return f". That was {comparison.verdict if comparison else 'not tested'}."
    words = verdict_in_words(comparison, name)
    ends = range_in_words(comparison.difference.interval)
    meaning = meaning_in_words(comparison)
    return (
        f": {words} (95 % interval of the difference {ends} points, {p_in_words(comparison.adjusted)} after "
        f"Holm's correction).{f' {meaning}' if meaning else ''}"
    )


def _counts(benchmark: str, others: list[Row]) -> str:
    """Return a sentence with the numbers of better and worse variants, if any was tested."""
    found = [row.cells[benchmark].comparison for row in others]
    verdicts = [entry.verdict for entry in found if entry and entry.difference]
    if not verdicts:
        return ""
    better, worse = verdicts.count(BETTER), verdicts.count(WORSE)
    rest = len(verdicts) - better - worse
    return f" Of the {len(verdicts)} tested, better: {better}, worse: {worse}, not distinguishable: {rest}."

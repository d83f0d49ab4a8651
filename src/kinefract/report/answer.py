"""The answer of a study as sentences, made from its numbers alone."""

from collections.abc import Callable

from kinefract.common.words import counted
from kinefract.config.baselines import START, baseline_of
from kinefract.report import cost
from kinefract.report.compare import Comparison
from kinefract.report.results import Cell, Overall, Row, baseline_name, baselines, benchmarks
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

Scored = Cell | Overall
ScoredOf = Callable[[Row], Scored | None]

UNEQUAL = "The variants were not trained equally long, which is a difference of its own."


def answer(rows: list[Row], families: dict[str, str]) -> list[str]:
    """Return a few sentences per benchmark: the best variant, its baseline, and whether it is better.

    Those about the mean over benchmarks come first, if there are several and any variant has finished on all.

    If there are several baselines, each of the first four has sentences of its own, and the comparisons with
    the others are counted.

    Each score is followed by the number of its seeds and its compute (``cost.as_clause``). A difference that
    is not significant is called not distinguishable.

    Args:
        rows: The variants, compared (``compare.compared``) and counted (``cost.with_costs``).
        families: Variant label -> family of the clips it was pre-trained on.
    """
    names = benchmarks(rows)
    sentences = []
    if any(row.overall and row.overall.comparison for row in rows):
        place = f"on average over the {counted(len(names), 'benchmark')}"
        sentences += _on(place, lambda row: row.overall, rows, families)
    for name in names:
        sentences += _on(f"on {name}", _cell_of(name), rows, families)
    if not sentences:
        return ["No fine-tuning has finished yet."]
    return [*sentences, UNEQUAL] if cost.unequal(rows) else sentences


def _cell_of(benchmark: str) -> ScoredOf:
    return lambda row: row.cells[benchmark] if row.cells[benchmark].runs else None


def _on(place: str, scored_of: ScoredOf, rows: list[Row], families: dict[str, str]) -> list[str]:
    """Return the sentences about one benchmark, or about the mean over all.

    Args:
        place: ``on`` and the benchmark's name, or the like.
        scored_of: A function from a row to its scores there; None if it has not finished.
        rows: As for ``answer``.
        families: As for ``answer``.
    """
    scored = {id(row): found for row in rows if (found := scored_of(row))}
    bases = baselines(rows)
    groups = [
        (base, [row for row in rows if baseline_of(row, rows) is base and id(row) in scored])
        for base in bases
    ]
    groups = [(base, others) for base, others in groups if others]
    if not groups:
        return [_alone(place, *next((row, scored[id(row)]) for row in rows if id(row) in scored))]
    sentences = []
    for base, others in groups[:IN_WORDS]:
        start = _shared_by(base, bases) if len(bases) > 1 else ""
        sentences.append(_against(place, scored, base, others, rows, families, start))
    rest = [scored[id(row)] for _, others in groups[IN_WORDS:] for row in others]
    if rest:
        counts = _counts(rest) or " None was tested."
        sentences.append(f"{counted(len(groups) - IN_WORDS, 'more variant')} from scratch {place}.{counts}")
    return sentences


def _alone(place: str, row: Row, scored: Scored) -> str:
    over = f"over {scored.top1.n} seeds" if scored.top1.n > 1 else "with one seed"
    found = f"{name_of(row)} reached {percent(scored.top1.mean, scored.top1.std)} % top-1 {place} {over}"
    return f"{found}{_interval(scored)}."


def _against(
    place: str,
    scored: dict[int, Scored],
    base: Row,
    others: list[Row],
    rows: list[Row],
    families: dict[str, str],
    start: str,
) -> str:
    """Return the sentences about the variants that share a baseline; ``start`` names them if not all do."""
    best = max(others, key=lambda row: scored[id(row)].top1.mean)
    before, after = scored.get(id(base)), scored[id(best)]
    called = "scratch" if start else baseline_name(best, rows)
    from_scratch = called == "scratch"
    if len(others) > 1:
        kind = f"{len(others)} pre-trained" if from_scratch else f"the other {len(others)}"
        subject = f"{'the' if start else 'The'} best of {kind} variants, {name_of(best)},"
    elif from_scratch and best.label in families and _is_alone(best, rows):
        subject = f"{'pre' if start else 'Pre'}-training on {families[best.label].replace('_', ' ')} clips"
    else:
        subject = name_of(best)
    reached = f"{start}{subject} reached {percent(after.top1.mean)} % top-1 {place}"
    reached += f" ({_status(best, after)})"
    name = "scratch" if from_scratch else f"the baseline, {name_of(base)}"
    if before is None:
        return f"{reached}. The runs of {name} have not finished, so there is nothing to compare it with."
    against = f"{percent(before.top1.mean)} % "
    against += f"from {name}" if from_scratch else f"of {name}"
    # This is the difference in the table; that of the rounded means may be a tenth more or less.
    points = round(100 * (after.top1.mean - before.top1.mean), 1)
    change = (
        "no change" if points == 0 else f"a {'gain' if points > 0 else 'loss'} of {abs(points):.1f} points"
    )
    reached = f"{reached} against {against} ({_status(base, before)}), {change}"
    counts = _counts([scored[id(row)] for row in others]) if len(others) > 1 else ""
    return f"{reached}{_judged(after.comparison, called)}{counts}"


def _is_alone(row: Row, rows: list[Row]) -> bool:
    """Return whether no other variant of the study, finished or not, has the baseline of this one."""
    base = baseline_of(row, rows)
    return sum(baseline_of(other, rows) is base for other in rows) == 1


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
    """Return a variant's label; a bare value of its one setting is preceded by the setting's name."""
    if len(row.values) != 1:
        return row.label
    ((key, value),) = row.values.items()
    bare = row.label == str(value) and key not in ("init", "pretraining.objective")
    return _setting(key, value) if bare else row.label


def _setting(key: str, value: object) -> str:
    return f"{key.rpartition('.')[2]} {value}"


def _status(row: Row, scored: Scored) -> str:
    """Return the number of seeds of a score, and its compute unless it is a mean over benchmarks."""
    seeds = seeds_in_words(scored.top1.n)
    return f"{seeds}, {cost.as_clause(row, scored)}" if isinstance(scored, Cell) else seeds


def _interval(scored: Scored) -> str:
    ends = scored.top1.interval
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


def _counts(others: list[Scored]) -> str:
    """Return a sentence with the numbers of better and worse variants, if any was tested."""
    found = [scored.comparison for scored in others]
    verdicts = [entry.verdict for entry in found if entry and entry.difference]
    if not verdicts:
        return ""
    better, worse = verdicts.count(BETTER), verdicts.count(WORSE)
    rest = len(verdicts) - better - worse
    return f" Of the {len(verdicts)} tested, better: {better}, worse: {worse}, not distinguishable: {rest}."

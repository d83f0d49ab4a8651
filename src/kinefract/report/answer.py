"""The answer of a study in plain words, made from its numbers alone."""

from kinefract.report.results import Row, Score
from kinefract.report.table import percent, seeds_in_words


def answer(rows: list[Row], families: dict[str, str]) -> list[str]:
    """Return a sentence or two per benchmark: the best variant against the baseline, and the spread.

    The baseline is training from scratch, or else the first variant. A difference no larger than the spread
    is said to be none.

    Args:
        rows: The variants.
        families: Variant label -> family of the clips it was pre-trained on.
    """
    return [_on(benchmark, rows, families) for benchmark in rows[0].cells]


def _on(benchmark: str, rows: list[Row], families: dict[str, str]) -> str:
    pretrained = any(row.pretrain for row in rows)
    baseline = next((row for row in rows if pretrained and row.pretrain is None), rows[0])
    others = [row for row in rows if row is not baseline]
    if not others:
        score = baseline.cells[benchmark].top1
        over = f"over {score.n} seeds" if score.n > 1 else "with one seed"
        return f"{_name(baseline)} reached {percent(score.mean, score.std)} % top-1 on {benchmark} {over}."
    best = max(others, key=lambda row: row.cells[benchmark].top1.mean)
    before, after = baseline.cells[benchmark].top1, best.cells[benchmark].top1
    from_scratch = baseline.pretrain is None and all(row.pretrain for row in others)
    if len(others) > 1:
        kind = f"{len(others)} pre-trained" if from_scratch else f"the other {len(others)}"
        subject = f"The best of {kind} variants, {_name(best)},"
    elif from_scratch and best.label in families:
        subject = f"Pre-training on {families[best.label].replace('_', ' ')} clips"
    else:
        subject = _name(best)
    against = f"{percent(before.mean)} % "
    against += "from scratch" if from_scratch else f"of the baseline, {_name(baseline)}"
    # From rounded numbers, so that the sentence adds up to the reader.
    points = float(percent(after.mean)) - float(percent(before.mean))
    change = (
        "no change" if points == 0 else f"a {'gain' if points > 0 else 'loss'} of {abs(points):.1f} points"
    )
    reached = f"{subject} reached {percent(after.mean)} % top-1 on {benchmark} against {against}, {change}"
    return f"{reached}{_judged(abs(points), before, after)}"


def _name(row: Row) -> str:
    """Return a label that says what it is a value of, which a bare number does not."""
    keys = list(row.values)
    if len(keys) != 1 or keys == ["pretraining.objective"]:
        return row.label
    return f"{keys[0].rpartition('.')[2]} {row.label}"


def _judged(points: float, before: Score, after: Score) -> str:
    """Return how the difference compares with the larger of the two spreads."""
    spreads = [score.std for score in (before, after) if score.std is not None]
    if len(spreads) < 2:
        return ". Measured with one seed, so nothing is known of the spread, and chance may have made it."
    spread = float(percent(max(spreads)))
    counts = f"over {seeds_in_words(min(before.n, after.n))}"
    if points > spread:
        return f"; the spread {counts} is {spread:.1f} points."
    return f". That is within the spread {counts}, {spread:.1f} points: these runs do not tell the two apart."

"""Numbers of a study as texts for readers: scores in percent, intervals, p-values and verdicts."""

from kinefract.common.words import counted
from kinefract.report.results import Comparison
from kinefract.report.statistics import SAME, Interval


def percent(mean: float, std: float | None = None) -> str:
    """Return shares from 0 to 1 as ``61.2 ± 2.1``, or as ``61.2`` if there is no spread."""
    return f"{100 * mean:.1f}" + (f" ± {100 * std:.1f}" if std is not None else "")


def seeds_in_words(n: int) -> str:
    """Return ``3 seeds`` or ``1 seed``."""
    return counted(n, "seed")


def range_in_words(ends: Interval) -> str:
    """Return an interval of shares as ``47.1 to 51.0``."""
    return f"{100 * ends.low:.1f} to {100 * ends.high:.1f}"


def p_in_words(p: float) -> str:
    """Return ``p = 0.012``, or ``p < 0.001``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def meaning_in_words(comparison: Comparison) -> str:
    """Return in a sentence what it means that two variants are not distinguishable; empty if they are.

    The sentence names the differences with which the seeds and videos agree, from the interval.
    """
    if comparison.difference is None or comparison.verdict != SAME:
        return ""
    ends = comparison.difference.interval
    low, high = (
        f"a {'gain' if end > 0 else 'loss'} of {abs(100 * end):.1f}" for end in (ends.low, ends.high)
    )
    if ends.low <= 0 <= ends.high:
        return (
            f"The seeds and videos agree with anything from {low} to {high} points, also with no difference."
        )
    found = f"By itself it would be {low} to {high} points"
    return f"{found}, but chance makes one such difference among so many comparisons."


def verdict_in_words(comparison: Comparison, name: str) -> str:
    """Return ``better than scratch`` and the like, or the reason why nothing was tested.

    Args:
        comparison: The comparison.
        name: The baseline's name, as ``baseline_name`` gives it.
    """
    if comparison.difference is None:
        return comparison.verdict
    return f"{comparison.verdict} {'from' if comparison.verdict == SAME else 'than'} {name}"

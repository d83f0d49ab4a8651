"""Numbers of a study as people read them: scores in percent, intervals, p-values and verdicts."""

from kinefract.report.results import Comparison
from kinefract.report.statistics import SAME, Interval


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
    """Return ``better than scratch`` and the like, or why the comparison was not tested.

    Args:
        comparison: The comparison.
        name: The baseline's name, as ``baseline_name`` gives it.
    """
    if comparison.difference is None:
        return comparison.verdict
    return f"{comparison.verdict} {'from' if comparison.verdict == SAME else 'than'} {name}"

"""Numbers in words: counts with their nouns, the first of many lines, and durations."""

from collections.abc import Sequence


def counted(count: int, noun: str) -> str:
    """Return ``1 run``, ``12 runs``, ``1,200 classes``, ``2 studies``.

    Args:
        count: How many there are.
        noun: One of them, in the singular; its last word gets the plural.
    """
    return f"{count:,} {noun if count == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """Return the regular plural of a noun."""
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def first_of(lines: Sequence[str], most: int) -> list[str]:
    """Return the lines, or the first of them and ``and 12 more`` where there are more than ``most``."""
    return [*lines[:most], *([f"and {len(lines) - most:,} more"] if len(lines) > most else [])]


def duration(seconds: float) -> str:
    """Return ``4.2 s``, ``42 s``, ``3 min 20 s`` or ``5 h 12 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    total = round(seconds)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60:02d} s"
    return f"{total // 3600} h {total % 3600 // 60:02d} min"

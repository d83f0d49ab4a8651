"""Counts in words: a number, and its noun in the singular or the plural."""


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

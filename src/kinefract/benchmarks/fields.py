"""Checks of the fields of lists: names of classes, whole numbers, and paths that lead to one file."""

import os
from collections.abc import Callable
from pathlib import Path

from kinefract.common.errors import UserError
from kinefract.common.terminal import printable

LONGEST_NAME = 200  # characters of a class name
MOST_DIGITS = 12  # of a whole number


def check_class_name(name: str, where: object) -> None:
    """Check that a class name is text of one line that looks like what it is.

    Control characters, line breaks and marks that change the direction of text are refused, since two names
    that differ would look alike on pages and in tables.

    Args:
        name: The name.
        where: The place where it stands, for the message.

    Raises:
        UserError: the name is empty, too long, or not printable.
    """
    if not name.strip():
        raise UserError(f"{where}: wants a label with the name of a class, got {name!r:.80}")
    if len(name) > LONGEST_NAME:
        raise UserError(
            f"{where}: a class name has at most {LONGEST_NAME} characters, got {len(name)}: "
            f"{printable(name[:40])!r}..."
        )
    if not name.isprintable():
        raise UserError(
            f"{where}: the label of a class holds control characters or marks of direction: "
            f"'{printable(name)}'; rename the class"
        )


def whole_number(text: str) -> int | None:
    """Return a number written in up to 12 decimal digits; None for any other text."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS else None


def same_place(base: Path) -> Callable[[Path | str], str]:
    """Return a function that gives all spellings of a path from a folder one form.

    Links to folders are followed. A link to a file keeps its name: like a copy, it is a file of its own,
    since tools that store equal files once put links in place of both.
    """
    top = base.resolve()
    folders: dict[str, str] = {}

    def place(path: Path | str) -> str:
        folder, name = os.path.split(os.path.normpath(top / path))
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        return f"{folders[folder]}/{name}"

    return place

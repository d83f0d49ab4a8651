"""Data frames as text: CSV by pandas; Markdown, LaTeX and tables for the terminal by tabulate."""

import html
import re
from collections.abc import Sequence
from typing import Any

import pandas as pd
import tabulate

NEEDS = "% needs \\usepackage{booktabs}, and \\usepackage[T1]{fontenc} where a label holds | or quotes\n"


def frame_of(lines: Sequence[dict[str, Any]], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return a data frame of lines that map columns to values; whole numbers stay whole beside blanks.

    Args:
        lines: One mapping per line; what a line lacks is blank.
        columns: The columns in order; those of the lines if ``None``.
    """
    return pd.DataFrame(lines, columns=columns, dtype=object)


def to_csv(frame: pd.DataFrame) -> str:
    """Return the frame as CSV, with blank cells for missing values."""
    return frame.to_csv(index=False, lineterminator="\n")


def to_markdown(frame: pd.DataFrame) -> str:
    """Return a frame of texts as a Markdown table; nothing in a cell acts as HTML or leaves its column."""
    return _tabulated(frame.map(_markdown), "pipe") + "\n"


def to_text(frame: pd.DataFrame) -> str:
    """Return a frame of texts as a table for the terminal."""
    return _tabulated(frame, "simple") + "\n"


def to_latex(frame: pd.DataFrame, note: str = "") -> str:
    """Return a frame of texts as a LaTeX ``tabular``, with a note below its last line.

    Args:
        frame: Plain texts; nothing in them acts as a command.
        note: Plain text below the table.
    """
    table = _tabulated(frame, "latex_booktabs")
    # A bracket or star at the start of a line would be an option of the line break before it.
    table = re.sub(r"(?m)^ (?=[\[*])", " {}", table)
    if note:
        escaped = printable(note).translate(str.maketrans(tabulate.LATEX_ESCAPE_RULES))
        place = rf"\multicolumn{{{len(frame.columns)}}}{{p{{0.9\linewidth}}}}"
        table = table.replace(r"\end{tabular}", f"{place}{{\\footnotesize {escaped}}} \\\\\n\\end{{tabular}}")
    return NEEDS + table + "\n"


def printable(text: str) -> str:
    """Return the text with a blank for what cannot be printed."""
    return "".join(character if character.isprintable() else " " for character in text)


def _tabulated(frame: pd.DataFrame, layout: str) -> str:
    """Return the table: the first column and columns of words to the left, those of numbers to the right."""
    texts = frame.map(printable)
    numbers = [texts[name].str.match(r"[+-]?\d").any() for name in texts.columns]
    return tabulate.tabulate(
        texts.to_numpy().tolist(),
        headers=[printable(name) for name in texts.columns],
        tablefmt=layout,
        disable_numparse=True,
        colalign=["left", *("right" if number else "left" for number in numbers[1:])],
    )


def _markdown(text: str) -> str:
    return html.escape(text, quote=False).replace("\\", "\\\\").replace("|", "\\|")

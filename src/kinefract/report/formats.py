"""Conversion of data frames to text: pandas writes CSV; tabulate writes Markdown, LaTeX and plain tables."""

import csv
import html
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import tabulate

from kinefract.common import checksums
from kinefract.common.records import damaged
from kinefract.common.words import counted

FORMULA = re.compile("'*[=+\\-@\t\n\uff1d\uff0b\uff0d\uff20]")  # the last four are of full width
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
NEEDS = "% needs \\usepackage{booktabs}, and \\usepackage[T1]{fontenc} where a label holds | or quotes\n"


def frame_of(lines: Sequence[dict[str, Any]], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return a data frame from lines that map columns to values; integers stay integers beside blanks.

    Args:
        lines: One mapping per line; a column that a line lacks is blank there.
        columns: The columns in order; ``None`` for those of the lines.
    """
    return pd.DataFrame(lines, columns=columns, dtype=object)


def to_csv(frame: pd.DataFrame) -> str:
    """Return the frame as CSV, with blank cells for missing values, and blanks for carriage returns.

    Spreadsheets take a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a line break for a formula.
    Text that does is given an apostrophe, which makes it text to them; numbers stay numbers.
    """
    cells = [[_quoted(value) for value in line] for line in frame.to_numpy(dtype=object)]
    return pd.DataFrame(cells, columns=frame.columns, dtype=object).to_csv(index=False, lineterminator="\n")


def read_csv(path: Path) -> pd.DataFrame:
    """Return what ``to_csv`` wrote into a file of a study, each cell as text, compared with its checksum.

    Raises:
        UserError: the file is damaged.
        FileNotFoundError: there is no such file.
    """
    content = checksums.read_bytes(path)
    try:
        header, *lines = csv.reader(io.StringIO(content.decode("utf-8"), newline=""), strict=True)
    except (ValueError, csv.Error) as error:
        raise damaged(path, f"cannot be read as CSV ({error or 'it is empty'})") from error
    for number, line in enumerate(lines, start=1):
        if len(line) != len(header):
            fields = counted(len(line), "field")
            raise damaged(path, f"row {number} has {fields}, and there are {counted(len(header), 'column')}")
    frame = pd.DataFrame(lines, columns=header, dtype=object)
    return frame.map(lambda text: text[1:] if FORMULA.match(text[1:]) and text[0] == "'" else text)


def to_markdown(frame: pd.DataFrame) -> str:
    """Return a frame of texts as a Markdown table; cells are escaped against HTML and column separators."""
    return _tabulated(frame.map(_markdown), "pipe") + "\n"


def to_text(frame: pd.DataFrame) -> str:
    """Return a frame of texts as a table for the terminal."""
    return _tabulated(frame, "simple") + "\n"


def to_latex(frame: pd.DataFrame, note: str = "") -> str:
    """Return a frame of texts as a LaTeX ``tabular``, with a note below its last line.

    Args:
        frame: Plain texts; they are escaped, so none of them acts as a command.
        note: Plain text below the table.
    """
    table = _tabulated(frame, "latex_booktabs")
    # A bracket or star at the start of a line would be read as an option of the line break before it.
    table = re.sub(r"(?m)^ (?=[\[*])", " {}", table)
    if note:
        escaped = printable(note).translate(str.maketrans(tabulate.LATEX_ESCAPE_RULES))
        place = rf"\multicolumn{{{len(frame.columns)}}}{{p{{0.9\linewidth}}}}"
        table = table.replace(r"\end{tabular}", f"{place}{{\\footnotesize {escaped}}} \\\\\n\\end{{tabular}}")
    return NEEDS + table + "\n"


def printable(text: str) -> str:
    """Return the text with a blank in place of each unprintable character."""
    return "".join(character if character.isprintable() else " " for character in text)


def _quoted(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = value.replace("\r", " ")  # which the csv module leaves bare, so that readers end the line there
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def _tabulated(frame: pd.DataFrame, layout: str) -> str:
    """Return the table; the first column and columns of words are left-aligned, numbers right-aligned."""
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

"""Tables for LaTeX documents that load the package booktabs."""

from collections.abc import Sequence

SPECIAL = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\textquotedbl{}",
        "±": r"\ensuremath{\pm}",
        **{letter: "\\" + letter for letter in "&%$#_{}"},
    }
)


def escape(text: str) -> str:
    """Return plain text as LaTeX shows it; what cannot be printed becomes a blank."""
    return "".join(letter if letter.isprintable() else " " for letter in text).translate(SPECIAL)


def tabular(header: Sequence[str], lines: Sequence[Sequence[str]], note: str = "") -> str:
    """Return a ``tabular``: the first column to the left, the others to the right, a note below the rule.

    Args:
        header: Plain text, a cell per column.
        lines: The same, for each line.
        note: Plain text below the table.
    """
    body = [
        r"% needs \usepackage{booktabs}",
        rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
        r"\toprule",
    ]
    body += [_line(header), r"\midrule", *map(_line, lines), r"\bottomrule"]
    if note:
        place = rf"\multicolumn{{{len(header)}}}{{p{{0.9\linewidth}}}}"
        body.append(rf"{place}{{\footnotesize {escape(note)}}} \\")
    return "\n".join([*body, r"\end{tabular}"]) + "\n"


def _line(cells: Sequence[str]) -> str:
    return " & ".join(_guarded(cell) for cell in cells) + r" \\"


def _guarded(cell: str) -> str:
    """Keep a bracket or star that begins a line from being read as an option of the line break before it."""
    text = escape(cell)
    return f"{{}}{text}" if text.startswith(("[", "*")) else text

"""LaTeX: nothing in a label acts as a command, and lines have as many cells as the head."""

import re

import pytest

from kinefract.report.latex import escape, tabular


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("lr_0.1 & 5 %", r"lr\_0.1 \& 5 \%"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("a^2 ~ #1 $x$", r"a\textasciicircum{}2 \textasciitilde{} \#1 \$x\$"),
        ("61.2 ± 2.1", r"61.2 \ensuremath{\pm} 2.1"),
        ("two\nlines\t", "two lines "),
        ("Äpfel", "Äpfel"),
    ],
)
def test_special_letters_are_shown(text: str, escaped: str) -> None:
    assert escape(text) == escaped


def test_every_line_has_a_cell_per_column() -> None:
    text = tabular(["a", "b & c"], [["x", "1"], ["[y]", "100 %"]], "50 % of_it")
    assert text.splitlines() == [
        r"% needs \usepackage{booktabs}",
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"a & b \& c \\",
        r"\midrule",
        r"x & 1 \\",
        r"{}[y] & 100 \% \\",
        r"\bottomrule",
        r"\multicolumn{2}{p{0.9\linewidth}}{\footnotesize 50 \% of\_it} \\",
        r"\end{tabular}",
    ]
    for line in text.splitlines()[3:8:2]:
        assert len(re.findall(r"(?<!\\)&", line)) in (0, 1)

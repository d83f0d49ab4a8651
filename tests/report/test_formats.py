"""Data frames as text: nothing in a label acts as a command, leaves its cell or moves a column."""

import csv
import io

import pytest

from kinefract.common.errors import UserError
from kinefract.report.formats import frame_of, read_csv, to_csv, to_latex, to_markdown, to_text


def latex_cell(text: str) -> str:
    """Return the one cell of a table for LaTeX."""
    return to_latex(frame_of([{"a": text}])).splitlines()[5].removesuffix(r" \\").strip()


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("lr_0.1 & 5 %", r"lr\_0.1 \& 5 \%"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("a^2 ~ #1 $x$", r"a\^{}2 \textasciitilde{} \#1 \$x\$"),
        ("two\nlines", "two lines"),
        ("Äpfel ± 2", "Äpfel ± 2"),
        ("[16, 32]", "{}[16, 32]"),
    ],
)
def test_latex_shows_special_letters(text: str, escaped: str) -> None:
    assert latex_cell(text) == escaped


def test_latex_has_a_cell_per_column_and_its_note_below() -> None:
    lines = to_latex(frame_of([{"a": "x", "b & c": "1"}, {"a": "*y", "b & c": "100 %"}]), "50 % of_it")
    assert [" ".join(line.split()) for line in lines.splitlines()[1:]] == [
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"a & b \& c \\",
        r"\midrule",
        r"x & 1 \\",
        r"{}*y & 100 \% \\",
        r"\bottomrule",
        r"\multicolumn{2}{p{0.9\linewidth}}{\footnotesize 50 \% of\_it} \\",
        r"\end{tabular}",
    ]


def test_csv_keeps_whole_numbers_beside_blanks_and_quotes_what_needs_it() -> None:
    text = to_csv(frame_of([{"a": 80, "b": "x, y"}, {"a": None, "b": 1e-06}]))
    assert text == 'a,b\n80,"x, y"\n,1e-06\n'
    assert list(csv.reader(io.StringIO(text))) == [["a", "b"], ["80", "x, y"], ["", "1e-06"]]


def test_markdown_keeps_a_label_in_its_cell() -> None:
    line = to_markdown(frame_of([{"variant": "a | b\n<b>\\", "top-1": "47.3"}])).splitlines()[2]
    assert line.startswith("| a \\| b &lt;b&gt;\\\\ |")
    assert line.endswith(" 47.3 |")


def test_text_stands_straight_with_wide_letters() -> None:
    lines = [{"variant": "フラクタル", "top-1, %": "9.0"}, {"variant": "scratch", "top-1, %": "47.3"}]
    assert to_text(frame_of(lines)) == (
        "variant       top-1, %\n----------  ----------\nフラクタル         9.0\nscratch           47.3\n"
    )


def test_a_table_without_lines_has_its_head() -> None:
    empty = frame_of([], ["class", "change"])
    assert to_csv(empty) == "class,change\n"
    assert "class" in to_latex(empty)


FORMULAS = ["=1+2", "+1 s", "-x", "@a", "\ta", "\nb", "＝1", "'=1", "''-x"]
OTHERS = ["'a", "'", "", "a=b", "-3.2", "-1e-5"]


def test_text_that_spreadsheets_take_for_a_formula_is_marked_as_text() -> None:
    text = to_csv(frame_of([{"a": label, "b": -3.2} for label in FORMULAS + OTHERS]))
    lines = list(csv.reader(io.StringIO(text, newline="")))
    assert [a for a, _ in lines[1:]] == [*("'" + label for label in FORMULAS), *OTHERS]
    assert {b for _, b in lines[1:]} == {"-3.2"}


def test_a_carriage_return_ends_no_line_of_csv() -> None:
    assert to_csv(frame_of([{"a": "\r=1", "b": "x\ry"}])) == "a,b\n =1,x y\n"


def test_csv_that_is_read_back_holds_the_same_labels(tmp_path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(
        to_csv(frame_of([{"a": label} for label in FORMULAS + OTHERS])), encoding="utf-8", newline=""
    )
    assert list(read_csv(path)["a"]) == FORMULAS + OTHERS


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a,b\n1,2,3\n", "row 1 has 3 fields, and there are 2 columns"),
        ("a,b\n1,2\n3\n", "row 2 has 1 field, and there are 2 columns"),
        ('a,b\n1,"2\n', "cannot be read as CSV"),
        ("", "cannot be read as CSV"),
        (b"a,b\n\xff,1\n", "cannot be read as CSV"),
    ],
)
def test_a_table_that_is_not_as_it_was_written_is_one_clear_error(tmp_path, content, told, recwarn):
    path = tmp_path / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=rf"table\.csv: .*{told}.*; delete {tmp_path} to make it again"):
        read_csv(path)
    assert not recwarn.list

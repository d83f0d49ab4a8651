"""A study's table in the terminal: its words, and columns that stand straight."""

from pathlib import Path

import pytest
from madeup import make_up

from kinefract import report
from kinefract.errors import UserError
from kinefract.report.table import COLUMNS, to_csv

VARY = {"pretraining.objective": ["scratch", "supervised"], "finetuning.method": ["linear_probe", "full"]}


def write(folder: Path, *lines: dict) -> None:
    table = [COLUMNS, *([line.get(column, "") for column in COLUMNS] for line in lines)]
    (folder / "table.csv").write_text(to_csv(table), encoding="utf-8")


def test_columns_are_aligned_and_decimal_points_in_line(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"variant": "scratch", "benchmark": "motions", "top1": 0.473333, "top1_std": 0.0314, "seeds": 3},
        {"variant": "フラクタル", "benchmark": "motions", "top1": 0.09, "top1_std": 0.1234, "seeds": 3},
    )
    assert report.text_table(tmp_path) == (
        "variant     motions top-1, %  seeds\n"
        "-----------------------------------\n"
        "scratch          47.3 ±  3.1      3\n"
        "フラクタル        9.0 ± 12.3      3\n"
    )


def test_it_says_how_each_compares(folder: Path) -> None:
    assert report.text_table(folder) == (
        "variant     motions top-1, %  verdict  seeds  against\n"
        "-----------------------------------------------------\n"
        "scratch           47.3 ± 3.1               3\n"
        "supervised        61.7 ± 3.1  better       3  scratch\n"
    )


def test_it_says_why_nothing_was_tested(single: Path) -> None:
    assert "not tested, one seed" in report.text_table(single)


def test_it_names_each_variants_baseline(tmp_path: Path) -> None:
    scores = [[0.20, 0.22], [0.50, 0.53], [0.60, 0.63], [0.52, 0.51]]
    made = make_up(tmp_path, [{"one": values} for values in scores], vary=VARY, previews=False)
    report.build(made.spec_path)
    lines = report.text_table(made.spec_path.parent).splitlines()[2:]
    ends = [" ".join(line.split("±")[1].split()[1:]) for line in lines]
    assert ends == [
        "2",
        "2",
        "better 2 scratch, method linear_probe",
        "not distinguishable 2 scratch, method full",
    ]


def test_of_an_unfinished_study(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="snakemake"):
        report.text_table(tmp_path)


@pytest.mark.parametrize("content", ["", "variant,benchmark\na,b\n", ",".join(COLUMNS) + "\na,b\n"])
def test_of_a_table_that_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "table.csv").write_text(content)
    with pytest.raises(UserError, match="delete it to make it again"):
        report.text_table(tmp_path)


def test_a_number_may_lack(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"variant": "scratch", "benchmark": "one", "top1": 0.5, "seeds": 1},
        {"variant": "moco", "benchmark": "one", "seeds": 0, "baseline": "scratch"},
    )
    lines = report.text_table(tmp_path).splitlines()
    assert lines[2].split() == ["scratch", "50.0", "1"]
    assert lines[3].split() == ["moco", "-"]

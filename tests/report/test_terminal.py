"""A study's table in the terminal: its words, and columns that stand straight."""

import json
import re
from pathlib import Path

import pytest
from madeup import MadeUp, make_up, read_csv

from kinefract import report
from kinefract.common.errors import UserError
from kinefract.report import terminal
from kinefract.report.formats import frame_of, to_csv
from kinefract.report.table import COLUMNS

VARY = {"pretraining.objective": ["scratch", "supervised"], "finetuning.method": ["linear_probe", "full"]}


def write(folder: Path, *lines: dict) -> None:
    (folder / "table.csv").write_text(to_csv(frame_of(lines, COLUMNS)), encoding="utf-8")


def test_decimal_points_are_in_line(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"variant": "scratch", "benchmark": "motions", "top1": 0.473333, "top1_std": 0.0314, "seeds": 3},
        {"variant": "フラクタル", "benchmark": "motions", "top1": 0.09, "top1_std": 0.1234, "seeds": 3},
    )
    assert terminal.text_table(tmp_path) == (
        "variant       motions top-1, %    seeds\n"
        "----------  ------------------  -------\n"
        "scratch            47.3 ±  3.1        3\n"
        "フラクタル          9.0 ± 12.3        3\n"
    )


def test_it_says_how_each_compares(folder: Path) -> None:
    assert terminal.text_table(folder) == (
        "variant       motions top-1, %  motions verdict      seeds  against\n"
        "----------  ------------------  -----------------  -------  ---------\n"
        "scratch             47.3 ± 3.1                           3\n"
        "supervised          61.7 ± 3.1  better                   3  scratch\n"
    )


def test_against_any_variant(tmp_path: Path) -> None:
    scores = [[0.20, 0.22], [0.50, 0.53], [0.75, 0.78], [0.52, 0.51]]
    made = make_up(tmp_path, [{"one": values} for values in scores], vary=VARY, previews=False)
    head, rule, *lines = terminal.against_table(made.spec_path.parent, "supervised, method full").splitlines()
    assert head.split()[:4] == ["against", "supervised,", "method", "full"] and set(rule) == {"-", " "}
    assert [line.split("  ")[0] for line in lines] == [
        "scratch, method linear_probe",
        "scratch, method full",
        "supervised, method linear_probe",
    ]
    points = [float(re.search(r" ([+-][0-9.]+)  ", line)[1]) for line in lines]
    assert points == [-30.5, 0.0, 25.0]
    assert [re.split("  +", line)[-1] for line in lines] == ["worse", "not distinguishable", "better"]


def test_against_a_variant_on_average_over_benchmarks(tmp_path: Path) -> None:
    scores = [{"one": [0.20, 0.22], "two": [0.70, 0.74]}, {"one": [0.50, 0.53], "two": [0.40, 0.41]}]
    made = make_up(tmp_path, scores, previews=False)
    head, _, line = terminal.against_table(made.spec_path.parent, "supervised").splitlines()
    titles, texts = re.split("  +", head), re.split("  +", line)
    assert texts[titles.index("(mean) top-1, points")] == "+0.5"
    assert texts[titles.index("(mean) verdict")] == "not distinguishable"


def test_against_its_own_baseline_is_what_the_study_says(little: MadeUp, folder: Path) -> None:
    (row,) = read_csv(folder / "table.csv")[1:]
    keys = ("difference", "difference_low", "difference_high")
    label, *numbers, verdict = re.split("  +", terminal.against_table(folder, "scratch").splitlines()[2])
    found = [float(number) for number in re.findall(r"[+-]?\d+\.\d+", " ".join(numbers))]
    assert found[:3] == pytest.approx([100 * float(row[key]) for key in keys], abs=0.051)
    assert found[3] == pytest.approx(float(row["p_holm"]), abs=0.00051)
    assert (label, verdict) == ("supervised", "better")


def test_against_what_is_not_there(folder: Path, single: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'scrach' is not one of: .*did you mean 'scratch'.*of little"):
        terminal.against_table(folder, "scrach")
    with pytest.raises(UserError, match="not made yet; make it with `snakemake"):
        terminal.against_table(tmp_path, "scratch")
    assert "not tested, one seed" in terminal.against_table(single, "scratch")


def test_it_says_why_nothing_was_tested(single: Path) -> None:
    assert "not tested, one seed" in terminal.text_table(single)


def test_it_names_each_variants_baseline(tmp_path: Path) -> None:
    scores = [[0.20, 0.22], [0.50, 0.53], [0.60, 0.63], [0.52, 0.51]]
    made = make_up(tmp_path, [{"one": values} for values in scores], vary=VARY, previews=False)
    report.build(made.spec_path)
    lines = terminal.text_table(made.spec_path.parent).splitlines()[2:]
    ends = [" ".join(line.split("±")[1].split()[1:]) for line in lines]
    assert ends == [
        "2",
        "2",
        "better 2 scratch, method linear_probe",
        "not distinguishable 2 scratch, method full",
    ]


def test_of_a_study_that_is_not_made(tmp_path: Path, tiny: dict, write_params, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^params.yaml: no such file; run this from the project's folder$"):
        terminal.folder_of("tiny")
    write_params(tmp_path, tiny)
    with pytest.raises(
        UserError, match=r"^results/studies/tiny-\w+: .* not made yet; make it with `snakemake tiny`$"
    ):
        terminal.folder_of("tiny")
    with pytest.raises(UserError, match=r"'tinny' is not one of: tiny.*did you mean 'tiny'"):
        terminal.folder_of("tinny")


def test_of_a_study_that_lacks_its_report(tmp_path: Path) -> None:
    made = make_up(tmp_path, [{"one": [0.4]}, {"one": [0.6]}], previews=False)
    with pytest.raises(
        UserError, match=r"little-\w+: the study is not made yet; make it with `snakemake little`$"
    ):
        terminal.text_table(made.spec_path.parent)


@pytest.mark.parametrize("content", ["", "variant,benchmark\na,b\n", ",".join(COLUMNS) + "\na,b\n"])
def test_of_a_table_that_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "table.csv").write_text(content)
    with pytest.raises(UserError, match=r"delete .* to make it again"):
        terminal.text_table(tmp_path)


def test_of_a_variant_that_is_there_twice(tmp_path: Path) -> None:
    line = {"variant": "scratch", "benchmark": "motions", "top1": 0.5, "seeds": 3}
    write(tmp_path, line, line)
    with pytest.raises(UserError, match=r"table.csv: it has two lines for a variant on a benchmark; delete"):
        terminal.text_table(tmp_path)


def test_a_number_may_lack(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"variant": "scratch", "benchmark": "one", "top1": 0.5, "seeds": 1},
        {"variant": "moco", "benchmark": "one", "seeds": 0, "baseline": "scratch"},
    )
    lines = terminal.text_table(tmp_path).splitlines()
    assert lines[2].split() == ["scratch", "50.0", "1"]
    assert lines[3].split() == ["moco", "not", "finished"]


def test_json_has_the_columns_of_the_table_and_null_for_blanks(little: MadeUp, folder: Path) -> None:
    scratch, supervised = json.loads(json.dumps(terminal.as_json(folder)))
    assert list(scratch) == COLUMNS
    assert (scratch["variant"], scratch["benchmark"], scratch["seeds"]) == ("scratch", "motions", 3)
    assert scratch["top1"] == pytest.approx(0.473333) and scratch["difference"] is None
    assert (supervised["verdict"], supervised["baseline"]) == ("better", "scratch")
    costs = ("compute", "pretrain_clips", "finetune_steps")
    before = [{key: line[key] for key in costs} for line in (scratch, supervised)]
    scratch, supervised = json.loads(json.dumps(terminal.as_json(folder, "supervised")))
    assert [{key: line[key] for key in costs} for line in (scratch, supervised)] == before
    assert "unknown" not in before[0]["compute"]
    assert (scratch["verdict"], scratch["baseline"], supervised["baseline"]) == ("worse", "supervised", None)

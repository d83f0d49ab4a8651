"""Tables: the numbers in them, and columns that stand straight."""

import csv
import io
import json
from pathlib import Path

import pytest
from madeup import MadeUp, make_up

from kinefract.report import compare, formats, results, table, terminal


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_metrics_hold_mean_spread_and_count(folder: Path) -> None:
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["scratch"]["motions"] == {
        **{"top1": 0.473333, "top1_std": 0.030551, "top1_low": 0.397442, "top1_high": 0.549225},
        **{"top5": 0.723333, "n": 3},
    }
    assert metrics["supervised"]["motions"]["top1"] == 0.616667
    assert metrics["supervised"]["motions"]["difference"] == pytest.approx(0.143334, abs=2e-6)
    assert metrics["supervised"]["motions"]["compute"] == 1.0
    assert all(isinstance(value, int | float) for value in metrics["supervised"]["motions"].values())


def test_one_seed_leaves_the_spread_out_everywhere(single: Path) -> None:
    assert "top1_std" not in json.loads((single / "metrics.json").read_text())["scratch"]["motions"]
    first, second = read_csv(single / "table.csv")
    assert first["top1_std"] == first["top1_low"] == second["p_holm"] == second["difference_low"] == ""
    assert second["verdict"] == "not tested, one seed"
    assert float(second["difference"]) == pytest.approx(0.2)
    for text in (terminal.text_table(single), (single / "table.md").read_text()):
        assert "40.0" in text
        assert "±" not in text


def test_csv_has_a_line_per_variant_and_benchmark(folder: Path) -> None:
    first, second = read_csv(folder / "table.csv")
    assert (first["variant"], first["benchmark"], first["seeds"]) == ("scratch", "motions", "3")
    assert float(first["top1"]) == pytest.approx(0.473333)
    assert second["top1_by_seed"] == "1:0.61 2:0.59 3:0.65"
    assert float(first["top1_low"]) < 0.473333 < float(first["top1_high"])
    assert (first["compute"], first["pretrain_clips"], first["verdict"]) == ("none", "0", "")
    # 20 clips in 4 epochs; 400 training videos in batches of 32, 12 epochs.
    assert (second["compute"], second["pretrain_clips"], second["finetune_steps"]) == ("1.0x", "80", "144")
    assert second["verdict"] == "better"
    assert float(second["difference_low"]) < float(second["difference"]) < float(second["difference_high"])


def test_curves_hold_every_epoch_of_every_run(folder: Path) -> None:
    lines = read_csv(folder / "curves.csv")
    assert len(lines) == 4 + 6 * 12
    assert {line["phase"] for line in lines} == {"pretrain", "finetune"}
    seeds = {line["seed"] for line in lines if line["variant"] == "scratch"}
    assert seeds == {"1", "2", "3"}


def cells(line: str, between: str) -> list[str]:
    """Return the cells of a line of Markdown or LaTeX."""
    return [cell.strip() for cell in line.removesuffix("\\\\").strip("| ").split(between)]


def test_latex_holds_numbers_intervals_and_marks(folder: Path) -> None:
    lines = (folder / "table.tex").read_text(encoding="utf-8").splitlines()
    assert cells(lines[5], "&") == ["scratch", "47.3 [39.7, 54.9]", "3", "none", ""]
    assert cells(lines[6], "&") == ["supervised", "61.7 [54.1, 69.3] +", "3", "1.0x", "scratch"]
    assert "analysis of variance" in lines[-2]


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> list[results.Row]:
    """Two variants from scratch and two pre-trained, compared."""
    vary = {"pretraining.objective": ["scratch", "supervised"], "finetuning.method": ["linear_probe", "full"]}
    scores = [{"one": values} for values in ([0.20, 0.22], [0.50, 0.53], [0.60, 0.63], [0.52, 0.51])]
    made = make_up(tmp_path_factory.mktemp("several"), scores, vary=vary, previews=False)
    return compare.compared(results.read(made.root, made.study).rows)


def test_every_table_names_the_baseline_of_each_variant(several: list[results.Row]) -> None:
    frame = table.table_of(several)
    lines = list(csv.DictReader(io.StringIO(formats.to_csv(frame))))
    named = ["scratch, method linear_probe", "scratch, method full"]
    assert [line["baseline"] for line in lines] == ["", "", *named]
    head, _, *body = [cells(line, "|") for line in table.table_md(frame).splitlines()]
    assert head[-3:] == ["seeds", "compute", "against"]
    assert [line[4] for line in body] == ["", "", "better", "not distinguishable"]
    assert [line[-1] for line in body[2:]] == named
    tex = [cells(line, "&") for line in table.table_tex(frame).splitlines() if " & " in line]
    assert tex[0] == ["variant", r"one top-1, \%", "seeds", "compute", "against"]
    assert [line[-1] for line in tex[1:]] == [
        "",
        "",
        r"scratch, method linear\_probe",
        "scratch, method full",
    ]


def test_a_study_of_several_benchmarks_has_a_line_for_their_mean(tmp_path: Path) -> None:
    scores = [{"one": [0.20, 0.22], "two": [0.40, 0.40]}, {"one": [0.50, 0.53], "two": [0.60, 0.63]}]
    made = make_up(tmp_path, scores, previews=False)
    rows = compare.compared(results.read(made.root, made.study).rows)
    scratch, supervised = table.table_of(rows).query("benchmark == '(mean)'").to_dict("records")
    assert (scratch["top1_by_seed"], scratch["verdict"], scratch["baseline"]) == ("1:0.3 2:0.31", "", "")
    assert supervised["top1_by_seed"] == "1:0.55 2:0.58"
    assert supervised["difference"] == pytest.approx(0.565 - 0.305)
    assert (supervised["verdict"], supervised["baseline"]) == ("better", "scratch")
    assert supervised["difference_low"] < 0.26 < supervised["difference_high"]
    head, _, first, second = [cells(line, "|") for line in table.table_md(table.table_of(rows)).splitlines()]
    where = head.index("(mean) top-1, %")
    assert (first[where], second[where]) == ("30.5 ± 0.7", "56.5 ± 2.1")
    assert "(mean) top-5, %" not in head
    assert not [cell for cell in first + second if cell.endswith(",")]


def test_markdown_holds_the_mean_over_classes_where_any_run_has_it(little: MadeUp) -> None:
    rows = results.read(little.root, little.study).rows
    assert "mean of classes" not in table.table_md(table.table_of(rows))
    for seed, run in rows[1].cells["motions"].runs.items():
        run.result["mean_class_accuracy"] = 0.5 + seed / 100
    head, _, first, second = [cells(line, "|") for line in table.table_md(table.table_of(rows)).splitlines()]
    assert head[3:5] == ["motions top-5, %", "motions mean of classes, %"]
    assert first[4] == ""
    assert second[4] == "52.0"


def test_a_benchmark_without_runs_is_left_out_and_a_variant_without_is_not(tmp_path: Path) -> None:
    made = make_up(tmp_path, [{"one": [0.4], "two": [0.4]}, {"one": [0.6], "two": [0.5]}], previews=False)
    rows = results.read(made.root, made.study).rows
    for row in rows:
        row.cells["two"].runs.clear()
    rows[1].cells["one"].runs.clear()
    head, _, first, second = [cells(line, "|") for line in table.table_md(table.table_of(rows)).splitlines()]
    assert "two" not in " ".join(head)
    assert (first[1], second[1]) == ("40.0", "not finished")
    rows[0].cells["one"].runs.clear()
    assert "variant" in table.table_md(table.table_of(rows))


def test_each_number_stands_in_its_own_column(several: list[results.Row], tmp_path: Path) -> None:
    lines = table.table_of(several).to_dict("records")
    for row, line in list(zip(several, lines, strict=True))[2:]:
        comparison = row.cells["one"].comparison
        assert (line["p"], line["p_holm"]) == pytest.approx(
            (comparison.difference.p, comparison.adjusted), abs=1e-6
        )
    assert lines[2]["p"] != lines[2]["p_holm"]
    made = make_up(tmp_path, [{"one": [0.8, 0.9]}, {"one": [0.8, 0.9]}], previews=False)  # top-5 is 1.0
    assert table.table_of(results.read(made.root, made.study).rows)["top5_std"].tolist() == [0, 0]


def test_markdown_holds_intervals_and_latex_a_mark_for_each_verdict(
    folder: Path, several, tmp_path: Path
) -> None:
    assert "39.7 to 54.9" in (folder / "table.md").read_text(encoding="utf-8")
    made = make_up(tmp_path, [{"one": [0.5, 0.53]}, {"one": [0.2, 0.22]}], previews=False)
    rows = several + compare.compared(results.read(made.root, made.study).rows)
    tex = [table.table_tex(table.table_of(some)) for some in (several, rows[4:])]
    ends = [cells(line, "&")[1][-2:] for text in tex for line in text.splitlines() if " & " in line][1:]
    assert [end for end in ends if end[0] == " "] == [" +", " =", " -"]

"""Tables: the numbers in them, and columns that stand straight."""

import csv
import io
import json
from pathlib import Path

import pytest
from madeup import MadeUp, make_up

from kinefract import report
from kinefract.report import compare, results, table


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
    for text in (report.text_table(single), (single / "table.md").read_text()):
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


def test_a_label_stays_in_its_markdown_cell(little: MadeUp) -> None:
    rows = results.read(little.root, little.study).rows
    hostile = results.Row("a | b\n<b>", {}, {}, rows[0].cells)
    line = table.table_md([hostile]).splitlines()[2]
    assert line.startswith("| a \\| b &lt;b> | 47.3 ± 3.1 | 39.7 to 54.9 |")


def test_latex_holds_numbers_intervals_and_marks(folder: Path) -> None:
    lines = (folder / "table.tex").read_text(encoding="utf-8").splitlines()
    assert "scratch & 47.3 [39.7, 54.9] & 3 & none \\\\" in lines
    assert "supervised & 61.7 [54.1, 69.3] + & 3 & 1.0x \\\\" in lines
    assert lines[1] == "\\begin{tabular}{lrrr}"
    rules = [line for line in lines if line.endswith("rule")]
    assert rules == ["\\toprule", "\\midrule", "\\bottomrule"]


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> list[results.Row]:
    """Two variants from scratch and two pre-trained, compared."""
    vary = {"pretraining.objective": ["scratch", "supervised"], "finetuning.method": ["linear_probe", "full"]}
    scores = [{"one": values} for values in ([0.20, 0.22], [0.50, 0.53], [0.60, 0.63], [0.52, 0.51])]
    made = make_up(tmp_path_factory.mktemp("several"), scores, vary=vary, previews=False)
    return compare.judged(results.read(made.root, made.study).rows)


def test_every_table_names_the_baseline_of_each_variant(several: list[results.Row]) -> None:
    lines = list(csv.DictReader(io.StringIO(table.table_csv(several))))
    named = ["scratch, method linear_probe", "scratch, method full"]
    assert [line["baseline"] for line in lines] == ["", "", *named]
    head, _, *body = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in table.table_md(several).splitlines()
    ]
    assert head[4] == "one against its baseline"
    assert [line[4] for line in body] == [
        "",
        "",
        "better than scratch, method linear_probe",
        "not distinguishable from scratch, method full",
    ]
    tex = table.table_tex(several)
    assert r"\begin{tabular}{lrrrr}" in tex
    assert r"variant & one top-1, \% & seeds & compute & against \\" in tex
    ends = [line.rpartition(" & ")[2] for line in tex.splitlines() if " & " in line][1:]
    assert ends == [r" \\", r" \\", r"scratch, method linear\_probe \\", r"scratch, method full \\"]
    assert "Against its baseline, by an analysis of variance" in tex


def test_markdown_holds_the_mean_over_classes_where_any_run_has_it(little: MadeUp) -> None:
    rows = results.read(little.root, little.study).rows
    assert "mean of classes" not in table.table_md(rows)
    for seed, run in rows[1].cells["motions"].runs.items():
        run.result["mean_class_accuracy"] = 0.5 + seed / 100
    head, _, first, second = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in table.table_md(rows).splitlines()
    ]
    assert head[3:5] == ["motions top-5, %", "motions mean of classes, %"]
    assert first[4] == ""
    assert second[4] == "52.0 ± 1.0"
    assert len(first) == len(second) == len(head)

"""Tables: the numbers in them, and columns that stand straight."""

import csv
import json
from pathlib import Path

import pytest
from madeup import MadeUp

from kinefract import report
from kinefract.errors import UserError
from kinefract.report import results, table


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_metrics_hold_mean_spread_and_count(folder: Path) -> None:
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["scratch"]["motions"] == {"top1": 0.473333, "top1_std": 0.030551, "top5": 0.723333, "n": 3}
    assert metrics["supervised"]["motions"]["top1"] == 0.616667


def test_one_seed_leaves_the_spread_out_everywhere(single: Path) -> None:
    assert "top1_std" not in json.loads((single / "metrics.json").read_text())["scratch"]["motions"]
    assert read_csv(single / "table.csv")[0]["top1_std"] == ""
    for text in (report.text_table(single), (single / "table.md").read_text()):
        assert "40.0" in text
        assert "±" not in text


def test_text_table_is_aligned_and_keeps_the_decimal_points_in_line(tmp_path: Path) -> None:
    metrics = {
        "scratch": {"motions": {"top1": 0.473333, "top1_std": 0.0314, "top5": 0.7, "n": 3}},
        "フラクタル": {"motions": {"top1": 0.09, "top1_std": 0.1234, "top5": 0.9, "n": 3}},
    }
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    assert report.text_table(tmp_path) == (
        "variant     motions top-1, %  seeds\n"
        "-----------------------------------\n"
        "scratch          47.3 ±  3.1      3\n"
        "フラクタル        9.0 ± 12.3      3\n"
    )


def test_text_table_of_an_unfinished_study(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="snakemake"):
        report.text_table(tmp_path)


def test_csv_has_a_line_per_variant_and_benchmark(folder: Path) -> None:
    first, second = read_csv(folder / "table.csv")
    assert (first["variant"], first["benchmark"], first["seeds"]) == ("scratch", "motions", "3")
    assert float(first["top1"]) == pytest.approx(0.473333)
    assert second["top1_by_seed"] == "1:0.61 2:0.59 3:0.65"


def test_curves_hold_every_epoch_of_every_run(folder: Path) -> None:
    lines = read_csv(folder / "curves.csv")
    assert len(lines) == 4 + 6 * 12
    assert {line["phase"] for line in lines} == {"pretrain", "finetune"}
    seeds = {line["seed"] for line in lines if line["variant"] == "scratch"}
    assert seeds == {"1", "2", "3"}


def test_a_label_stays_in_its_markdown_cell(little: MadeUp) -> None:
    rows = results.read(little.root, little.study)
    hostile = results.Row("a | b\n<b>", {}, None, rows[0].cells)
    line = table.table_md([hostile]).splitlines()[2]
    assert line.startswith("| a \\| b &lt;b> | 47.3 ± 3.1 |")

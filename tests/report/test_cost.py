"""What variants cost, and whether that was equal."""

from dataclasses import replace
from pathlib import Path

import pytest
from madeup import MadeUp, make_up, read_csv

from kinefract import report
from kinefract.report import cost, cost_table, results
from kinefract.report.results import Row


def rows_of(made: MadeUp) -> list[Row]:
    return cost.with_costs(made.root, results.read_available(made.root, made.study).rows)


def varied(root: Path, vary: dict, count: int) -> list[Row]:
    return rows_of(make_up(root, [{"one": [0.4, 0.5]}] * count, vary=vary, previews=False))


def status(row: Row) -> str:
    return cost.in_words(row, row.cells["one"])


def test_twice_the_epochs_are_twice_the_compute_of_the_cheapest(tmp_path: Path) -> None:
    vary = {"pretraining.objective": ["scratch", "supervised"], "pretraining.epochs": [8, 4]}
    rows = varied(tmp_path, vary, 3)
    assert [row.clips for row in rows] == [0, 20 * 8, 20 * 4]
    assert [status(row) for row in rows] == ["none", "2.0x", "1.0x"]
    assert cost.unequal(rows)


def test_a_larger_dataset_is_more_compute(tmp_path: Path) -> None:
    rows = varied(tmp_path, {"dataset.clips_per_class": [5, 6]}, 2)
    assert [status(row) for row in rows] == ["1.0x", "1.2x"]


def test_equal_lengths_are_equal(tmp_path: Path) -> None:
    rows = varied(tmp_path, {"pretraining.objective": ["scratch", "supervised", "moco"]}, 3)
    assert [status(row) for row in rows] == ["none", "1.0x", "1.0x"]
    assert not cost.unequal(rows)


def test_behind_a_number_of_seeds_it_is_a_clause(tmp_path: Path) -> None:
    rows = varied(tmp_path, {"pretraining.objective": ["scratch", "supervised"]}, 2)
    rows.append(replace(rows[1], weights="kinefract:fractal-tsm-resnet18"))
    clauses = [cost.as_clause(row, row.cells["one"]) for row in rows]
    assert clauses == ["no pre-training", "compute 1.0x", "published weights"]
    longer = replace(rows[0].cells["one"], steps_factor=2.0)
    assert cost.as_clause(rows[0], longer) == "no pre-training, fine-tuning 2.0x"


def test_where_scratch_alone_has_finished_its_fine_tuning_is_known(tmp_path: Path) -> None:
    made = make_up(tmp_path, [{"one": [0.4, 0.5]}] * 2, previews=False)
    for path in (made.finetune_folder(1, "one", seed) / "result.json" for seed in (1, 2)):
        path.unlink()
    scratch = rows_of(made)[0]
    assert status(scratch) == "none" and scratch.cells["one"].steps


def test_longer_fine_tuning_is_named(tmp_path: Path) -> None:
    rows = varied(tmp_path, {"finetuning.epochs": [12, 18]}, 2)
    assert [row.cells["one"].steps for row in rows] == [12 * (400 // 32), 18 * (400 // 32)]
    assert [status(row) for row in rows] == ["1.0x", "1.0x, fine-tuning 1.5x"]
    assert cost.unequal(rows)


def test_what_is_not_known_is_not_called_equal(tmp_path: Path) -> None:
    made = make_up(tmp_path, [{"one": [0.4, 0.5]}] * 2, previews=False)
    for path in tmp_path.glob("data/benchmarks/*/summary.json"):
        path.unlink()
    (tmp_path / "results/pretrain" / made.study.variants[1].pretrains[1] / "spec.yaml").write_text(
        "id: other"
    )
    rows = rows_of(made)
    assert [status(row) for row in rows] == ["none, fine-tuning unknown", "unknown, fine-tuning unknown"]


@pytest.mark.parametrize(
    ("factor", "words"), [(1.0, "1.0x"), (1.04, "1.04x"), (2.0, "2.0x"), (12.34, "12.3x"), (None, "unknown")]
)
def test_a_factor_that_is_not_1_does_not_look_like_it(factor: float | None, words: str) -> None:
    assert cost.times(factor) == words


def test_seconds_parameters_and_machines_are_those_of_the_runs(little: MadeUp) -> None:
    scratch, supervised = cost_table.costs(rows_of(little))
    # Three runs of 12 epochs of 3.5 s and 4 s of evaluation; pre-training has 4 epochs.
    assert scratch["finetune_seconds"] == supervised["finetune_seconds"] == 3 * (12 * 3.5 + 4)
    assert (scratch["pretrain_seconds"], supervised["pretrain_seconds"]) == (0, 14)
    assert supervised["parameters"] == [2_790_000]
    assert supervised["machines"] == ["Some Processor, 2 cores"]


def test_a_snapshot_costs_the_time_until_it_was_kept(tmp_path: Path) -> None:
    variants: dict = {"early": {"init_epoch": 1}, "late": {}}
    made = make_up(tmp_path, [{"one": [0.4, 0.5]}] * 2, variants=variants, previews=False, snapshots=[1])
    early, late = cost_table.costs(rows_of(made))
    assert (early["clips"], late["clips"]) == (20, 80)
    assert (early["pretrain_seconds"], late["pretrain_seconds"]) == (3.5, 4 * 3.5)


def test_the_files_of_a_study_hold_the_table(folder: Path) -> None:
    scratch, supervised = read_csv(folder / "costs.csv")
    assert (scratch["clips"], scratch["clips_factor"]) == ("0", "")
    assert (supervised["clips"], supervised["clips_factor"], supervised["finetunes"]) == ("80", "1.0", "3")
    text = " ".join((folder / "costs.tex").read_text().split())
    assert r"supervised & 1.0x & 80 & 14 s & 2 min 18 s, 3 runs & 2.79 M" in text


def test_the_answer_says_that_lengths_were_unequal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_up(
        tmp_path,
        [{"one": [0.4, 0.5]}] * 2,
        vary={"pretraining.epochs": [4, 8]},
        previews=False,
    )
    report.build(made.spec_path)
    assert "compute 2.0x" in (made.spec_path.parent / "index.html").read_text()
    assert "not trained equally long" in (made.spec_path.parent / "answer.json").read_text()

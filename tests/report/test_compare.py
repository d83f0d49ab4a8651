"""Comparing variants with the baseline: what is paired, corrected and left untested."""

import json
from pathlib import Path

import numpy as np
import pytest
from madeup import MadeUp, make_up

from kinefract.report import compare, results
from kinefract.report.results import Row
from kinefract.report.statistics import holm, paired_difference

THREE = ("scratch", "supervised", "moco")


def rows_of(made: MadeUp) -> list[Row]:
    return compare.compared(results.read_available(made.root, made.study).rows)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> MadeUp:
    """Three variants on two benchmarks with three seeds. Not to be changed by a test."""
    scores = [
        {"one": [0.44, 0.50, 0.48], "two": [0.30, 0.33, 0.31]},
        {"one": [0.71, 0.69, 0.75], "two": [0.31, 0.30, 0.33]},
        {"one": [0.49, 0.47, 0.51], "two": [0.10, 0.12, 0.11]},
    ]
    return make_up(tmp_path_factory.mktemp("three"), scores, objectives=THREE, previews=False)


def test_verdicts_follow_the_numbers_and_the_baseline_has_none(three: MadeUp) -> None:
    scratch, *others = rows_of(three)
    assert [cell.comparison for cell in scratch.cells.values()] == [None, None]
    verdicts = [[cell.comparison.verdict for cell in row.cells.values()] for row in others]
    assert verdicts == [["better", "not distinguishable"], ["not distinguishable", "worse"]]
    assert others[0].cells["one"].comparison.points == pytest.approx((0.71 + 0.69 + 0.75 - 1.42) / 3)


def test_predictions_and_results_agree_on_the_difference(three: MadeUp) -> None:
    for row in rows_of(three)[1:]:
        for cell in row.cells.values():
            assert cell.comparison.difference.mean == pytest.approx(cell.comparison.points)


def test_p_values_are_corrected_for_the_comparisons_of_each_benchmark(three: MadeUp) -> None:
    rows = rows_of(three)
    for name in ("one", "two"):
        compared = [row.cells[name].comparison for row in rows[1:]]
        assert [entry.adjusted for entry in compared] == holm([entry.difference.p for entry in compared])


def test_the_mean_over_benchmarks_is_of_each_seed_and_is_compared_in_the_same_way(three: MadeUp) -> None:
    scratch, *others = rows_of(three)
    assert scratch.overall.top1.by_seed == pytest.approx({1: 0.37, 2: 0.415, 3: 0.395})
    assert scratch.overall.comparison is None
    assert [row.overall.comparison.verdict for row in others] == ["better", "worse"]
    for row in others:
        found = row.overall.comparison
        each = [cell.comparison.points for cell in row.cells.values()]
        assert found.points == pytest.approx(np.mean(each))
        assert found.difference.mean == pytest.approx(found.points)
    found = [row.overall.comparison for row in others]
    assert [entry.adjusted for entry in found] == holm([entry.difference.p for entry in found])


def test_there_is_no_mean_of_one_benchmark_or_where_a_run_is_missing(three: MadeUp, tmp_path: Path) -> None:
    alone = make_up(tmp_path, [{"one": [0.4, 0.5]}, {"one": [0.6, 0.7]}], previews=False)
    assert [row.overall for row in rows_of(alone)] == [None, None]
    rows = results.read_available(three.root, three.study).rows
    del rows[1].cells["two"].runs[3]
    scratch, supervised, moco = compare.compared(rows)
    assert scratch.overall
    assert supervised.overall is None
    assert moco.overall.comparison.adjusted == moco.overall.comparison.difference.p  # the only one


def test_it_is_the_test_of_the_files(three: MadeUp) -> None:
    sides = []
    for variant in (2, 0):
        files = [three.finetune_folder(variant, "two", seed) / "predictions.csv" for seed in (1, 2, 3)]
        sides.append(
            np.array([np.genfromtxt(path, delimiter=",", skip_header=1)[:, 4] == 1 for path in files])
        )
    assert rows_of(three)[2].cells["two"].comparison.difference == paired_difference(*sides)


def test_file_names_that_are_no_text_are_compared_like_others(tmp_path: Path) -> None:
    made = make_up(tmp_path, [{"one": [0.2, 0.3]}, {"one": [0.7, 0.8]}], previews=False)
    for variant in (0, 1):
        for seed in (1, 2):
            path = made.finetune_folder(variant, "one", seed) / "predictions.csv"
            path.write_bytes(path.read_bytes().replace(b"clips/7.", b"clips/caf\xe9."))
    assert rows_of(made)[1].cells["one"].comparison.verdict == "better"


def test_the_same_predictions_are_not_distinguishable(tmp_path: Path) -> None:
    made = make_up(tmp_path, [{"one": [0.4, 0.5]}, {"one": [0.4, 0.5]}], previews=False)
    for seed in (1, 2):
        source, target = (made.finetune_folder(place, "one", seed) / "predictions.csv" for place in (0, 1))
        target.write_bytes(source.read_bytes())
    comparison = rows_of(made)[1].cells["one"].comparison
    assert (comparison.difference.p, comparison.adjusted, comparison.verdict) == (1, 1, "not distinguishable")


def test_one_seed_is_not_tested(tmp_path: Path) -> None:
    made = make_up(tmp_path, [{"one": [0.2]}, {"one": [0.8]}], previews=False)
    comparison = rows_of(made)[1].cells["one"].comparison
    assert comparison.verdict == "not tested, one seed"
    assert comparison.difference is comparison.adjusted is None
    assert comparison.points == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda path: path.unlink(), "a run lacks its predictions"),
        (
            lambda path: path.write_text(path.read_text().replace("clips/7.", "clips/x.")),
            "the test videos differ",
        ),
    ],
)
def test_predictions_that_cannot_be_paired_are_not_tested(tmp_path: Path, change, said: str) -> None:
    made = make_up(tmp_path, [{"one": [0.2, 0.3]}, {"one": [0.7, 0.8]}], previews=False)
    change(made.finetune_folder(1, "one", 2) / "predictions.csv")
    comparison = rows_of(made)[1].cells["one"].comparison
    assert comparison.verdict.startswith("not tested, ")
    assert said in comparison.verdict
    assert comparison.difference is None


def test_a_single_video_is_not_tested(tmp_path: Path) -> None:
    made = make_up(tmp_path, [{"one": [0.0, 0.0]}, {"one": [1.0, 1.0]}], previews=False)
    for path in tmp_path.rglob("predictions.csv"):
        path.write_text("".join(path.read_text().splitlines(True)[:2]))
        result = json.loads((path.parent / "result.json").read_text())
        (path.parent / "result.json").write_text(json.dumps(result | {"videos": 1}))
    assert rows_of(made)[1].cells["one"].comparison.verdict == "not tested, one test video"


def test_without_runs_of_the_baseline_nothing_is_compared(tmp_path: Path) -> None:
    made = make_up(tmp_path, [{"one": [0.2, 0.3]}, {"one": [0.7, 0.8]}], previews=False)
    for seed in (1, 2):
        (made.finetune_folder(0, "one", seed) / "result.json").unlink()
    assert rows_of(made)[1].cells["one"].comparison is None

"""Which variant each is compared with, where variants differ in more than what they start from."""

from pathlib import Path

import pytest
from madeup import make_up

from kinefract.config import params, plan
from kinefract.config.baselines import baseline_of
from kinefract.report import compare, cost, results
from kinefract.report.results import Cell, Row, Run, baseline_heading, baseline_name, baselines
from kinefract.report.statistics import holm

PARAMS = Path(__file__).parents[1] / "params_0.1.yaml"
PRETRAIN = {1: Run("fractal-x", "pretrain", Path(), {"loss": 1.0}, [])}


def row(label: str, scratch: bool = False, weights: str | None = None, **values: object) -> Row:
    named = {key.replace("__", "."): value for key, value in values.items()}
    start = {"init": "scratch"} if scratch else {}
    pretrains = {} if scratch or weights else PRETRAIN
    return Row(label, start | named, pretrains, {"one": Cell({})}, weights=weights)


def pairs(rows: list[Row]) -> dict[str, str | None]:
    found = {entry.label: baseline_of(entry, rows) for entry in rows}
    return {label: base and base.label for label, base in found.items()}


@pytest.fixture(scope="module")
def planned() -> plan.Plan:
    return plan.resolve(params.load(PARAMS))


@pytest.mark.parametrize(
    ("study", "expected"),
    [
        (
            "probe",
            {
                "scratch, method linear_probe": None,
                "scratch, method full": None,
                "supervised, method linear_probe": "scratch, method linear_probe",
                "supervised, method full": "scratch, method full",
            },
        ),
        (
            "backbones",
            {
                "scratch, backbone tsm_resnet50": None,
                "scratch, backbone tsm_mobilenetv2": None,
                "scratch, backbone x3d_m": None,
                "supervised, backbone tsm_resnet50": "scratch, backbone tsm_resnet50",
                "supervised, backbone tsm_mobilenetv2": "scratch, backbone tsm_mobilenetv2",
                "supervised, backbone x3d_m": "scratch, backbone x3d_m",
            },
        ),
        (
            "resolution",
            {
                "scratch, 112 px": None,
                "scratch, 224 px": None,
                "112 px": "scratch, 112 px",
                "224 px": "scratch, 224 px",
            },
        ),
        (
            "benchmarks",
            {
                "scratch": None,
                "paper": "scratch",
                "paper_moco": "scratch",
                "scratch, 224 px": None,
                "kinetics": "scratch, 224 px",
            },
        ),
        ("schedule", {"10": None, "25": "10", "50": "10", "100": "10"}),
    ],
)
def test_the_studies_of_the_project(planned: plan.Plan, tmp_path: Path, study: str, expected: dict) -> None:
    rows = results.read_available(tmp_path, planned.study(study)).rows
    assert pairs(rows) == expected


def test_one_from_scratch_is_the_baseline_of_nine_families(planned: plan.Plan, tmp_path: Path) -> None:
    rows = results.read_available(tmp_path, planned.study("families")).rows
    assert len(rows) == 10
    assert [baseline_of(entry, rows) for entry in rows] == [None, *[rows[0]] * 9]
    assert {baseline_name(entry, rows) for entry in rows} == {"scratch"}
    assert baseline_heading(rows) == "scratch"


def test_the_first_of_equally_like_ones_is_taken() -> None:
    rows = [
        row("pre-trained", finetuning__size=96),
        row("scratch 64", True, finetuning__size=64),
        row("scratch 32", True, finetuning__size=32),
    ]
    assert pairs(rows)["pre-trained"] == "scratch 64"


def test_what_a_variant_starts_from_does_not_count() -> None:
    rows = [
        row("other", True, finetuning__lr=1),
        row("alike", True, pretraining__objective="scratch", finetuning__lr=2),
        row("supervised", init="paper", pretraining__objective="supervised", finetuning__lr=2),
    ]
    assert pairs(rows)["supervised"] == "alike"


def test_an_absent_key_is_rather_the_same_than_another_value_is() -> None:
    rows = [
        row("scratch, 224 px", True, finetuning__size=224),
        row("scratch, the recipe's size", True),
        row("112 px", finetuning__size=112),
        row("the recipe's size"),
        row("224 px", finetuning__size=224),
    ]
    assert pairs(rows) == {
        "scratch, 224 px": None,
        "scratch, the recipe's size": None,
        "112 px": "scratch, the recipe's size",
        "the recipe's size": "scratch, the recipe's size",
        "224 px": "scratch, 224 px",
    }


def test_nothing_is_a_value_of_its_own() -> None:
    rows = [
        row("scratch, some", True, finetuning__rand_augment={"magnitude": 5}),
        row("scratch, none", True, finetuning__rand_augment=None),
        row("none", finetuning__rand_augment=None),
        row("some", finetuning__rand_augment={"magnitude": 5}),
    ]
    assert [pairs(rows)[label] for label in ("none", "some")] == ["scratch, none", "scratch, some"]


def test_all_from_scratch_are_compared_with_the_first() -> None:
    rows = [row("a", True, finetuning__lr=1), row("b", True, finetuning__lr=2)]
    assert pairs(rows) == {"a": None, "b": "a"}
    assert baseline_name(rows[1], rows) == "the baseline"


def test_a_single_variant_has_no_baseline() -> None:
    rows = [row("scratch", True)]
    assert (pairs(rows), baselines(rows)) == ({"scratch": None}, [])
    assert baseline_heading(rows) == "the baseline"


def test_names_are_labels_where_baselines_are_several() -> None:
    rows = [row(f"scratch {n}", True, finetuning__lr=n) for n in (1, 2)]
    rows += [row(f"supervised {n}", finetuning__lr=n) for n in (2, 1)]
    assert baselines(rows) == rows[:2]
    assert [baseline_name(entry, rows) for entry in rows[2:]] == ["scratch 2", "scratch 1"]
    assert baseline_heading(rows) == "its baseline"


def test_a_baseline_that_nothing_is_compared_with_does_not_count() -> None:
    rows = [row("scratch 1", True, finetuning__lr=1), row("scratch 2", True, finetuning__lr=2)]
    rows.append(row("supervised 2", finetuning__lr=2))
    assert baselines(rows) == [rows[1]]
    assert baseline_name(rows[2], rows) == "the baseline"


VARY = {"pretraining.objective": ["scratch", "supervised"], "finetuning.method": ["linear_probe", "full"]}


def test_comparisons_are_with_the_own_baseline_and_corrected_together(tmp_path: Path) -> None:
    scores = [[0.20, 0.22, 0.21], [0.50, 0.53, 0.51], [0.40, 0.43, 0.41], [0.52, 0.50, 0.54]]
    made = make_up(tmp_path, [{"one": values} for values in scores], vary=VARY, previews=False)
    rows = compare.compared(results.read(tmp_path, made.study).rows)
    probed, full = (entry.cells["one"].comparison for entry in rows[2:])
    assert [entry.cells["one"].comparison for entry in rows[:2]] == [None, None]
    assert probed.points == pytest.approx((0.40 + 0.43 + 0.41 - 0.20 - 0.22 - 0.21) / 3)
    assert full.points == pytest.approx((0.52 + 0.50 + 0.54 - 0.50 - 0.53 - 0.51) / 3)
    assert (probed.verdict, full.verdict) == ("better", "not distinguishable")
    assert probed.difference.mean == pytest.approx(probed.points)
    assert full.difference.mean == pytest.approx(full.points)
    assert [probed.adjusted, full.adjusted] == holm([probed.difference.p, full.difference.p])


def test_a_baseline_without_runs_leaves_its_own_variants_uncompared(tmp_path: Path) -> None:
    made = make_up(tmp_path, [{"one": [0.4, 0.5]}] * 4, vary=VARY, previews=False)
    for seed in (1, 2):
        (made.finetune_folder(0, "one", seed) / "result.json").unlink()
    rows = compare.compared(results.read_available(tmp_path, made.study).rows)
    assert [entry.cells["one"].comparison is None for entry in rows] == [True, True, True, False]


def test_published_weights_are_pre_trained_and_compared(tmp_path: Path) -> None:
    variants = {
        "scratch": {"init": "scratch", "finetuning.epochs": 12},
        "published": {"init": "published", "finetuning.epochs": 24},
    }
    made = make_up(tmp_path, [{"one": [0.2, 0.3]}, {"one": [0.7, 0.8]}], variants=variants, previews=False)
    found = results.read(tmp_path, made.study).rows
    rows = cost.with_costs(tmp_path, compare.compared(found))
    assert [entry.scratch for entry in rows] == [True, False]
    assert rows[1].cells["one"].comparison.verdict == "better"
    assert baseline_name(rows[1], rows) == "scratch"
    # Steps are relative to the pre-trained variant's, and how many clips others pre-trained on is not known.
    assert [cost.in_words(entry, entry.cells["one"]) for entry in rows] == [
        "none, fine-tuning 0.5x",
        "published",
    ]
    assert [(entry.clips, entry.clips_factor) for entry in rows] == [(0, None), (None, None)]

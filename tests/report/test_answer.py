"""The generated answer: it says what the numbers say, and no more."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from kinefract.report.answer import answer, name_of
from kinefract.report.compare import Comparison
from kinefract.report.results import Cell, Overall, Row, Run, Score
from kinefract.report.statistics import Difference, Interval

PRETRAIN = {1: Run("fractal-x", "pretrain", Path(), {"loss": 1.0}, [])}


def row(
    label: str,
    top1: list[float],
    pretrains: dict[int, Run] = PRETRAIN,
    key: str = "pretraining.objective",
    comparison: Comparison | None = None,
    factor: float = 1.0,
) -> Row:
    runs = {
        seed: Run(f"{label}-{seed}", "finetune", Path(), {"top1": value, "top5": value}, [])
        for seed, value in enumerate(top1, start=1)
    }
    cells = {"motions": Cell(runs, comparison, 100, 1.0)}
    clips, factors = (80, factor) if pretrains else (0, None)
    return Row(label, {key: label}, pretrains, cells, clips, factors)


def as_found(verdict: str, points: float, low: float, high: float, p: float) -> Comparison:
    return Comparison(points, Difference(points, Interval(low, high), p / 2), p, verdict)


ONE_SEED = Comparison(0.2, None, None, "not tested, one seed")


def test_a_gain_the_test_finds() -> None:
    found = as_found("better", 0.132, 0.091, 0.170, 0.0002)
    rows = [
        row("scratch", [0.46, 0.48, 0.50], {}),
        row("supervised", [0.591, 0.612, 0.633], comparison=found),
    ]
    assert answer(rows, {"supervised": "fractal"}) == [
        "Pre-training on fractal clips reached 61.2 % top-1 on motions (3 seeds, compute 1.0x) "
        "against 48.0 % from scratch (3 seeds, no pre-training), a gain of 13.2 points: better than scratch "
        "(95 % interval of the difference 9.1 to 17.0 points, p < 0.001 after Holm's correction)."
    ]


def test_what_one_of_several_variants_reached_is_not_said_of_pre_training() -> None:
    rows = [
        row("scratch", [0.31, 0.31], {}),
        row("supervised", []),
        replace(row("shuffled labels", [0.21, 0.21]), values={"pretraining.shuffled_labels": True}),
    ]
    (sentence,) = answer(rows, {"supervised": "fractal", "shuffled labels": "fractal"})
    assert sentence.startswith("shuffled labels reached 21.0 % top-1 on motions")


@pytest.mark.parametrize(
    ("label", "values", "name"),
    [
        ("8", {"pretraining.epochs": 8}, "epochs 8"),
        ("None", {"pretraining.filmed": None}, "filmed None"),
        ("300 clips", {"dataset.clips_per_class": 5}, "300 clips"),
        ("scratch", {"init": "scratch"}, "scratch"),
        ("moco", {"pretraining.objective": "moco"}, "moco"),
        ("moco, 8", {"pretraining.objective": "moco", "pretraining.epochs": 8}, "moco, 8"),
        ("fractals", {}, "fractals"),
    ],
)
def test_a_bare_value_is_named_with_its_setting_and_a_label_stays(label, values, name) -> None:
    assert name_of(Row(label, values, {}, {})) == name


def test_the_mean_over_benchmarks_comes_first_and_has_no_compute_of_its_own() -> None:
    found = as_found("better", 0.14, 0.06, 0.21, 0.006)
    rows = [
        replace(single, cells=dict.fromkeys(("one", "two"), single.cells["motions"]), overall=overall)
        for single, overall in [
            (row("scratch", [0.4, 0.5], {}), Overall(Score({1: 0.36, 2: 0.36}))),
            (row("supervised", [0.4, 0.5]), Overall(Score({1: 0.5, 2: 0.5}), found)),
        ]
    ]
    mean, *others = answer(rows, {"supervised": "fractal"})
    assert mean == (
        "Pre-training on fractal clips reached 50.0 % top-1 on average over the 2 benchmarks (2 seeds) "
        "against 36.0 % from scratch (2 seeds), a gain of 14.0 points: better than scratch (95 % interval of "
        "the difference 6.0 to 21.0 points, p = 0.006 after Holm's correction)."
    )
    assert [name in text for name, text in zip(("on one (2", "on two (2"), others, strict=True)] == [
        True,
        True,
    ]


def test_a_gain_the_test_does_not_find_is_not_distinguishable() -> None:
    found = as_found("not distinguishable", 0.02, -0.031, 0.072, 0.41)
    rows = [row("scratch", [0.40, 0.48, 0.56], {}), row("supervised", [0.45, 0.50, 0.55], comparison=found)]
    (sentence,) = answer(rows, {"supervised": "fractal"})
    assert "a gain of 2.0 points: not distinguishable from scratch (95 % interval" in sentence
    assert "-3.1 to 7.2 points, p = 0.410" in sentence


def test_a_loss_is_called_one() -> None:
    found = as_found("worse", -0.2, -0.25, -0.15, 0.001)
    rows = [row("scratch", [0.50, 0.52], {}), row("supervised", [0.30, 0.32], comparison=found)]
    assert "a loss of 20.0 points: worse than scratch" in answer(rows, {"supervised": "fractal"})[0]


def test_one_seed_says_that_chance_may_have_made_it() -> None:
    rows = [row("scratch", [0.5], {}), row("supervised", [0.7], comparison=ONE_SEED)]
    (sentence,) = answer(rows, {})
    assert "(1 seed, compute 1.0x)" in sentence
    assert sentence.endswith(
        "With one seed there is no interval: nothing is known of the spread, and chance may have made this."
    )
    for word in ("better", "worse", "distinguishable", "p ="):
        assert word not in sentence


def test_a_reason_for_no_test_is_given() -> None:
    reason = Comparison(0.2, None, None, "not tested, the test videos differ")
    rows = [row("scratch", [0.5, 0.5], {}), row("supervised", [0.7, 0.7], comparison=reason)]
    assert answer(rows, {})[0].endswith("a gain of 20.0 points. That was not tested, the test videos differ.")


def test_the_best_of_several_is_named_as_such_and_all_are_counted() -> None:
    rows = [
        row("scratch", [0.4, 0.42], {}),
        row("supervised", [0.5, 0.52], comparison=as_found("not distinguishable", 0.1, -0.01, 0.2, 0.06)),
        row("moco", [0.6, 0.62], comparison=as_found("better", 0.2, 0.1, 0.3, 0.01)),
    ]
    (sentence,) = answer(rows, {})
    assert sentence.startswith("The best of 2 pre-trained variants, moco, reached 61.0 %")
    assert sentence.endswith("Of the 2 tested, better: 1, worse: 0, not distinguishable: 1.")


def test_without_scratch_the_first_variant_is_the_baseline_and_numbers_say_of_what() -> None:
    found = as_found("better", 0.1, 0.05, 0.15, 0.02)
    rows = [
        row("0.001", [0.4, 0.42], key="pretraining.lr"),
        row("0.002", [0.5, 0.52], key="pretraining.lr", comparison=found),
    ]
    (sentence,) = answer(rows, {"0.001": "fractal", "0.002": "fractal"})
    assert sentence.startswith(
        "lr 0.002 reached 51.0 % top-1 on motions (2 seeds, compute 1.0x) against 41.0 % of the baseline, "
        "lr 0.001 (2 seeds, compute 1.0x), a gain of 10.0 points: better than the baseline"
    )


def test_of_two_from_scratch_the_baseline_is_named() -> None:
    found = as_found("better", 0.1, 0.05, 0.15, 0.02)
    rows = [row("first", [0.4, 0.42], {}), row("second", [0.5, 0.52], {}, comparison=found)]
    rows.append(row("third", [0.6, 0.62], comparison=found))
    (sentence,) = answer(rows, {})
    assert "of the baseline, first" in sentence
    assert "better than the baseline" in sentence
    assert "scratch" not in sentence


def test_unequal_compute_is_said() -> None:
    rows = [
        row("scratch", [0.4, 0.42], {}),
        row("supervised", [0.5, 0.52], factor=1.0, comparison=ONE_SEED),
        row("moco", [0.6, 0.62], factor=2.0, comparison=ONE_SEED),
    ]
    first, second = answer(rows, {})
    assert "(2 seeds, compute 2.0x)" in first
    assert "not trained equally long" in second


def test_a_study_without_a_finished_run_says_so() -> None:
    assert answer([row("scratch", [], {}), row("moco", [])], {}) == ["No fine-tuning has finished yet."]


def test_a_baseline_that_has_not_finished_is_not_replaced_by_another() -> None:
    rows = [row("scratch", [], {}), row("supervised", [0.5, 0.52]), row("moco", [0.6, 0.62])]
    (sentence,) = answer(rows, {})
    assert "moco, reached 61.0 %" in sentence
    assert sentence.endswith("The runs of scratch have not finished, so there is nothing to compare it with.")


def test_a_study_of_one_variant_gives_its_interval() -> None:
    assert answer([row("scratch", [0.4, 0.5, 0.6], {})], {}) == [
        "scratch reached 50.0 ± 10.0 % top-1 on motions over 3 seeds, 95 % interval 25.2 to 74.8."
    ]
    assert answer([row("scratch", [0.4], {})], {})[0].endswith("with one seed, so there is no interval.")


@pytest.mark.parametrize("before", [0.4004, 0.3996, 0.4444])
def test_the_difference_is_that_of_the_numbers_shown(before: float) -> None:
    rows = [row("scratch", [before, before + 0.001], {}), row("supervised", [0.5506, 0.5518])]
    after, was, points = map(float, re.findall(r"\d+\.\d(?= )", answer(rows, {})[0])[:3])
    assert points == pytest.approx(after - was)


def grouped(values: dict, top1: list[float], comparison: Comparison | None = None) -> Row:
    label = ", ".join(str(value) for value in values.values())
    pretrains = {} if "scratch" in values.values() else PRETRAIN
    made = row(label, top1, pretrains, comparison=comparison)
    return Row(label, values, pretrains, made.cells, made.clips, made.clips_factor)


def test_each_of_several_baselines_has_a_sentence_that_says_what_is_shared() -> None:
    methods, objective = ("linear_probe", "full"), "pretraining.objective"
    better, same = (
        as_found("better", 0.2, 0.1, 0.3, 0.01),
        as_found("not distinguishable", 0.02, -0.1, 0.1, 0.7),
    )
    rows = [
        grouped({objective: "scratch", "finetuning.method": method}, scores)
        for method, scores in zip(methods, ([0.1, 0.3], [0.5, 0.6]), strict=True)
    ]
    rows += [
        grouped({objective: "supervised", "finetuning.method": method}, scores, found)
        for method, scores, found in zip(methods, ([0.3, 0.5], [0.56, 0.58]), (better, same), strict=True)
    ]
    probed, full = answer(rows, {rows[2].label: "fractal"})
    assert probed == (
        "With method linear_probe: pre-training on fractal clips reached 40.0 % top-1 on motions (2 seeds, "
        "compute 1.0x) against 20.0 % from scratch (2 seeds, no pre-training), a gain of 20.0 points: better "
        "than scratch (95 % interval of the difference 10.0 to 30.0 points, p = 0.010 after Holm's "
        "correction)."
    )
    assert full.startswith("With method full: supervised, full reached 57.0 % top-1 on motions")
    assert "against 55.0 % from scratch" in full
    assert "a gain of 2.0 points: not distinguishable from scratch" in full


def test_settings_that_not_every_baseline_states_are_named_by_the_baseline() -> None:
    rows = [
        grouped({"init": "scratch"}, [0.4, 0.5]),
        grouped({"init": "scratch", "finetuning.size": 224}, [0.5, 0.6]),
        grouped({}, [0.5, 0.6]),
        grouped({"finetuning.size": 224}, [0.7, 0.8]),
    ]
    first, second = answer(rows, {})
    assert first.startswith("Against scratch: ")
    assert second.startswith("Against scratch, 224: size 224 reached 75.0 % top-1 on motions")


def test_the_best_of_a_group_is_the_best_of_those_that_share_its_baseline() -> None:
    found = as_found("better", 0.2, 0.1, 0.3, 0.01)
    rows = [grouped({"init": "scratch", "finetuning.lr": lr}, [0.3, 0.4]) for lr in (1, 2)]
    rows += [
        grouped({"init": init, "finetuning.lr": lr}, [score, score + 0.1], found)
        for init, lr, score in (("a", 1, 0.4), ("b", 1, 0.5), ("a", 2, 0.8))
    ]
    first, second = answer(rows, {})
    assert first.startswith("With lr 1: the best of 2 pre-trained variants, b, 1, reached 55.0 %")
    assert first.endswith("Of the 2 tested, better: 2, worse: 0, not distinguishable: 0.")
    assert second.startswith("With lr 2: a, 2 reached 85.0 %")


def test_more_than_four_baselines_are_counted() -> None:
    verdicts = ["better", "better", "worse", "better", "worse", "not distinguishable"]
    rows = [grouped({"init": "scratch", "finetuning.lr": lr}, [0.3, 0.4]) for lr in range(6)]
    rows += [
        grouped({"init": "a", "finetuning.lr": lr}, [0.5, 0.6], as_found(word, 0.2, 0.1, 0.3, 0.01))
        for lr, word in enumerate(verdicts)
    ]
    sentences = answer(rows, {})
    assert [text.partition(":")[0] for text in sentences[:4]] == [f"With lr {lr}" for lr in range(4)]
    assert sentences[4:] == [
        "2 more variants from scratch on motions. "
        "Of the 2 tested, better: 0, worse: 1, not distinguishable: 1."
    ]


def test_a_baseline_whose_variants_have_not_finished_is_left_out() -> None:
    rows = [grouped({"init": "scratch", "finetuning.lr": lr}, [0.3, 0.4]) for lr in (1, 2)]
    rows += [
        grouped({"init": "a", "finetuning.lr": 1}, []),
        grouped({"init": "a", "finetuning.lr": 2}, [0.5]),
    ]
    (sentence,) = answer(rows, {})
    assert sentence.startswith("With lr 2: a, 2 reached 50.0 %")

"""The generated answer: it says what the numbers say, and no more."""

import re
from pathlib import Path

import pytest

from kinefract.report.answer import answer
from kinefract.report.results import Cell, Row, Run

PRETRAIN = Run("fractal-x", "pretrain", Path(), {}, [])


def row(
    label: str, top1: list[float], pretrain: Run | None = PRETRAIN, key: str = "pretraining.objective"
) -> Row:
    runs = {
        seed: Run(f"{label}-{seed}", "finetune", Path(), {"top1": value, "top5": value}, [])
        for seed, value in enumerate(top1, start=1)
    }
    return Row(label, {key: label}, pretrain, {"motions": Cell(runs)})


def test_a_gain_beyond_the_spread() -> None:
    rows = [row("scratch", [0.46, 0.48, 0.50], None), row("supervised", [0.591, 0.612, 0.633])]
    (sentence,) = answer(rows, {"supervised": "fractal"})
    assert sentence == (
        "Pre-training on fractal clips reached 61.2 % top-1 on motions against 48.0 % from scratch, "
        "a gain of 13.2 points; the spread over 3 seeds is 2.1 points."
    )


def test_a_gain_within_the_spread_is_said_to_be_none() -> None:
    rows = [row("scratch", [0.40, 0.48, 0.56], None), row("supervised", [0.45, 0.50, 0.55])]
    (sentence,) = answer(rows, {"supervised": "fractal"})
    assert "a gain of 2.0 points. That is within the spread over 3 seeds, 8.0 points" in sentence
    assert "do not tell the two apart" in sentence


def test_a_loss_is_called_one() -> None:
    rows = [row("scratch", [0.50, 0.52], None), row("supervised", [0.30, 0.32])]
    assert "a loss of 20.0 points" in answer(rows, {"supervised": "fractal"})[0]


def test_one_seed_says_that_chance_may_have_made_it() -> None:
    (sentence,) = answer([row("scratch", [0.5], None), row("supervised", [0.7])], {})
    assert "one seed" in sentence
    assert "spread over" not in sentence


def test_the_best_of_several_is_named_as_such() -> None:
    rows = [row("scratch", [0.4, 0.42], None), row("supervised", [0.5, 0.52]), row("moco", [0.6, 0.62])]
    assert answer(rows, {})[0].startswith("The best of 2 pre-trained variants, moco, reached 61.0 %")


def test_without_scratch_the_first_variant_is_the_baseline_and_numbers_say_of_what() -> None:
    rows = [row("0.001", [0.4, 0.42], key="pretraining.lr"), row("0.002", [0.5, 0.52], key="pretraining.lr")]
    (sentence,) = answer(rows, {"0.001": "fractal", "0.002": "fractal"})
    assert sentence.startswith(
        "lr 0.002 reached 51.0 % top-1 on motions against 41.0 % of the baseline, lr 0.001"
    )


@pytest.mark.parametrize("before", [0.4004, 0.3996, 0.4444])
def test_the_difference_is_that_of_the_numbers_shown(before: float) -> None:
    rows = [row("scratch", [before, before + 0.001], None), row("supervised", [0.5506, 0.5518])]
    after, was, points = map(float, re.findall(r"\d+\.\d", answer(rows, {})[0])[:3])
    assert points == pytest.approx(after - was)

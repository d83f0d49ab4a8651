"""The recipes that are the paper's train as the method says (section 5)."""

from pathlib import Path

import pytest

from kinefract.config import params, plan
from kinefract.training.train import rate_at


@pytest.fixture(scope="module")
def planned():
    return plan.resolve(params.load(Path(__file__).parents[1] / "params_0.1.yaml"))


def test_x3d_has_its_own_dropout(planned):
    found = {}
    for run in planned.finetunes.values():
        for recipe in (run.recipe, getattr(run.init, "recipe", None)):
            if recipe and recipe.precision == "bf16-mixed" and run.network.width == 64:
                found.setdefault(run.network.backbone, set()).add(recipe.dropout)
    assert found == {"tsm_resnet50": {0.8}, "tsm_mobilenetv2": {0.8}, "x3d_m": {0.5}}


def test_from_kinetics_the_rate_begins_and_ends_far_below_its_peak(planned):
    (variant,) = (entry for entry in planned.study("benchmarks").variants if entry.label == "kinetics")
    peaks = {}
    for benchmark, runs in variant.runs.items():
        recipe = planned.finetunes[runs[1]].recipe
        first, peak, last = (rate_at(step, 10_000, 1_000, recipe) for step in (0, 1_000, 9_999))
        shares = (0.01, 0.1) if benchmark == "egtea" else (0.001, 0.01)
        assert (first / peak, last / peak) == pytest.approx(shares, rel=0.01), benchmark
        peaks[benchmark] = peak
    assert peaks == {
        "hmdb51": 1e-5,
        "ucf101": 1e-5,
        "diving48_v1": 2e-4,
        "egtea": 2.5e-5,
        "volleyball": 5e-5,
        "yup": 5e-5,
    }

"""Costs: the tables against torch and the recipes, rates found again, scaling that goes the right way."""

import json
from dataclasses import replace

import pytest

from kinefract import models, params, plan
from kinefract.objectives import OBJECTIVES
from kinefract.planning import costs
from kinefract.planning.costs import MEASURED, SCALED, UNKNOWN, Machine, Measured, Rates, Setting
from kinefract.synth import recipe as dataset
from kinefract.synth.families import FAMILIES

HERE = Machine(2, gpu=False)
CPU, GPU = "Some Processor, 2 cores", "Some GPU; Some Processor, 16 cores"
SMALL = Setting(
    "pretrain", "fractal", "supervised", "tsm_resnet18", 16, 64, 8, "32-true", compile=False, threads=1
)


def run(name="a", rate=10.0, share=1.0, window=None, machine=CPU, **changes) -> Measured:
    return Measured(name, replace(SMALL, **changes), rate, share, window, machine)


@pytest.mark.parametrize("name", costs.NETWORKS)
@pytest.mark.parametrize(
    ("width", "size", "tolerance"), [(64, 112, 0.01), (32, 112, 0.01), (16, 64, 0.3), (64, 224, 0.1)]
)
def test_multiply_adds_are_those_that_torch_counts(name, width, size, tolerance):
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"), FlopCounterMode(display=False) as counted:
        network = models.build(name, width, 8, 500, 0.0).eval()
        network(torch.empty(1, 8, 3, size, size))
    setting = replace(SMALL, backbone=name, width=width, size=size, method="linear_probe")
    assert setting.work == pytest.approx(counted.get_total_flops() / 2e9, rel=tolerance)
    if width >= 32:
        parameters = sum(parameter.numel() for parameter in network.parameters())
        assert setting.weights_bytes == pytest.approx(4 * parameters, rel=0.01)


def test_every_backbone_objective_and_family_is_listed():
    assert costs.NETWORKS.keys() == models.BACKBONES.keys()
    assert costs.PASSES.keys() == OBJECTIVES.keys() | {"full", "linear_probe"}
    assert costs.FAMILIES.keys() == FAMILIES.keys()


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_the_cache_is_as_large_as_the_clips(family):
    recipe = dataset(family=family, classes=2, clips_per_class=2, size=48)
    assert costs.cache_bytes(recipe) == pytest.approx(sum(recipe.clip(i).nbytes for i in range(4)), rel=0.06)


@pytest.mark.parametrize(
    ("settings", "rate", "kilobytes"),
    [
        ({}, 11.9, 73.7),
        ({"nonlinear_shapes": 0.0}, 17.1, 63.6),
        ({"nonlinear_shapes": 1.0}, 10.4, 81.5),
        ({"nonlinear_shapes": 0.0, "motion": "still"}, 59.7, 11.5),
        ({"nonlinear_shapes": 0.0, "size": 72, "points": {"steps": 800, "discard": 50}}, 88.4, 10.0),
        ({"family": "shapes"}, 20.0, 44.8),
    ],
)
def test_the_model_of_clips_agrees_with_the_table_of_measurements(settings, rate, kilobytes):
    recipe = dataset({"family": "fractal", "classes": 500, "clips_per_class": 200, **settings})
    assert 1 / costs.clip_seconds(recipe) == pytest.approx(rate, rel=0.2)
    assert costs.clip_bytes(recipe) == pytest.approx(1000 * kilobytes, rel=0.25)


def test_a_measured_setting_has_the_median_of_its_rates():
    rates = Rates([run("a", 10), run("b", 20), run("c", 25), run("d", 1000, width=64)], HERE)
    assert rates.training(SMALL) == (0.05, MEASURED, "a")


def test_without_any_run_nothing_is_known():
    assert Rates([], HERE).training(SMALL).how == UNKNOWN
    assert Rates([], HERE).evaluation(SMALL).how == UNKNOWN
    assert Rates([run()], HERE).training(replace(SMALL, backbone="new")).how == UNKNOWN


@pytest.mark.parametrize(
    ("changes", "factor"),
    [
        ({"size": 128}, 4),
        ({"frames": 16}, 2),
        ({"width": 32}, 2**1.91),
        ({"method": "byol"}, 8 / 3),
        ({"method": "simclr"}, 2),
        ({"backbone": "tsm_resnet50"}, 8.615 / 3.881 * 4 ** (1.91 - 1.96)),
        ({"threads": 2}, 1 / 2),
        ({"threads": 8}, 1 / 2),  # of a machine with two cores
    ],
)
def test_the_network_is_scaled_by_its_work(changes, factor):
    found = Rates([run(rate=10.0, share=1.0)], HERE).training(replace(SMALL, **changes))
    assert found.how == SCALED
    assert found.source == "a"
    assert found.seconds == pytest.approx(0.1 * factor)


def test_what_is_not_the_network_is_scaled_by_pixels():
    rates = Rates([run(rate=10.0, share=0.75)], HERE)
    assert rates.training(replace(SMALL, width=32)).seconds == pytest.approx(0.075 * 2**1.91 + 0.025)
    assert rates.training(replace(SMALL, method="moco")).seconds == pytest.approx(0.075 * 4 / 3 + 0.025 * 2)


def test_scaling_starts_from_the_closest_run():
    runs = [
        run("far", width=64),
        run("other_network", backbone="tsm_resnet50"),
        run("near", size=80),
        run("exact but of another precision", precision="bf16-mixed", size=72),
    ]
    assert Rates(runs, HERE).training(replace(SMALL, size=72)).source == "near"


def test_a_backbone_that_is_not_listed_is_scaled_from_its_own_runs():
    runs = [run("own", backbone="new"), run("listed")]
    found = Rates(runs, HERE).training(replace(SMALL, backbone="new", size=128))
    assert (found.source, found.seconds) == ("own", pytest.approx(0.4))


def test_runs_of_a_machine_like_this_one_go_first():
    runs = [run("gpu", 1000.0, machine=GPU), run("near", 10.0, size=32)]
    assert Rates(runs, HERE).training(SMALL).source == "near"
    assert Rates(runs, Machine(16, gpu=True)).training(SMALL) == (0.001, MEASURED, "gpu")
    assert Rates(runs, HERE).training(replace(SMALL, size=32, data="perlin")).how == SCALED
    elsewhere = Rates(runs[:1], HERE).training(SMALL)
    assert elsewhere == (0.001, SCALED, f"gpu on {GPU}")


def test_evaluation_is_forward_passes():
    timed = run("timed", phase="finetune", method="full", window=0.02)
    rates = Rates([timed], HERE)
    assert rates.evaluation(timed.setting) == (0.02, MEASURED, "timed")
    assert rates.evaluation(replace(timed.setting, method="linear_probe")).seconds == pytest.approx(0.02)
    assert rates.evaluation(replace(timed.setting, size=128)).seconds == pytest.approx(0.08)
    untimed = Rates([run(rate=10.0)], HERE).evaluation(timed.setting)
    assert untimed.seconds == pytest.approx(0.1 / 3)


def test_machines_are_read_from_their_names():
    assert Machine.named(CPU) == HERE
    assert Machine.named(GPU) == Machine(16, gpu=True)
    assert Machine.named("x86_64") == Machine.named("") == Machine(1, gpu=False)
    assert Machine(4, gpu=False).side_by_side(1) == 0.25
    assert Machine(4, gpu=False).side_by_side(8) == Machine(4, gpu=True).side_by_side(1) == 1.0


@pytest.fixture
def finetune(tiny):
    return next(iter(plan.resolve(params.parse(tiny)).finetunes.values()))


RESULT = {"clips_per_second": 50.0, "evaluation_seconds": 6.0, "videos": 30, "made_with": {"machine": CPU}}


def test_a_finished_run_is_read(tmp_path, finetune):
    (tmp_path / "result.json").write_text(json.dumps(RESULT))
    (tmp_path / "metrics.jsonl").write_text(
        "".join(json.dumps({"network_share": s}) + "\n" for s in (0.2, 0.8, 0.9))
    )
    found = costs.read_run(tmp_path, finetune)
    assert found == Measured(tmp_path.name, Setting.of(finetune), 50.0, 0.8, 6.0 / (30 * 2), CPU)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "null", "{", json.dumps({**RESULT, "clips_per_second": 0}), '{"clips_per_second": NaN}', "\0",
     json.dumps({**RESULT, "made_with": None}), json.dumps({**RESULT, "clips_per_second": "fast"})],
)  # fmt: skip
def test_a_result_that_makes_no_sense_is_no_measurement(tmp_path, finetune, content):
    (tmp_path / "result.json").write_text(content)
    assert costs.read_run(tmp_path, finetune) is None
    assert costs.read_run(tmp_path / "absent", finetune) is None


def test_clips_are_scaled_from_their_family_then_from_any_then_from_the_table():
    fractal = dataset(family="fractal", classes=2, clips_per_class=2)
    larger = fractal.model_copy(update={"size": 512})
    perlin = dataset(family="perlin", classes=2, clips_per_class=2)
    table = costs.clip_seconds
    assert costs.Formulas(table, {}).clip("f", fractal) == (table(fractal), SCALED, costs.PERFORMANCE)
    known = costs.Formulas(table, {"f": (fractal, 3 * table(fractal)), "p": (perlin, 5 * table(perlin))})
    assert known.clip("f", fractal) == (3 * table(fractal), MEASURED, "f")
    assert known.clip("g", larger) == (pytest.approx(3 * table(larger)), SCALED, "f")
    shapes = dataset(family="shapes", classes=2, clips_per_class=2)
    assert known.clip("s", shapes).seconds / table(shapes) in (pytest.approx(3), pytest.approx(5))


def benchmark(**settings):
    from kinefract.benchmarks.recipes import BENCHMARKS

    return BENCHMARKS.parse(settings)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"kind": "motions", "classes": ["up", "down"], "train_per_class": 3, "test_per_class": 2}, (6, 4)),
        ({"kind": "motions", "train_per_class": 3, "test_per_class": 2}, (36, 24)),
        ({"kind": "ucf101"}, (9537, 3783)),
        ({"kind": "ucf101", "clips_per_class": 5}, (505, 3783)),
        ({"kind": "ucf101", "classes": ["PullUps", "PushUps"], "clips_per_class": 5}, (10, 75)),
        ({"kind": "ucf101", "validation": 0.1}, (8583, 954)),
        ({"kind": "volleyball"}, (2152, 1341 + 1337)),
        ({"kind": "egtea", "split": 2}, None),
    ],
)
def test_videos_are_counted_as_the_recipe_says(tmp_path, settings, expected):
    assert costs.videos(tmp_path, benchmark(**settings)) == expected


def test_an_index_knows_better(tmp_path):
    (tmp_path / "summary.json").write_text(json.dumps({"videos": {"train": 7, "validation": 2, "test": 3}}))
    assert costs.videos(tmp_path, benchmark(kind="ucf101")) == (7, 5)
    (tmp_path / "summary.json").write_text("[]")
    assert costs.videos(tmp_path, benchmark(kind="ucf101")) == (9537, 3783)

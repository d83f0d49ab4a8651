"""Studies resolve to specs; runs that studies share are one run."""

import copy

import pytest

from kinefract.common.errors import UserError
from kinefract.config import params, plan


def resolve(content) -> plan.Plan:
    return plan.resolve(params.parse(content))


def test_a_study_is_variants_times_benchmarks_times_seeds(tiny):
    resolved = resolve(tiny)
    study = resolved.study("tiny")
    assert [variant.label for variant in study.variants] == ["scratch", "supervised"]
    assert len(resolved.finetunes) == 2 * 1 * 2
    assert len(resolved.pretrains) == len(resolved.datasets) == len(resolved.benchmarks) == 1
    assert study.variants[0].pretrains == {}
    assert set(study.variants[1].pretrains.values()) == set(resolved.pretrains)


def test_seeds_of_both_phases_have_a_pre_training_each(tiny):
    one = resolve(tiny)
    tiny["studies"]["tiny"]["seeds_of"] = "both"
    both = resolve(tiny)
    scratch, supervised = both.study("tiny").variants
    assert scratch == one.study("tiny").variants[0]
    seeds = {seed: both.pretrains[run].recipe.seed for seed, run in supervised.pretrains.items()}
    assert seeds == {1: 1, 2: 2} and len(both.pretrains) == 2
    for by_seed in supervised.runs.values():
        for seed, run in by_seed.items():
            assert both.finetunes[run].init == both.pretrains[supervised.pretrains[seed]]
            assert both.finetunes[run].seed == seed
    # The first seed's runs are those of a study with one pre-training, and are shared with it.
    assert supervised.pretrains[1] in one.pretrains
    assert {by_seed[1] for by_seed in supervised.runs.values()} <= set(one.finetunes)


def test_a_varied_seed_of_pre_training_and_seeds_of_both_contradict(tiny):
    study = tiny["studies"]["tiny"]
    study.pop("vary")
    study |= {"seeds_of": "both", "variants": {"one": {}, "two": {"pretraining.seed": 2}}}
    with pytest.raises(UserError, match=r"pretraining\.seed: leave it out, by `seeds_of: both` each"):
        resolve(tiny)


def test_runs_shared_by_studies_are_one_run(tiny):
    tiny["studies"]["more_seeds"] = {**tiny["studies"]["tiny"], "seeds": [2, 3], "question": "More?"}
    resolved = resolve(tiny)
    assert len(resolved.pretrains) == 1
    assert len(resolved.finetunes) == 2 * 3  # seed 2 is shared


def test_names_of_recipes_are_not_part_of_identity(tiny):
    renamed = copy.deepcopy(tiny)
    renamed["pretraining"]["other"] = renamed["pretraining"].pop("small")
    renamed["studies"]["tiny"]["pretraining"] = "other"
    assert resolve(renamed).pretrains.keys() == resolve(tiny).pretrains.keys()


def test_an_edit_renames_what_depends_on_it_and_nothing_else(tiny):
    before = resolve(tiny)
    tiny["finetuning"]["small"]["epochs"] = 3
    after = resolve(tiny)
    assert after.pretrains.keys() == before.pretrains.keys()
    assert after.datasets.keys() == before.datasets.keys()
    assert not after.finetunes.keys() & before.finetunes.keys()
    assert after.study("tiny").id != before.study("tiny").id
    tiny["finetuning"]["small"]["epochs"] = 2
    assert resolve(tiny) == before


def test_an_edited_dataset_reaches_every_run_built_on_it(tiny):
    before = resolve(tiny)
    tiny["datasets"]["fractal"]["seed"] = 9
    after = resolve(tiny)
    assert not after.pretrains.keys() & before.pretrains.keys()
    scratch = {key for key in after.finetunes if "-scratch-" in key}
    assert after.finetunes.keys() & before.finetunes.keys() == scratch


def test_scratch_appears_once_in_a_product_of_pretraining_settings(tiny):
    tiny["studies"]["tiny"]["vary"]["pretraining.epochs"] = [2, 3]
    study = resolve(tiny).study("tiny")
    assert [variant.label for variant in study.variants] == [
        "scratch",
        "supervised, epochs 2",
        "supervised, epochs 3",
    ]


def test_a_key_varied_in_two_sections_keeps_its_section(tiny):
    both = {"pretraining.epochs": [4, 8], "finetuning.epochs": [4, 8], "dataset.seed": [1]}
    tiny["studies"]["tiny"]["vary"] |= both
    labels = [variant.label for variant in resolve(tiny).study("tiny").variants]
    assert labels[:3] == [
        "scratch, finetuning.epochs 4",
        "scratch, finetuning.epochs 8",
        "supervised, pretraining.epochs 4, finetuning.epochs 4, seed 1",
    ]
    assert len(labels) == 2 + 4


def test_snapshots_are_varied_and_labelled_by_their_epoch(tiny):
    tiny["pretraining"]["small"]["snapshots"] = [1]
    tiny["studies"]["tiny"]["vary"] = {"init": ["scratch", "small", "kinetics"], "init_epoch": [1, 2]}
    tiny["weights"] = {"kinetics": {"file": "w.pth", "backbone": "tsm_resnet18", "width": 8}}
    labels = [variant.label for variant in resolve(tiny).study("tiny").variants]
    assert labels == ["scratch", "small, init_epoch 1", "small, init_epoch 2", "kinetics"]
    tiny["studies"]["tiny"]["vary"] = {"init_epoch": [1, None]}
    with pytest.raises(UserError, match="init_epoch: 'None' is not one of: 1, 2"):
        resolve(tiny)


def test_settings_of_an_objective_vary_beside_it(tiny):
    tiny["studies"]["tiny"]["vary"] = {
        "pretraining.moco.momentum": [0.9, 0.99],
        "pretraining.objective": ["moco"],
    }
    found = resolve(tiny).pretrains.values()
    assert sorted(spec.recipe.moco.momentum for spec in found) == [0.9, 0.99]
    tiny["studies"]["tiny"]["vary"] = {"pretraining.moco.momentum": [0.9]}
    with pytest.raises(UserError, match="unknown key, 'moco' has no parts"):
        resolve(tiny)


def test_settings_of_the_dataset_and_parts_of_settings_vary(tiny):
    tiny["studies"]["tiny"]["vary"] = {"dataset.points.steps": [300, 400]}
    resolved = resolve(tiny)
    assert sorted(spec.recipe.points.steps for spec in resolved.datasets.values()) == [300, 400]


def test_flips_are_off_where_mirroring_changes_the_label(tiny):
    assert params.parse(tiny).finetuning["small"].flip == 0.5
    assert {spec.recipe.flip for spec in resolve(tiny).finetunes.values()} == {0.0}


@pytest.mark.parametrize(
    ("vary", "told"),
    [
        ({"pretraining.epoch": [1]}, "pretraining.epoch: unknown key"),
        ({"pretraining.epochs": ["many"]}, "pretraining.epochs: wants a whole number"),
        ({"pretraining.dataset": ["perlin"]}, "'perlin' is not one of: fractal"),
        (
            {"epochs": [1]},
            "a varied key is one of init, init_epoch, pretraining.<key>, finetuning.<key>, dataset.<key>",
        ),
        ({"dataset.points.step": [400]}, "dataset.points.step: unknown key"),
        ({"init": [["scratch"], "small"]}, "init: ['scratch'] is not one of: "),
        ({"init": [{"small": 1}]}, "init: {'small': 1} is not one of: "),
        ({"pretraining.objective": [["moco"]]}, "pretraining.objective: wants text"),
        ({"pretraining.dataset": [{"fractal": 1}]}, "pretraining.dataset: wants text"),
    ],
)
def test_varying_what_does_not_exist_is_one_clear_line(tiny, vary, told):
    tiny["studies"]["tiny"]["vary"] = vary
    with pytest.raises(UserError) as caught:
        resolve(tiny)
    assert told in str(caught.value)
    assert "studies.tiny.vary" in str(caught.value)


def with_weights(tiny, **changes):
    network = {"backbone": "tsm_resnet18", "width": 8}
    tiny["weights"] = {"kinetics": {"file": "w.pth", **network, **changes}}
    tiny["pretraining"]["other"] = {**tiny["pretraining"]["small"], "epochs": 3}
    tiny["studies"]["tiny"]["vary"] = {"init": ["scratch", "small", "other", "kinetics"]}
    return resolve(tiny)


def test_a_study_varies_what_networks_start_from(tiny):
    resolved = with_weights(tiny)
    variants = {variant.label: variant for variant in resolved.study("tiny").variants}
    assert {label: bool(variant.pretrains) for label, variant in variants.items()} == {
        "scratch": False,
        "small": True,
        "other": True,
        "kinetics": False,
    }
    assert variants["kinetics"].weights == "w.pth"
    first = resolved.finetunes[variants["kinetics"].runs["motions"][1]]
    assert (first.network.backbone, first.network.width) == ("tsm_resnet18", 8)
    assert first.init.file == "w.pth"
    assert resolved.finetunes[variants["scratch"].runs["motions"][1]].network.width == 8


def test_published_weights_may_be_fine_tuned_by_other_settings(tiny):
    tiny["finetuning"]["gentle"] = {**tiny["finetuning"]["small"], "lr": 1.0e-5}
    resolved = with_weights(tiny, finetuning="gentle")
    rates = {
        variant.label: resolved.finetunes[variant.runs["motions"][1]].recipe.lr
        for variant in resolved.study("tiny").variants
    }
    assert rates == {"scratch": 8e-4, "small": 8e-4, "other": 8e-4, "kinetics": 1e-5}


def test_what_only_pretraining_knows_does_not_multiply_published_weights(tiny):
    with_weights(tiny)
    tiny["studies"]["tiny"]["vary"] = {"init": ["scratch", "small", "kinetics"], "dataset.seed": [1, 2]}
    labels = [variant.label for variant in resolve(tiny).study("tiny").variants]
    assert labels == ["scratch", "small, seed 1", "small, seed 2", "kinetics"]


def test_an_unknown_start_is_named(tiny):
    with_weights(tiny)
    tiny["studies"]["tiny"]["vary"] = {"init": ["scratch", "kinetic"]}
    with pytest.raises(UserError, match=r"init: 'kinetic' is not one of: .*did you mean 'kinetics'"):
        resolve(tiny)


def test_settings_differ_on_some_kinds_of_benchmark(tiny):
    tiny["finetuning"]["small"]["exceptions"] = {
        "motions": {"lr": 2.0e-3, "rand_augment": {"magnitude": 5.0}}
    }
    resolved = resolve(tiny)
    recipes = {run.recipe for run in resolved.finetunes.values()}
    assert {recipe.lr for recipe in recipes} == {2e-3}
    assert {(recipe.rand_augment.operations, recipe.rand_augment.magnitude) for recipe in recipes} == {
        (2, 5.0)
    }
    tiny["finetuning"]["small"]["exceptions"] = {"ucf101": {"lr": 2.0e-3}}
    assert {run.recipe.lr for run in resolve(tiny).finetunes.values()} == {8e-4}


def test_what_is_varied_comes_before_exceptions(tiny):
    tiny["finetuning"]["small"]["exceptions"] = {"motions": {"lr": 2.0e-3}}
    tiny["studies"]["tiny"]["vary"] = {"finetuning.lr": [1.0e-3, 3.0e-3]}
    assert {run.recipe.lr for run in resolve(tiny).finetunes.values()} == {1e-3, 3e-3}


def test_variants_are_listed_where_no_product_gives_them(tiny):
    study = tiny["studies"]["tiny"]
    del study["vary"]
    study["variants"] = {
        "from scratch": {"init": "scratch"},
        "small": {},
        "from scratch, large": {"init": "scratch", "finetuning.size": 48, "finetuning.resize": 48},
        "large": {"pretraining.size": 48, "finetuning.size": 48, "finetuning.resize": 48},
    }
    resolved = resolve(tiny)
    variants = {variant.label: variant for variant in resolved.study("tiny").variants}
    assert list(variants) == ["from scratch", "small", "from scratch, large", "large"]
    assert variants["from scratch"].pretrains == {}
    assert resolved.pretrains[variants["large"].pretrains[1]].recipe.size == 48
    assert resolved.finetunes[variants["large"].runs["motions"][1]].recipe.size == 48


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"init": "scratch", "dataset.typo": 5}, "dataset.typo: decides nothing from scratch"),
        ({"init": "scratch", "pretraining.epochs": 5}, "pretraining.epochs: decides nothing from scratch"),
        (
            {"pretraining.objective": "scratch", "dataset.seed": 5},
            "dataset.seed: decides nothing from scratch",
        ),
        (
            {"init": "scratch", "pretraining.objective": "moco"},
            "pretraining.objective: decides nothing from scratch",
        ),
        (
            {"init": "kinetics", "pretraining.typo": 5},
            "pretraining.typo: decides nothing beside init: kinetics",
        ),
        (
            {"init": "kinetics", "pretraining.width": 8},
            "pretraining.width: decides nothing beside init: kinetics",
        ),
    ],
)
def test_a_variant_may_not_state_what_decides_nothing(tiny, values, told):
    study = tiny["studies"]["tiny"]
    del study["vary"]
    tiny["weights"] = {"kinetics": {"file": "w.pth", "backbone": "tsm_resnet18", "width": 16}}
    study["variants"] = {
        "one": {"pretraining.width": 16},
        "wide": {"init": "scratch", "pretraining.objective": "scratch", "pretraining.width": 16},
        "published": {"init": "kinetics", "finetuning.lr": 1.0e-4},
    }
    assert len(resolve(tiny).study("tiny").variants) == 3
    study["variants"]["two"] = values
    with pytest.raises(UserError) as caught:
        resolve(tiny)
    assert f"studies.tiny.variants: {told}, leave it out" in str(caught.value)


def test_mixup_wants_two_clips_in_each_part(tiny):
    tiny["finetuning"]["small"] |= {"mixup": 0.8, "batch_size": 6, "accumulate": 3}
    resolve(tiny)
    tiny["finetuning"]["small"]["accumulate"] = 6
    with pytest.raises(
        UserError, match="mixup: wants two clips in each part of a batch, and 6 clips in 6 parts"
    ):
        resolve(tiny)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"layer_decay": 0.75}, "layer_decay: decides nothing in a linear probe"),
        ({"drop_path": 0.1}, "drop_path: decides nothing in a linear probe"),
        ({"mixup": 0.8}, "mixup: decides nothing in a linear probe"),
    ],
)
def test_a_linear_probe_has_no_settings_that_decide_nothing_in_it(tiny, setting, told):
    tiny["pretraining"]["small"] |= {"backbone": "vit_tiny"}
    tiny["studies"]["tiny"]["vary"] = {"init": ["scratch"]}
    tiny["finetuning"]["small"] |= setting
    resolve(tiny)
    tiny["finetuning"]["small"]["method"] = "linear_probe"
    with pytest.raises(UserError, match=f"{told}, which trains the classifier alone; set it to [01].0"):
        resolve(tiny)


def test_variants_that_do_not_differ_are_refused(tiny):
    tiny["studies"]["tiny"]["vary"] = {"finetuning.lr": [8.0e-4, 8.0e-4]}
    assert len(resolve(tiny).study("tiny").variants) == 1
    tiny["studies"]["tiny"]["vary"] = {"pretraining.moco": [{"queue": 8}, {"queue": 16}]}
    with pytest.raises(UserError, match="are the same runs: what is varied makes no difference"):
        resolve(tiny)


def test_from_scratch_every_network_is_a_variant(tiny):
    tiny["studies"]["tiny"]["vary"] = {
        "pretraining.objective": ["scratch", "supervised"],
        "pretraining.width": [8, 16],
        "pretraining.epochs": [2, 3],
    }
    labels = [variant.label for variant in resolve(tiny).study("tiny").variants]
    assert labels[:2] == ["scratch, width 8", "scratch, width 16"]
    assert len(labels) == 2 + 4


@pytest.mark.parametrize("setting", [{"size": 48, "resize": 48}, {"frames": 4}])
def test_a_transformer_is_fine_tuned_on_clips_like_those_of_its_pre_training(tiny, setting):
    tiny["pretraining"]["small"] |= {"backbone": "vit_tiny"}
    tiny["studies"]["tiny"]["vary"] = {"init": ["small"]}
    resolve(tiny)
    tiny["finetuning"]["small"] |= setting
    with pytest.raises(
        UserError, match=r"but the pre-training has .*a transformer knows its patches by their places"
    ):
        resolve(tiny)

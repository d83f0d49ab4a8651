"""Studies resolve to specs; runs that studies share are one run."""

import copy

import pytest

from kinefract import params, plan
from kinefract.errors import UserError


def resolve(content) -> plan.Plan:
    return plan.resolve(params.parse(content))


def test_a_study_is_variants_times_benchmarks_times_seeds(tiny):
    resolved = resolve(tiny)
    study = resolved.study("tiny")
    assert [variant.label for variant in study.variants] == ["scratch", "supervised"]
    assert len(resolved.finetunes) == 2 * 1 * 2
    assert len(resolved.pretrains) == len(resolved.datasets) == len(resolved.benchmarks) == 1
    assert study.variants[0].pretrain is None
    assert study.variants[1].pretrain in resolved.pretrains


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
        ({"pretraining.epochs": ["many"]}, "pretraining.epochs: Input should be a valid integer"),
        ({"pretraining.dataset": ["perlin"]}, "'perlin' is not one of: fractal"),
        ({"epochs": [1]}, "a varied key is one of pretraining.<key>, finetuning.<key>, dataset.<key>"),
        ({"dataset.points.step": [400]}, "dataset.points.step: unknown key"),
    ],
)
def test_varying_what_does_not_exist_is_one_clear_line(tiny, vary, told):
    tiny["studies"]["tiny"]["vary"] = vary
    with pytest.raises(UserError) as caught:
        resolve(tiny)
    assert told in str(caught.value)
    assert "studies.tiny.vary" in str(caught.value)

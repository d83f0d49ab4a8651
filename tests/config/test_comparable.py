"""A variant is compared with a baseline of its network, frames and size, or the study is refused."""

import pytest
import yaml

from kinefract.common.errors import UserError
from kinefract.config import params, plan

NETWORK = {"backbone": "tsm_resnet18", "width": 16}  # that of tiny's recipe has width 8


@pytest.fixture
def resolve(tiny):
    """Return a function that resolves a study of variants and returns label -> baseline, if it states one."""

    def run(variants: dict) -> dict[str, str | None]:
        tiny["weights"] = {"wide": {"file": "w.pth", **NETWORK}}
        study = tiny["studies"]["tiny"]
        study.pop("vary", None)
        study["variants"] = variants
        found = plan.resolve(params.parse(tiny)).study("tiny")
        return {variant.label: variant.baseline for variant in found.variants}

    return run


@pytest.mark.parametrize(
    ("values", "differs", "advice"),
    [
        ({"init": "wide"}, "width", "{init: scratch, pretraining.width: 16}"),
        (
            {"finetuning.size": 48, "finetuning.resize": 48},
            "size",
            "{init: scratch, finetuning.size: 48, finetuning.resize: 48}",
        ),
        ({"finetuning.frames": 4}, "frames", "{init: scratch, finetuning.frames: 4}"),
        (
            {"pretraining.backbone": "tsm_mobilenetv2"},
            "backbone",
            "{init: scratch, pretraining.backbone: tsm_mobilenetv2}",
        ),
    ],
)
def test_an_unequal_comparison_is_refused_and_what_it_advises_is_accepted(resolve, values, differs, advice):
    with pytest.raises(UserError) as refused:
        resolve({"scratch": {"init": "scratch"}, "other": values})
    (line,) = str(refused.value).splitlines()[1:]
    assert line.startswith("  params.yaml: studies.tiny.variants: 'other' (tsm_")
    assert f"which differs in {differs}; add a variant from scratch" in line
    assert line.endswith(f"other from scratch: {advice}")
    added = yaml.safe_load("{" + line.rpartition("under `variants`: ")[2] + "}")
    resolve({"scratch": {"init": "scratch"}, "other": values, **added})


def test_weights_are_compared_with_the_variant_from_scratch_of_their_network(resolve):
    found = resolve(
        {
            "scratch": {"init": "scratch"},
            "small": {},
            "scratch, wide": {"init": "scratch", "pretraining.width": 16},
            "wide": {"init": "wide"},
        }
    )
    assert found == {"scratch": None, "small": None, "scratch, wide": None, "wide": "scratch, wide"}


def test_without_a_variant_from_scratch_a_varied_network_is_the_question(resolve):
    assert resolve({"8": {}, "16": {"pretraining.width": 16}}) == {"8": None, "16": None}
    with pytest.raises(UserError, match=r"'wide' .* would be compared with 'small'"):
        resolve({"small": {}, "wide": {"init": "wide"}})


def test_transformers_of_other_patches_are_other_networks(resolve):
    vit = {"pretraining.backbone": "vit_tiny", "finetuning.size": 32, "finetuning.frames": 4}
    eight = {"pretraining.patch": 8}
    published = {"pretraining.patch": 16, "pretraining.tubelet": 2}
    trained = {"pretraining.size": 32, "pretraining.frames": 4}
    with pytest.raises(UserError, match=r"patches of 8 px and 2 frames, .*, which differs in patch; add"):
        resolve({"scratch": {"init": "scratch", **vit}, "other": {**vit, **trained, **eight}})
    found = resolve({"scratch": {"init": "scratch", **vit}, "other": {**vit, **trained, **published}})
    assert found == {"scratch": None, "other": None}  # those that it has if none are given

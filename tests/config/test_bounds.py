"""Every number of every recipe has a least and a greatest value, and is neither NaN nor infinite."""

import math

import pytest
from parameters_page import rows
from pydantic import ValidationError

from kinefract.augment.effects import Filmed
from kinefract.benchmarks.base import BENCHMARKS
from kinefract.config.params import NamedFinetuning, NamedPretraining, NamedWeights, Study
from kinefract.synth.dataset_recipe import FAMILIES

OURS = [recipe for recipe in (*FAMILIES.values(), *BENCHMARKS.values()) if "kinefract." in recipe.__module__]
SECTIONS = [*OURS, Filmed, NamedPretraining, NamedWeights, NamedFinetuning, Study]
KEYS = [(section, row.key) for section in SECTIONS for row in rows(section)]
FAR = (10**30, -(10**30), 1e30, -1e30, math.inf, -math.inf, math.nan)


# Without what is required, checks of a recipe as a whole do not run.
REQUIRED = {"classes": 1, "clips_per_class": 1, "dataset": "fractal"}
REQUIRED |= {"parts": [{"share": 1, "recipe": {"family": "perlin"}}]}


@pytest.mark.parametrize(("section", "key"), KEYS, ids=[f"{section.__name__}-{key}" for section, key in KEYS])
def test_a_number_far_out_is_refused(section, key):
    fields = section.model_fields
    required = {
        name: value for name, value in REQUIRED.items() if name in fields and fields[name].is_required()
    }
    last = key.split(".")[-1]
    for number in FAR:
        for value in (number, [number], [number, number], [1, number]):
            settings: object = value
            for part in reversed(key.split(".")):
                settings = {part: settings}
            with pytest.raises(ValidationError) as caught:
                section.model_validate(required | settings)
            told = [problem["msg"] + str(problem["loc"]) for problem in caught.value.errors()]
            assert any(last in line for line in told), value

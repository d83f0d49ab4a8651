"""Reading and resolving params.yaml changes no digest: what was made under version 0.1 is found again.

``digests.json`` holds, for each study of version 0.1, the ids of everything it is made of.
"""

import json
from pathlib import Path

import pytest

from kinefract import params, plan

ROOT = Path(__file__).parents[1]
RECORDED = json.loads((ROOT / "tests" / "digests.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def resolved() -> plan.Plan:
    return plan.resolve(params.load(ROOT / "params.yaml"))


@pytest.mark.parametrize("name", RECORDED)
def test_a_study_is_made_of_the_same_things(resolved, name):
    found = {spec.study: spec for spec in resolved.studies.values()}.get(name)
    if found is None:
        pytest.skip(f"{name} is no longer a study")
    assert {
        "study": found.id,
        "benchmarks": found.benchmarks,
        "datasets": found.datasets,
        "pretrain": sorted({run for variant in found.variants for run in variant.pretrains.values()}),
        "finetune": sorted(
            {run for variant in found.variants for by in variant.runs.values() for run in by.values()}
        ),
    } == RECORDED[name]

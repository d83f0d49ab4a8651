"""Reading and resolving a configuration changes no digest: what was made under version 0.1 is found again.

``digests.json`` holds, for each study of ``params_0.1.yaml``, the ids of everything it is made of; but for
``evidence_released``, whose network of 0.1 is replaced.
"""

import json
from pathlib import Path

import pytest

from kinefract.config import params, plan

ROOT = Path(__file__).parents[2]
RECORDED = json.loads((ROOT / "tests/digests.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def resolved() -> plan.Plan:
    return plan.resolve(params.load(ROOT / "tests/params_0.1.yaml"))


@pytest.mark.parametrize("name", RECORDED)
def test_a_study_is_made_of_the_same_things(resolved, name):
    found = resolved.study(name)
    assert {
        "study": found.id,
        "benchmarks": found.benchmarks,
        "datasets": found.datasets,
        "pretrain": sorted(found.pretrains),
        "finetune": sorted(set(found.runs)),
    } == RECORDED[name]

"""The figures of all current studies, for DVC."""

import csv
import json

import pytest

from kinefract.common.errors import UserError
from kinefract.common.layout import ALL_CURVES, ALL_METRICS
from kinefract.config import params, plan
from kinefract.report.summary import summarise


@pytest.fixture
def resolved(tiny):
    tiny["studies"]["other"] = {**tiny["studies"]["tiny"], "seeds": [5]}
    return plan.resolve(params.parse(tiny))


def finish(root, resolved, study, top1):
    folder = root / resolved.study(study).folder
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps({"scratch": {"motions": {"top1": top1}}}))
    (folder / "curves.csv").write_text(f"phase,variant,top1\nfinetune,scratch,{top1}\n")


def test_each_study_heads_its_metrics_and_fills_a_column_of_the_curves(tmp_path, resolved):
    finish(tmp_path, resolved, "tiny", 0.25)
    finish(tmp_path, resolved, "other", 0.5)
    summarise(tmp_path, resolved, ["tiny", "other"])
    metrics = json.loads((tmp_path / ALL_METRICS).read_text())
    assert metrics == {
        "tiny": {"scratch": {"motions": {"top1": 0.25}}},
        "other": {"scratch": {"motions": {"top1": 0.5}}},
    }
    with (tmp_path / ALL_CURVES).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["study"], row["top1"]) for row in rows] == [("tiny", "0.25"), ("other", "0.5")]


def test_an_unfinished_study_is_named_with_the_command_that_makes_it(tmp_path, resolved):
    finish(tmp_path, resolved, "tiny", 0.25)
    with pytest.raises(UserError, match=r"metrics\.json: missing; `snakemake other` makes it"):
        summarise(tmp_path, resolved, ["tiny", "other"])
    assert not (tmp_path / ALL_METRICS).exists()

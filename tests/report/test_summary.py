"""The figures of all current studies, for DVC."""

import csv
import json

import pytest

from kinefract.common.errors import UserError
from kinefract.common.layout import ALL_CURVES, ALL_METRICS
from kinefract.config import params, plan
from kinefract.report.summary import differing, summarise


@pytest.fixture
def resolved(tiny):
    tiny["studies"]["other"] = {**tiny["studies"]["tiny"], "seeds": [5]}
    return plan.resolve(params.parse(tiny))


def finish(root, resolved, study, top1):
    folder = root / resolved.study(study).folder
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps({"scratch": {"motions": {"top1": top1}}}))
    (folder / "curves.csv").write_text(f"phase,variant,top1\nfinetune,scratch,{top1}\n")


def test_each_variant_has_a_file_of_its_metrics_and_fills_a_column_of_the_curves(tmp_path, resolved):
    finish(tmp_path, resolved, "tiny", 0.25)
    finish(tmp_path, resolved, "other", 0.5)
    summarise(tmp_path, resolved, ["other"])
    summarise(tmp_path, resolved, ["tiny"])
    assert [path.parent.name for path in (tmp_path / ALL_METRICS).glob("*/*")] == ["tiny"]
    summarise(tmp_path, resolved, ["tiny", "other"])
    found = {path: json.loads(path.read_text()) for path in (tmp_path / ALL_METRICS).glob("*/*")}
    assert found == {
        tmp_path / ALL_METRICS / "tiny/scratch.json": {"motions": {"top1": 0.25}},
        tmp_path / ALL_METRICS / "other/scratch.json": {"motions": {"top1": 0.5}},
    }
    with (tmp_path / ALL_CURVES).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["study"], row["top1"]) for row in rows] == [("tiny", "0.25"), ("other", "0.5")]


def test_curves_of_studies_with_and_without_a_validation_part_are_those_of_their_studies(tmp_path, resolved):
    for study in ("tiny", "other"):
        finish(tmp_path, resolved, study, 0.25)
    path = tmp_path / resolved.study("other").folder / "curves.csv"
    path.write_text("phase,variant,top1,validation_top1\nfinetune,scratch,0.25,0.5\nfinetune,scratch,0.5,\n")
    summarise(tmp_path, resolved, ["tiny", "other"])
    for study in ("tiny", "other"):
        (tmp_path / "results/studies" / study).symlink_to(resolved.study(study).id)
    assert differing(tmp_path) == []
    path.write_text("phase,variant,top1,validation_top1\nfinetune,scratch,0.25,0.6\nfinetune,scratch,0.5,\n")
    assert len(differing(tmp_path)) == 1


def test_an_unfinished_study_is_named_with_the_command_that_makes_it(tmp_path, resolved):
    finish(tmp_path, resolved, "tiny", 0.25)
    with pytest.raises(UserError, match=r"metrics\.json: missing; `snakemake other` makes it"):
        summarise(tmp_path, resolved, ["tiny", "other"])
    assert not (tmp_path / ALL_METRICS).exists()


def test_labels_of_any_characters_are_names_of_different_files(tmp_path, resolved):
    finish(tmp_path, resolved, "tiny", 0.25)
    labels = ["a/b", "a:b", "../x", "." * 9, "scratch, 224 px", "é" * 300]
    path = tmp_path / resolved.study("tiny").folder / "metrics.json"
    path.write_text(json.dumps({label: {"motions": {"top1": 0.1}} for label in labels}))
    summarise(tmp_path, resolved, ["tiny"])
    names = {path.stem for path in (tmp_path / ALL_METRICS / "tiny").iterdir()}
    assert names == {"a b", "a b (2)", "x", "variant", "scratch, 224 px", "é" * 100}


def test_metrics_that_are_not_those_of_their_study_are_told(tmp_path, resolved):
    finish(tmp_path, resolved, "tiny", 0.25)
    (tmp_path / "results/studies/tiny").symlink_to(resolved.study("tiny").id)
    summarise(tmp_path, resolved, ["tiny"])
    assert differing(tmp_path) == []
    (tmp_path / ALL_METRICS / "tiny/scratch.json").write_text(json.dumps({"motions": {"top1": 0.9}}))
    (line,) = differing(tmp_path)
    assert line.startswith(f"{tmp_path / ALL_METRICS}: not the figures of its studies")

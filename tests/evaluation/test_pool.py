"""A study on folds: one run for each, their predictions pooled; and fine-tuning from a snapshot."""

import csv
import json
import sys

import numpy as np
import pytest
import torch
from projects import write_noise
from safetensors.torch import load_file

from kinefract.benchmarks import index
from kinefract.benchmarks.base import Video
from kinefract.common import checksums
from kinefract.common.errors import UserError
from kinefract.config import params, plan
from kinefract.evaluation import evaluate, pool, predict, predictions
from kinefract.evaluation.scores import best, top_k
from kinefract.models import weights
from kinefract.report import results
from kinefract.synth.store.dataset import join, write_shard
from kinefract.training import runs
from kinefract.training.train import Execution


@pytest.fixture
def project(tiny, tmp_path, monkeypatch):
    """Return the plan of a study on three folds of twelve videos, and make its index folders."""
    monkeypatch.setitem(sys.modules, "mlflow", None)
    listed = write_noise(tmp_path, [16] * 12)
    lines = [f"{line},train,person {number // 2 % 3}" for number, line in enumerate(listed)]
    lines = ["path,label,split,group", *lines]
    (tmp_path / "videos.csv").write_text("\n".join(lines))
    tiny["benchmarks"] = {"own": {"kind": "csv", "file": "videos.csv", "folds": 3}}
    tiny["finetuning"]["small"]["batch_size"] = 4
    tiny["pretraining"]["small"]["snapshots"] = [1]
    variants = {"scratch": {"init": "scratch"}, "early": {"init_epoch": 1}, "late": {}}
    del tiny["studies"]["tiny"]["vary"]
    tiny["studies"]["tiny"] |= {"benchmarks": ["own"], "seeds": [1], "variants": variants}
    resolved = plan.resolve(params.parse(tiny))
    for spec in resolved.benchmarks.values():
        index.build(spec.recipe, tmp_path, tmp_path / spec.folder)
    return resolved


def made(spec, root):
    spec.write(root)
    return runs.finetune(root / spec.folder / "spec.yaml", Execution(accelerator="cpu"))


def test_pooled_scores_keep_the_five_best_of_each_video(tmp_path):
    """Rounded, most scores of a confident network are 0.0000, as are those of classes that are not listed."""
    rng = np.random.Generator(np.random.Philox(1))
    logits = 4 * rng.standard_normal((400, 51))
    exact = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = rng.integers(51, size=400)
    videos = [Video(tmp_path / "v", label, str(label), 9, 12.0, 8, 8, 0, 9, "test") for label in labels]
    evaluate.write_predictions(tmp_path / "predictions.csv", videos, exact, tmp_path)
    scores = pool._scores(predictions.read_rows(tmp_path), 51)
    assert (best(scores, 5) == best(exact, 5)).all()
    for k in (1, 5):
        assert top_k(scores, labels, k) == top_k(exact, labels, k)


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_predictions_of_all_folds_are_one_result(project, tmp_path):
    study = project.study("tiny")
    (pooled,) = study.variants[0].runs["own"].values()
    spec = project.finetunes[pooled]
    with pytest.raises(UserError, match=f"has not been run: `kinefract finetune {spec.folds[0].folder}"):
        made(spec, tmp_path)
    assert [fold.id in project.finetunes for fold in spec.folds] == [True] * 3
    parts = [made(fold, tmp_path) for fold in spec.folds]
    result = made(spec, tmp_path)
    folder = tmp_path / spec.folder
    found = rows(folder / "predictions.csv")
    assert found == [row for fold in spec.folds for row in rows(tmp_path / fold.folder / "predictions.csv")]
    assert sorted(row["path"] for row in found) == sorted(f"{number}.mp4" for number in range(12))
    assert result["videos"] == 12 and result["folds"] == 3
    assert result["top1"] == pytest.approx(sum(row["correct"] == "1" for row in found) / 12)
    assert result["top5"] == 1.0  # of two classes
    for key in ("seconds", "evaluation_seconds"):
        assert result[key] == pytest.approx(sum(part[key] for part in parts))
    assert result["index"]["file"].startswith(f"{spec.benchmark.folder}/")
    curve = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    last = [
        json.loads((tmp_path / fold.folder / "metrics.jsonl").read_text().splitlines()[-1])
        for fold in spec.folds
    ]
    assert curve[-1]["loss"] == pytest.approx(np.mean([line["loss"] for line in last]))
    for name in ("per_class.csv", "confusion.svg", "mistakes.png"):
        assert (folder / name).stat().st_size
    cell = results.read_available(tmp_path, study).rows[0].cells["own"]
    assert cell.top1.mean == result["top1"]


def test_a_plan_counts_the_folds_and_a_pooled_run_has_no_weights_to_predict_with(project, tmp_path):
    study = project.study("tiny")
    spec = project.finetunes[study.runs[0]]
    trained = project.trained(study)
    assert len(trained) == 1 + 3 * 3 and not set(study.runs) & set(trained)
    assert {fold.id for fold in spec.folds} <= set(trained)
    spec.write(tmp_path)
    with pytest.raises(UserError, match=f"pools 3 folds .* such as {spec.folds[0].id}"):
        predict.predict_videos(tmp_path / spec.folder, [tmp_path / "0.mp4"], 2, 0, "cpu")


def test_folds_of_another_index_are_not_pooled(project, tmp_path):
    spec = project.finetunes[project.study("tiny").runs[0]]
    for fold in spec.folds:
        made(fold, tmp_path)
    listed = tmp_path / spec.folds[1].benchmark.folder / "index.csv"
    checksums.remove(listed.parent)
    listed.write_text(listed.read_text().replace(".mp4", ".avi"))
    with pytest.raises(UserError, match=r"indexed again since and is another; delete .* and run `snakemake"):
        made(spec, tmp_path)


def test_folds_whose_predictions_contradict_their_result_are_not_pooled(project, tmp_path):
    spec = project.finetunes[project.study("tiny").runs[0]]
    for fold in spec.folds:
        made(fold, tmp_path)
    edited = tmp_path / spec.folds[0].folder / "predictions.csv"
    found = rows(edited)
    first = found[0]
    first["predicted"], first["correct"] = next(
        (row["predicted"], "0") if first["correct"] == "1" else (first["label"], "1")
        for row in found
        if first["correct"] == "0" or row["label"] != first["label"]
    )
    checksums.remove(edited.parent)
    with edited.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, first)
        writer.writeheader()
        writer.writerows(found)
    with pytest.raises(UserError, match="predictions"):
        made(spec, tmp_path)


def test_a_fine_tuning_starts_from_the_weights_of_the_epoch_that_is_meant(project, tmp_path):
    early, late = (
        project.finetunes[next(iter(variant.runs["own"].values()))].folds[0]
        for variant in project.study("tiny").variants[1:]
    )
    assert early.id != late.id and early.init == late.init
    dataset = early.init.dataset
    write_shard(dataset.recipe, 0, tmp_path / dataset.folder)
    write_shard(dataset.recipe, 1, tmp_path / dataset.folder)
    join(dataset.recipe, tmp_path / dataset.folder)
    spec = early.init.write(tmp_path)
    runs.pretrain(spec, Execution(accelerator="cpu"))
    kept, last = load_file(tmp_path / early.start), load_file(tmp_path / late.start)
    assert early.start.endswith("model-epoch0001.safetensors") and late.start.endswith("model.safetensors")
    assert any((kept[name] != last[name]).any() for name in kept)
    assert made(early, tmp_path)["epochs"] == 2


def test_weights_that_are_started_from_are_those_of_the_spec(project, tmp_path):
    for variant in project.study("tiny").variants[1:]:
        spec = project.finetunes[next(iter(variant.runs["own"].values()))].folds[0]
        begun = spec.network.built(1, spec.recipe, 2, 0.0)
        kept = spec.init.recipe.built(len(str(spec.start)), spec.init.recipe, 3, 0.0)
        (tmp_path / spec.start).parent.mkdir(parents=True, exist_ok=True)
        weights.save(kept, tmp_path / spec.start, "x")
        runs._start(spec, begun, tmp_path)
        assert torch.equal(begun.base_model.conv1.weight, kept.base_model.conv1.weight)


def test_only_a_snapshot_that_is_kept_can_be_started_from(tiny):
    tiny["pretraining"]["small"]["snapshots"] = [1]
    del tiny["studies"]["tiny"]["vary"]
    tiny["studies"]["tiny"]["variants"] = {"early": {"init_epoch": 3}}
    with pytest.raises(UserError, match="init_epoch: '3' is not one of: 1, 2"):
        plan.resolve(params.parse(tiny))
    tiny["pretraining"]["small"]["snapshots"] = [2]
    with pytest.raises(UserError, match="snapshots: 2 is not before the last of 2 epochs"):
        params.parse(tiny)

"""A job killed with SIGKILL and started again ends with the bytes of one left alone."""

import csv
import json
import shutil
import time
from pathlib import Path

import pytest
from projects import (
    jobs,
    kill,
    kill_at,
    kill_when,
    new_project,
    refused,
    resolved,
    run,
    start,
    without_mlflow,
    write,
    write_spec,
)

from kinefract.synth.store.dataset import write_shard
from kinefract.synth.store.shards import Shards, shard_files


@pytest.fixture
def env(tmp_path):
    return without_mlflow(tmp_path / "without")


def losses(folder) -> list:
    return [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.long
def test_pretraining_killed_after_its_first_checkpoint(project, tiny, env):
    tiny["pretraining"]["small"]["epochs"] = 12
    write(project, tiny)
    spec = write_spec(project, "pretrains")
    folder = spec.parent
    run(project, "kinefract", "pretrain", spec, env=env)
    alone, alone_losses = (folder / "model.safetensors").read_bytes(), losses(folder)
    for name in ("model.safetensors", "metrics.jsonl", "result.json"):
        (folder / name).unlink()

    kill_at(start(project, "kinefract", "pretrain", spec, env=env), "epoch 1/12")
    assert (folder / "checkpoint.pt").exists()
    assert not (folder / "model.safetensors").exists()
    resumed = run(project, "kinefract", "pretrain", spec, env=env).stdout
    assert "going on after step" in resumed
    assert "epoch 1/12" not in resumed
    assert (folder / "model.safetensors").read_bytes() == alone
    assert losses(folder) == alone_losses
    assert not (folder / "checkpoint.pt").exists()


@pytest.mark.long
def test_finetuning_killed_while_training_and_again_before_its_evaluation(project, tiny, env):
    tiny["finetuning"]["small"]["epochs"] = 12
    write(project, tiny)
    spec = write_spec(project, "finetunes")
    folder = spec.parent
    command = ("kinefract", "finetune", spec)
    run(project, *command, env=env)
    names = ("model.safetensors", "predictions.csv", "metrics.jsonl", "result.json")
    alone = [(folder / name).read_bytes() for name in names[:2]]
    for name in names:
        (folder / name).unlink()

    kill_at(start(project, *command, env=env), "epoch 1/12")
    assert not any((folder / name).exists() for name in names)
    kill_at(start(project, *command, env=env), "epoch 12/12")
    run(project, *command, env=env)
    assert [(folder / name).read_bytes() for name in names[:2]] == alone


def test_a_shard_killed_in_its_middle(unbuilt, tiny, tmp_path, env):
    tiny["datasets"]["fractal"] |= {"clips_per_class": 40, "clips_per_shard": 120}
    write(unbuilt, tiny)
    (spec,) = resolved(unbuilt).datasets.values()
    path = spec.write(unbuilt)
    tar, table = shard_files(path.parent, 0)

    def begun() -> bool:
        return any(partial.stat().st_size for partial in tar.parent.glob(".*.partial.tar"))

    process = start(unbuilt, "kinefract", "shard", path, "0", env=env)
    kill_when(process, begun)
    assert not tar.exists() and not table.exists()
    assert "make it with `snakemake data/synthetic/" in refused(
        unbuilt, "kinefract", "dataset", path, env=env
    )

    run(unbuilt, "kinefract", "shard", path, "0", env=env)
    write_shard(spec.recipe, 0, tmp_path / "alone")
    for made, alone in zip((tar, table), shard_files(tmp_path / "alone", 0), strict=True):
        assert made.read_bytes() == alone.read_bytes()


def test_a_workflow_killed_between_a_jobs_last_file_and_its_end_leaves_nothing_out(project):
    """Snakemake has not taken note of such a job: it must neither repeat it nor stop behind it."""
    plan = resolved(project)
    (pretrain,), (study,) = plan.pretrains.values(), plan.studies.values()
    finetune = next(spec for spec in plan.finetunes.values() if spec.init)
    for folder in (pretrain.folder, finetune.folder, study.folder):
        shutil.rmtree(project / folder)
    process = start(project, "snakemake")
    kill_when(process, (project / pretrain.folder / "model.safetensors").exists)
    assert not (project / finetune.folder / "model.safetensors").exists()

    run(project, "snakemake", "--unlock")
    left = jobs(run(project, "snakemake", "-n").stdout)
    assert left.keys() - {"spec"} == {"finetune_run", "study", "all", "total"}


def test_the_lock_of_a_killed_workflow_is_removed_once_nothing_works_in_its_folder(unbuilt):
    locks = unbuilt / ".snakemake/locks"

    def locked() -> bool:
        return any(locks.glob("*"))

    process = start(unbuilt, "snakemake", "--until", "shard")
    while not locked():
        assert process.poll() is None
        time.sleep(0.05)
    for _ in range(2):  # the second time after a kill that a job survived
        assert "still works in this folder" in run(unbuilt, "workflow/scripts/unlock", code=1).stdout
        kill(process)
        assert locked()
        process = start(unbuilt, "bash", "-c", "exec -a kinefract sleep 600")
        while b"kinefract" not in Path(f"/proc/{process.pid}/cmdline").read_bytes():
            time.sleep(0.05)
    kill(process)
    run(unbuilt, "workflow/scripts/unlock")
    assert not locked()
    run(unbuilt, "workflow/scripts/unlock")


def test_a_lock_that_another_machine_may_hold_is_left(unbuilt):
    for name, text in (("locks/0.input.lock", "a"), ("log/1.log", "  Host: elsewhere\n")):
        path = unbuilt / ".snakemake" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    run(unbuilt, "workflow/scripts/unlock")
    assert (unbuilt / ".snakemake/locks/0.input.lock").exists()


@pytest.mark.long
def test_a_workflow_killed_and_started_again_makes_what_another_project_made(finished, tmp_path, tiny):
    """Two projects from nothing, one of them interrupted: the same clips, weights and predictions."""
    other = new_project(tmp_path / "other", tiny)
    process = start(other, "snakemake")
    finetunes = other / "results/finetune"
    kill_when(process, lambda: any(finetunes.glob("*/checkpoint.pt")))
    assert len(list(finetunes.glob("*/model.safetensors"))) < 2

    # Snakemake asks for this after a kill, since it cannot tell it from a process on another machine.
    run(other, "snakemake", "--unlock")
    run(other, "snakemake")
    assert_same_results(finished, other)


def assert_same_results(one, other):
    plan = resolved(other)
    (dataset,) = plan.datasets.values()
    manifests = [(project / dataset.folder / "manifest.csv").read_text() for project in (one, other)]
    hashes = [[row["frames_sha256"] for row in csv.DictReader(text.splitlines())] for text in manifests]
    assert len(set(hashes[0])) == dataset.recipe.clips
    assert hashes[0] == hashes[1]
    shards = [Shards(project / dataset.folder) for project in (one, other)]
    for clip in range(dataset.recipe.clips):
        assert (shards[0].read(clip) == shards[1].read(clip)).all()
    names = [f"{run}/model.safetensors" for run in (spec.folder for spec in plan.pretrains.values())]
    for spec in plan.finetunes.values():
        names += [f"{spec.folder}/model.safetensors", f"{spec.folder}/predictions.csv"]
    for name in names:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name

"""Inputs that broke after they were made: one error, and nothing that a later run takes for finished."""

import resource

import pytest
from projects import refused, resolved, run, without_mlflow, write, write_spec

from kinefract.synth.store.shards import shard_files

RESULTS = ("model.safetensors", "result.json", "predictions.csv")


@pytest.fixture
def env(tmp_path):
    return without_mlflow(tmp_path / "without")


@pytest.fixture(params=["shards", "cache"])
def pretrain(project, tiny, request):
    """Return the spec of a pre-training run that the finished project lacks."""
    tiny["pretraining"]["small"] |= {"seed": 9, "source": request.param}
    write(project, tiny)
    return write_spec(project, "pretrains")


@pytest.fixture
def finetune(project, tiny):
    """Return the spec of a fine-tuning run that the finished project lacks."""
    tiny["studies"]["tiny"]["seeds"] = [9]
    write(project, tiny)
    return write_spec(project, "finetunes")


def nothing_finished(spec) -> bool:
    return not any((spec.parent / name).exists() for name in RESULTS)


def first_shard(project):
    (dataset,) = resolved(project).datasets.values()
    return shard_files(project / dataset.folder, 0)[0]


def test_a_truncated_shard(project, pretrain, env):
    tar = first_shard(project)
    tar.write_bytes(tar.read_bytes()[:20_000])
    text = refused(project, "kinefract", "pretrain", pretrain, env=env)
    assert "00000.tar: truncated or changed, 20000 of " in text
    assert nothing_finished(pretrain)


def test_a_damaged_clip_is_named_though_another_process_reads_it(project, pretrain, env):
    tar = first_shard(project)
    content = bytearray(tar.read_bytes())
    content[512:4096] = bytes(3584)  # the first clip, behind its header
    tar.write_bytes(content)
    text = refused(project, "kinefract", "pretrain", pretrain, env=env)
    assert "00000.tar: clip 0 is damaged, other bytes than were written" in text
    assert nothing_finished(pretrain)


def test_a_video_that_has_gone_since_it_was_listed(project, finetune, env):
    (benchmark,) = resolved(project).benchmarks.values()
    video = next(
        path for path in sorted((project / benchmark.folder).rglob("*.mp4")) if path.stem != "preview"
    )
    video.unlink()
    text = refused(project, "kinefract", "finetune", finetune, env=env)
    assert video.name in text
    assert nothing_finished(finetune)


def test_weights_that_are_missing(project, finetune, env):
    (pretrain,) = resolved(project).pretrains.values()
    (project / pretrain.folder / "model.safetensors").unlink()
    text = refused(project, "kinefract", "finetune", finetune, env=env)
    assert "model.safetensors: no such weights; run the pre-training first" in text
    assert nothing_finished(finetune)


def test_a_damaged_checkpoint(project, pretrain, env):
    (pretrain.parent / "checkpoint.pt").write_bytes(b"half a checkpoint")
    text = refused(project, "kinefract", "pretrain", pretrain, env=env)
    assert "checkpoint.pt: damaged" in text
    assert "delete it to start afresh" in text
    assert nothing_finished(pretrain)


@pytest.mark.long
def test_a_full_disk_stops_training_and_room_lets_it_go_on(project, pretrain, env):
    """A limit on the size of files stands in for a full disk: the same failing write, without root."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))

    text = refused(project, "kinefract", "pretrain", pretrain, env=env, preexec_fn=limit)
    assert "checkpoint.pt" in text
    assert {path.name for path in pretrain.parent.iterdir()} == {
        "spec.yaml",
        "first_batch.png",
        "progress.jsonl",
    }
    run(project, "kinefract", "pretrain", pretrain, env=env)
    assert not nothing_finished(pretrain)


def test_a_full_disk_leaves_no_shard(project, tiny, env):
    tiny["datasets"]["fractal"]["seed"] = 9
    write(project, tiny)
    (dataset,) = resolved(project).datasets.values()
    spec = dataset.write(project)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))

    text = refused(project, "kinefract", "shard", spec, "0", env=env, preexec_fn=limit)
    assert "00000.tar: File too large" in text
    assert list((spec.parent / "shards").iterdir()) == []


def test_a_job_that_fails_fails_the_workflow_and_is_shown(project, tiny):
    tar = first_shard(project)
    tar.write_bytes(tar.read_bytes()[:20_000])
    tiny["pretraining"]["small"]["seed"] = 9
    write(project, tiny)
    text = run(project, "snakemake", "pretrain", code=1).stdout
    assert "00000.tar: truncated or changed, 20000 of " in text
    (pretrain,) = resolved(project).pretrains.values()
    assert nothing_finished(project / pretrain.folder / "spec.yaml")


def test_a_folder_with_braces_in_its_name_is_refused_before_anything_is_made(unbuilt):
    braced = unbuilt.rename(unbuilt.with_name("a{b}c"))
    assert "a{b}c: Snakemake takes braces for wildcards; rename the folder" in refused(braced, "snakemake")
    assert not (braced / "data").exists()

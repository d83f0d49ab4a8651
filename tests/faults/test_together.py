"""Two at once: two workflows in one project, and two projects that share a cache."""

import copy
import shutil
import time
from pathlib import Path

import pytest
from projects import new_project, resolved, run, start


@pytest.mark.long
def test_a_second_workflow_in_a_project_is_refused_and_disturbs_nothing(finished, tmp_path):
    project = Path(shutil.copytree(finished, tmp_path / "project", symlinks=True))
    (folder,) = (project / "results/finetune").glob("motions-scratch-*")
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").unlink()
    next((project / "results/studies").glob("tiny-*/index.html")).unlink()
    first = start(project, "snakemake", "--cores", "1")
    while not list((project / ".snakemake/locks").glob("*")):
        assert first.poll() is None, first.stdout.read()
        time.sleep(0.05)
    assert "LockException" in run(project, "snakemake", "--cores", "1", code=1).stdout
    output, _ = first.communicate(timeout=240)
    assert first.returncode == 0, output
    assert (folder / "model.safetensors").read_bytes() == weights


@pytest.mark.long
def test_two_projects_that_share_a_cache_fill_it_at_once(finished, one_seed, tmp_path):
    clips = next((finished / "data/synthetic").iterdir())
    shared, projects = tmp_path / "cache", []
    shared.mkdir()
    content = copy.deepcopy(one_seed)
    content["pretraining"]["small"]["source"] = "cache"
    for name in ("one", "two"):
        project = new_project(tmp_path / name, content)
        shutil.copytree(clips, project / "data/synthetic" / clips.name)
        (project / "data/cache").symlink_to(shared)
        projects.append(project)
    specs = [next(iter(resolved(project).pretrains.values())).write(project) for project in projects]
    jobs = [
        start(project, "kinefract", "pretrain", spec) for project, spec in zip(projects, specs, strict=True)
    ]
    for job in jobs:
        output, _ = job.communicate(timeout=240)
        assert job.returncode == 0, output
    assert sorted(path.name for path in shared.rglob("*") if path.is_file()) == ["frames.bin", "frames.crc32"]
    weights = [spec.with_name("model.safetensors").read_bytes() for spec in specs]
    assert weights[0] == weights[1]


def test_a_second_job_of_a_run_waits_and_takes_what_the_first_has_made(finished, tmp_path):
    project = Path(shutil.copytree(finished, tmp_path / "project", symlinks=True))
    (folder,) = (project / "results/finetune").glob("motions-scratch-*")
    weights = (folder / "model.safetensors").read_bytes()
    for path in folder.iterdir():
        if path.name != "spec.yaml":
            path.unlink()
    jobs = [start(project, "kinefract", "finetune", folder / "spec.yaml") for _ in range(2)]
    texts = [job.communicate(timeout=240)[0] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], texts
    assert sum("another process works on this run, waiting for it" in text for text in texts) == 1
    assert sum("epoch 1/2" in text for text in texts) == 1
    assert (folder / "model.safetensors").read_bytes() == weights and not (folder / ".lock").exists()

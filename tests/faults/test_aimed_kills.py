"""Kills aimed between the last files of a job: the next start makes the job whole, in MLflow too."""

import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from hypothesis import settings
from projects import NOTHING, environment, run

from kinefract.report.verify import verify

EVERY = settings.get_current_profile_name() != "ci"

# Ends its process with SIGKILL before or after a file gets its name.
PROGRAM = """
import os, pathlib, signal
rename = pathlib.Path.replace
def replace(self, target):
    name, moment = os.environ["KILL_AT"].split(":")
    if pathlib.Path(target).name == name and moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    renamed = rename(self, target)
    if pathlib.Path(target).name == name:
        os.kill(os.getpid(), signal.SIGKILL)
    return renamed
pathlib.Path.replace = replace
"""
NAMES = ("predictions.csv", "metrics.jsonl", "SHA256SUMS", "model.safetensors")
ALL = (*(f"{name}:{when}" for name in NAMES for when in ("before", "after")), "result.json:after")
SOME = ("SHA256SUMS:after",)  # all is written, and the last file lacks its name
KEPT = ("model.safetensors", "predictions.csv", "per_class.csv")


@pytest.fixture
def project(finished, tmp_path):
    """Return a copy of the finished project, free to be changed."""
    return Path(shutil.copytree(finished, tmp_path / "project", symlinks=True))


def killed(project: Path, at: str, *command: str) -> None:
    """Run a command that is killed at a moment."""
    program = project.with_name("program")
    program.mkdir(exist_ok=True)
    (program / "sitecustomize.py").write_text(PROGRAM)
    path = environment().get("PYTHONPATH")
    env = environment(PYTHONPATH=f"{program}:{path}" if path else str(program), KILL_AT=at)
    done = subprocess.run([*command], cwd=project, env=env, capture_output=True, timeout=240)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.mark.parametrize("at", ALL if EVERY else SOME)
@pytest.mark.long
def test_a_fine_tuning_killed_between_its_last_files(project, at):
    (folder,) = (project / "results/finetune").glob("motions-scratch-*")
    before = {name: (folder / name).read_bytes() for name in KEPT}
    for path in folder.iterdir():
        if path.name != "spec.yaml":
            path.unlink()
    spec = str((folder / "spec.yaml").relative_to(project))
    killed(project, at, "kinefract", "finetune", spec)
    if at == "model.safetensors:after":  # Snakemake takes it for finished, so nothing mends it
        assert NOTHING in run(project, "snakemake", "-n").stdout
        assert (folder / "checkpoint.pt").exists()
        run(project, "kinefract", "prune", "--yes")
        assert not (folder / "checkpoint.pt").exists()
    else:
        assert not (folder / "model.safetensors").exists()
        run(project, "kinefract", "finetune", spec)
    assert {name: (folder / name).read_bytes() for name in KEPT} == before
    assert not list(folder.glob(".*")) and not (folder / "progress.jsonl").exists()
    run(project, "kinefract", "study", next((project / "results/studies").glob("tiny-*")) / "spec.yaml")
    assert "as they were written" in verify(project)  # and MLflow holds each run once


@pytest.mark.parametrize("at", ["SHA256SUMS:after", *["metrics.json:after", "index.html:after"] * EVERY])
@pytest.mark.long
def test_a_study_killed_between_its_last_files(project, at):
    (folder,) = (project / "results/studies").glob("tiny-*")
    before = {name: (folder / name).read_bytes() for name in ("table.csv", "metrics.json", "top1.svg")}
    for path in folder.iterdir():
        if path.name != "spec.yaml":
            path.unlink()
    spec = str((folder / "spec.yaml").relative_to(project))
    killed(project, at, "kinefract", "study", spec)
    if at == "index.html:after":
        assert NOTHING in run(project, "snakemake", "-n").stdout
    else:
        assert not (folder / "index.html").exists()
        run(project, "kinefract", "study", spec)
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert "as they were written" in verify(project)

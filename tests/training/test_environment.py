"""What Fabric is told about where it runs: SLURM on the machine, or around the job, changes nothing."""

import warnings

import pytest

from kinefract.evaluation.evaluate import scores
from kinefract.training.processes import Processes


@pytest.fixture
def srun(tmp_path, monkeypatch):
    """Put a program `srun` on the path, as where SLURM is installed, and let warnings be errors."""
    program = tmp_path / "srun"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_training_prints_no_hint_about_srun(srun):
    assert Processes("32-true", "cpu").size == 1


def test_evaluation_prints_no_hint_about_srun(srun):
    from kinefract.config.phases import FinetuneRecipe
    from kinefract.models import build

    network = build("tsm_resnet18", 8, 2, 2, 0.0)
    recipe = FinetuneRecipe(size=32, resize=32, frames=2, epochs=1, warmup_epochs=0, threads=1)
    with pytest.raises(RuntimeError, match="non-empty"):  # as there is no video
        scores(network, [], recipe, 0, "test", "cpu")


def test_a_job_of_slurm_is_one_process_whatever_its_tasks(monkeypatch):
    for name, value in {"SLURM_NTASKS": "2", "SLURM_JOB_NAME": "job", "SLURM_PROCID": "1"}.items():
        monkeypatch.setenv(name, value)
    assert Processes("32-true", "cpu").rank == 0

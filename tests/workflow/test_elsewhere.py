"""Jobs that run on other machines: what they ask for, when they stop, and what their logs keep."""

import os
import re
import shutil
import time
from pathlib import Path

import projects
import pytest
from projects import environment, run, start

TRAINED = ("pretrain_run", "finetune_run")
ALONE = {"spec", "tracking", "experiment", "all"}  # rules whose jobs run where Snakemake does


@pytest.fixture(scope="module")
def listing(tmp_path_factory, one_seed) -> str:
    """Return what `snakemake -n -p` prints in a project in which nothing is made."""
    project = projects.new_project(tmp_path_factory.mktemp("listed") / "project", one_seed)
    return run(project, "snakemake", "-n", "-p").stdout


def asked(listing: str) -> dict[str, str]:
    """Return the resources of a job of each rule, from what `snakemake -n` prints."""
    return dict(re.findall(r"rule (\w+):\n(?:.+\n)*? *resources: (.*)", listing))


def with_programs(folder: Path, **programs: str) -> dict[str, str]:
    """Return an environment in whose path there are more programs, each a line of shell."""
    folder.mkdir()
    for name, line in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    env = environment()
    return {**env, "PATH": f"{folder}{os.pathsep}{env['PATH']}"}


def commands(listing: str) -> list[str]:
    return re.findall(r"kinefract (?:pretrain|finetune) .*", listing)


def test_every_job_says_what_memory_run_time_and_disk_it_needs(listing):
    found = asked(listing)
    assert found.keys() == {"shard", "dataset", "index", *TRAINED, "study", *ALONE}
    for rule in found.keys() - ALONE:
        assert all(f"{what}=" in found[rule] for what in ("mem_mb", "runtime", "disk_mb")), rule


def test_a_training_here_has_the_workers_of_its_threads_and_no_time_limit(listing):
    assert len(commands(listing)) == 3
    assert all("--workers 1" in command for command in commands(listing))
    assert "--time-limit" not in listing


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="this machine has a GPU")
def test_only_a_machine_with_a_gpu_counts_its_trainings_by_it(listing, unbuilt, tmp_path):
    assert "gpu=" not in " ".join(asked(listing).values())
    env = with_programs(tmp_path / "bin", **{"nvidia-smi": ""})
    found = asked(run(unbuilt, "snakemake", "-n", env=env).stdout)
    assert all(("gpu=1" in found[rule]) == (rule in TRAINED) for rule in found)


def test_a_training_elsewhere_stops_before_its_run_time_ends(unbuilt):
    spec = projects.write_spec(unbuilt, "pretrains")
    (unbuilt / "results/mlflow").mkdir(parents=True)
    (unbuilt / "results/mlflow/experiments.txt").touch()
    options = ("--mode", "remote", "--cores", "1", "--force", "--allowed-rules", "pretrain_run")
    shorter = ("--set-resources", "pretrain_run:runtime=60")
    weights = spec.relative_to(unbuilt).with_name("model.safetensors")
    (command,) = commands(run(unbuilt, "snakemake", "-n", "-p", *options, *shorter, "--", weights).stdout)
    assert "--time-limit 57.0" in command


def test_the_log_keeps_what_earlier_attempts_said(unbuilt, tiny):
    tiny["benchmarks"]["motions"] = {"kind": "folder", "root": "data/raw/nowhere"}
    projects.write(unbuilt, tiny)
    (spec,) = projects.resolved(unbuilt).benchmarks.values()
    run(unbuilt, "snakemake", "--retries", "1", f"{spec.folder}/index.csv", code=1)
    (log,) = unbuilt.glob("results/logs/index/*.log")
    text = log.read_text()
    assert len(re.findall(r"^== \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, ", text, re.MULTILINE)) == 2
    assert text.count("error: ") == 2


@pytest.fixture
def plugin() -> None:
    pytest.importorskip("snakemake_executor_plugin_slurm")


def test_the_slurm_profile_lists_jobs_and_groups_small_ones(plugin, unbuilt):
    listing = run(unbuilt, "snakemake", "--workflow-profile", "slurm", "-n").stdout
    assert "Group job shards" in listing
    assert "Group job trainings" in listing


def test_a_job_of_slurm_asks_for_the_gpu_that_its_recipe_wants(plugin, unbuilt, tiny, tmp_path):
    """A program stands in for sbatch, and notes what it is asked for."""
    tiny["pretraining"]["small"] |= {"precision": "bf16-mixed", "source": "online"}
    projects.write(unbuilt, tiny)
    noted = tmp_path / "noted"
    sbatch = f'echo "$@" >>{noted}; echo 1'
    env = with_programs(tmp_path / "bin", sbatch=sbatch, sinfo="", squeue="", scancel="")
    (spec,) = projects.resolved(unbuilt).pretrains.values()
    process = start(
        unbuilt, "snakemake", "--workflow-profile", "slurm", f"{spec.folder}/model.safetensors", env=env
    )
    end = time.monotonic() + projects.PATIENCE
    while not noted.exists() or not noted.read_text():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < end
        time.sleep(0.2)
    projects.kill(process)
    words = noted.read_text()
    assert "--gpus=1" in words
    assert "--cpus-per-task=8" in words
    assert "-t 720" in words

"""Small studies on a real SLURM of one node, with the shipped profile: `make cluster`, about half an hour.

It installs SLURM with apt-get, so it wants root, and it wants the extra `slurm` (``docs/clusters.md``). Where
one is missing it is skipped and says so. pytest does not collect it by itself.
"""

import copy
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import projects
import pytest
from slurm import NODE, Slurm, Unavailable, install

pytest.importorskip("snakemake_executor_plugin_slurm", reason='pip install "kinefract[slurm]"')

COMMAND = ("snakemake", "--workflow-profile", "slurm")
# What a study leaves, apart from times. All of it is equal however the study was made.
KEPT = (
    *("data/synthetic/*/shards/*", "data/synthetic/*/manifest.csv", "data/benchmarks/*/index.csv"),
    *("results/*/*/model.safetensors", "results/*/*/predictions.csv", "results/studies/*/table.csv"),
)
PATIENCE = 900  # seconds until a study is taken to hang
ATTEMPTS = 3  # that the long training needs at least, of half a minute each


either_tracking = pytest.mark.parametrize("tracking", ["linuxproc", "cgroup"])


@pytest.fixture
def tracking() -> str:
    """Return how SLURM tracks the processes of jobs, where a test does not say it."""
    return "linuxproc"


@pytest.fixture
def nodes() -> int:
    """Return the number of nodes, where a test does not say it."""
    return 1


@pytest.fixture
def slurm(tracking, nodes):
    """Return a SLURM that tracks the processes of jobs in one of two ways."""
    try:
        install()
        with Slurm(tracking, nodes) as started:
            yield started
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def long_study(one_seed) -> dict:
    """Return parameters whose pre-training takes a minute and a half or more."""
    params = copy.deepcopy(one_seed)
    params["datasets"]["fractal"] |= {"clips_per_class": 20, "clips_per_shard": 30}
    params["pretraining"]["small"] |= {"epochs": 150, "batch_size": 10}
    return params


def contents(project: Path) -> dict[str, bytes]:
    files = [path for pattern in KEPT for path in project.glob(pattern) if not path.parent.is_symlink()]
    return {str(path.relative_to(project)): path.read_bytes() for path in files}


def weights_of(project: Path) -> str:
    """Return the file that the one pre-training of a project makes."""
    (spec,) = projects.resolved(project).pretrains.values()
    return f"{spec.folder}/model.safetensors"


def log_of(project: Path) -> str:
    """Return the log of the pre-training so far."""
    return "".join(path.read_text() for path in project.glob("results/logs/kept/pretrain/*.log"))


def attempts(project: Path) -> int:
    return log_of(project).count("== ")


def settings(project: Path, **changes: str) -> None:
    """Edit the profile of a project, as its user would."""
    path = project / "workflow/profiles/slurm/config.yaml"
    lines = [line for line in path.read_text().splitlines() if line.split(":")[0] not in changes]
    path.write_text("\n".join([*lines, *(f"{key}: {value}" for key, value in changes.items())]) + "\n")


def until(there: Callable[[], object], process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not there():
        assert process.poll() is None, log.read_text()[-8000:]
        assert time.monotonic() < end, f"waited too long\n{log.read_text()[-8000:]}"
        time.sleep(0.5)


@pytest.fixture
def start(slurm) -> Iterator[Callable[..., tuple[subprocess.Popen[bytes], Path]]]:
    """Return a function that starts Snakemake in a project: its process, and the file of its output."""
    started = []

    def begin(project: Path, *what: str) -> tuple[subprocess.Popen[bytes], Path]:
        log, env = project / "snakemake.out", projects.environment()
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*COMMAND, *what], cwd=project, env=env, stdout=out, stderr=subprocess.STDOUT
            )
        started.append(process)
        return process, log

    yield begin
    for process in started:
        process.kill()
        process.wait()


def finish(process: subprocess.Popen[bytes], log: Path) -> None:
    assert process.wait(PATIENCE) == 0, log.read_text()[-8000:]


@pytest.fixture(scope="session")
def undisturbed(once, long_study) -> Path:
    """Return a project whose pre-training ran here, without SLURM and without a stop."""

    def make(folder: Path) -> None:
        project = projects.new_project(folder, long_study)
        process = subprocess.run(
            ["snakemake", weights_of(project)], cwd=project, env=projects.environment(), check=False
        )
        assert process.returncode == 0

    return once("undisturbed", make)


def test_a_study_on_slurm_equals_one_made_here(start, finished, one_seed, tmp_path):
    project = projects.new_project(tmp_path / "project", one_seed)
    finish(*start(project))
    assert contents(project) == contents(finished)
    assert len(contents(project)) >= 10
    assert projects.NOTHING in projects.run(project, *COMMAND, "-n").stdout


@either_tracking
def test_a_training_longer_than_its_run_time_ends_with_the_same_weights(
    slurm, start, undisturbed, long_study, tmp_path
):
    project = projects.new_project(tmp_path / "project", long_study)
    settings(project, **{"set-resources": "{pretrain_run: {runtime: 1}}", "retries": "40"})
    finish(*start(project, weights_of(project)))
    log = log_of(project)
    print(f"{attempts(project)} attempts under {slurm.tracking}")
    assert attempts(project) >= ATTEMPTS
    assert log.count("its time limit of 0.5 minutes is reached") == attempts(project) - 1
    assert log.count("going on after step") == attempts(project) - 1
    weights = weights_of(project)
    assert (project / weights).read_bytes() == (undisturbed / weights).read_bytes()


@either_tracking
def test_a_job_that_is_cancelled_while_slurm_stumbles_ends_with_the_same_weights(
    slurm, start, undisturbed, long_study, tmp_path
):
    project = projects.new_project(tmp_path / "project", long_study)
    process, out = start(project, weights_of(project))
    until(lambda: "epoch 10/" in log_of(project), process, out)
    slurm.ask("scontrol", "update", f"NodeName={NODE}", "State=DRAIN", "Reason=test")
    (job,) = slurm.jobs()
    slurm.ask("scancel", job)
    until(lambda: slurm.jobs("PENDING"), process, out)
    until(lambda: slurm.node() == "drained", process, out)
    assert attempts(project) == 1
    slurm.ask("scontrol", "update", f"NodeName={NODE}", "State=RESUME")
    until(lambda: attempts(project) == 2 and "going on after step" in log_of(project), process, out)
    slurm.stop("slurmctld")
    time.sleep(20)
    slurm.start("slurmctld")
    finish(process, out)
    assert attempts(project) == 2
    weights = weights_of(project)
    assert (project / weights).read_bytes() == (undisturbed / weights).read_bytes()


@pytest.mark.parametrize("nodes", [2])
def test_one_training_on_two_nodes_stops_and_goes_on_as_one_job(slurm, start, long_study, tmp_path):
    params = copy.deepcopy(long_study)
    params["pretraining"]["small"] |= {"nodes": 2, "epochs": 30}
    project = projects.new_project(tmp_path / "project", params)
    weights = project / weights_of(project)
    process, out = start(project, str(weights.relative_to(project)))
    until(lambda: "epoch 3/" in log_of(project), process, out)
    (job,) = slurm.jobs()
    assert "NumNodes=2" in slurm.ask("scontrol", "show", "job", job)
    steps = slurm.ask("squeue", "--steps", "--noheader", "--format=%N %i").split("\n")
    assert any("node[1-2]" in step for step in steps)
    slurm.ask("scancel", job)
    finish(process, out)
    assert attempts(project) == 2
    assert "going on after step" in log_of(project)
    result = json.loads((weights.parent / "result.json").read_text())
    assert (result["processes"], result["nodes"]) == (2, 2)


@pytest.mark.parametrize("nodes", [2])
def test_gpus_of_two_nodes_are_asked_for_by_node(slurm, start, long_study, tmp_path):
    params = copy.deepcopy(long_study)
    params["pretraining"]["small"] |= {"precision": "bf16-mixed", "nodes": 2}
    project = projects.new_project(tmp_path / "project", params)
    process, out = start(project, weights_of(project))
    until(lambda: attempts(project), process, out)
    (job,) = slurm.jobs()
    asked = slurm.ask("scontrol", "show", "job", job)
    assert "NumNodes=2" in asked
    assert "TresPerNode=gres:gpu:1" in asked


def test_a_gpu_is_asked_for_from_a_machine_that_has_none(slurm, start, long_study, tmp_path):
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine has a GPU")
    params = copy.deepcopy(long_study)
    params["pretraining"]["small"]["precision"] = "bf16-mixed"
    project = projects.new_project(tmp_path / "project", params)
    process, out = start(project, weights_of(project))
    until(lambda: attempts(project), process, out)
    (job,) = slurm.jobs()
    assert "TresPerJob=gres:gpu:1" in slurm.ask("scontrol", "show", "job", job)

"""`kinefract pretrain` starts several processes: they make one result, and end together."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import projects
import pytest
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

from kinefract.cli import failure
from kinefract.common.errors import UserError
from kinefract.config import params, plan
from kinefract.training import launch

LONG = 500  # epochs, more than any test waits for


@pytest.fixture
def project(tiny, tmp_path):
    """Return a function that writes the spec of a pre-training that renders its clips."""

    def write(epochs: int) -> Path:
        tiny["pretraining"]["small"] |= {"source": "online", "epochs": epochs}
        (spec,) = plan.resolve(params.parse(tiny)).pretrains.values()
        return spec.write(tmp_path)

    return write


def started(spec: Path, *options: str, **env: str) -> subprocess.Popen:
    """Start a pre-training in a session of its own."""
    command = [sys.executable, "-m", "kinefract.cli", "pretrain", str(spec), "--workers=0", *options]
    environment = projects.without_mlflow(spec.parents[3] / "without") | env
    return subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def workers(agent: subprocess.Popen) -> list[int]:
    """Return the processes that an agent has started."""
    children = Path(f"/proc/{agent.pid}/task/{agent.pid}/children").read_text().split()
    return [int(child) for child in children if b"kinefract" in Path(f"/proc/{child}/cmdline").read_bytes()]


def until(condition, agents: list[subprocess.Popen]) -> None:
    """Wait for a condition while the agents run."""
    end = time.monotonic() + projects.PATIENCE
    while not condition():
        assert time.monotonic() < end and all(agent.poll() is None for agent in agents)
        time.sleep(0.05)


@pytest.mark.long
def test_two_processes_make_one_result(project, tmp_path):
    spec = project(2)
    for devices in (1, 2):
        process = started(spec, f"--devices={devices}")
        errors = process.communicate(timeout=projects.PATIENCE)[1]
        assert process.returncode == 0, errors
        result = json.loads((spec.parent / "result.json").read_text())
        assert (result["processes"], result["nodes"], result["device"]) == (devices, 1, "CPU")
        spec.parent.rename(tmp_path / str(devices))
        spec = project(2)
    one, two = ((tmp_path / str(n) / "metrics.jsonl").read_text().splitlines() for n in (1, 2))
    for first, second in zip(map(json.loads, one), map(json.loads, two), strict=True):
        assert first["loss"] == pytest.approx(second["loss"], abs=1e-3)
    assert not list((tmp_path / "2").glob("*.lock")) and not (tmp_path / "2/checkpoint.pt").exists()
    assert "2 processes on 1 node" in errors and errors.count("epoch 1/2") == 1


@pytest.mark.parametrize("nodes", [1, 2])
@pytest.mark.long
def test_if_a_process_is_killed_all_end_with_one_line_and_the_checkpoint(project, nodes):
    spec, env = project(LONG), {}
    if nodes > 1:
        with socket.create_server(("127.0.0.1", 0)) as server:
            env = {launch.RENDEZVOUS: f"localhost:{server.getsockname()[1]}"}
    agents = [started(spec, "--devices=2", f"--nodes={nodes}", **env) for _ in range(nodes)]
    until((spec.parent / "checkpoint.pt").exists, agents)
    os.kill(workers(agents[0])[-1], signal.SIGKILL)
    killed = time.monotonic()
    told = [agent.communicate(timeout=60)[1] for agent in agents]
    assert time.monotonic() - killed < 60
    assert [agent.returncode for agent in agents] == [1] * nodes
    assert all(text.count("error: ") == 1 and "Traceback" not in text for text in told), told
    assert f"of {2 * nodes}: was ended by SIGKILL, as the system does where memory runs out" in told[0]
    assert all(launch.OTHER_ENDED in text for text in told[1:]), told
    assert (spec.parent / "checkpoint.pt").exists() and not (spec.parent / "model.safetensors").exists()


@pytest.mark.long
def test_sigterm_stops_all_with_a_checkpoint_of_their_last_step(project):
    spec = project(LONG)
    agent = started(spec, "--devices=2")
    until((spec.parent / "progress.jsonl").exists, [agent])
    until((spec.parent / "checkpoint.pt").exists, [agent])
    agent.terminate()
    told = agent.communicate(timeout=60)[1]
    assert agent.returncode == 1
    assert "error: stopped by SIGTERM; run it again to go on" in told and "Traceback" not in told
    again = started(spec, "--devices=2", "--time-limit=0.01")
    told = again.communicate(timeout=projects.PATIENCE)[1]
    assert "going on after step" in told and "its time limit of 0.01 minutes is reached" in told


@pytest.mark.parametrize(
    ("ends", "cause"),
    [
        ([(-signal.SIGTERM, "", 1), (1, "the reason", 2)], "process 1 of 2: the reason"),
        ([(1, f"{launch.OTHER_ENDED}; run it again", 1), (1, "the reason", 2)], "process 1 of 2: the reason"),
        ([(-signal.SIGTERM, "", 1)], "process 0 of 2: was ended by SIGTERM"),
        (
            [(1, "later", 3), (-signal.SIGKILL, "", 2)],
            f"process 1 of 2: was ended by SIGKILL, {launch.CAUSES[signal.SIGKILL]}",
        ),
    ],
)
def test_the_cause_is_what_the_first_process_says_that_failed_itself(ends, cause):
    failures = {}
    for rank, (code, said, timestamp) in enumerate(ends):
        failures[rank] = ProcessFailure(rank, pid=1, exitcode=code, error_file="")
        failures[rank].message, failures[rank].timestamp = said, timestamp
    assert launch._cause(ChildFailedError("kinefract", failures), 2) == cause


def test_a_spec_that_is_not_there_makes_no_folder(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        launch.launch(tmp_path / "results/pretrain/typo/spec.yaml", 2, 1, [])
    assert not list(tmp_path.iterdir())


def test_a_process_that_cannot_leave_its_message_prints_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(failure.LEFT_IN, str(tmp_path / "gone/error.json"))
    failure.report(UserError("the reason"))
    assert capsys.readouterr().err == "error: the reason\n"
    monkeypatch.setenv(failure.LEFT_IN, str(tmp_path / "error.json"))
    failure.report(UserError("the reason"))
    assert capsys.readouterr().err == ""
    assert json.loads((tmp_path / "error.json").read_text())["message"] == "the reason"


@pytest.mark.parametrize("devices", ["0", "-1", "two", "1.5"])
def test_devices_are_a_number_or_auto(devices):
    with pytest.raises(UserError, match="--devices: wants a number from 1, or auto"):
        launch.devices_of(devices)


def test_auto_is_one_process_where_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert launch.devices_of("auto") == 1
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    assert launch.devices_of("auto") == 4


def test_srun_looks_at_the_whole_job_and_gives_each_node_its_cores(project, tmp_path, monkeypatch):
    """What a step of the job says of itself would hide the other nodes from it."""
    program, told = tmp_path / "bin/srun", tmp_path / "told"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {told}\nenv >> {told}\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    step = {"SLURM_JOB_ID": "7", "SLURM_NNODES": "1", "SLURM_NTASKS": "1", "SLURM_CPUS_PER_TASK": "4"}
    for name, value in step.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(launch.RENDEZVOUS, "")  # so that what the launch sets is taken back at the end
    monkeypatch.delenv(launch.RENDEZVOUS)
    with pytest.raises(UserError, match=r"srun .*--nodes=2 --ntasks=2 --cpus-per-task=4 ended with 3"):
        launch.launch(project(2), 2, 2, ["pretrain", "spec.yaml"])
    lines = told.read_text().splitlines()
    assert {"--overlap", "--ntasks-per-node=1", "--cpu-bind=none", "pretrain"} <= set(lines)
    assert [line for line in lines if line.startswith("SLURM_")] == ["SLURM_JOB_ID=7"]
    assert any(line.startswith(f"{launch.RENDEZVOUS}=") for line in lines)


def test_several_nodes_want_a_job_of_slurm(project, monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with pytest.raises(UserError, match="2 nodes are started by srun, in a job of SLURM"):
        launch.launch(project(2), 2, 2, [])

"""Several processes for one run: torchrun's agent on each node, which srun starts if there are several."""

import logging
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.elastic.rendezvous import RendezvousError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from kinefract.common.errors import UserError
from kinefract.common.progress import log_line
from kinefract.common.words import counted
from kinefract.config.run_files import read_result
from kinefract.config.specs import PretrainSpec
from kinefract.training.processes import OTHER_ENDED
from kinefract.training.runs import RENDEZVOUS, alone
from kinefract.training.workers import CAUSES

# One agent on each node, with all that the job has there. The job's own step, which holds it, goes on.
SRUN = ("srun", "--overlap", "--ntasks-per-node=1", "--cpu-bind=none", "--kill-on-bad-exit=1")


def devices_of(devices: str) -> int:
    """Return the number of processes on each node: a number, or ``auto`` for one on each GPU of the job.

    Raises:
        UserError: it is neither.
    """
    if devices == "auto":
        return max(1, torch.cuda.device_count())
    if not devices.isdecimal() or int(devices) < 1:
        raise UserError(f"--devices: wants a number from 1, or auto, got {devices!r}")
    return int(devices)


def is_started() -> bool:
    """Return whether this is one of the processes that train, which torchrun's agent has started."""
    return "RANK" in os.environ


def launch(spec_path: Path, devices: int, nodes: int, arguments: Sequence[str]) -> dict[str, Any]:
    """Train one run with ``devices * nodes`` processes, and wait for them. If one dies, all are ended.

    Args:
        spec_path: The run's ``spec.yaml``.
        devices: Number of processes on each node.
        nodes: Number of nodes. If there are several, this process runs on the first one of a job of SLURM.
        arguments: What follows ``kinefract`` in the command that does the run.

    Returns:
        The content of ``result.json``, as ``runs.pretrain`` does.

    Raises:
        UserError: the spec cannot be used, a process failed or was killed, several nodes are asked for
            outside of a job of SLURM, or the processes were stopped by SIGTERM; the last checkpoint is kept.
    """
    PretrainSpec.read(spec_path)  # so that nothing is made in the place of one that is not there
    if RENDEZVOUS in os.environ:  # on one of several nodes, started from the first
        _agent(devices, nodes, arguments)
        return {}
    if nodes > 1 and "SLURM_JOB_ID" not in os.environ:
        raise UserError(
            f"--nodes: {nodes} nodes are started by srun, in a job of SLURM; docs/clusters.md says how"
        )
    folder = Path(spec_path).parent
    start = partial(_on_all_nodes, nodes) if nodes > 1 else partial(_agent, devices, nodes)

    def work() -> dict[str, Any]:
        os.environ[RENDEZVOUS] = f"{socket.gethostname() if nodes > 1 else 'localhost'}:{_free_port()}"
        log_line(f"{folder.name}: {counted(devices * nodes, 'process')} on {counted(nodes, 'node')}")
        start(arguments)
        return dict(read_result(folder))

    return alone(folder, work)


def _agent(devices: int, nodes: int, arguments: Sequence[str]) -> None:
    """Start the processes of this node, and wait until all have ended."""
    # Its lines say in many words what is raised below.
    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)
    config = LaunchConfig(
        min_nodes=nodes,
        max_nodes=nodes,
        nproc_per_node=devices,
        run_id=os.environ.get("SLURM_JOB_ID", "kinefract"),
        rdzv_backend="c10d",
        rdzv_endpoint=os.environ[RENDEZVOUS],
        max_restarts=0,
        monitor_interval=0.1,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "kinefract.cli", *arguments)
    except SignalException as error:
        if error.sigval == signal.SIGINT:
            raise KeyboardInterrupt from error
        raise UserError(f"stopped by {error.sigval.name}; run it again to go on") from error
    except RendezvousError as error:  # the first node may be gone before the processes here have ended
        place = os.environ[RENDEZVOUS]
        raise UserError(
            f"{OTHER_ENDED}, or is not to be reached at {place}; run it again to go on"
        ) from error
    except ChildFailedError as error:
        raise UserError(_cause(error, devices * nodes)) from error


def _cause(error: ChildFailedError, processes: int) -> str:
    """Return what the first process to fail says, or how it was ended."""

    def order(item: tuple[int, ProcessFailure]) -> tuple[bool, int]:
        # Those that did not fail themselves say that another has ended, or were ended by the agent's SIGTERM.
        failure = item[1]
        return OTHER_ENDED in failure.message or failure.exitcode == -signal.SIGTERM, failure.timestamp

    rank, failure = min(error.failures.items(), key=order)
    said = failure.message
    if failure.exitcode < 0:
        number = signal.Signals(-failure.exitcode)
        said = f"was ended by {number.name}"
        if number in CAUSES:
            said += f", {CAUSES[number]}"
    return f"process {rank} of {processes}: {said}"


def _on_all_nodes(nodes: int, arguments: Sequence[str]) -> None:
    """Start an agent on each node of this job of SLURM, and wait for them."""
    # This step of the job may be on one node alone. Without its variables srun looks at the whole job.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SRUN_"))}
    env |= {name: os.environ[name] for name in ("SLURM_JOB_ID", "SLURM_CONF") if name in os.environ}
    options = [f"--nodes={nodes}", f"--ntasks={nodes}"]
    if cores := os.environ.get("SLURM_CPUS_PER_TASK"):  # which srun does not read in all its versions
        options.append(f"--cpus-per-task={cores}")
    command = [*SRUN, *options, sys.executable, "-m", "kinefract.cli", *arguments]
    with subprocess.Popen(command, env=env) as agents:

        def stop(number: int, frame: FrameType | None) -> None:
            agents.send_signal(number)

        before = signal.signal(signal.SIGTERM, stop)
        code = agents.wait()
        signal.signal(signal.SIGTERM, before)
    if code:
        call = shlex.join([*SRUN, *options])
        raise UserError(f"{call} ended with {code}; run it again to go on")


def _free_port() -> int:
    with socket.create_server(("", 0)) as server:
        return server.getsockname()[1]

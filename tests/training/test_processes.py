"""Several processes train what one trains with the same batch, and parts of a batch what the whole does."""

import io
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from kinefract.common.errors import UserError
from kinefract.training.checkpoint import DIGEST_SIZE
from kinefract.training.processes import Processes

# Sums are added in another order, and differ in their last digits, which grow with every step. The network
# computes in double precision, so that they stay far below what a wrong sum would change.
SAME = {"rtol": 1e-4, "atol": 1e-6}
PROGRAM = """
import json, os, sys
from pathlib import Path
import numpy as np, torch
import kinefract.training.train
from kinefract.config.phases import PretrainRecipe
from kinefract.models import weights
from kinefract.training.checkpoint import Pauses, Stopped
from kinefract.training.train import Execution, Training

class Clips:
    labels, frames, fresh = np.arange(16) % 3, np.full(16, 8), False
    def read(self, index, frames):
        rng = np.random.Generator(np.random.Philox(index))
        return rng.integers(0, 256, (8, 40, 40), dtype=np.uint8)[np.asarray(frames)]

def train(folder, settings):
    recipe = PretrainRecipe.model_validate({
        "backbone": "tsm_resnet18", "width": 8, "dropout": 0.5,
        "moco": {"dim": 4, "queue": 16}, "simclr": {"dim": 4}, "byol": {"dim": 4, "hidden": 8},
        "simsiam": {"dim": 4, "hidden": 4},
        "epochs": 2, "warmup_epochs": 0, "batch_size": 8, "lr": 0.08, "frames": 2, "stride": 1, "size": 32,
        "filmed": {"curriculum_epochs": 0, "background": {"p": 0.7}}, "threads": 1, **settings,
    }, strict=False)
    model = recipe.built(1, recipe, 3, recipe.dropout)
    objective = weights.seeded(1, recipe.objective_recipe.build, model).double()
    if recipe.objective == "moco":
        objective.queue = objective.queue.float()  # as its keys always are
    if "frozen" in sys.argv:  # so that clips of a batch are independent of each other
        for module in objective.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.eval().train = lambda mode=True: None
    # The first process alone is due to write a checkpoint, after each step.
    first = os.environ.get("RANK", "0") == "0"
    pauses = Pauses(minutes=0.0 if first else 10.0, limit=0.0 if "stop" in sys.argv else None)
    execution = Execution(accelerator="cpu", pauses=pauses)
    training = Training("id", recipe, 1, objective, Clips(), folder / "checkpoint.pt", "test", execution)
    try:
        training.fit(training.resume())
    except Stopped:
        pass

single = kinefract.training.train.augmented
kinefract.training.train.augmented = lambda *given: ([v.double() for v in views] for views in single(*given))
# AdamW makes a whole step of a gradient that is nothing but rounding.
kinefract.training.train.optimizer_for = lambda module, recipe: torch.optim.SGD(
    [weight for weight in module.parameters() if weight.requires_grad], lr=0.1
)
for number, settings in enumerate(json.loads(sys.argv[2])):
    train(Path(sys.argv[1]) / str(number), settings)
"""


OBJECTIVES = [
    *({"objective": name} for name in ("supervised", "moco", "simclr", "byol", "simsiam")),
    {"objective": "videomae", "backbone": "vit_tiny", "patch": 8},
]
IN_PARTS = [{**settings, "accumulate": 4} for settings in OBJECTIVES]
TRAINED = [*OBJECTIVES, {"objective": "simclr", "accumulate": 2}]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def trained(
    folder: Path, processes: int, trainings: list[dict], *how: str, nodes: int = 1
) -> list[dict[str, Any]]:
    """Train by each recipe with so many processes on each of so many nodes; return the last checkpoints.

    All nodes are this machine.
    """
    for number in range(len(trainings)):
        (folder / str(number)).mkdir(parents=True, exist_ok=True)
    program = folder / "program.py"
    program.write_text(PROGRAM)
    place = ["--standalone"]
    if nodes > 1:
        endpoint = ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{free_port()}", "--rdzv-id=test"]
        place = [*endpoint, f"--nnodes={nodes}"]
    start = ["-m", "torch.distributed.run", f"--nproc-per-node={processes}", *place]
    command = [sys.executable, *(start if processes * nodes > 1 else []), str(program), str(folder)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    agents = [
        subprocess.Popen([*command, json.dumps(trainings), *how], stderr=subprocess.PIPE, text=True, env=env)
        for _ in range(nodes)
    ]
    for agent in agents:
        errors = agent.communicate(timeout=300)[1]
        assert agent.returncode == 0, errors
    saved = [(folder / str(number) / "checkpoint.pt").read_bytes() for number in range(len(trainings))]
    return [torch.load(io.BytesIO(content[DIGEST_SIZE:]), weights_only=True) for content in saved]


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one["step"] == other["step"] == 4
    for name, value in one["objective"].items():
        assert torch.allclose(value.double(), other["objective"][name].double(), **SAME), name
    for first, second in zip(one["history"], other["history"], strict=True):
        assert first["loss"] == pytest.approx(second["loss"], abs=1e-6)
        assert first["top1"] == pytest.approx(second["top1"])


@pytest.fixture(scope="module")
def ones(tmp_path_factory):
    """The checkpoints of one process."""
    return trained(tmp_path_factory.mktemp("one"), 1, TRAINED)


@pytest.mark.long
def test_two_processes_train_what_one_trains(tmp_path, ones):
    for one, two in zip(ones, trained(tmp_path, 2, TRAINED), strict=True):
        assert_same(one, two)


@pytest.mark.long
def test_two_nodes_of_two_processes_train_what_four_and_one_train(tmp_path, ones):
    (four,) = trained(tmp_path / "four", 4, [TRAINED[2]])
    (nodes,) = trained(tmp_path / "nodes", 2, [TRAINED[2]], nodes=2)
    assert_same(ones[2], four)
    for name, value in four["objective"].items():
        assert torch.equal(value, nodes["objective"][name]), name


@pytest.mark.long
def test_a_batch_in_parts_gives_the_gradient_of_the_whole_batch(tmp_path):
    """Without batch norm, which normalises by a part, all is equal."""
    found = trained(tmp_path, 1, [*OBJECTIVES, *IN_PARTS], "frozen")
    for whole, parts in zip(found[: len(OBJECTIVES)], found[len(OBJECTIVES) :], strict=True):
        assert_same(whole, parts)


@pytest.mark.long
def test_stopped_in_an_epoch_two_processes_go_on_with_what_they_measured(tmp_path, ones):
    (stopped,) = trained(tmp_path, 2, TRAINED[:1], "stop")
    assert stopped["step"] == 1
    assert (stopped["meter"]["steps"], stopped["meter"]["clips"]) == (2, 8)  # of both
    assert_same(ones[0], *trained(tmp_path, 2, TRAINED[:1]))


def test_a_gpu_that_is_not_there_is_one_clear_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="torch sees none; use --accelerator cpu"):
        Processes("32-true", "cuda")


def test_a_batch_that_cannot_be_shared_is_refused():
    processes = Processes("32-true", "cpu")
    processes.size = 3
    with pytest.raises(UserError, match="16 clips cannot be shared by 3 processes"):
        processes.division(16, 1)
    with pytest.raises(UserError, match="18 clips cannot be shared by 3 processes in 4 parts"):
        processes.division(18, 4)

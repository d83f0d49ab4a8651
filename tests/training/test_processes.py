"""Two processes train what one trains with the same batch; what they cannot do is said."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from kinefract.common.errors import UserError
from kinefract.training.processes import Processes

PROGRAM = """
import os, sys
from pathlib import Path
import numpy as np, torch
import kinefract.training.train, kinefract.training.views
sys.path.insert(0, sys.argv[2])
from networks import Flat
from kinefract.config.phases import PretrainRecipe
from kinefract.training.checkpoint import Pauses, Stopped
from kinefract.training.train import Execution, Training

class Clips:
    labels, frames, fresh = np.arange(12) % 3, np.full(12, 4), False
    def read(self, index, frames):
        rng = np.random.Generator(np.random.Philox(index))
        return rng.integers(0, 256, (4, 32, 32), dtype=np.uint8)[np.asarray(frames)]

class Pooled(Flat):
    def features(self, clips):
        return super().features(clips[:, :, :, ::16, ::16])

torch.manual_seed(1)
recipe = PretrainRecipe(
    objective=sys.argv[3], moco={"dim": 4, "queue": 8}, simclr={"dim": 4}, byol={"dim": 4, "hidden": 8},
    epochs=2, warmup_epochs=0, batch_size=4, lr=0.8, frames=2, stride=1, size=32,
    flip=0.0, blur=0.0, threads=1,
)
objective = recipe.objective_recipe.build(Pooled())
for module in objective.modules():  # its statistics are those of a process, on a CPU
    if isinstance(module, torch.nn.BatchNorm1d):
        module.eval().train = lambda mode=True: None
# Each process draws augmentations of its own, so none is drawn here.
kinefract.training.views.reverse_together = lambda views, generator: views
# AdamW makes a whole step of a gradient that is nothing but rounding.
kinefract.training.train.optimizer_for = lambda module, recipe: torch.optim.SGD(
    [weight for weight in module.parameters() if weight.requires_grad], lr=0.1
)
path = Path(sys.argv[1]) / "checkpoint.pt"
# The first process alone is due to write a checkpoint, after each step.
first = os.environ.get("RANK", "0") == "0"
pauses = Pauses(minutes=0.0 if first else 10.0, limit=0.0 if "stop" in sys.argv else None)
execution = Execution(accelerator="cpu", pauses=pauses)
training = Training("id", recipe, 1, objective, Clips(), path, "test", execution)
try:
    training.fit(training.resume())
except Stopped:
    pass
"""


def trained(folder: Path, objective: str, processes: int, *how: str) -> dict:
    folder.mkdir(exist_ok=True)
    program = folder / "program.py"
    program.write_text(PROGRAM)
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [*(start if processes > 1 else [sys.executable]), str(program), str(folder)]
    done = subprocess.run(
        [*command, str(Path(__file__).parents[1] / "objectives"), objective, *how],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    return torch.load(io.BytesIO((folder / "checkpoint.pt").read_bytes()[32:]), weights_only=True)


@pytest.mark.parametrize("objective", ["supervised", "moco", "simclr", "byol"])
def test_two_processes_train_what_one_trains(tmp_path, objective):
    one = trained(tmp_path / "one", objective, 1)
    two = trained(tmp_path / "two", objective, 2)
    assert one["step"] == two["step"] == 6
    for name, value in one["objective"].items():
        assert torch.allclose(value.double(), two["objective"][name].double(), atol=1e-5), name
    for first, second in zip(one["history"], two["history"], strict=True):
        assert first["loss"] == pytest.approx(second["loss"], abs=1e-5)
        assert first["top1"] == pytest.approx(second["top1"])


def test_stopped_in_an_epoch_two_processes_go_on_with_what_they_measured(tmp_path):
    alone = trained(tmp_path / "one", "supervised", 1)
    stopped = trained(tmp_path / "two", "supervised", 2, "stop")
    assert stopped["step"] == 1
    assert (stopped["meter"]["steps"], stopped["meter"]["clips"]) == (2, 4)  # of both
    resumed = trained(tmp_path / "two", "supervised", 2)
    assert resumed["step"] == 6
    for first, second in zip(alone["history"], resumed["history"], strict=True):
        for key in ("loss", "top1", "grad_norm"):
            assert first[key] == pytest.approx(second[key], abs=1e-5), key


def test_a_gpu_that_is_not_there_is_one_clear_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="torch sees none; use --accelerator cpu"):
        Processes("32-true", "cuda")


def test_a_batch_that_cannot_be_shared_is_refused():
    processes = Processes("32-true", "cpu")
    processes.size = 3
    with pytest.raises(UserError, match="16 clips cannot be shared by 3 processes"):
        processes.check_batch(16)

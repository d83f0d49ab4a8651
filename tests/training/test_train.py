"""The loop: schedule, decay, exact resume, and errors that stop it."""

import math
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision

from kinefract import models
from kinefract.common.errors import UserError
from kinefract.config.networks import NetworkRecipe
from kinefract.config.phases import FinetuneRecipe, PretrainRecipe
from kinefract.models import weights
from kinefract.objectives.supervised import Supervised
from kinefract.training import checkpoint, processes, train
from kinefract.training.checkpoint import Pauses, Stopped
from kinefract.training.train import Execution, Training, optimizer_for, rate_at, stream_seed

RECIPE = PretrainRecipe(
    backbone="tsm_resnet18",
    width=8,
    size=32,
    frames=4,
    epochs=4,
    warmup_epochs=1,
    batch_size=4,
    lr=8e-3,
    threads=1,
)


class Noise:
    """Clips of coloured noise whose brightness tells the label."""

    def __init__(self, clips=8):
        rng = np.random.Generator(np.random.Philox(7))
        self.labels = np.arange(clips) % 2
        self.frames = np.full(clips, 10)
        self.fresh = False
        self.clips = (
            rng.integers(0, 100, (clips, 10, 40, 40), dtype=np.uint8)
            + (self.labels * 150).astype(np.uint8)[:, None, None, None]
        )

    def read(self, index, frames):
        return self.clips[index][np.asarray(frames)]


class Killed(Exception):
    pass


def training(folder, epochs_before_kill=None, recipe=RECIPE, source=None):
    model = recipe.built(1, recipe, 2, recipe.dropout)
    objective = weights.seeded(1, recipe.objective_recipe.build, model)
    run = Training("the-id", recipe, 1, objective, source or Noise(), folder / "checkpoint.pt", "test")

    def on_epoch(metrics):
        if metrics["epoch"] == epochs_before_kill:
            raise Killed

    run.on_epoch = on_epoch
    return run


def test_warm_up_then_cosine_to_the_floor():
    recipe = PretrainRecipe(batch_size=64)  # twice the reference batch: every rate doubles
    rates = [rate_at(step, 100, 10, recipe) for step in range(100)]
    assert rates[0] == pytest.approx(2e-6)
    assert rates[5] == pytest.approx(2 * (1e-6 + (8e-4 - 1e-6) / 2))
    assert rates[10] == max(rates) == pytest.approx(16e-4)
    assert rates[55] == pytest.approx(2 * (1e-5 + (8e-4 - 1e-5) / 2))
    assert rates[99] == pytest.approx(2 * (1e-5 + (8e-4 - 1e-5) * (1 + math.cos(math.pi * 89 / 90)) / 2))
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_biases_and_norms_do_not_decay():
    model = models.build("tsm_resnet18", 8, 4, 2, 0.0)
    decayed, spared = optimizer_for(model, RECIPE).param_groups
    names = {id(weight): name for name, weight in model.named_parameters()}
    assert decayed["weight_decay"] == RECIPE.weight_decay and spared["weight_decay"] == 0
    assert all(
        ".bn" in names[id(weight)]
        or "downsample.1" in names[id(weight)]
        or names[id(weight)].endswith("bias")
        for weight in spared["params"]
    )
    assert all(weight.ndim > 1 for weight in decayed["params"])
    assert len(decayed["params"]) + len(spared["params"]) == len(names)


def test_rates_fall_from_the_head_of_a_transformer_to_its_patches():
    recipe = FinetuneRecipe(frames=4, size=32, layer_decay=0.5, epochs=20)
    network = NetworkRecipe(backbone="vit_tiny", width=8, patch=8).built(1, recipe, 2, 0.0)
    groups = optimizer_for(Supervised(network), recipe).param_groups
    scales = {weight: group["scale"] for group in groups for weight in group["params"]}
    found = {name: scales[weight] for name, weight in network.named_parameters()}
    assert found["head.bias"] == found["fc_norm.weight"] == 1
    assert found["videomae.encoder.layer.11.output.dense.weight"] == 0.5
    assert found["videomae.encoder.layer.0.output.dense.weight"] == 0.5**12
    assert found["videomae.embeddings.patch_embeddings.projection.bias"] == 0.5**13
    assert {group["weight_decay"] for group in groups} == {0.0, recipe.weight_decay}
    assert all(
        (weight.ndim > 1) == (group["weight_decay"] > 0) for group in groups for weight in group["params"]
    )


def test_streams_of_different_purposes_differ():
    seeds = {stream_seed(seed, purpose, step) for seed in (1, 2) for purpose in "ab" for step in range(100)}
    assert len(seeds) == 400


def test_it_learns_what_can_be_learnt(tmp_path):
    recipe = RECIPE.model_copy(update={"dropout": 0.0, "epochs": 6})
    run = training(tmp_path, recipe=recipe, source=Noise(48))
    run.fit()
    assert [metrics["epoch"] for metrics in run.history] == [1, 2, 3, 4, 5, 6]
    assert run.history[-1]["loss"] < run.history[0]["loss"] - 0.2
    # Not 1.0: the last digits of sums differ between processors, and with them one clip or two of the 48.
    assert run.history[-1]["top1"] > 0.9


SETTINGS = {
    "supervised": {},
    "moco": {"moco": {"dim": 8, "queue": 16}},
    "simclr": {"simclr": {"dim": 8}},
    "byol": {"byol": {"dim": 8, "hidden": 16}},
    "simsiam": {"simsiam": {"dim": 8, "hidden": 4}},
    "multi_instance": {"multi_instance": {"most": 3}},
    "videomae": {"backbone": "vit_tiny", "patch": 8, "videomae": {"mask_ratio": 0.5, "decoder_depth": 1}},
}


@pytest.mark.parametrize("objective", SETTINGS)
def test_killed_and_resumed_ends_with_the_weights_of_one_left_alone(tmp_path, objective):
    recipe = PretrainRecipe.model_validate(
        RECIPE.model_dump(exclude=set(SETTINGS)) | {"objective": objective} | SETTINGS[objective]
    )
    alone = training(tmp_path / "alone", recipe=recipe)
    alone.fit()
    for epoch in (1, 3):
        with pytest.raises(Killed):
            run = training(tmp_path / "killed", epochs_before_kill=epoch, recipe=recipe)
            run.fit(run.resume())
    resumed = training(tmp_path / "killed", recipe=recipe)
    state = resumed.resume()
    assert len(resumed.history) == 3
    resumed.fit(state)
    assert_same(alone, resumed)


def test_stopped_at_any_step_it_goes_on_from_there(tmp_path):
    alone = training(tmp_path / "alone", source=Noise(16))
    alone.fit()
    for _ in range(5):  # each stops after one step: at its time limit, as it were
        run = training(tmp_path / "stopped", source=Noise(16))
        run.execution = Execution(pauses=Pauses(limit=0.0))
        with pytest.raises(Stopped, match=r"time limit of 0 minutes is reached, after step \d of 16"):
            run.fit(run.resume())
    resumed = training(tmp_path / "stopped", source=Noise(16))
    state = resumed.resume()
    assert state["step"] == 5 and len(resumed.history) == 1
    resumed.fit(state)
    assert_same(alone, resumed)
    assert [m["top1"] for m in alone.history] == [m["top1"] for m in resumed.history]


def test_sigterm_writes_a_checkpoint_and_ends(tmp_path):
    run = training(tmp_path, source=Noise(16))
    run.on_first_batch = lambda batch: os.kill(os.getpid(), signal.SIGTERM)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped, match="stopped by SIGTERM, after step 1 of 16"):
        run.fit()
    assert signal.getsignal(signal.SIGTERM) is before
    assert training(tmp_path, source=Noise(16)).resume()["step"] == 1


WITH_WORKERS = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_train import Noise, training
from kinefract.training.train import Execution

def first_batch(batch):
    time.sleep(1)  # both workers have begun
    print("training", flush=True)
    time.sleep(2)  # the signal finds the run in its first step

run = training(Path(sys.argv[2]), source=Noise(16))
run.execution = Execution(workers=2)
run.on_first_batch = first_batch
run.fit()
"""


def test_sigterm_to_all_processes_of_a_job_writes_a_checkpoint_and_ends_them(tmp_path):
    job = subprocess.Popen(
        [sys.executable, "-c", WITH_WORKERS, str(Path(__file__).parent), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert job.stdout.readline() == "training\n"
    os.killpg(job.pid, signal.SIGTERM)
    _, said = job.communicate(timeout=120)
    assert "Stopped: test: stopped by SIGTERM, after step 1 of 16" in said
    assert training(tmp_path, source=Noise(16)).resume()["step"] == 1
    with pytest.raises(ProcessLookupError):
        os.killpg(job.pid, 0)


AMID_A_BATCH = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_train import Noise, training
from kinefract.training.train import Execution

class Stalled(Noise):
    reads = 0

    def read(self, *about):
        self.reads += 1
        if self.reads > 8:  # in each worker: not of its first batch
            Path(sys.argv[2], "stalled").touch()
            time.sleep(600)
        return super().read(*about)

def first_batch(batch):
    while not Path(sys.argv[2], "stalled").exists():
        time.sleep(0.1)
    raise ValueError("on purpose")

run = training(Path(sys.argv[2]), source=Stalled(64))
run.execution = Execution(workers=2)
run.on_first_batch = first_batch
run.fit()
"""


def test_workers_amid_a_batch_do_not_outlive_a_run_that_fails(tmp_path):
    command = [sys.executable, "-c", AMID_A_BATCH, str(Path(__file__).parent), str(tmp_path)]
    job = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        _, said = job.communicate(timeout=100)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)
    assert "ValueError: on purpose" in said


def test_checkpoints_between_epochs_come_when_they_are_due(tmp_path):
    run = training(tmp_path, source=Noise(16))
    run.execution = Execution(pauses=Pauses(minutes=0.0))
    written = []
    run.execution.pauses.written = lambda: written.append(run.resume()["step"])
    run.fit()
    assert written == list(range(1, 17))


def test_the_first_batch_is_shown_once_as_the_network_sees_it(tmp_path):
    shown = []
    run = training(tmp_path)
    run.on_first_batch = shown.append
    run.fit()
    (batch,) = shown
    assert batch.shape == (1, 4, 4, 3, 32, 32) and -3 < batch.min() < batch.max() < 3


def assert_same(one, other):
    for (name, value), found in zip(
        one.objective.state_dict().items(), other.objective.state_dict().values(), strict=True
    ):
        assert torch.equal(value, found), name
    assert [metrics["loss"] for metrics in one.history] == [metrics["loss"] for metrics in other.history]


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_refused(tmp_path):
    with pytest.raises(Killed):
        training(tmp_path, epochs_before_kill=1).fit()
    other = training(tmp_path)
    other.spec_id = "another-id"
    with pytest.raises(UserError, match="belongs to the-id, not to another-id"):
        other.resume()
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="damaged"):
        training(tmp_path).resume()


def test_a_checkpoint_with_code_in_it_is_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    torch.save({"spec": "the-id", "history": [], "model": Bomb()}, tmp_path / "checkpoint.pt")
    with pytest.raises(UserError, match="damaged"):
        training(tmp_path).resume()
    assert not (tmp_path / "exploded").exists()


def test_a_loss_that_is_no_number_stops_with_step_and_rate_and_keeps_the_checkpoint(tmp_path):
    run = training(tmp_path)

    def poison(metrics):
        with torch.no_grad():
            run.objective.network.new_fc.weight.fill_(float("nan"))

    run.on_epoch = poison
    with pytest.raises(
        UserError, match=r"nan at step 2 \(learning rate 0\.001, clips \d, \d, \d, \d\); lower"
    ):
        run.fit()
    assert len(training(tmp_path).resume()["history"]) == 1


def endless(run):
    """Let the gradient overflow in every step, while the loss stays finite."""
    run.objective.network.new_fc.weight.register_hook(lambda gradient: torch.full_like(gradient, math.inf))
    return run


def in_half_precision(monkeypatch, **scaling):
    """Train in 16-mixed, which Fabric offers on GPUs alone, on the CPU."""

    def fabric(**options):
        plugin = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", **scaling))
        return Fabric(**options | {"precision": None, "plugins": plugin})

    monkeypatch.setattr(processes, "Fabric", fabric)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_gradient_that_is_not_finite_stops_with_step_and_rate(tmp_path, precision):
    run = endless(training(tmp_path, recipe=RECIPE.model_copy(update={"precision": precision})))
    with pytest.raises(
        UserError, match=r"norm of the gradient is inf at step 0 \(learning rate .*; lower lr"
    ):
        run.fit()


def test_a_step_that_overflows_in_half_precision_is_left_out(tmp_path, monkeypatch):
    in_half_precision(monkeypatch, init_scale=2.0**40, backoff_factor=2.0**-30)
    run = training(tmp_path, recipe=RECIPE.model_copy(update={"epochs": 2, "precision": "16-mixed"}))
    before = [weight.clone() for weight in run.objective.parameters()]
    run.fit()
    state = run.resume()
    assert state["precision"]["scale"] == 2.0**10
    assert all(math.isfinite(value) for metrics in run.history for value in metrics.values())
    assert 0 < run.history[0]["grad_norm"] < 100
    assert any(not torch.equal(*pair) for pair in zip(before, run.objective.parameters(), strict=True))


def test_a_gradient_that_overflows_at_any_scale_stops(tmp_path, monkeypatch):
    in_half_precision(monkeypatch, init_scale=2.0)
    run = endless(training(tmp_path, recipe=RECIPE.model_copy(update={"precision": "16-mixed"})))
    with pytest.raises(UserError, match="norm of the gradient is inf at step 2 "):
        run.fit()


def test_the_objective_is_told_after_each_step_how_much_is_done(tmp_path):
    run, told = training(tmp_path), []
    run.objective.after_step = told.append
    run.fit()
    assert told == [step / 8 for step in range(1, 9)]


def test_a_gradient_is_cut_to_the_norm_that_is_set(tmp_path):
    run, norms = training(tmp_path, recipe=RECIPE.model_copy(update={"clip_norm": 0.01})), []
    weights_of = [weight for weight in run.objective.parameters() if weight.requires_grad]

    def note(done):
        norms.append(torch.stack([weight.grad.norm() for weight in weights_of]).norm())

    run.objective.after_step = note
    run.fit()
    assert max(norms) < 0.0101 < min(metrics["grad_norm"] for metrics in run.history)


def test_rates_of_layers_are_scaled_in_every_step(tmp_path, monkeypatch):
    recipe = FinetuneRecipe(
        frames=4,
        stride=2,
        size=32,
        layer_decay=0.5,
        epochs=2,
        warmup_epochs=0,
        batch_size=4,
        threads=1,
        rand_augment=None,
    )
    network = NetworkRecipe(backbone="vit_tiny", width=8, patch=8).built(1, recipe, 2, 0.0)
    made = []
    monkeypatch.setattr(train, "optimizer_for", lambda *given: made.append(optimizer_for(*given)) or made[-1])
    Training("id", recipe, 1, Supervised(network), Noise(), tmp_path / "c.pt", "test").fit()
    lr = rate_at(3, 4, 0, recipe)
    assert {group["lr"] / group["scale"] for group in made[0].param_groups} == {lr}
    assert len({group["scale"] for group in made[0].param_groups}) > 10


@pytest.mark.parametrize("purpose", ["augmented", "reseed"])
def test_each_step_of_each_seed_has_draws_of_its_own(tmp_path, monkeypatch, purpose):
    seeds, kept = [], getattr(train, purpose)

    def noted(*given):
        seeds.append(given[3].initial_seed() if purpose == "augmented" else given[1])
        return kept(*given)

    monkeypatch.setattr(train, purpose, noted)
    for seed in (1, 2):
        run = training(tmp_path / str(seed))
        run.seed = seed
        run.fit()
    assert len(seeds) == len(set(seeds)) == 16


def test_the_curriculum_is_told_the_epochs_done(tmp_path, monkeypatch):
    told, kept = [], train.augmented
    monkeypatch.setattr(train, "augmented", lambda *given: told.append(given[2]) or kept(*given))
    training(tmp_path).fit()
    assert told == [step / 2 for step in range(8)]


def test_it_computes_with_the_threads_of_its_recipe(tmp_path):
    run, seen = training(tmp_path), []
    run.objective.after_step = lambda done: seen.append(torch.get_num_threads())
    torch.set_num_threads(2)
    run.fit()
    assert set(seen) == {RECIPE.threads} == {1}


def test_a_checkpoint_is_due_after_so_many_minutes_since_the_last(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    pauses, found = Pauses(minutes=10), []
    pauses.written()
    for seconds in (599, 1):
        now[0] += seconds
        found.append(pauses.due())
    pauses.written()
    assert [*found, pauses.due()] == [False, True, False]

"""The training loop of both phases: steps, schedule, checkpoints.

Everything random is a function of the seed and the step or epoch, so a checkpoint holds no generator. On a
CPU, a run that was stopped at any step and resumed ends with the same weights as a run without a stop.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kinefract.common.errors import UserError, first_line
from kinefract.common.progress import progress
from kinefract.common.schema import digest_of
from kinefract.config.phases import TrainRecipe
from kinefract.models.seeded import reseed
from kinefract.objectives.base import Objective
from kinefract.training import checkpoint
from kinefract.training.accumulate import Step
from kinefract.training.checkpoint import Pauses, Stopped
from kinefract.training.data import ClipSource, EpochBatches, TrainingClips, training_loader
from kinefract.training.memory import keep_freed_memory
from kinefract.training.meter import Meter
from kinefract.training.processes import OTHER_ENDED, Processes, lost_another
from kinefract.training.views import augmented
from kinefract.training.workers import loaded

REFERENCE_BATCH = 32  # the batch size to which learning rates in recipes refer
LEAST_SCALE = 1.0  # least scale of the loss in 16-mixed; a gradient that overflows below has diverged
AUGMENT, DROPOUT = "augment", "dropout"  # purposes that keep random streams of one step apart


def rate_at(step: int, steps: int, warmup_steps: int, recipe: TrainRecipe) -> float:
    """Return the learning rate of a step: linear warm-up, then a cosine to the floor (method, section 5).

    Args:
        step: 0 to ``steps - 1``.
        steps: Steps of the whole run.
        warmup_steps: Steps of the warm-up; the peak is reached at this step.
        recipe: The recipe with peak, first and last rate, which are multiplied by the batch size over 32.
    """
    scale = recipe.batch_size / REFERENCE_BATCH
    if step < warmup_steps:
        return scale * (recipe.warmup_lr + (recipe.lr - recipe.warmup_lr) * step / warmup_steps)
    done = (step - warmup_steps) / max(1, steps - warmup_steps)
    floor = min(recipe.min_lr, recipe.lr)
    return scale * (floor + (recipe.lr - floor) * (1 + math.cos(math.pi * done)) / 2)


def optimizer_for(model: nn.Module, recipe: TrainRecipe) -> torch.optim.AdamW:
    """Return AdamW without weight decay on biases and norms, which are the parameters of one dimension.

    ``model`` is an objective, or a network alone if all its layers have one rate. Each group of parameters
    has a ``scale``, by which its learning rate is multiplied.
    """
    groups: dict[tuple[bool, float], dict[str, Any]] = {}
    scales = _scales(model, getattr(recipe, "layer_decay", 1.0))
    for weight in model.parameters():
        if weight.requires_grad:
            spared, scale = weight.ndim <= 1, scales.get(weight, 1.0)
            group = {"params": [], "weight_decay": 0.0 if spared else recipe.weight_decay, "scale": scale}
            groups.setdefault((spared, scale), group)["params"].append(weight)
    # All parameters are updated at once: the same to the bit as one after the other, in less time.
    every = [groups[key] for key in sorted(groups)]
    return torch.optim.AdamW(every, lr=recipe.lr, betas=recipe.betas, foreach=True)


def _scales(model: nn.Module, layer_decay: float) -> dict[nn.Parameter, float]:
    """Return the factor of each parameter's rate: less by ``layer_decay`` for each block before the head."""
    if layer_decay == 1:
        return {}
    assert isinstance(model, Objective)
    network = model.network
    head = network.depth + 1
    return {
        weight: layer_decay ** (head - network.depth_of(name)) for name, weight in network.named_parameters()
    }


def stream_seed(*key: int | str) -> int:
    """Return a 48-bit seed for one purpose of one step: equal for equal keys, unrelated for others."""
    return int(digest_of(list(key)), 16)


@dataclass(frozen=True)
class Execution:
    """Settings of how a run is executed. They change no result on a CPU and so are not part of a recipe."""

    workers: int = 0  # processes that read clips
    accelerator: str = "auto"  # or cpu, cuda
    pauses: Pauses = field(default_factory=Pauses)


@dataclass
class Training:
    """One run of the training loop, with everything it needs.

    ``spec_id`` is the id of the run, which its checkpoints bear; ``recipe`` and ``seed`` decide what is done,
    ``objective`` holds the network, and ``clips`` are those of training. ``checkpoint`` is the file to go on
    from and to write, ``what`` the run's name in its log. ``history`` has the metrics of finished epochs.
    ``computed_on`` has the number of processes and of nodes, and the device's name, once training has begun.
    ``on_epoch`` is called after each epoch with its metrics, once that epoch's checkpoint is on disk.
    ``on_snapshot`` is called before that, with the number of an epoch among the recipe's ``snapshots``.
    ``validate`` is called after every ``evaluate_every`` epochs of the recipe, and returns further metrics of
    the epoch. It may put the network into evaluation mode, but must not change it.
    ``on_first_batch`` is called with the first batch that the network sees, or the first part of it:
    normalised float (views, B, T, 3, H, W). ``on_last_batch`` is called with the last one of each
    epoch, before its step.
    """

    spec_id: str
    recipe: TrainRecipe
    seed: int
    objective: Objective
    clips: ClipSource
    checkpoint: Path
    what: str
    execution: Execution = field(default_factory=Execution)
    on_epoch: Callable[[dict], None] = lambda metrics: None
    on_first_batch: Callable[[torch.Tensor], None] = lambda batch: None
    on_last_batch: Callable[[torch.Tensor], None] = lambda batch: None
    on_snapshot: Callable[[int], None] = lambda epoch: None
    validate: Callable[[], dict[str, float]] = dict
    history: list[dict] = field(default_factory=list)
    computed_on: dict[str, int | str] = field(default_factory=dict, init=False)

    @property
    def snapshots(self) -> tuple[int, ...]:
        """Epochs after which the weights are kept, before the epoch's checkpoint is written."""
        return getattr(self.recipe, "snapshots", None) or ()

    @property
    def _validates(self) -> bool:
        """Whether the epoch that ends now is among those after which ``validate`` is called."""
        every = getattr(self.recipe, "evaluate_every", 0)
        return bool(every) and (len(self.history) + 1) % every == 0

    def resume(self) -> dict | None:
        """Return the checkpoint's content, or None if there is no checkpoint; set ``history`` from it.

        Raises:
            UserError: the checkpoint is damaged or belongs to another spec.
        """
        state = checkpoint.read(self.checkpoint, self.spec_id)
        self.history = state["history"] if state else []
        return state

    def fit(self, state: dict | None = None) -> None:
        """Train from ``state`` (a checkpoint, or None for the start) to the last epoch.

        Raises:
            UserError: the loss or the gradient is no longer finite, the GPU runs out of memory, or a process
                that reads clips dies; the last checkpoint is kept.
            Stopped: (a UserError) SIGTERM or the time limit came first; a checkpoint of this step is
                written.
        """
        try:
            self._fit(state)
        except torch.OutOfMemoryError as error:
            raise UserError(
                f"{self.what}: memory of the GPU ran out; set accumulate or precision: bf16-mixed, or lower "
                f"batch_size (lr scales with it), size, frames or width ({first_line(error)})"
            ) from error
        except RuntimeError as error:
            if not lost_another(error):
                raise
            raise UserError(f"{self.what}: {OTHER_ENDED}; the last checkpoint is kept") from error

    def _fit(self, state: dict | None) -> None:
        recipe, pauses = self.recipe, self.execution.pauses
        torch.set_num_threads(recipe.threads)
        keep_freed_memory()
        processes = Processes(recipe.precision, self.execution.accelerator)
        division = processes.division(recipe.batch_size, recipe.accumulate)
        fabric, device = processes.fabric, processes.device
        self.computed_on = processes.facts
        # In 16-mixed the scaler skips a step whose gradient overflows, and halves its scale for the next.
        scaler = getattr(fabric.strategy.precision, "scaler", None)
        if recipe.compile:
            self.objective.compile()
        self.objective = processes.prepare(self.objective)
        objective, optimizer = fabric.setup(self.objective, optimizer_for(self.objective, recipe))
        one = Step(self.objective, objective, fabric, processes.gather, recipe.accumulate)
        if state:
            self.objective.load_state_dict(state["objective"])
            optimizer.load_state_dict(state["optimizer"])
            fabric.strategy.precision.load_state_dict(state["precision"])
        step = state["step"] if state else 0
        meter = Meter(device, state["meter"] if state and processes.rank == 0 else None)
        batches = EpochBatches(
            len(self.clips.labels), recipe.batch_size, self.seed, step, recipe.epochs, division
        )
        clips = TrainingClips(self.clips, recipe, self.seed, self.objective.VIEWS)
        loader = training_loader(clips, batches, self.execution.workers)
        steps = batches.per_epoch * recipe.epochs
        warmup_steps = round(batches.per_epoch * recipe.warmup_epochs)

        def save() -> None:  # called by all processes, which add up their measurements
            begun = step > len(self.history) * batches.per_epoch
            measured = meter.state(processes.total) if begun else None
            if processes.rank:
                return
            content = {
                "spec": self.spec_id,
                "history": self.history,
                "step": step,
                "meter": measured,
                "objective": self.objective.state_dict(),
                "optimizer": optimizer.state_dict(),
                "precision": fabric.strategy.precision.state_dict(),
            }
            checkpoint.write(self.checkpoint, content)
            pauses.written()

        def end_epoch() -> None:
            nonlocal meter
            metrics = meter.metrics(processes.total)
            if self._validates:
                save()  # so that a job that is killed meanwhile goes on from here
                metrics |= self.validate()
                objective.train()
            lr = rate_at(step - 1, steps, warmup_steps, recipe)
            self.history.append({"epoch": len(self.history) + 1, "lr": lr, **metrics})
            meter = Meter(device)
            if processes.rank == 0 and len(self.history) in self.snapshots:
                self.on_snapshot(len(self.history))
            save()
            if processes.rank == 0:
                self.on_epoch(self.history[-1])

        def views_of(windows: torch.Tensor) -> Iterator[list[torch.Tensor]]:
            generator = torch.Generator().manual_seed(stream_seed(self.seed, AUGMENT, step, 0))
            epochs = step / batches.per_epoch
            parts = augmented(windows, recipe, epochs, generator, division, processes.gather)
            for share, views in zip(division.shares, parts, strict=True):
                if processes.rank == 0 and share.places[0] == 0:
                    if step == 0:
                        self.on_first_batch(torch.stack(views))
                    if (step + 1) % batches.per_epoch == 0:
                        self.on_last_batch(torch.stack(views))
                # Each process draws for the whole batch, and uses what is of its share.
                reseed(self.objective, stream_seed(self.seed, DROPOUT, step, 0), device, share)
                meter.mark("augment")
                yield views
                meter.mark("network")

        objective.train()
        with pauses, loaded(loader) as arriving:
            if len(self.history) < step // batches.per_epoch:  # it was killed while it validated
                end_epoch()
            # Of several processes none can stop alone, since all of them make each step together.
            awaited = pauses.batches(arriving) if processes.size == 1 else arriving
            for windows, labels, numbers in progress(awaited, self.what, len(batches), "steps"):
                meter.mark("data")
                lr = rate_at(step, steps, warmup_steps, recipe)
                for group in optimizer.param_groups:
                    group["lr"] = lr * group.get("scale", 1.0)  # which old checkpoints lack
                optimizer.zero_grad()
                views = partial(views_of, windows.to(device))
                loss, correct = one.backward(views, labels.to(device), numbers.to(device))
                norm = fabric.clip_gradients(
                    objective, optimizer, max_norm=recipe.clip_norm, error_if_nonfinite=False
                )
                assert norm is not None  # as it is when values, not the norm, are clipped
                if not torch.isfinite(loss + norm):  # the only wait for the GPU in a step
                    skipped = scaler and scaler.get_scale() >= LEAST_SCALE and torch.isfinite(loss)
                    if not skipped:
                        raise UserError(self._not_finite(loss, norm, step, lr, numbers.tolist()))
                optimizer.step()
                step += 1
                self.objective.after_step(step / steps)
                meter.step_done(loss, correct, norm, len(labels))
                ended = step % batches.per_epoch == 0
                if ended:
                    end_epoch()
                due, why = processes.agree((pauses.due(), pauses.stop()))
                if (due or why) and not ended:
                    save()
                if why and step < steps:
                    raise self._stopped(why, step, steps)
            if step < steps:  # the wait for a batch was ended
                save()
                raise self._stopped(pauses.stop(), step, steps)

    def _stopped(self, why: str | None, step: int, steps: int) -> Stopped:
        return Stopped(f"{self.what}: {why}, after step {step} of {steps}; run it again to go on from there")

    def _not_finite(
        self, loss: torch.Tensor, norm: torch.Tensor, step: int, lr: float, clips: list[int]
    ) -> str:
        what = "norm of the gradient" if torch.isfinite(loss) else "loss"
        value = (norm if torch.isfinite(loss) else loss).item()
        shown = ", ".join(map(str, sorted(clips)[:40])) + (", ..." if len(clips) > 40 else "")
        return (
            f"{self.what}: the {what} is {value} at step {step} (learning rate {lr:.2g}, clips {shown}); "
            f"lower lr, or raise warmup_epochs; {self.checkpoint} is the last good checkpoint"
        )

"""The training loop of both phases: steps, schedule, checkpoints.

Everything random is a function of the seed and the step or epoch, so a checkpoint holds no generator, and a
run that was stopped and resumed ends, on a CPU, with the weights of one that was not.
"""

import io
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import nn

from kinefract.augment.basic import augment
from kinefract.data import ClipSource, EpochBatches, TrainingClips, training_loader
from kinefract.errors import UserError
from kinefract.files import written_whole
from kinefract.models.dropout import reseed
from kinefract.objectives.supervised import supervised
from kinefract.progress import progress
from kinefract.recipes import TrainRecipe
from kinefract.schema import digest_of

REFERENCE_BATCH = 32  # the batch that learning rates in recipes are given for
AUGMENT, DROPOUT = "augment", "dropout"  # purposes that keep random streams of one step apart


def rate_at(step: int, steps: int, warmup_steps: int, recipe: TrainRecipe) -> float:
    """Return the learning rate of a step: linear warm-up, then a cosine to the floor (method, section 5).

    Args:
        step: 0 to ``steps - 1``.
        steps: Steps of the whole run.
        warmup_steps: Steps of the warm-up; the peak is reached at this step.
        recipe: Peak, first and last rate, which scale with the batch size over 32.
    """
    scale = recipe.batch_size / REFERENCE_BATCH
    if step < warmup_steps:
        return scale * (recipe.warmup_lr + (recipe.lr - recipe.warmup_lr) * step / warmup_steps)
    done = (step - warmup_steps) / max(1, steps - warmup_steps)
    floor = min(recipe.min_lr, recipe.lr)
    return scale * (floor + (recipe.lr - floor) * (1 + math.cos(math.pi * done)) / 2)


def optimizer_for(model: nn.Module, recipe: TrainRecipe) -> torch.optim.AdamW:
    """Return AdamW with no weight decay on biases and norms, which are the parameters of one dimension."""
    decayed = [weight for weight in model.parameters() if weight.ndim > 1]
    spared = [weight for weight in model.parameters() if weight.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=recipe.betas)


def stream_seed(*key: int | str) -> int:
    """Return a 48-bit seed for one purpose of one step: equal for equal keys, unrelated for others."""
    return int(digest_of(list(key)), 16)


@dataclass
class Training:
    """What one run of the loop needs.

    ``on_epoch`` is called after each epoch with its metrics, once that epoch's checkpoint is on disk.
    """

    spec_id: str
    recipe: TrainRecipe
    seed: int
    model: nn.Module
    clips: ClipSource
    checkpoint: Path
    what: str
    workers: int = 0
    on_epoch: Callable[[dict], None] = lambda metrics: None
    history: list[dict] = field(default_factory=list)

    def resume(self) -> dict | None:
        """Return the checkpoint's content, or None where there is none; ``history`` is taken from it.

        Raises:
            UserError: the checkpoint is damaged or belongs to another spec.
        """
        if not self.checkpoint.exists():
            return None
        try:
            state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        except Exception as error:
            raise UserError(f"{self.checkpoint}: damaged ({error}); delete it to start afresh") from error
        if state["spec"] != self.spec_id:
            raise UserError(
                f"{self.checkpoint}: belongs to {state['spec']}, not to {self.spec_id}; delete it"
            )
        self.history = state["history"]
        return state

    def fit(self, state: dict | None = None) -> None:
        """Train from ``state`` (a checkpoint, or None for the start) to the last epoch.

        Raises:
            UserError: the loss is no longer a finite number; the last checkpoint is kept.
        """
        recipe = self.recipe
        torch.set_num_threads(recipe.threads)
        fabric = Fabric(accelerator="auto", devices=1, precision=recipe.precision)
        model, optimizer = fabric.setup(self.model, optimizer_for(self.model, recipe))
        if state:
            self.model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
        first = len(self.history)
        batches = EpochBatches(len(self.clips.labels), recipe.batch_size, self.seed, first, recipe.epochs)
        loader = training_loader(TrainingClips(self.clips, recipe, self.seed), batches, self.workers)
        steps = batches.per_epoch * recipe.epochs
        warmup_steps = round(batches.per_epoch * recipe.warmup_epochs)
        step, meter = first * batches.per_epoch, Meter()
        model.train()
        for clips, labels in progress(loader, self.what, len(batches), "steps"):
            meter.data_came()
            lr = rate_at(step, steps, warmup_steps, recipe)
            for group in optimizer.param_groups:
                group["lr"] = lr
            generator = torch.Generator().manual_seed(stream_seed(self.seed, AUGMENT, step))
            reseed(self.model, stream_seed(self.seed, DROPOUT, step), fabric.device)
            inputs = augment(clips.to(fabric.device), recipe.flip, recipe.blur, generator)
            loss, correct = supervised(model(inputs), labels.to(fabric.device))
            if not torch.isfinite(loss):
                raise UserError(
                    f"{self.what}: the loss is {loss.item()} at step {step} (learning rate {lr:.2g}); "
                    f"lower lr, or raise warmup_epochs; {self.checkpoint} is as it was before this epoch"
                )
            optimizer.zero_grad()
            fabric.backward(loss)
            norm = fabric.clip_gradients(model, optimizer, max_norm=recipe.clip_norm)
            optimizer.step()
            step += 1
            meter.step_done(loss.detach(), correct, norm, len(labels))
            if step % batches.per_epoch == 0:
                self._end_epoch(meter.metrics(), lr, optimizer)
                meter = Meter()

    def _end_epoch(self, metrics: dict, lr: float, optimizer: torch.optim.Optimizer) -> None:
        self.history.append({"epoch": len(self.history) + 1, "lr": lr, **metrics})
        state = {
            "spec": self.spec_id,
            "history": self.history,
            "model": self.model.state_dict(),
            "optimizer": optimizer.state_dict(),
        }
        # In memory first: torch's own writer reports a full disk as an error of its own, without the reason.
        content = io.BytesIO()
        torch.save(state, content)
        with written_whole(self.checkpoint) as partial:
            partial.write_bytes(content.getbuffer())
        self.on_epoch(self.history[-1])


class Meter:
    """Means over the steps of one epoch, and where its time went."""

    def __init__(self) -> None:
        self.start = self.last = time.perf_counter()
        self.waited = 0.0
        self.clips = 0
        self.steps: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []

    def data_came(self) -> None:
        """Note that the step's batch is here: the time since the last step was spent waiting for it."""
        self.waited += time.perf_counter() - self.last

    def step_done(self, loss: torch.Tensor, correct: torch.Tensor, norm: torch.Tensor, clips: int) -> None:
        """Note the figures of one step, left on the device so that nothing waits for them."""
        self.steps.append((loss, correct, norm))
        self.clips += clips
        self.last = time.perf_counter()

    def metrics(self) -> dict[str, float]:
        """Return loss, top1, grad_norm, clips_per_second, data_share and seconds of the epoch."""
        losses, correct, norms = (
            torch.stack(column).float().cpu() for column in zip(*self.steps, strict=True)
        )
        seconds = time.perf_counter() - self.start
        return {
            "loss": losses.mean().item(),
            "top1": correct.sum().item() / self.clips,
            "grad_norm": norms.mean().item(),
            "clips_per_second": round(self.clips / seconds, 2),
            "data_share": round(self.waited / seconds, 4),
            "seconds": round(seconds, 3),
        }

"""Measure what a GPU does: `python speed/gpu.py [--json gpu.json]`, at most 8 minutes on one GPU.

Prints every figure, then PASS or FAIL for each target of docs/performance.md, and ends with status 1 if one
fails. `--miniature` does the same in small sizes, `--device cpu` on CPU tensors: to see that all goes
through, not how fast.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from train import network_alone, whole_loop

from kinefract.augment.effects import Filmed
from kinefract.common.provenance import made_with
from kinefract.config.phases import PretrainRecipe
from kinefract.config.specs import DatasetSpec, PretrainSpec
from kinefract.models import weights
from kinefract.objectives import OBJECTIVES
from kinefract.synth.dataset_recipe import Points
from kinefract.synth.families.fractal import FractalRecipe
from kinefract.synth.render.gpu_clips import draw_clips
from kinefract.synth.store.dataset import join, write_shard
from kinefract.training import feed
from kinefract.training.checkpoint import Pauses, Stopped
from kinefract.training.train import Execution, Training
from kinefract.training.views import augmented

OBJECTIVE_STEPS, RESUMED_STEPS = 20, 6
CELL = 16  # pixels, over which frames of the two renderers are averaged before they are compared


@dataclass(frozen=True)
class Sizes:
    """How large everything is that is measured."""

    dataset: FractalRecipe
    recipe: PretrainRecipe
    rendered: int  # clips, on the GPU
    on_cpu: int  # clips, on one core
    batch_rendered: int


WHOLE = Sizes(
    FractalRecipe(classes=32, clips_per_class=32, points=Points(steps=1500), clips_per_shard=1024),
    PretrainRecipe(
        backbone="tsm_resnet50",
        batch_size=32,
        precision="bf16-mixed",
        filmed=Filmed(curriculum_epochs=0.0),
        epochs=2,
        warmup_epochs=0,
    ),
    rendered=512,
    on_cpu=8,
    batch_rendered=64,
)
MINIATURE = Sizes(
    FractalRecipe(
        classes=4, clips_per_class=4, size=48, points=Points(steps=250, discard=50), clips_per_shard=16
    ),
    WHOLE.recipe.model_copy(
        update={"width": 8, "size": 32, "batch_size": 4, "precision": "32-true", "threads": 1}
    ),
    rendered=1,
    on_cpu=1,
    batch_rendered=1,
)


@dataclass(frozen=True)
class Target:
    """A figure that is to be reached."""

    what: str
    figure: str
    reached: Callable[[float], bool]


TARGETS = (
    Target("GPU renderer: at least 10 cores' clips a second", "render_over_core", lambda x: x >= 10),
    Target("GPU renderer: frames like a CPU's, correlation at least 0.97", "likeness", lambda x: x >= 0.97),
    Target("augmentation: at most 10 % of a step from the cache", "augment_share", lambda x: x <= 0.10),
    Target(
        "step from the cache: at most 1.15 times the bare network", "cache_over_bare", lambda x: x <= 1.15
    ),
    Target("step of clips rendered online: at most 1.5 times", "online_over_bare", lambda x: x <= 1.5),
    Target("objectives: all finite for 20 steps", "objectives_finite", lambda x: x == len(OBJECTIVES)),
    Target("resumed weights: within 1e-3 of uninterrupted", "resume_difference", lambda x: x <= 1e-3),
    Target("two jobs on one GPU: both end well", "two_jobs", lambda x: x == 2),
)


def rendering(sizes: Sizes, device: torch.device) -> dict[str, float]:
    """Return clips and points per second of both renderers, and how alike their frames are."""
    recipe = sizes.dataset
    recipe.draw(0)  # compiles
    start = time.process_time()
    drawn = [recipe.draw(index)[0] for index in range(sizes.on_cpu)]
    on_core = sizes.on_cpu / (time.process_time() - start)
    draw_clips(recipe, range(sizes.batch_rendered), device)
    _synchronise(device)
    start = time.perf_counter()
    for first in range(0, sizes.rendered, sizes.batch_rendered):
        draw_clips(recipe, range(first, first + sizes.batch_rendered), device)
    _synchronise(device)
    rate = sizes.rendered / (time.perf_counter() - start)
    points = np.mean(recipe.frames) * recipe.points.chains * recipe.points.steps
    same = draw_clips(recipe, range(sizes.on_cpu), device)
    likeness = [
        _likeness(a, b.cpu().numpy()) for a, (b, _) in zip(drawn, same, strict=True) if len(a) == len(b)
    ]
    return {
        "clips_per_second_of_a_core": on_core,
        "clips_per_second": rate,
        "points_per_second": rate * points,
        "render_over_core": rate / on_core,
        "likeness": min(likeness),
    }


def _likeness(first: np.ndarray, second: np.ndarray) -> float:
    """Return the correlation of two clips' frames, averaged over cells."""

    def cells(frames: np.ndarray) -> np.ndarray:
        count, height, width = frames.shape
        return frames.reshape(count, height // CELL, CELL, width // CELL, CELL).mean((2, 4)).ravel()

    return float(np.corrcoef(cells(first), cells(second))[0, 1])


def augmenting(recipe: PretrainRecipe, device: torch.device) -> float:
    """Return milliseconds per clip of all augmentations."""
    shape = (recipe.batch_size, 1, recipe.frames, 1, recipe.size, recipe.size)
    windows = torch.randint(0, 256, shape, dtype=torch.uint8).to(device)
    generator = torch.Generator()
    list(augmented(windows, recipe, 5.0, generator.manual_seed(1)))
    _synchronise(device)
    start = time.perf_counter()
    for step in range(10):
        list(augmented(windows, recipe, 5.0, generator.manual_seed(step)))
    _synchronise(device)
    return 100 * (time.perf_counter() - start) / recipe.batch_size


def training(spec: PretrainSpec, root: Path, device: torch.device) -> dict[str, float]:
    """Return clips per second of the bare network and of the loop, from the cache and rendered online."""
    recipe = spec.recipe
    steps = spec.dataset.recipe.clips // recipe.batch_size
    figures = {"bare_clips_per_second": network_alone(recipe, min(32, steps))}
    for source in ("cache", "online"):
        of_source = recipe.model_copy(update={"source": source})
        loop = whole_loop(spec.model_copy(update={"recipe": of_source}), root, workers=0)
        figures[f"{source}_clips_per_second"] = loop["clips_per_second"]
        figures[f"{source}_over_bare"] = figures["bare_clips_per_second"] / loop["clips_per_second"]
        figures[f"{source}_augment_share"] = loop["augment_share"]
        (root / "checkpoint.pt").unlink(missing_ok=True)
    if device.type == "cuda":
        figures["peak_gigabytes"] = torch.cuda.max_memory_allocated(device) / 1e9
    return {**figures, "augment_share": figures["cache_augment_share"]}


def _run(spec: PretrainSpec, root: Path, checkpoint: str, accelerator: str, pauses: Pauses) -> Training:
    recipe = spec.recipe
    network = recipe.built(1, recipe, 32, recipe.dropout)
    objective = weights.seeded(1, recipe.objective_recipe.build, network)
    source = feed.open_source(spec, root, accelerator)
    execution = Execution(0, accelerator, pauses)
    return Training("id", recipe, 1, objective, source, root / checkpoint, checkpoint, execution)


def all_objectives(spec: PretrainSpec, root: Path, accelerator: str) -> dict[str, float]:
    """Return each objective's loss after 20 steps, and how many are finite."""
    losses = {}
    clips = spec.dataset.recipe.clips
    for name in OBJECTIVES:
        epochs = max(1, -(-OBJECTIVE_STEPS * spec.recipe.batch_size // clips))
        settings = spec.recipe.model_dump() | {"objective": name, "epochs": epochs, "source": "cache"}
        settings["backbone"] = "vit_tiny" if name == "videomae" else spec.recipe.backbone
        settings["moco"] = {"queue": 4 * spec.recipe.batch_size} if name == "moco" else None
        run = _run(
            spec.model_copy(update={"recipe": PretrainRecipe.model_validate(settings)}),
            root,
            f"{name}.pt",
            accelerator,
            Pauses(),
        )
        run.fit()
        losses[f"loss_{name}"] = run.history[-1]["loss"]
    finite = sum(bool(np.isfinite(loss)) for loss in losses.values())
    return {**losses, "objectives_finite": finite}


class StopAfter(Pauses):
    """Asks for a stop once a number of steps is done."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.left = steps

    def stop(self) -> str:
        self.left -= 1
        return "stopped on purpose" if self.left == 0 else ""


def resuming(spec: PretrainSpec, root: Path, accelerator: str) -> float:
    """Return the largest difference of a weight between an uninterrupted run and a resumed one."""
    recipe = spec.recipe.model_copy(update={"epochs": 1, "source": "cache"})
    spec = spec.model_copy(update={"recipe": recipe})
    whole = _run(spec, root, "whole.pt", accelerator, Pauses())
    whole.fit()
    with contextlib.suppress(Stopped):
        _run(spec, root, "stopped.pt", accelerator, StopAfter(RESUMED_STEPS // 2)).fit()
    resumed = _run(spec, root, "stopped.pt", accelerator, Pauses())
    resumed.fit(resumed.resume())
    pairs = zip(whole.objective.network.parameters(), resumed.objective.network.parameters(), strict=True)
    return max((a - b).abs().max().item() for a, b in pairs)


def two_jobs(spec: PretrainSpec, root: Path, accelerator: str) -> int:
    """Return how many of two pre-trainings on one device at the same time end well."""
    jobs = []
    for seed in (1, 2):
        recipe = spec.recipe.model_copy(update={"seed": seed, "epochs": 1, "source": "cache"})
        path = spec.model_copy(update={"recipe": recipe}).write(root)
        command = [sys.executable, "-m", "kinefract.cli", "pretrain", str(path), "--accelerator", accelerator]
        jobs.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
    errors = [job.communicate()[1] for job in jobs]
    for job, error in zip(jobs, errors, strict=True):
        if job.returncode:
            print(error, file=sys.stderr)
    return sum(job.returncode == 0 for job in jobs)


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> int:
    """Measure, print, and return 1 if a target was not reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--miniature", action="store_true", help="small sizes, which say nothing of speed")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no GPU; --device cpu --miniature shows that all goes through")
    sizes = MINIATURE if options.miniature else WHOLE
    device, accelerator = torch.device(options.device), options.device

    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        spec = PretrainSpec(recipe=sizes.recipe, dataset=DatasetSpec(recipe=sizes.dataset))
        place = root / spec.dataset.folder
        write_shard(sizes.dataset, 0, place)
        join(sizes.dataset, place)
        for part, measure in (
            ("rendering", lambda: rendering(sizes, device)),
            ("augmenting", lambda: {"augment_ms_a_clip": augmenting(sizes.recipe, device)}),
            ("training", lambda: training(spec, root, device)),
            ("objectives", lambda: all_objectives(spec, root, accelerator)),
            ("resuming", lambda: {"resume_difference": resuming(spec, root, accelerator)}),
            ("two jobs", lambda: {"two_jobs": two_jobs(spec, root, accelerator)}),
        ):
            start = time.perf_counter()
            found = measure()
            figures |= found
            print(f"{part} ({time.perf_counter() - start:.0f} s)", flush=True)
            for name, value in found.items():
                print(f"  {name:32} {value:,.4g}", flush=True)
    failed = 0
    for target in TARGETS:
        fine = target.reached(figures[target.figure])
        failed += not fine
        print(f"{'PASS' if fine else 'FAIL'}  {target.what}: {figures[target.figure]:.4g}")
    if options.json:
        made = made_with(Path(__file__).parents[1])
        options.json.write_text(json.dumps({**figures, "made_with": made}, indent=2) + "\n", encoding="utf-8")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

"""Measure feeding and training: `python speed/train.py [--backbone tsm_resnet50] [--json train.json]`.

Clips a second from shards, cache and formulas, on one core; and a training step as the loop does it (data,
augmentation and network) against the network alone on fixed tensors. On a GPU where there is one: the cache
is then held in its memory, and ``online`` clips are rendered there.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import torch

from kinefract.augment.effects import Filmed
from kinefract.common.provenance import made_with
from kinefract.config.phases import PretrainRecipe
from kinefract.config.specs import DatasetSpec, PretrainSpec
from kinefract.synth.dataset_recipe import Points
from kinefract.synth.families.fractal import FractalRecipe
from kinefract.synth.store.dataset import join, write_shard
from kinefract.training import feed
from kinefract.training.data import TrainingClips
from kinefract.training.processes import Processes
from kinefract.training.train import Execution, Training, optimizer_for

SOURCES = ("shards", "cache", "online")


def feeding(spec: PretrainSpec, root: Path, clips: int) -> dict[str, float]:
    """Return clips per second of process time, windows read and cropped, from each source."""
    rates = {}
    torch.set_num_threads(1)  # as in a worker
    for name in SOURCES:
        recipe = spec.recipe.model_copy(update={"source": name})
        source = feed.open_source(spec.model_copy(update={"recipe": recipe}), root, "cpu")
        windows = TrainingClips(source, recipe, 1)
        windows[0, 0]
        start = time.process_time()
        for index in range(clips):
            windows[0, index % len(source.labels)]
        rates[name] = clips / (time.process_time() - start)
    return rates


def network_alone(recipe: PretrainRecipe, steps: int) -> float:
    """Return clips per second of forward, backward and update on a fixed batch."""
    torch.set_num_threads(recipe.threads)
    processes = Processes(recipe.precision)
    network = recipe.built(1, recipe, 16, recipe.dropout)
    model, optimizer = processes.fabric.setup(network, optimizer_for(network, recipe))
    model.eval()  # without dropout, which draws from a generator of the loop
    shape = (recipe.batch_size, recipe.frames, 3, recipe.size, recipe.size)
    clips = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(processes.device)
    for step in range(steps + 2):
        if step == 2:
            _synchronise()
            start = time.perf_counter()
        loss = model(clips).square().mean()
        optimizer.zero_grad()
        processes.fabric.backward(loss)
        optimizer.step()
    _synchronise()
    return recipe.batch_size * steps / (time.perf_counter() - start)


def whole_loop(spec: PretrainSpec, root: Path, workers: int) -> dict:
    """Return what the loop measured in its last epoch."""
    recipe = spec.recipe
    network = recipe.built(1, recipe, 16, recipe.dropout)
    objective = recipe.objective_recipe.build(network)
    source = feed.open_source(spec, root)
    run = Training("id", recipe, 1, objective, source, root / "checkpoint.pt", "loop", Execution(workers))
    start = time.process_time()
    run.fit()
    seen = recipe.epochs * (len(source.labels) // recipe.batch_size) * recipe.batch_size
    return {**run.history[-1], "clips_per_cpu_second": seen / (time.process_time() - start)}


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="tsm_resnet18")
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--size", type=int, default=112, help="pixels (default: 112)")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--precision", default="32-true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--clips", type=int, default=128, help="in the dataset (default: 128)")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()

    dataset = FractalRecipe(
        classes=16,
        clips_per_class=options.clips // 16,
        points=Points(steps=1500),
        clips_per_shard=options.clips,
    )
    recipe = PretrainRecipe(
        backbone=options.backbone,
        width=options.width,
        size=options.size,
        batch_size=options.batch,
        precision=options.precision,
        threads=options.threads,
        filmed=Filmed(curriculum_epochs=0),
        epochs=2,
        warmup_epochs=0,
    )
    spec = PretrainSpec(recipe=recipe, dataset=DatasetSpec(recipe=dataset))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        place = root / spec.dataset.folder
        write_shard(dataset, 0, place)
        join(dataset, place)
        figures = {"fed_per_second": feeding(spec, root, min(options.clips, 64))}
        figures["network_per_second"] = network_alone(recipe, max(2, options.clips // options.batch))
        figures["loop"] = whole_loop(spec, root, options.workers)
    for name, rate in figures["fed_per_second"].items():
        print(f"{name:10} {rate:8.0f} clips/s and core, 8 of 18-20 frames of {dataset.size} px, cropped")
    loop, network = figures["loop"], figures["network_per_second"]
    print(f"network alone, fixed tensors: {network:.1f} clips/s")
    whole = loop["clips_per_second"]
    print(f"whole loop: {whole:.1f} clips/s, {network / whole:.2f} times as long")
    print(f"whole loop: {loop['clips_per_cpu_second']:.1f} clips per CPU second of this process")
    print(", ".join(f"{part} {loop[f'{part}_share']:.1%}" for part in ("data", "augment", "network")))
    if options.json:
        made = made_with(Path(__file__).parents[1])
        options.json.write_text(json.dumps({**figures, "made_with": made}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

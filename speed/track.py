"""Measure what tracking costs: `python speed/track.py [--epochs 20] [--json track.json]`.

Logs a run to a new SQLite store as a job does (begin, epochs, end; a picture goes with the first epoch), and
compares that with the time of an epoch of the quickstart's pre-training, whose network is trained for a few
steps on fixed clips.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import torch

from kinefract import tracking
from kinefract.common.files import write_json, write_text
from kinefract.common.layout import EPOCHS, FIRST_BATCH, MODEL, PROGRESS, RESULT
from kinefract.common.provenance import made_with
from kinefract.config import params, plan
from kinefract.config.specs import PretrainSpec
from kinefract.tracking import RunExport, store
from kinefract.training.meter import STAGES
from kinefract.training.train import optimizer_for

ROOT = Path(__file__).parents[1]
STUDY = "quickstart"


def seconds_of_step(spec: PretrainSpec, steps: int) -> float:
    """Return the median seconds of a step's forward and backward pass and update, without data."""
    recipe, classes = spec.recipe, spec.dataset.recipe.classes
    torch.set_num_threads(recipe.threads)
    network = recipe.built(1, recipe, classes, recipe.dropout).eval()
    optimizer = optimizer_for(network, recipe)
    generator = torch.Generator().manual_seed(1)
    shape = (recipe.batch_size, recipe.frames, 3, recipe.size, recipe.size)
    clips = torch.randn(shape, generator=generator)
    labels = torch.randint(classes, (recipe.batch_size,), generator=generator)
    times = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        loss = torch.nn.functional.cross_entropy(network(clips), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def seconds_of_logging(spec: PretrainSpec, root: Path, epochs: int) -> dict[str, float]:
    """Return the seconds of each part of a run's logging; that of an epoch is the median."""
    folder = spec.write(root).parent
    lines = [json.dumps(epoch_line(number)) + "\n" for number in range(1, epochs + 1)]
    write_text(folder / PROGRESS, "")
    (folder / FIRST_BATCH).write_bytes(bytes(100_000))

    os.environ.pop("MLFLOW_TRACKING_URI", None)
    os.environ.update(store.SETTINGS)
    parts = {}
    clock = time.perf_counter()

    def lap(part: str) -> float:
        nonlocal clock
        parts[part] = time.perf_counter() - clock
        clock = time.perf_counter()
        return parts[part]

    from mlflow import MlflowClient  # noqa: F401 (the import is what is measured)

    lap("import")
    tracking.prepare(root, [STUDY])
    lap("new store")
    export = RunExport(root, spec)
    export.update()
    lap("begin")
    times = []
    for number in range(1, epochs + 1):
        write_text(folder / PROGRESS, "".join(lines[:number]))
        export.update()
        times.append(lap("epoch"))
    parts["epoch"], parts["slowest epoch"] = statistics.median(times), max(times)
    result = {"id": spec.id, "phase": "pretrain", "epochs": epochs, "loss": 1.0, "top1": 0.5, "made_with": {}}
    write_text(folder / EPOCHS, "".join(lines))
    write_json(folder / RESULT, result)
    (folder / MODEL).write_bytes(bytes(3_000_000))
    (folder / PROGRESS).unlink()
    clock = time.perf_counter()
    export.update()
    lap("end")
    return parts


def epoch_line(epoch: int) -> dict[str, float]:
    """Return a line of ``metrics.jsonl`` with as many numbers as training writes."""
    shares = {f"{part}_share": 0.3 for part in STAGES}
    sums = {"loss": 1 / epoch, "top1": 0.5, "grad_norm": 1.0, "megabytes": 900, "seconds": 6.0}
    return {"epoch": epoch, "lr": 1e-3, "clips_per_second": 100.0, **sums, **shares}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20, help="of the run (default: 20)")
    parser.add_argument("--steps", type=int, default=5, help="of training that are measured (default: 5)")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()

    resolved = plan.resolve(params.load(ROOT / "params.yaml"))
    run_id = next(run for variant in resolved.study(STUDY).variants for run in variant.pretrains.values())
    (spec,) = (spec for spec in resolved.pretrains.values() if spec.id == run_id)
    recipe = spec.dataset.recipe
    steps = recipe.classes * recipe.clips_per_class // spec.recipe.batch_size
    with tempfile.TemporaryDirectory() as folder:
        parts = seconds_of_logging(spec, Path(folder), options.epochs)
    step = seconds_of_step(spec, options.steps)
    share = parts["epoch"] / (steps * step)
    once = parts["begin"] + parts["end"]
    of_run = (once + options.epochs * parts["epoch"]) / (options.epochs * steps * step)
    for part, seconds in parts.items():
        print(f"{part:14} {1000 * seconds:9.1f} ms")
    print(f"a step of training takes {1000 * step:.1f} ms, an epoch of {steps} steps {steps * step:.2f} s")
    print(f"logging an epoch: {1000 * parts['epoch'] / steps:.3f} ms a step, {share:.3%} of it")
    print(f"a run of {options.epochs} epochs: {of_run:.3%}, and {parts['import']:.1f} s to import MLflow")
    if options.json:
        seconds = {part.replace(" ", "_"): round(value, 6) for part, value in parts.items()}
        figures = {"seconds": seconds, "step_seconds": step, "steps_per_epoch": steps, "epoch_share": share}
        write_json(options.json, {**figures, "run_share": of_run, "made_with": made_with(ROOT)})


if __name__ == "__main__":
    main()

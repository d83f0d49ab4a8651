"""The two kinds of run, from a spec file to a finished folder: pre-training, and fine-tuning with evaluation.

A run's folder is finished when its last file, ``model.safetensors``, is there. A run that is killed leaves
``checkpoint.pt``, from which the next one goes on.
"""

import json
import os
from pathlib import Path

import numpy as np
import torch

from kinefract import models, objectives
from kinefract.benchmarks import index
from kinefract.data import ClipSource, Videos
from kinefract.evaluate import evaluate
from kinefract.feed import open_source
from kinefract.files import sha256, write_json, write_text
from kinefract.models import weights
from kinefract.objectives.base import Objective
from kinefract.progress import say
from kinefract.provenance import made_with
from kinefract.schema import Section
from kinefract.specs import FinetuneSpec, PretrainSpec, Spec, project_root
from kinefract.tracking import Tracker
from kinefract.train import Execution, Training

MODEL, METRICS, RESULT = "model.safetensors", "metrics.jsonl", "result.json"
PREDICTIONS, CHECKPOINT, FIRST_BATCH = "predictions.csv", "checkpoint.pt", "first_batch.png"
SHOWN_CLIPS = 8  # of the first batch


def pretrain(spec_path: Path | str, execution: Execution) -> dict:
    """Pre-train as a spec says; write weights, metrics and ``result.json`` beside it.

    Args:
        spec_path: ``results/pretrain/<id>/spec.yaml``.
        execution: Workers, device, checkpoints and time limit, on which the result does not depend.

    Returns:
        The content of ``result.json``; of several processes all but the first return nothing.

    Raises:
        UserError: the spec, the dataset or a checkpoint cannot be used.
        Stopped: (a UserError) it was stopped before its end and can be run again to go on.
    """
    spec = PretrainSpec.read(spec_path)
    root = project_root(spec_path)
    clips = open_source(spec, root, execution.accelerator)
    recipe = spec.recipe
    model = weights.seeded(
        recipe.seed,
        models.build,
        recipe.backbone,
        recipe.width,
        recipe.frames,
        spec.dataset.recipe.classes,
        recipe.dropout,
    )
    objective = weights.seeded(
        recipe.seed, objectives.build, recipe.objective, model, recipe.objective_settings
    )
    params = _flat(pretraining=recipe, dataset=spec.dataset.recipe)
    tags = {"phase": "pretrain", "dataset": spec.dataset.id, "seed": str(recipe.seed)}
    folder = Path(spec_path).parent
    return _run(spec, folder, root, recipe.seed, objective, clips, execution, params, tags)


def finetune(spec_path: Path | str, execution: Execution) -> dict:
    """Fine-tune and evaluate as a spec says; as for ``pretrain``, with ``predictions.csv`` besides.

    Arguments, result and errors as for ``pretrain``.
    """
    spec = FinetuneSpec.read(spec_path)
    root = project_root(spec_path)
    videos = index.read(root / spec.benchmark.folder)
    recipe, network = spec.recipe, spec.network
    classes = 1 + max(entry.label for entry in videos)
    model = weights.seeded(
        spec.seed, models.build, network.backbone, network.width, recipe.frames, classes, recipe.dropout
    )
    if spec.init:
        weights.load_backbone(model, root / spec.init.folder / MODEL)
    train = Videos([entry for entry in videos if entry.split == "train"])
    test = [entry for entry in videos if entry.split == "test"]
    folder = Path(spec_path).parent
    params = _flat(finetuning=recipe, network=network, benchmark=spec.benchmark.recipe)
    if spec.init:
        params |= _flat(pretraining=spec.init.recipe, dataset=spec.init.dataset.recipe)
    tags = {
        "phase": "finetune",
        "benchmark": spec.benchmark.name,
        "seed": str(spec.seed),
        "pretrain": spec.init.id if spec.init else "scratch",
    }

    def finish() -> dict:
        return evaluate(model, test, recipe, folder / PREDICTIONS, root, execution.workers)

    objective = objectives.build("supervised", model)
    return _run(spec, folder, root, spec.seed, objective, train, execution, params, tags, finish)


def _run(
    spec: Spec,
    folder: Path,
    root: Path,
    seed: int,
    objective: Objective,
    clips: ClipSource,
    execution: Execution,
    params: dict,
    tags: dict[str, str],
    finish=dict,
) -> dict:
    """Train, then ``finish()`` (which may evaluate), then put the results in place, the weights last."""
    model = objective.network
    place = folder / CHECKPOINT
    training = Training(spec.id, spec.recipe, seed, objective, clips, place, spec.name, execution)
    state = training.resume()
    if int(os.environ.get("RANK", "0")):  # the first of several processes logs and writes
        training.fit(state)
        return {}
    if state:
        say(f"{spec.name}: going on after step {state['step']}, in epoch {len(training.history) + 1}")
    phase = tags["phase"]
    tags = {**tags, "name": spec.name, "commit": made_with(root)["commit"]}
    tracker = Tracker.open(root, phase, spec.id, spec.digest, params, tags, resumed=state is not None)
    for metrics in training.history:
        tracker.log_epoch(metrics, metrics["epoch"])

    def on_epoch(metrics: dict) -> None:
        tracker.log_epoch(metrics, metrics["epoch"])
        say(
            f"{spec.name}: epoch {metrics['epoch']}/{spec.recipe.epochs}  loss {metrics['loss']:.3f}  "
            f"top-1 {100 * metrics['top1']:.1f} %  {metrics['clips_per_second']:.0f} clips/s"
        )

    def on_first_batch(views: torch.Tensor) -> None:
        _show(views, folder / FIRST_BATCH)
        tracker.log_artifact(folder / FIRST_BATCH)

    training.on_epoch = on_epoch
    training.on_first_batch = on_first_batch
    try:
        training.fit(state)
        figures = finish()
        history = training.history
        seconds = sum(metrics["seconds"] for metrics in history)
        result = {
            "id": spec.id,
            "phase": phase,
            "epochs": len(history),
            "loss": history[-1]["loss"],
            "top1": history[-1]["top1"],
            **figures,
            "seconds": round(seconds, 3),
            "clips_per_second": round(_clips_seen(history) / seconds, 2),
            "parameters": weights.parameters(model),
            "made_with": made_with(root),
        }
        write_text(folder / METRICS, "".join(json.dumps(metrics) + "\n" for metrics in history))
        write_json(folder / RESULT, result)
        weights.save(model, folder / MODEL, spec.id)
    except BaseException:
        tracker.fail()
        raise
    model_hash = sha256(folder / MODEL)
    tracker.finish({**result, "model": f"{spec.folder}/{MODEL}", "model_sha256": model_hash})
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return result


def _show(views: torch.Tensor, path: Path) -> None:
    """Write what the network sees first: a row per clip and view (views, B, T, 3, H, W), its frames in it."""
    from kinefract.augment.basic import pixels
    from kinefract.synth import preview

    rows = [
        pixels(view[clip]).cpu().numpy() for clip in range(min(SHOWN_CLIPS, views.shape[1])) for view in views
    ]
    preview.write(path, preview.tile([list(np.moveaxis(frames, 1, -1)) for frames in rows]), fps=1)


def _clips_seen(history: list[dict]) -> float:
    return sum(metrics["clips_per_second"] * metrics["seconds"] for metrics in history)


def _flat(**sections: Section) -> dict[str, object]:
    """Return settings as ``section.key``."""
    return {
        f"{section}.{key}": value
        for section, recipe in sections.items()
        for key, value in recipe.model_dump(mode="json").items()
    }

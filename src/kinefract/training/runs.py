"""The two kinds of run, from a spec file to a finished folder: pre-training, and fine-tuning with evaluation.

A run's folder is finished when its last file, ``model.safetensors``, is there. Until then ``progress.jsonl``
has a line for each epoch. A run that is killed leaves ``checkpoint.pt``, from which the next one goes on.
"""

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kinefract import released
from kinefract.benchmarks import index
from kinefract.benchmarks.base import TRAIN, Video
from kinefract.common import checksums
from kinefract.common.errors import UserError
from kinefract.common.files import locked, sha256, write_json, write_text
from kinefract.common.layout import (
    CACHES,
    CHECKPOINT,
    CLASSES,
    EPOCHS,
    FIRST_BATCH,
    LOCK,
    MODEL,
    PREDICTIONS,
    PROGRESS,
    RECONSTRUCTION,
    RESULT,
    snapshot,
)
from kinefract.common.progress import log_line, rank
from kinefract.common.provenance import made_with
from kinefract.config.locate import title_of
from kinefract.config.networks import WeightsRecipe
from kinefract.config.run_files import is_finished, read_result
from kinefract.config.specs import FinetuneSpec, PretrainSpec, project_root
from kinefract.evaluation.evaluate import evaluate, validation_top1
from kinefract.evaluation.pool import pool
from kinefract.models import weights
from kinefract.models.base import Backbone
from kinefract.models.published import load_published
from kinefract.objectives.base import Objective
from kinefract.objectives.mixup import Mixup
from kinefract.objectives.probe import LinearProbe
from kinefract.objectives.supervised import Supervised
from kinefract.tracking import RunExport
from kinefract.training.cached import CachedVideos
from kinefract.training.data import ClipSource, Videos
from kinefract.training.feed import open_source
from kinefract.training.train import Execution, Training

SHOWN_CLIPS = 8  # of the first batch
RENDEZVOUS = "KINEFRACT_RENDEZVOUS"  # the environment variable with the address where processes meet


def pretrain(spec_path: Path | str, execution: Execution) -> dict[str, Any]:
    """Pre-train by a spec; write weights, metrics and ``result.json`` beside it.

    Args:
        spec_path: ``results/pretrain/<id>/spec.yaml``.
        execution: Workers, device, checkpoints and time limit; the result does not depend on them.

    Returns:
        The content of ``result.json``; if there are several processes, all but the first return an empty
        mapping.

    Raises:
        UserError: the spec, the dataset or a checkpoint cannot be used.
        Stopped: (a UserError) the run was stopped before its end; running it again resumes it.
    """
    spec = PretrainSpec.read(spec_path)
    root = project_root(spec_path)
    clips = open_source(spec, root, execution.accelerator)
    recipe = spec.recipe
    model = recipe.built(recipe.seed, recipe, spec.dataset.recipe.classes, recipe.dropout)
    objective = weights.seeded(recipe.seed, recipe.objective_recipe.build, model)
    folder = Path(spec_path).parent
    return alone(folder, partial(_run, spec, folder, root, recipe.seed, objective, clips, execution))


def finetune(spec_path: Path | str, execution: Execution) -> dict[str, Any]:
    """Fine-tune and evaluate by a spec; write the files of ``pretrain`` and ``predictions.csv``.

    On a benchmark with folds each fold is a run of its own, and their results are pooled.

    Arguments, result and errors as for ``pretrain``.
    """
    spec = FinetuneSpec.read(spec_path)
    root = project_root(spec_path)
    if spec.folds:
        return pool(spec, root)
    checksums.check_all(root / spec.benchmark.folder)
    videos = index.read(root / spec.benchmark.folder)
    read_from = index.fingerprint(root / spec.benchmark.folder, root)
    recipe = spec.recipe
    names = index.read_classes(root / spec.benchmark.folder)
    model = spec.network.built(spec.seed, recipe, len(names), recipe.dropout, recipe.drop_path)
    _start(spec, model, root)
    train, tested = _sources(spec, videos, root)
    test = [entry for entry in videos if entry.split != TRAIN]  # or the validation part that replaces them
    folder = Path(spec_path).parent

    workers, accelerator = execution.workers, execution.accelerator

    def validate() -> dict[str, float]:
        return {"validation_top1": validation_top1(model, test, recipe, workers, accelerator, tested)}

    def finish() -> dict[str, Any]:
        write_json(folder / CLASSES, names)
        out = folder / PREDICTIONS
        figures = evaluate(model, test, recipe, out, root, workers, names, accelerator, tested)
        return {**figures, "index": read_from}

    if recipe.method == "linear_probe":
        objective: Objective = LinearProbe(model)
    else:
        objective = Mixup(model, recipe.mixup) if recipe.mixup else Supervised(model)
    work = partial(_run, spec, folder, root, spec.seed, objective, train, execution, finish, validate)
    return alone(folder, work)


def _sources(spec: FinetuneSpec, videos: list[Video], root: Path) -> tuple[ClipSource, ClipSource]:
    """Return the sources of the training and the evaluation videos, from files or from a cache."""
    train = [place for place, entry in enumerate(videos) if entry.split == TRAIN]
    test = [place for place, entry in enumerate(videos) if entry.split != TRAIN]
    if not train or not test:
        raise UserError(
            f"{spec.benchmark.folder}: lists no videos to {'evaluate' if train else 'train'} on; bring them, "
            "or name the benchmark's `classes:` that have some"
        )
    if spec.recipe.source == "cache":
        cached = CachedVideos(videos, root / CACHES / spec.benchmark.id, spec.recipe.resize)
        return cached.only(train), cached.only(test)
    return Videos([videos[place] for place in train]), Videos([videos[place] for place in test])


def _start(spec: FinetuneSpec, model: Backbone, root: Path) -> None:
    """Load the weights from which a run starts into the network.

    Raises:
        UserError: the weights are missing, are not those that the recipe names, or do not fit the network.
    """
    match spec.init:
        case PretrainSpec():
            weights.load_backbone(model, root / str(spec.start))
        case WeightsRecipe():
            path = released.file_of(spec.init, root)
            if not path.is_file():
                raise UserError(
                    f"{path}: no such file; weights that others published are yours to bring, "
                    "kinefract's own come with its installation"
                )
            found = sha256(path)
            if spec.init.sha256 is None:
                raise UserError(
                    f"{path}: the configuration does not say which weights these are to be, so nobody could "
                    f"repeat the run; if they are the right ones, add `sha256: {found}` beside `file`"
                )
            if spec.init.sha256 != found:
                raise UserError(f"{path}: its SHA-256 is {found}, the configuration wants {spec.init.sha256}")
            load_published(model, path)


def alone(folder: Path, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do the work of a run while no other job works in its folder; return the content of ``result.json``.

    A job can outlive the one that started it, so another may find the run finished when it has waited.
    """
    if RENDEZVOUS in os.environ:  # whoever has started several processes waits for them
        return work()
    with locked(folder / LOCK, "works on this run") as waited:
        return dict(read_result(folder)) if waited and is_finished(folder) else work()


def _run(
    spec: PretrainSpec | FinetuneSpec,
    folder: Path,
    root: Path,
    seed: int,
    objective: Objective,
    clips: ClipSource,
    execution: Execution,
    finish: Callable[[], dict[str, Any]] = dict,
    validate: Callable[[], dict[str, float]] = dict,
) -> dict[str, Any]:
    """Train, call ``finish()`` (which may evaluate), then write the results, the weights last.

    ``validate`` is that of ``Training``.
    """
    model = objective.network
    place = folder / CHECKPOINT
    title = title_of(spec, root)
    training = Training(spec.id, spec.recipe, seed, objective, clips, place, title, execution)
    state = training.resume()
    if rank():
        training.fit(state)
        return {}
    if state:
        log_line(f"{title}: going on after step {state['step']}, in epoch {len(training.history) + 1}")
    checksums.remove(folder)
    _write_lines(folder / PROGRESS, training.history)
    export = RunExport(root, spec, live=True)
    export.update()

    def on_epoch(metrics: dict[str, Any]) -> None:
        _write_lines(folder / PROGRESS, training.history)
        export.update()
        held_out = metrics.get("validation_top1")
        log_line(
            f"{title}: epoch {metrics['epoch']}/{spec.recipe.epochs}  loss {metrics['loss']:.3f}  "
            f"top-1 {100 * metrics['top1']:.1f} %  {metrics['clips_per_second']:.0f} clips/s"
            + ("" if held_out is None else f"  validation top-1 {100 * held_out:.1f} %")
        )

    def on_first_batch(views: torch.Tensor) -> None:
        _show(views, folder / FIRST_BATCH)

    def on_last_batch(views: torch.Tensor) -> None:
        if pictures := objective.pictures([view[:SHOWN_CLIPS] for view in views]):
            _show(torch.stack(pictures), folder / RECONSTRUCTION)

    training.on_epoch = on_epoch
    training.validate = validate
    training.on_first_batch = on_first_batch
    training.on_last_batch = on_last_batch
    training.on_snapshot = lambda epoch: weights.save(model, folder / snapshot(epoch), spec.id)
    try:
        training.fit(state)
        figures = finish()
        history = training.history
        seconds = sum(metrics["seconds"] for metrics in history)
        result = {
            "id": spec.id,
            "phase": Path(spec.PARENT).name,
            "epochs": len(history),
            "loss": history[-1]["loss"],
            "top1": history[-1]["top1"],
            **figures,
            "seconds": round(seconds, 3),
            "clips_per_second": round(_clips_seen(history) / seconds, 2),
            "parameters": weights.parameters(model),
            **training.computed_on,
            "made_with": made_with(root),
        }
        _write_lines(folder / EPOCHS, history)
        write_json(folder / RESULT, result)
        (folder / PROGRESS).unlink()
        with checksums.last_file(folder / MODEL) as unfinished:
            unfinished.write_bytes(weights.encoded(model.state_dict(), spec.id))
            export.update(unfinished)  # before the folder is finished, so that no kill leaves it out
    except BaseException:
        export.fail()
        raise
    # A scheduler with a time limit may yet count the job as failed. Its outputs are then deleted, and the
    # next attempt needs the checkpoint; `kinefract prune` removes it.
    if execution.pauses.limit is None:
        (folder / CHECKPOINT).unlink(missing_ok=True)
    return result


def _show(views: torch.Tensor, path: Path) -> None:
    """Write a picture of the first batch (views, B, T, 3, H, W): a row of frames per clip and view."""
    from kinefract.augment.basic import pixels
    from kinefract.viewing import tiles

    rows = [
        pixels(view[clip]).cpu().numpy() for clip in range(min(SHOWN_CLIPS, views.shape[1])) for view in views
    ]
    pictures = [picture for frames in rows for picture in np.moveaxis(frames, 1, -1)]
    tiles.write(path, tiles.grid(pictures, views.shape[2]), fps=1)


def _write_lines(path: Path, history: list[dict[str, Any]]) -> None:
    """Write the metrics as JSON lines, one line per epoch."""
    write_text(path, "".join(json.dumps(metrics) + "\n" for metrics in history))


def _clips_seen(history: list[dict[str, Any]]) -> float:
    return sum(metrics["clips_per_second"] * metrics["seconds"] for metrics in history)

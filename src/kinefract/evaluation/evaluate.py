"""Evaluation by the papers' protocol (method, section 5): scores are means over windows, figures over videos.

Beside ``predictions.csv`` an evaluation leaves ``per_class.csv``, ``confusion.svg`` and ``mistakes.png``.
"""

import csv
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from kinefract.augment.basic import normalise
from kinefract.benchmarks.base import Video
from kinefract.common.errors import UserError
from kinefract.common.files import write_text, written_whole
from kinefract.common.layout import CONFUSION, MISTAKES, PER_CLASS
from kinefract.common.progress import progress
from kinefract.common.words import counted
from kinefract.config.phases import FinetuneRecipe
from kinefract.evaluation.confusion import confusion_svg
from kinefract.evaluation.mistakes import write_mistakes
from kinefract.evaluation.predictions import COLUMNS
from kinefract.evaluation.scores import ClassRow, best, confusion, mean_class_accuracy, per_class, top_k
from kinefract.training.data import ClipSource, EvaluationWindows, Videos, evaluation_loader
from kinefract.training.devices import own_gpu
from kinefract.training.environment import environment
from kinefract.training.workers import loaded


@torch.inference_mode()
def scores(
    model: nn.Module,
    videos: list[Video],
    recipe: FinetuneRecipe,
    workers: int,
    what: str,
    accelerator: str = "auto",
    source: ClipSource | None = None,
    middle: bool = False,
) -> np.ndarray:
    """Return each video's softmax scores averaged over its windows: float32, (videos, classes).

    One video is one batch, so memory does not grow with the number or length of videos. The model is in
    evaluation mode afterwards.

    Args:
        model: A network that maps normalised clips, float (B, T, 3, H, W), to logits (B, classes).
        videos: The videos, at least one.
        recipe: The recipe with windows, sizes, precision and threads.
        workers: Number of processes that read videos; 0 for this one alone.
        what: What the progress bar says.
        accelerator: The device: ``auto``, ``cpu`` or ``cuda``.
        source: The same videos from a cache; None for their files.
        middle: Take the middle window of each video alone.

    Raises:
        UserError: a video cannot be read, scores are not finite, or a GPU is requested and there is none.
    """
    gpu = own_gpu(accelerator)
    torch.set_num_threads(recipe.threads)
    device, devices = ("cpu", 1) if gpu is None else ("cuda", [gpu])
    fabric = Fabric(accelerator=device, devices=devices, precision=recipe.precision, plugins=environment())
    model = fabric.setup_module(model).eval()
    loader = evaluation_loader(EvaluationWindows(source or Videos(videos), recipe, middle), workers)
    results = []
    with loaded(loader) as arriving:
        for windows in progress(arriving, what, len(videos), "videos"):
            logits = model(normalise(windows.to(fabric.device)))
            results.append(logits.float().softmax(1).mean(0).cpu())
    averaged = torch.stack(results).numpy()
    bad = np.flatnonzero(~np.isfinite(averaged).all(1))
    if len(bad):
        raise UserError(
            f"{what}: for {len(bad)} of {counted(len(videos), 'video')} the network's scores are not finite, "
            f"first {videos[bad[0]].path}; its weights have diverged: lower lr, or use 32-true precision"
        )
    return averaged


def evaluate(
    model: nn.Module,
    videos: list[Video],
    recipe: FinetuneRecipe,
    path: Path,
    root: Path,
    workers: int,
    classes: Sequence[str],
    accelerator: str = "auto",
    source: ClipSource | None = None,
) -> dict:
    """Evaluate a model on test videos, write its predictions and return the figures.

    Args:
        model: A network that maps normalised clips to logits.
        videos: At least one video; labels count the model's outputs.
        recipe: The recipe with windows, sizes and precision.
        path: The CSV file of predictions; the other files lie beside it.
        root: The folder relative to which paths of videos below it are written.
        workers: Number of processes that read videos.
        classes: Names of the model's outputs.
        accelerator: The device: ``auto``, ``cpu`` or ``cuda``.
        source: The same videos from a cache; None for their files.

    Returns:
        ``top1``, ``top5`` (over all classes if there are fewer than five) and ``mean_class_accuracy`` (0 to
        1), ``videos``, ``evaluation_seconds``.

    Raises:
        UserError: as for ``scores``, or a file cannot be written.
    """
    start = time.perf_counter()
    predicted = scores(model, videos, recipe, workers, "evaluating", accelerator, source)
    write_predictions(Path(path), videos, predicted, root)
    figures = write_figures(Path(path), videos, predicted, classes)
    return {**figures, "evaluation_seconds": round(time.perf_counter() - start, 3)}


def validation_top1(
    model: nn.Module,
    videos: list[Video],
    recipe: FinetuneRecipe,
    workers: int,
    accelerator: str = "auto",
    source: ClipSource | None = None,
) -> float:
    """Return the share (0 to 1) of validation videos that a network recognises during its training.

    It sees the middle window of each video alone. That takes a fraction of the time of ``evaluate``, which
    averages over up to ``recipe.windows``, and gives a somewhat lower share. The model is in evaluation mode
    afterwards, and nothing else about it changes.

    Raises:
        UserError: as for ``scores``.
    """
    predicted = scores(model, videos, recipe, workers, "validating", accelerator, source, middle=True)
    return top_k(predicted, np.array([entry.label for entry in videos]), 1)


def write_figures(path: Path, videos: list[Video], predicted: np.ndarray, classes: Sequence[str]) -> dict:
    """Write the files that are made from scores beside the CSV file of predictions; return the figures.

    Args:
        path: The CSV file of predictions; the files lie beside it.
        videos: The evaluated videos.
        predicted: Scores, float (videos, classes).
        classes: The names in label order.

    Returns:
        ``top1``, ``top5``, ``mean_class_accuracy`` (0 to 1) and ``videos``.
    """
    labels = np.array([entry.label for entry in videos])
    matrix = confusion(best(predicted, 1)[:, 0], labels, predicted.shape[1])
    write_per_class(path.with_name(PER_CLASS), per_class(matrix, classes))
    write_text(path.with_name(CONFUSION), confusion_svg(matrix, classes))
    write_mistakes(path.with_name(MISTAKES), videos, predicted, classes)
    return {
        "top1": top_k(predicted, labels, 1),
        "top5": top_k(predicted, labels, 5),
        "mean_class_accuracy": mean_class_accuracy(matrix),
        "videos": len(videos),
    }


def write_predictions(path: Path, videos: list[Video], predicted: np.ndarray, root: Path) -> None:
    """Write a row per video: path, label, class, prediction, its correctness, five best labels and scores.

    Paths below ``root`` are written relative to it, so that they are the same in every clone.
    """
    rows = []
    for entry, result in zip(videos, predicted, strict=True):
        five = best(result, 5)
        place = Path(entry.path)
        place = place.relative_to(root) if place.is_relative_to(root) else place
        top5 = " ".join(f"{label}:{result[label]:.4f}" for label in five)
        rows.append([place, entry.label, entry.class_name, five[0], int(five[0] == entry.label), top5])
    write_rows(path, COLUMNS, rows)


def write_per_class(path: Path, rows: Iterable[ClassRow]) -> None:
    """Write a row per class: its videos, how many are correct, and the most frequent wrong prediction."""
    header = ["class", "videos", "correct", "accuracy", "most_confused_with", "count"]
    write_rows(path, header, [[*row[:3], _share(row.accuracy), *row[4:]] for row in rows])


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def write_rows(path: Path, header: list[str], rows: Iterable[Sequence]) -> None:
    """Write a CSV file, whole or not at all; its first line holds the names of the columns."""
    # File names are bytes: those that are not UTF-8 pass through as surrogates, as everywhere in Python.
    with (
        written_whole(path) as partial,
        partial.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)

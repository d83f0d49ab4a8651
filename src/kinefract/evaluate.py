"""The papers' protocol: scores averaged over windows, top-1 and top-5 over videos (method, section 5)."""

import csv
import time
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from kinefract.augment.basic import normalise
from kinefract.benchmarks.recipes import Video
from kinefract.data import EvaluationWindows, Videos, evaluation_loader
from kinefract.files import written_whole
from kinefract.progress import progress
from kinefract.recipes import FinetuneRecipe


@torch.inference_mode()
def scores(
    model: nn.Module, videos: list[Video], recipe: FinetuneRecipe, workers: int, what: str
) -> np.ndarray:
    """Return each video's softmax scores averaged over its windows: float32, (videos, classes).

    One video is one batch, so memory does not grow with their number or length.
    """
    torch.set_num_threads(recipe.threads)
    fabric = Fabric(accelerator="auto", devices=1, precision=recipe.precision)
    model = fabric.setup_module(model).eval()
    loader = evaluation_loader(EvaluationWindows(Videos(videos), recipe), workers)
    results = []
    for windows in progress(loader, what, len(videos), "videos"):
        logits = model(normalise(windows.to(fabric.device)))
        results.append(logits.float().softmax(1).mean(0).cpu())
    return torch.stack(results).numpy()


def top_k(predicted: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Return the share of videos whose label is among the ``k`` best; equal scores rank by class."""
    best = np.argsort(-predicted, axis=1, kind="stable")[:, :k]
    return float((best == labels[:, None]).any(1).mean())


def write_predictions(path: Path, videos: list[Video], predicted: np.ndarray, root: Path) -> None:
    """Write a row per video: path, label, class, prediction, if it is right, five best labels and scores.

    Paths below ``root`` are written relative to it, so that they are the same in every clone.
    """
    with written_whole(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["path", "label", "class", "predicted", "correct", "top5"])
        for entry, result in zip(videos, predicted, strict=True):
            best = np.argsort(-result, kind="stable")[:5]
            top5 = " ".join(f"{label}:{result[label]:.4f}" for label in best)
            place = Path(entry.path)
            place = place.relative_to(root) if place.is_relative_to(root) else place
            rows.writerow([place, entry.label, entry.class_name, best[0], int(best[0] == entry.label), top5])


def evaluate(
    model: nn.Module, videos: list[Video], recipe: FinetuneRecipe, path: Path, root: Path, workers: int
) -> dict:
    """Evaluate a model on test videos, write its predictions to ``path`` and return the figures.

    Returns:
        ``top1`` and ``top5`` (0 to 1), ``videos``, ``evaluation_seconds``.
    """
    start = time.perf_counter()
    predicted = scores(model, videos, recipe, workers, "evaluating")
    write_predictions(path, videos, predicted, root)
    labels = np.array([entry.label for entry in videos])
    return {
        "top1": top_k(predicted, labels, 1),
        "top5": top_k(predicted, labels, 5),
        "videos": len(videos),
        "evaluation_seconds": round(time.perf_counter() - start, 3),
    }

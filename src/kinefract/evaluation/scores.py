"""Figures computed from scores: top-k accuracy, the confusion matrix, and its figures for each class."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class ClassRow(NamedTuple):
    """The results of one class; ``accuracy`` is None if the class has no videos.

    ``confused_with`` is the most frequent wrong prediction for its videos, and ``confused`` the number of
    those videos; they are "" and 0 if no prediction was wrong. Among classes that tie it is the first.
    """

    class_name: str
    videos: int
    correct: int
    accuracy: float | None
    confused_with: str
    confused: int


def best(scores: np.ndarray, k: int) -> np.ndarray:
    """Return the ``k`` best classes of each video (all if there are fewer), the best first.

    Equal scores rank by class.

    Args:
        scores: float, (videos, classes) or (classes,) for one video.
        k: At least 1.

    Returns:
        int64, the shape of ``scores`` with min(k, classes) last.
    """
    return np.argsort(-scores, axis=-1, kind="stable")[..., :k]


def top_k(scores: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Return the share (0 to 1) of videos whose label is among the ``k`` best."""
    return float((best(scores, k) == labels[:, None]).any(1).mean())


def confusion(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Count videos by class and prediction.

    Args:
        predicted: int, (videos,), 0 to classes - 1.
        labels: int, (videos,), likewise.
        classes: How many there are.

    Returns:
        int64, (classes, classes); row i counts the videos of class i by predicted class.
    """
    pairs = labels.astype(np.int64) * classes + predicted
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def mean_class_accuracy(matrix: np.ndarray) -> float:
    """Return the mean, over the classes that occur, of the share (0 to 1) of correctly predicted videos."""
    videos = matrix.sum(1)
    return float((matrix.diagonal()[videos > 0] / videos[videos > 0]).mean())


def per_class(matrix: np.ndarray, classes: Sequence[str]) -> list[ClassRow]:
    """Return a row per class, in label order.

    Args:
        matrix: As ``confusion`` returns it.
        classes: The names, in label order.
    """
    rows = []
    for label, (name, row) in enumerate(zip(classes, matrix, strict=True)):
        videos, correct = int(row.sum()), int(row[label])
        wrong = row.copy()
        wrong[label] = 0
        other = int(wrong.argmax())
        confused = int(wrong[other])
        accuracy = correct / videos if videos else None
        rows.append(ClassRow(name, videos, correct, accuracy, classes[other] if confused else "", confused))
    return rows

"""The predictions of a run on its test videos, as its ``predictions.csv`` holds them."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kinefract.common import checksums
from kinefract.common.layout import PREDICTIONS, RESULT
from kinefract.common.records import damaged

COLUMNS = ["path", "label", "class", "predicted", "correct", "top5"]


@dataclass(frozen=True)
class Predictions:
    """One run's predictions, in the order of the videos in its index.

    Attributes:
        rows: The rows of the file as texts, in the order of ``COLUMNS``.
        paths: The videos.
        classes: Their classes.
        right: bool (N,), whether the first prediction was right.
    """

    rows: list[list[str]]
    paths: tuple[str, ...]
    classes: tuple[str, ...]
    right: np.ndarray


def read(folder: Path) -> Predictions:
    """Read the predictions in a run's folder.

    Raises:
        UserError: the file is damaged; the message names the line.
        FileNotFoundError: there is no such file.
    """
    path = folder / PREDICTIONS
    text = checksums.read_bytes(path).decode("utf-8", "surrogateescape")
    try:
        header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    except (ValueError, csv.Error) as error:
        raise damaged(path, f"cannot be read as CSV ({error})") from error
    if header != COLUMNS or not rows:
        raise damaged(path, f"its first line is not {','.join(COLUMNS)}" if rows else "it has no predictions")
    for number, row in enumerate(rows, 2):
        if len(row) != len(COLUMNS) or row[4] != str(int(row[1] == row[3])):
            raise damaged(path, f"line {number}: {row[1:5]} is no label, class, prediction and correctness")
    paths, _, classes, _, correct, _ = zip(*rows, strict=True)
    return Predictions(rows, paths, classes, np.array(correct) == "1")


def contradiction(folder: Path, result: Mapping[str, Any]) -> str:
    """Return how a run's predictions contradict its result; empty if they agree, or if there are none.

    Raises:
        UserError: the predictions are damaged.
    """
    try:
        found = read(folder)
    except FileNotFoundError:
        return ""
    videos, top1 = len(found.right), float(found.right.mean())
    if videos == result.get("videos", videos) and abs(top1 - result["top1"]) < 1e-6:
        return ""
    return str(
        damaged(
            folder / PREDICTIONS,
            f"{100 * top1:.2f} % of {videos} predictions are right, {RESULT} says "
            f"{100 * result['top1']:.2f} % of {result.get('videos', videos)}",
        )
    )

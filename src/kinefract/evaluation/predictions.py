"""The predictions of a run on its test videos, as its ``predictions.csv`` holds them."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kinefract.common import checksums
from kinefract.common.layout import PREDICTIONS, RESULT
from kinefract.common.records import damaged
from kinefract.common.schema import short

BEST = r"\d+:\d(\.\d+)?( \d+:\d(\.\d+)?)*"  # labels and scores, best first
COLUMNS = ["path", "label", "class", "predicted", "correct", "top5"]


@dataclass(frozen=True)
class Predictions:
    """One run's predictions, in the order of the videos in its index.

    Attributes:
        paths: The videos.
        classes: Their classes.
        labels: int32 (N,), the labels of their classes.
        predicted: int32 (N,), the labels that were predicted.
        right: bool (N,), whether the first prediction was right.
    """

    paths: tuple[str, ...]
    classes: tuple[str, ...]
    labels: np.ndarray
    predicted: np.ndarray
    right: np.ndarray


def read(folder: Path) -> Predictions:
    """Read the predictions in a run's folder. A file is parsed once as long as it does not change.

    Raises:
        UserError: the file is damaged; the message names the line.
        FileNotFoundError: there is no such file.
    """
    path = folder / PREDICTIONS
    facts = path.stat()
    return _read(path, facts.st_ino, facts.st_size, facts.st_mtime_ns)


def read_rows(folder: Path) -> list[list[str]]:
    """Return the rows of the same file as texts, in the order of ``COLUMNS``.

    Raises:
        UserError: the file is damaged; the message names the line.
        FileNotFoundError: there is no such file.
    """
    path = folder / PREDICTIONS
    frame = _frame(path)
    wrong = np.flatnonzero(~frame["top5"].str.fullmatch(BEST))
    if len(wrong):
        text = short(frame["top5"].iloc[wrong[0]])
        raise damaged(path, f"line {wrong[0] + 2}: {text} is no list of label:score")
    return frame.to_numpy().tolist()


@lru_cache(maxsize=512)
def _read(path: Path, inode: int, size: int, time: int) -> Predictions:
    frame = _frame(path)
    try:
        labels, predicted = (frame[key].to_numpy().astype(np.int32) for key in ("label", "predicted"))
    except (ValueError, OverflowError) as error:
        raise damaged(path, f"label or prediction: {error}") from error
    paths, classes = _once(tuple(frame["path"])), _once(tuple(frame["class"]))
    return Predictions(paths, classes, labels, predicted, labels == predicted)


@lru_cache(maxsize=32)
def _once(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return equal texts as one object, since all runs on a benchmark predict the same videos."""
    return texts


def _frame(path: Path) -> pd.DataFrame:
    """Return the file as texts, checked against its checksum, its header and each row's ``correct``."""
    content = io.BytesIO(checksums.read_bytes(path))
    options: dict[str, Any] = {"header": None, "dtype": object, "na_filter": False, "skip_blank_lines": False}
    try:
        frame = pd.read_csv(content, encoding_errors="surrogateescape", **options)
    except ValueError as error:
        raise damaged(path, f"cannot be read as CSV ({error})") from error
    if frame.iloc[0].tolist() != COLUMNS:
        raise damaged(path, f"its first line is not {','.join(COLUMNS)}")
    if len(frame) == 1:
        raise damaged(path, "it has no predictions")
    frame = frame.iloc[1:].set_axis(COLUMNS, axis=1)
    right = (frame["label"] == frame["predicted"]).to_numpy()
    wrong = np.flatnonzero((frame["correct"] != np.where(right, "1", "0")).to_numpy() | (frame["top5"] == ""))
    if len(wrong):
        row = frame.iloc[wrong[0]].tolist()
        raise damaged(path, f"line {wrong[0] + 2}: {row[1:5]} is no label, class, prediction and correctness")
    return frame


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

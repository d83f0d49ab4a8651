"""The files of a run's folder as types: the metrics of each epoch, and the result."""

from pathlib import Path
from typing import Any, Literal, Required

from pydantic import with_config
from typing_extensions import TypedDict

from kinefract.common.layout import EPOCHS, FINETUNE, MODEL, PROGRESS, RESULT
from kinefract.common.records import (
    AS_WRITTEN,
    Count,
    Positive,
    Seconds,
    Share,
    damaged,
    read_json,
    read_json_lines,
)


@with_config(AS_WRITTEN)
class Epoch(TypedDict, total=False):
    """A line of ``metrics.jsonl``: the means of one epoch over its training clips.

    ``validation_top1`` is that of the network after the epoch, over the videos of the validation part, by the
    middle window of each. Epochs that ``evaluate_every`` of the recipe passes over lack it.
    """

    epoch: Required[Positive]
    loss: Required[float]
    top1: Share
    validation_top1: Share
    lr: float
    seconds: Required[Seconds]
    clips_per_second: Seconds


@with_config(AS_WRITTEN)
class Result(TypedDict, total=False):
    """``result.json`` of a run. ``loss`` and ``top1`` of a pre-training are those of its last epoch.

    The keys from ``top5`` to ``index`` are those of a fine-tuning, whose ``top1`` is that of its test videos.
    """

    id: Required[str]
    phase: Required[str]
    epochs: Required[Positive]
    loss: float
    top1: Required[Share]
    seconds: Seconds
    clips_per_second: Seconds
    parameters: Count
    processes: Positive  # that trained together
    nodes: Positive
    device: str
    made_with: Required[dict[str, str]]
    top5: Share
    mean_class_accuracy: Share
    videos: Positive
    evaluation_seconds: Seconds
    folds: Positive
    index: dict[Literal["file", "digest"], str]  # the fingerprint of the index that it read


def is_finished(folder: Path) -> bool:
    """Return whether a run's folder is finished: all files are there, and no job is making it again."""
    names = (EPOCHS, RESULT, MODEL)
    return all((folder / name).exists() for name in names) and not (folder / PROGRESS).exists()


def weights_removed(path: Path) -> bool:
    """Return whether a file of weights holds no tensors, as `kinefract prune --weights` leaves it."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            return not list(file.keys())
    except (OSError, SafetensorError):
        return False


def read_epochs(folder: Path, name: str = EPOCHS) -> list[dict[str, Any]]:
    """Return the epochs of a run, numbered from 1; ``[]`` if there is no such file.

    Args:
        folder: The run's folder.
        name: ``metrics.jsonl`` of a finished run, or ``progress.jsonl`` of one that is being made.

    Raises:
        UserError: the file is damaged; the message names the line and the field.
    """
    epochs = read_json_lines(folder / name, Epoch)
    if [line["epoch"] for line in epochs] != list(range(1, len(epochs) + 1)):
        raise damaged(folder / name, "its epochs are not numbered 1, 2, 3, ...")
    return [dict(line) for line in epochs]


def read_result(folder: Path) -> Result:
    """Return the result of a run.

    Raises:
        UserError: the file is damaged, or is of another folder; the message names the field.
        FileNotFoundError: there is no result yet.
    """
    result = read_json(folder / RESULT, Result)
    if result["phase"] != folder.resolve().parent.name:
        raise damaged(folder / RESULT, f"phase: is {result['phase']!r} in {folder.resolve().parent.name}")
    if result["phase"] == Path(FINETUNE).name and "top5" not in result:
        raise damaged(folder / RESULT, "top5: missing")
    return result

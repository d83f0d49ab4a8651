"""The pooled result of several folds: each video's prediction comes from the fold that held it out.

The folder of such a run holds the files of any fine-tuning except weights: predictions and figures over all
videos, and curves that are means over the folds. In MLflow each fold is a run, but the pooled result is not.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kinefract.benchmarks import index
from kinefract.benchmarks.base import TRAIN, Video
from kinefract.common import checksums
from kinefract.common.errors import UserError
from kinefract.common.files import as_json, write_json, write_text
from kinefract.common.layout import CLASSES, EPOCHS, PREDICTIONS, RESULT, SPEC_FILE
from kinefract.common.remedies import make_again
from kinefract.common.words import counted
from kinefract.config.run_files import Result, read_epochs, read_result
from kinefract.config.specs import FinetuneSpec
from kinefract.evaluation import predictions
from kinefract.evaluation.evaluate import write_figures, write_rows

SUMMED = ("seconds", "evaluation_seconds")  # summed over the folds; other numbers are means


def pool(spec: FinetuneSpec, root: Path) -> dict:
    """Pool the runs of all folds into the folder of a spec, ``result.json`` last.

    Args:
        spec: The run on the whole benchmark, whose ``folds`` have been run.
        root: The project's folder.

    Returns:
        The content of ``result.json``.

    Raises:
        UserError: a fold has not been run, or was run on another index than the current one.
    """
    folder = root / spec.folder
    checksums.remove(folder)
    results = [_result(fold, root) for fold in spec.folds]
    names = index.read_classes(root / spec.benchmark.folder)
    videos: list[Video] = []
    rows: list[list[str]] = []
    for fold in spec.folds:
        evaluated = [item for item in index.read(root / fold.benchmark.folder) if item.split != TRAIN]
        predicted_rows = predictions.read_rows(root / fold.folder)
        if len(predicted_rows) != len(evaluated):
            raise UserError(
                f"{fold.folder}: {counted(len(predicted_rows), 'prediction')} for "
                f"{counted(len(evaluated), 'video')}; {make_again(fold.folder)}"
            )
        videos += evaluated
        rows += predicted_rows
    predicted = _scores(rows, len(names))
    write_json(folder / CLASSES, names)
    write_rows(folder / PREDICTIONS, predictions.COLUMNS, rows)
    figures = write_figures(folder / PREDICTIONS, videos, predicted, names)
    history = _mean_curves([read_epochs(root / fold.folder) for fold in spec.folds])
    write_text(folder / EPOCHS, "".join(json.dumps(metrics) + "\n" for metrics in history))
    result = {
        **results[0],
        **_means(results),
        **figures,
        "id": spec.id,
        "folds": len(results),
        "index": index.fingerprint(root / spec.benchmark.folder, root),
    }
    with checksums.last_file(folder / RESULT) as partial:
        partial.write_text(as_json(result), encoding="utf-8")
    return result


def _scores(rows: Sequence[Sequence[str]], classes: int) -> np.ndarray:
    """Return scores in the order of those of rows of ``predictions.csv``: float32, (rows, classes).

    The file has the five best classes of a video, their scores rounded. A step a rank keeps their order, and
    all other classes lie below the fifth.
    """
    step = 1e-6
    scores = np.full((len(rows), classes), -10 * step, np.float32)
    for number, row in enumerate(rows):
        for rank, entry in enumerate(row[-1].split()):
            label, score = entry.split(":")
            scores[number, int(label)] = float(score) - rank * step
    return scores


def _result(fold: FinetuneSpec, root: Path) -> Result:
    try:
        result = read_result(root / fold.folder)
    except FileNotFoundError:
        command = f"`kinefract finetune {fold.folder}/{SPEC_FILE}`"
        raise UserError(f"{fold.folder}/{RESULT}: this fold has not been run: {command}") from None
    if problem := predictions.contradiction(root / fold.folder, result):
        raise UserError(problem)
    if not index.matches_fingerprint(result["index"], root):
        raise UserError(
            f"{fold.folder}: the benchmark was indexed again since and is another; {make_again(fold.folder)}"
        )
    return result


def _mean_curves(folds: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return the mean metrics of each epoch that all folds have."""
    return [{**lines[0], **_means(list(lines))} for lines in zip(*folds, strict=False)]


def _means(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the mean of each number that all entries have; times are summed, equal numbers are kept."""
    found: dict[str, Any] = {}
    for key, value in entries[0].items():
        values: list[Any] = [entry.get(key) for entry in entries]
        if isinstance(value, bool) or not all(isinstance(number, int | float) for number in values):
            continue
        same = len(set(values)) == 1
        found[key] = sum(values) if key in SUMMED else value if same else float(np.mean(values))
    return found

"""The length of training of a study's variants, in clips and steps, and whether it was equal."""

import math
from dataclasses import replace
from pathlib import Path

from kinefract.benchmarks import summary
from kinefract.benchmarks.base import TRAIN
from kinefract.common.errors import UserError
from kinefract.common.layout import SPEC_FILE
from kinefract.config.plan import INIT_EPOCH
from kinefract.config.specs import FinetuneSpec, PretrainSpec
from kinefract.report.results import Cell, Row, Run


def with_costs(root: Path, rows: list[Row]) -> list[Row]:
    """Return the rows with the length of training, also as a multiple of the cheapest pre-trained variant's.

    The length is clips times epochs for pre-training, and the optimiser's steps for fine-tuning. The cost of
    a clip or step with another network, size or number of frames is not considered.

    Args:
        root: The project's folder, for the number of training videos of a benchmark.
        rows: The study's rows.
    """
    clips = [_clips(row) for row in rows]
    fewest = min((count for count in clips if count), default=None)
    pretrained = any(not row.scratch for row in rows)
    done = []
    for row, count in zip(rows, clips, strict=True):
        cells = {name: replace(cell, steps=_steps(root, cell)) for name, cell in row.cells.items()}
        factor = count / fewest if count and fewest else None
        done.append(replace(row, cells=cells, clips=count, clips_factor=factor))
    for name in rows[0].cells:
        steps = [row.cells[name].steps for row in done if not (pretrained and row.scratch)]
        steps = steps if any(steps) else [row.cells[name].steps for row in done]
        least = min((count for count in steps if count), default=None)
        for row in done:
            cell = row.cells[name]
            factor = cell.steps / least if cell.steps and least else None
            row.cells[name] = replace(cell, steps_factor=factor)
    return done


def in_words(row: Row, cell: Cell) -> str:
    """Return in a few words how a variant's training compares with that of the cheapest pre-trained one.

    Pre-training comes first, as in ``pretraining``. Fine-tuning follows unless its steps are known to equal
    those of the others.
    """
    return pretraining(row) + _finetuning(cell)


def as_clause(row: Row, cell: Cell) -> str:
    """Return the same to follow a number of seeds: ``compute 1.0x``, ``no pre-training`` and the like."""
    words = {"none": "no pre-training", "published": "published weights"}
    found = pretraining(row)
    return words.get(found, f"compute {found}") + _finetuning(cell)


def pretraining(row: Row) -> str:
    """Return the length of pre-training: ``none``, ``published`` for weights of others, else ``1.0x``."""
    return "none" if row.scratch else "published" if row.weights else times(row.clips_factor)


def _finetuning(cell: Cell) -> str:
    return "" if cell.steps_factor == 1 else f", fine-tuning {times(cell.steps_factor)}"


def seconds(pretraining: Run, row: Row) -> float:
    """Return the time of one of a variant's pre-trainings; of a snapshot, until it was kept."""
    if INIT_EPOCH not in row.values:
        return pretraining.seconds
    return math.fsum(line["seconds"] for line in pretraining.epochs[: row.values[INIT_EPOCH]])


def unequal(rows: list[Row]) -> bool:
    """Return whether the pre-trained variants are known to have been trained for unequal lengths."""
    factors = [row.clips_factor for row in rows if row.pretrains]
    factors += [cell.steps_factor for row in rows for cell in row.cells.values()]
    return any(factor not in (None, 1) for factor in factors)


def times(factor: float | None) -> str:
    """Return a factor as ``1.0x``; it has more decimals if it would look equal to 1 but is not."""
    if factor is None:
        return "unknown"
    return f"{factor:.1f}x" if factor == 1 or f"{factor:.1f}" != "1.0" else f"{factor:.3g}x"


def _clips(row: Row) -> int | None:
    if not row.pretrains:
        return 0 if row.scratch else None
    try:
        spec = PretrainSpec.read(row.pretrainings[0].folder / SPEC_FILE)
    except UserError:
        return None
    epochs = row.values.get(INIT_EPOCH, spec.recipe.epochs)  # of a snapshot, those until it was kept
    return spec.dataset.recipe.clips * epochs


def _steps(root: Path, cell: Cell) -> int | None:
    """Return the steps of one fine-tuning; a last batch that is not full is no step."""
    run = next(iter(cell.runs.values()), None)
    if run is None:
        return None
    try:
        spec = FinetuneSpec.read(run.folder / SPEC_FILE)
        spec = spec.folds[0] if spec.folds else spec
    except UserError:
        return None
    found = summary.read(root / spec.benchmark.folder)
    return spec.recipe.epochs * (found["videos"].get(TRAIN, 0) // spec.recipe.batch_size) if found else None

"""The card of a dataset: what is in it, what it cost, how close it is to filmed video, what made it."""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kinefract.cards import measure
from kinefract.cards import page as card_page
from kinefract.common import provenance
from kinefract.common.errors import UserError
from kinefract.common.files import write_json, write_text
from kinefract.common.layout import CARD, CARD_PAGE, SHARD_TIMES
from kinefract.common.progress import progress
from kinefract.common.streams import stream
from kinefract.synth.dataset_recipe import DatasetRecipe
from kinefract.synth.store.shards import Shards

SAMPLE, LEAST_SAMPLE = 24, 12  # clips that are measured, of a large dataset and of a small one
DIGITS = 6


def write(recipe: DatasetRecipe, clips: Shards, folder: Path) -> None:
    """Describe a dataset and write ``card.json`` and, from it and the previews, ``card.html``.

    Raises:
        UserError: a clip cannot be read, or a file cannot be written.
    """
    card = describe(recipe, clips, folder)
    write_json(folder / CARD, card)
    write_text(folder / CARD_PAGE, card_page.html([card_page.Column(recipe.family, folder, card)]))


def describe(recipe: DatasetRecipe, clips: Shards, folder: Path, sample: int | None = None) -> dict[str, Any]:
    """Return the content of ``card.json``.

    Contents are counts, ``bytes`` and ``seconds`` of video; ``redrawn_share`` is the share of clips of which
    a draw was refused. ``measured`` says what ``figures`` are from, each ``{"mean", "std", "clips"}`` as of
    ``summary``.

    Args:
        recipe: The dataset.
        clips: Its clips.
        folder: Where they lie, ``<project>/data/synthetic/<id>``.
        sample: How many clips to measure; by the dataset's size if ``None``, so that a small one is joined in
            seconds.
    """
    wanted = sample or min(SAMPLE, max(LEAST_SAMPLE, len(clips) // 50))
    chosen = choose(len(clips), wanted)
    read = (clips.read(index, middle(int(clips.frames[index]))) for index in chosen)
    parents = folder.resolve().parents
    root = parents[2] if len(parents) > 2 else folder
    return {
        "id": folder.resolve().name,
        "family": recipe.family,
        "clips": len(clips),
        "classes": recipe.classes,
        "shards": recipe.shards,
        "size": recipe.size,
        "fps": recipe.fps,
        "frames": int(clips.frames.sum()),
        "mean_frames": round(float(clips.frames.mean()), 3),
        "seconds": round(float(clips.frames.sum()) / recipe.fps, 3),
        "bytes": int(clips.sizes.sum()),
        "redrawn_share": round(float((clips.redrawn > 0).mean()), 6),
        "cost": cost(root, folder.resolve().name),
        "measured": measured(len(chosen), min(recipe.size, measure.SIDE)),
        "figures": summary(progress(read, "measuring", len(chosen), "clips")),
        "recipe": recipe.model_dump(mode="json"),
        "made_with": provenance.made_with(root),
    }


def read(folder: Path) -> dict[str, Any] | None:
    """Return the content of a folder's ``card.json``, or None where there is none or it lacks the figures.

    Raises:
        UserError: it cannot be read.
    """
    path = folder / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {error}; delete {folder} and run snakemake") from error
    whole = isinstance(card, dict) and card.get("figures", {}).keys() == measure.FIGURES.keys()
    return card if whole else None


def choose(count: int, wanted: int) -> list[int]:
    """Return up to ``wanted`` different numbers below ``count``, in order: the same ones at every call.

    By chance, since even steps would fall into step with classes that are dealt round-robin.
    """
    order = stream(0, "card").permutation(count)
    return sorted(order[:wanted].tolist())


def middle(frames: int) -> range:
    """Return the numbers of the successive frames that are measured, from the middle of a clip."""
    used = min(frames, measure.FRAMES)
    start = (frames - used) // 2
    return range(start, start + used)


def measured(clips: int, side: int) -> dict[str, int]:
    """Return what figures are from: ``clips``, their most ``frames``, the most pixels a ``side``."""
    return {"clips": clips, "frames": measure.FRAMES, "side": side}


def summary(clips: Iterable[np.ndarray], side: int = measure.SIDE) -> dict[str, dict[str, Any]]:
    """Return mean and standard deviation of each figure over clips.

    Args:
        clips: Each uint8 (T, H, W) or (T, H, W, 3); they are brought to scale here.
        side: The most pixels a side.

    Returns:
        Figure -> ``mean``, ``std`` (the sample's; None of fewer than 2), ``clips`` (how many had it), and,
        where some had not, ``why``, by the last of them. ``mean`` is None where none had it.
    """
    values: dict[str, list[float]] = {name: [] for name in measure.FIGURES}
    reasons: dict[str, str] = {}
    for frames in clips:
        found, absent = measure.measure(measure.at_scale(frames, side))
        reasons |= absent
        for name, value in found.items():
            values[name].append(value)
    figures: dict[str, dict[str, Any]] = {}
    for name, of_clips in values.items():
        figures[name] = {
            # Without the added zero, grey clips would have colours of -0.0.
            "mean": round(float(np.mean(of_clips)), DIGITS) + 0.0 if of_clips else None,
            "std": round(float(np.std(of_clips, ddof=1)), DIGITS) if len(of_clips) > 1 else None,
            "clips": len(of_clips),
        }
        if name in reasons:
            figures[name]["why"] = reasons[name]
    return figures


def cost(root: Path, dataset: str) -> dict[str, Any]:
    """Return the CPU seconds of a dataset's shard jobs as Snakemake noted them, and how many jobs that were.

    Args:
        root: The project's folder, with ``results/benchmarks/shard/<dataset>-<shard>.tsv``.
        dataset: Its id.

    Returns:
        ``cpu_seconds`` (None where no job was noted: made by hand, or fetched) and ``jobs``.
    """
    seconds = list(_cpu_seconds(sorted((root / SHARD_TIMES).glob(f"{dataset}-*.tsv"))))
    return {"cpu_seconds": round(sum(seconds), 2) if seconds else None, "jobs": len(seconds)}


def _cpu_seconds(paths: list[Path]) -> Iterator[float]:
    for path in paths:
        with path.open(encoding="utf-8", newline="") as table:
            for row in csv.DictReader(table, delimiter="\t"):
                # A job shorter than Snakemake's first look at it has its duration alone, on its one thread.
                noted = row["s"] if row["cpu_time"] == "NA" else row["cpu_time"]
                yield float(noted)

"""The card of a dataset: its contents, its cost, its closeness to filmed video, and its provenance."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import with_config
from typing_extensions import TypedDict

from kinefract.cards import diversity, measure
from kinefract.cards import page as card_page
from kinefract.common import job_times, provenance
from kinefract.common.files import write_json, write_text
from kinefract.common.layout import CARD, CARD_PAGE, SHARD_TIMES
from kinefract.common.progress import progress
from kinefract.common.records import AS_WRITTEN, Count, Positive, Seconds, Share, read_json
from kinefract.common.streams import stream
from kinefract.synth.dataset_recipe import DatasetRecipe
from kinefract.synth.store.shards import Shards

SAMPLE, LEAST_SAMPLE = 48, 24  # measured clips of a large dataset and of a small one
DIGITS = 6
FIGURES = measure.FIGURES | diversity.FIGURES


@with_config(AS_WRITTEN)
class Figure(TypedDict):
    """One figure of a card, over the measured clips that have it; ``mean`` is None if none has."""

    mean: float | None
    std: float | None
    clips: Count


@with_config(AS_WRITTEN)
class Cost(TypedDict):
    """The CPU seconds of the jobs that made a dataset's shards; None if no job was recorded."""

    cpu_seconds: Seconds | None
    jobs: Count


@with_config(AS_WRITTEN)
class Card(TypedDict):
    """What readers use of ``card.json``; ``describe`` explains it."""

    id: str
    clips: Positive
    classes: Positive
    shards: Positive
    size: Positive
    fps: float
    frames: Positive
    seconds: Seconds
    bytes: Positive
    redrawn_share: Share
    cost: Cost
    measured: dict[str, Count]
    figures: dict[str, Figure]
    recipe: dict[str, Any]


def write(recipe: DatasetRecipe, clips: Shards, folder: Path) -> None:
    """Describe a dataset and write ``card.json`` and, from it and the previews, ``card.html``.

    Raises:
        UserError: a clip cannot be read, or a file cannot be written.
    """
    card = describe(recipe, clips, folder)
    write_json(folder / CARD, card)
    page = folder / CARD_PAGE
    write_text(page, card_page.html([card_page.Column(recipe.family, folder, card)], page))


def describe(recipe: DatasetRecipe, clips: Shards, folder: Path, sample: int | None = None) -> dict[str, Any]:
    """Return the content of ``card.json``.

    Contents are counts, ``bytes`` and ``seconds`` of video; ``redrawn_share`` is the share of clips of which
    a draw was rejected. ``measured`` describes the sample from which ``figures`` are computed, each
    ``{"mean", "std", "clips"}`` as from ``summary``.

    Args:
        recipe: The dataset.
        clips: Its clips.
        folder: Their folder, ``<project>/data/synthetic/<id>``.
        sample: Number of clips to measure. ``None`` takes it from the dataset's size, so that joining a
            small dataset takes seconds.
    """
    wanted = sample or min(SAMPLE, max(LEAST_SAMPLE, len(clips) // 50))
    chosen = choose(len(clips), wanted)
    read = (clips.read(index, middle(int(clips.frames[index]))) for index in chosen)
    parents = folder.absolute().parents  # links are kept: `data` may be one to another disk
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
    """Return the content of a folder's ``card.json``, or None if it does not exist.

    A card of an earlier version may lack some of ``FIGURES``.

    Raises:
        UserError: the file is damaged.
    """
    try:
        return dict(read_json(folder / CARD, Card))
    except FileNotFoundError:
        return None


def choose(count: int, wanted: int) -> list[int]:
    """Return up to ``wanted`` different numbers below ``count``, in order: the same ones at every call.

    They are drawn at random, since even steps would coincide with classes that are dealt round-robin.
    """
    order = stream(0, "card").permutation(count)
    return sorted(order[:wanted].tolist())


def middle(frames: int) -> range:
    """Return the numbers of the successive frames that are measured, from the middle of a clip."""
    used = min(frames, measure.FRAMES)
    start = (frames - used) // 2
    return range(start, start + used)


def measured(clips: int, side: int) -> dict[str, int]:
    """Return the size of the measured sample: ``clips``, greatest ``frames``, greatest ``side`` in pixels."""
    return {"clips": clips, "frames": measure.FRAMES, "side": side}


def summary(clips: Iterable[np.ndarray], side: int = measure.SIDE) -> dict[str, dict[str, Any]]:
    """Return mean and standard deviation of each figure over clips.

    Args:
        clips: Clips, each uint8 (T, H, W) or (T, H, W, 3); they are rescaled here.
        side: Greatest side in pixels.

    Returns:
        Figure -> ``mean``, ``std`` (of the sample; None for fewer than 2) and ``clips`` (the number of clips
        with this figure). If the figure could not be measured for some clips, ``why`` holds the reason of
        the last of them. ``mean`` is None if no clip has the figure. A figure of all clips together is its
        ``mean``, without ``std``.
    """
    values: dict[str, list[float]] = {name: [] for name in measure.FIGURES}
    reasons: dict[str, str] = {}
    thumbnails = []
    for frames in clips:
        scaled = measure.at_scale(frames, side)
        thumbnails.append(diversity.thumbnail(scaled))
        measured_here, absent = measure.measure(scaled)
        reasons |= absent
        for name, value in measured_here.items():
            values[name].append(value)
    figures: dict[str, dict[str, Any]] = {}
    for name, of_clips in values.items():
        figures[name] = {
            # Adding zero turns -0.0, which grey clips have as colour, into 0.0.
            "mean": round(float(np.mean(of_clips)), DIGITS) + 0.0 if of_clips else None,
            "std": round(float(np.std(of_clips, ddof=1)), DIGITS) if len(of_clips) > 1 else None,
            "clips": len(of_clips),
        }
        if name in reasons:
            figures[name]["why"] = reasons[name]
    try:
        found = diversity.clip_diversity(thumbnails)
        figures["clip_diversity"] = {"mean": round(found, DIGITS), "std": None, "clips": len(thumbnails)}
    except measure.Unmeasurable as error:
        figures["clip_diversity"] = {"mean": None, "std": None, "clips": 0, "why": str(error)}
    return figures


def cost(root: Path, dataset: str) -> dict[str, Any]:
    """Return the CPU seconds of a dataset's shard jobs, as Snakemake recorded them, and the number of jobs.

    Args:
        root: The project's folder, with ``results/benchmarks/shard/<dataset>-<shard>.tsv``.
        dataset: Its id.

    Returns:
        ``cpu_seconds`` and ``jobs``. The seconds are None if no job was recorded, because the dataset was
        made by hand or fetched.
    """
    paths = sorted((root / SHARD_TIMES).glob(f"{dataset}-*.tsv"))
    seconds = [time.cpu for path in paths for time in job_times.read(path)]
    return {"cpu_seconds": round(sum(seconds), 2) if seconds else None, "jobs": len(seconds)}

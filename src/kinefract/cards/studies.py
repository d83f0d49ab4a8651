"""The cards that ``kinefract card`` shows: a dataset, a benchmark beside it, or the datasets of a study."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kinefract import video
from kinefract.benchmarks import index
from kinefract.benchmarks.base import Video
from kinefract.cards import card
from kinefract.cards import page as card_page
from kinefract.cards.page import Column
from kinefract.common.errors import UserError
from kinefract.common.files import write_text
from kinefract.common.layout import CARDS, INDEX, PARAMS_FILE
from kinefract.common.progress import progress
from kinefract.common.schema import not_one_of
from kinefract.config import params, plan
from kinefract.config.locate import locate_benchmark, locate_dataset
from kinefract.config.specs import BenchmarkSpec, DatasetSpec
from kinefract.synth.store.shards import Shards


class Cards(NamedTuple):
    """Cards that are shown beside each other, with their title and the default place of their page."""

    columns: list[Column]
    place: Path
    eyebrow: str = "Data card"
    title: str = ""
    lead: str = ""

    @property
    def text(self) -> str:
        """The figures as a table for the terminal."""
        return card_page.text(self.columns)

    def write(self, path: Path | None = None) -> Path:
        """Write the page and return its path."""
        path = path or self.place
        write_text(path, card_page.html(self.columns, path, self.title, self.lead, self.eyebrow))
        return path


def of_dataset(
    text: str, against: str | None = None, sample: int | None = None, root: Path | str = ""
) -> Cards:
    """Return the card of a dataset, and of a benchmark measured in the same way.

    Args:
        text: The dataset's folder, its ``spec.yaml``, or its name under ``datasets:``.
        against: The benchmark's index folder, or its name under ``benchmarks:``.
        sample: Number of clips, and of videos, to measure; ``None``: as in the dataset's ``card.json``.
        root: The project's folder.

    Raises:
        UserError: there is no such dataset or benchmark, or it is not made yet, or it is damaged.
    """
    column = measured_dataset(text, sample, root)
    name = column.card["id"]
    if against is None:
        return Cards([column], Path(root, CARDS, f"{name}.html"))
    other = measured_benchmark(against, column, sample, root)
    return Cards(
        [column, other],
        Path(root, CARDS, f"{name}-against-{other.card['id']}.html"),
        title=f"How close is {column.name} to {other.name}?",
        lead="Clips made from formulas beside filmed video, both measured in the same way.",
    )


def of_study(name: str, sample: int | None = None, root: Path | str = "") -> Cards:
    """Return the cards of a study's stored datasets, then those of its benchmarks that have been indexed.

    Benchmarks are measured at the scale of the first dataset; generated ones come last.

    Raises:
        UserError: there is no such study, it has no datasets on disk, or one of them is not made yet or is
            damaged.
    """
    root = Path(root)
    read = params.load(root / PARAMS_FILE)
    if name not in read.studies:
        raise UserError(f"{name}: as a study in the configuration: {not_one_of(name, read.studies)}")
    resolved = plan.resolve(read)
    spec = resolved.study(name)
    stored = resolved.stored(spec)
    if not stored:
        raise UserError(
            f"study {name}: no run of it is pre-trained on stored clips, so there are none to show"
        )
    names = {DatasetSpec(recipe=recipe).id: called for called, recipe in read.datasets.items()}
    columns = [
        measured_dataset(f"{DatasetSpec.PARENT}/{found}", sample, root)._replace(name=names.get(found, found))
        for found in stored
    ]
    benchmarks = [
        measured_benchmark(f"{BenchmarkSpec.PARENT}/{found}", columns[0], sample, root)._replace(name=called)
        for called, found in spec.benchmarks.items()
        if (root / BenchmarkSpec.PARENT / found / INDEX).exists()
    ]
    columns += sorted(benchmarks, key=lambda column: not column.card["filmed"])
    return Cards(
        columns,
        Path(root, CARDS, f"{spec.id}.html"),
        eyebrow=f"Datasets of the study {name}",
        title=spec.question,
        lead="What the networks of this study were pre-trained on, beside what they were tested on.",
    )


def measured_dataset(text: str, sample: int | None = None, root: Path | str = "") -> Column:
    """Return the card of a finished dataset: the one in its folder, or a new one if that does not suffice.

    Args:
        text: Its folder, its ``spec.yaml``, or its name under ``datasets:``.
        sample: Number of clips to measure; ``None``: as in the folder's card.
        root: The project's folder.

    Raises:
        UserError: there is no such dataset, or it is not made yet, or it is damaged.
    """
    spec, folder = locate_dataset(text, root)
    name = text if len(Path(text).parts) == 1 and not Path(root, text).exists() else spec.name
    clips = Shards(folder)  # also checks that the dataset is complete
    found = card.read(folder)
    if (
        found is None
        or not found["figures"].keys() >= card.FIGURES.keys()
        or (sample and min(sample, len(clips)) != found["measured"]["clips"])
    ):
        found = card.describe(spec.recipe, clips, folder, sample)
    return Column(name, folder, found)


def measured_benchmark(text: str, like: Column, sample: int | None = None, root: Path | str = "") -> Column:
    """Measure the videos of an indexed benchmark at the scale and frame rate of a dataset's clips.

    Args:
        text: Its index folder, or its name under ``benchmarks:``.
        like: The dataset.
        sample: Number of videos; 48 if ``None``.
        root: The project's folder.

    Raises:
        UserError: there is no such benchmark, it is not indexed, or a video cannot be read.
    """
    folder = locate_benchmark(text, root)
    videos = index.read(folder)
    chosen = [videos[place] for place in card.choose(len(videos), sample or card.SAMPLE)]
    side = like.card["measured"]["side"]
    clips = _clips(chosen, like.card["fps"])
    described = {
        "id": folder.resolve().name,
        # A benchmark with generated videos keeps them in its index folder.
        "filmed": not videos[0].path.is_relative_to(folder.resolve()),
        "clips": len(videos),
        "classes": len({item.label for item in videos}),
        "size": int(np.median([item.height for item in videos])),
        "fps": round(float(np.median([item.fps for item in videos])), 2),
        "frames": sum(item.length for item in videos),
        "seconds": round(sum(item.length / item.fps for item in videos if item.fps), 3),
        "bytes": sum(map(video.size, {item.path for item in videos})),
        "measured": card.measured(len(chosen), side),
        "figures": card.summary(progress(clips, "measuring", len(chosen), "videos"), side),
    }
    name = text if len(Path(text).parts) == 1 else folder.resolve().name.rpartition("-")[0] or folder.name
    return Column(name, folder, described)


def _clips(videos: list[Video], fps: float) -> Iterator[np.ndarray]:
    """Yield successive frames from the middle of each video, about ``fps`` a second: uint8 (T, H, W, 3)."""
    for item in videos:
        stride = max(1, round(item.fps / fps))
        places = card.middle(max(1, item.length // stride))
        yield video.decode(item.path, [item.start + stride * at for at in places])

"""Samples of the videos that a study's networks saw: moving sheets of its datasets and benchmarks."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from kinefract.benchmarks import summary
from kinefract.cards import card
from kinefract.common.errors import UserError
from kinefract.common.layout import CARD_PAGE, MOVING, SPEC_FILE, STILL, SUMMARY_PAGE
from kinefract.common.pages import data_uri, link
from kinefract.common.words import counted, duration
from kinefract.config.specs import BenchmarkSpec, DatasetSpec, PretrainSpec, StudySpec
from kinefract.report.results import Row
from kinefract.synth.dataset_recipe import DatasetRecipe
from kinefract.viewing.preview import RecipeClips
from kinefract.viewing.sheets import write_sheets


@dataclass(frozen=True)
class Sample:
    """A moving sheet of clips: its description, its folder, and its files as data URIs (None if missing).

    ``links`` are names and addresses of what its folder has to show; an address is None where there is none.
    """

    title: str
    caption: str
    id: str
    video: str | None
    still: str | None
    links: list[tuple[str, str | None]]


def pretraining_of(row: Row) -> PretrainSpec | None:
    """Return the spec of a variant's (first) pre-training; None if it is from scratch or unknown."""
    if not row.pretrains:
        return None
    try:
        return PretrainSpec.read(row.pretrainings[0].folder / SPEC_FILE)
    except UserError:
        return None


def dataset_of(row: Row) -> str | None:
    """Return the id of the dataset of a variant's pre-training; None if it is from scratch or unknown."""
    spec = pretraining_of(row)
    return spec.dataset.id if spec else None


def samples(root: Path, spec: StudySpec, rows: list[Row], page: Path) -> list[Sample]:
    """Return a sample per dataset, with the names of the variants trained on it, and one per benchmark.

    Clips that were rendered during training and not stored are rendered again for the sample.

    Args:
        root: The project's folder.
        spec: The study.
        rows: Its variants.
        page: The page that shows them.
    """
    trained = [(row.label, used) for row in rows if (used := pretraining_of(row))]
    online = {used.dataset.id: used.dataset.recipe for _, used in trained if not used.recipe.stored}
    found = []
    for dataset in spec.datasets:
        folder = root / DatasetSpec.PARENT / dataset
        about = card.read(folder) or {}
        facts = []
        labels = [label for label, used in trained if used.dataset.id == dataset]
        if labels and len(spec.datasets) > 1:
            facts.append(f"of {', '.join(labels)}")
        if about:
            facts += [
                f"{counted(about['clips'], 'clip')} of {counted(about['classes'], 'class')}",
                f"{about['size']} x {about['size']} px",
                f"{duration(about['seconds'])} of video",
            ]
        title = f"Pre-training clips: {dataset.rpartition('-')[0]}"
        if dataset in online and not (folder / MOVING).exists():
            found.append(_rendered(online[dataset], dataset, title, facts))
        else:
            links = [("data card", link(folder / CARD_PAGE, page))]
            found.append(_sample(folder, dataset, title, facts, links))
    for name, index in spec.benchmarks.items():
        folder = root / BenchmarkSpec.PARENT / index
        facts = []
        if listed := summary.read(folder):
            facts = [counted(listed["classes"], "class")]
            facts += [counted(count, f"{split} video") for split, count in listed["videos"].items()]
            facts += filter(None, [summary.told(listed.get("straddling", []))])
        links = [("preview", link(folder / MOVING, page)), ("summary", link(folder / SUMMARY_PAGE, page))]
        found.append(_sample(folder, index, f"Benchmark: {name}", facts, links))
    return found


def _rendered(recipe: DatasetRecipe, dataset: str, title: str, facts: list[str]) -> Sample:
    told = [
        *facts,
        counted(recipe.classes, "class"),
        f"{recipe.size} x {recipe.size} px",
        "rendered as training went, new ones each epoch",
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_sheets(folder, RecipeClips(recipe), recipe.fps)
        return _sample(folder, dataset, title, told, [])


def _sample(
    folder: Path, spec_id: str, title: str, facts: list[str], links: list[tuple[str, str | None]]
) -> Sample:
    moving, still = data_uri(folder / MOVING, "video/mp4"), data_uri(folder / STILL, "image/png")
    return Sample(title, ", ".join(facts), spec_id, moving, still, [entry for entry in links if entry[1]])

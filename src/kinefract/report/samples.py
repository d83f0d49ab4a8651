"""What the networks of a study saw: moving sheets of its datasets and benchmarks."""

from dataclasses import dataclass
from pathlib import Path

from kinefract.errors import UserError
from kinefract.report.html import data_uri, duration, read_json
from kinefract.report.results import Row
from kinefract.specs import SPEC_FILE, BenchmarkSpec, DatasetSpec, PretrainSpec, StudySpec


@dataclass(frozen=True)
class Sample:
    """A moving sheet of clips: what it shows, its folder, and its files as data URIs (None: not there)."""

    title: str
    caption: str
    id: str
    video: str | None
    still: str | None


def dataset_of(row: Row) -> str | None:
    """Return the id of the dataset a variant was pre-trained on; None from scratch, or where unknown."""
    if not row.pretrains:
        return None
    try:
        return PretrainSpec.read(row.pretrainings[0].folder / SPEC_FILE).dataset.id
    except UserError:
        return None


def samples(root: Path, spec: StudySpec, rows: list[Row]) -> list[Sample]:
    """Return a sample per dataset, which names the variants that were trained on it, and per benchmark.

    Args:
        root: The project's folder.
        spec: The study.
        rows: Its variants.
    """
    users = [(row.label, dataset_of(row)) for row in rows]
    found = []
    for dataset in spec.datasets:
        folder = root / DatasetSpec.PARENT / dataset
        card = read_json(folder / "card.json")
        facts = []
        labels = [label for label, used in users if used == dataset]
        if labels and len(spec.datasets) > 1:
            facts.append(f"of {', '.join(labels)}")
        if card.keys() >= {"clips", "classes", "size", "seconds"}:
            facts += [
                f"{card['clips']:,} clips of {card['classes']:,} classes",
                f"{card['size']} x {card['size']} px",
                f"{duration(card['seconds'])} of video",
            ]
        found.append(_sample(folder, f"Pre-training clips: {dataset.rpartition('-')[0]}", facts))
    for name, index in spec.benchmarks.items():
        folder = root / BenchmarkSpec.PARENT / index
        summary = read_json(folder / "summary.json")
        facts = []
        if isinstance(summary.get("videos"), dict):
            facts = [f"{summary['classes']} classes"]
            facts += [f"{count:,} {split} videos" for split, count in summary["videos"].items()]
        found.append(_sample(folder, f"Benchmark: {name}", facts))
    return found


def _sample(folder: Path, title: str, facts: list[str]) -> Sample:
    moving = data_uri(folder / "preview.mp4", "video/mp4")
    still = data_uri(folder / "preview.png", "image/png")
    return Sample(title, ", ".join(facts), folder.name, moving, still)

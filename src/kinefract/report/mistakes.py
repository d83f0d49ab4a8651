"""The worst mistakes of a study's best networks, as thumbnails that move."""

import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from kinefract.benchmarks import index
from kinefract.benchmarks.base import TRAIN, Video
from kinefract.common.errors import UserError
from kinefract.common.layout import MISTAKES
from kinefract.common.pages import data_uri, link
from kinefract.config.specs import BenchmarkSpec, StudySpec
from kinefract.evaluation import predictions
from kinefract.report.compare import predictions_of
from kinefract.report.confusions import names_of
from kinefract.report.results import Row, Run, benchmarks
from kinefract.viewing.tiles import write
from kinefract.viewing.videos import SHEET_FPS, tile

SHOWN = 6  # thumbnails of a benchmark
SIDES = (144, 108)  # pixels of a thumbnail


@dataclass(frozen=True)
class Mistake:
    """One video: its class, the class it was taken for, that score in percent, a thumbnail as a data URI."""

    name: str
    taken_for: str
    score: str
    video: str


@dataclass(frozen=True)
class Sheet:
    """The mistakes of one network, and the address of the picture of more of them, if there is one."""

    title: str
    shown: list[Mistake]
    picture: str | None


def sheets(root: Path, spec: StudySpec, rows: list[Row], page: Path) -> list[Sheet]:
    """Return the worst mistakes of the best variant on each benchmark, of its first seed.

    Thumbnails are cut from the test videos; a video that is no longer there has none.

    Args:
        root: The project's folder.
        spec: The study.
        rows: Its variants.
        page: The page that shows them.
    """
    found = []
    for name in benchmarks(rows):
        best = max((row for row in rows if row.cells[name].runs), key=lambda row: row.cells[name].top1.mean)
        seed, run = next(iter(best.cells[name].runs.items()))
        shown = _worst(run, root, root / BenchmarkSpec.PARENT / spec.benchmarks[name])
        picture = link(run.folder / MISTAKES, page)
        if shown or picture:
            found.append(Sheet(f"{best.label} on {name}, seed {seed}", shown, picture))
    return found


def _worst(run: Run, root: Path, folder: Path) -> list[Mistake]:
    said = predictions_of(run)
    try:
        videos = index.read(folder) if said else []
    except UserError:
        return []  # of a clone without the index
    if said is None:
        return []
    names, rows = names_of(run, said), predictions.read_rows(run.folder)
    sources = _sources(videos, [Path(root.resolve(), row[0]) for row in rows])
    scores = [float(row[5].split()[0].partition(":")[2]) for row in rows]
    wrong = sorted((place for place in range(len(rows)) if not said.right[place]), key=lambda at: -scores[at])
    found = []
    for place in wrong[:SHOWN]:
        moving = _thumbnail(source) if (source := sources[place]) else None
        if moving:
            taken_for = names[said.predicted[place]]
            found.append(Mistake(rows[place][2], taken_for, f"{100 * scores[place]:.0f}", moving))
    return found


def _sources(videos: list[Video], paths: list[Path]) -> list[Video | None]:
    """Return the video of each prediction; clips of one file are taken in the order of the index.

    Videos that lay elsewhere when they were evaluated are known by their name and folder, if one file alone
    has these.
    """
    there: dict[Path, list[Video]] = defaultdict(list)
    for entry in reversed(videos):
        if entry.split != TRAIN:
            there[entry.path].append(entry)
    alike = Counter(path.parts[-2:] for path in there)
    moved = {path.parts[-2:]: clips for path, clips in there.items() if alike[path.parts[-2:]] == 1}
    listed = (there.get(path) or moved.get(path.parts[-2:]) for path in paths)
    return [known.pop() if known else None for known in listed]


def _thumbnail(entry: Video) -> str | None:
    """Return the beginning of a video, small, as a data URI; None if it cannot be read any more."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "thumbnail.mp4"
        try:
            write(path, tile(entry, *SIDES), SHEET_FPS)
        except UserError:
            return None
        return data_uri(path, "video/mp4")

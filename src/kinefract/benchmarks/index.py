"""From a benchmark's recipe to its index: one CSV line per video, probed, with a sheet to look at.

The index folder holds ``index.csv`` (what training reads), ``classes.json`` (names in the order of their
labels), ``summary.json`` (videos per split and class) and the sheet ``preview.mp4`` with its still.
"""

import csv
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kinefract import video
from kinefract.benchmarks.recipes import BenchmarkRecipe, Entry, Video
from kinefract.benchmarks.sheet import write_sheet
from kinefract.errors import UserError
from kinefract.files import write_json, written_whole
from kinefract.progress import progress, say

SPLITS = ("train", "test")
PROBLEMS_SHOWN = 10


def build(recipe: BenchmarkRecipe, root: Path, folder: Path) -> None:
    """List a benchmark's videos, probe each of them and write the index folder, ``index.csv`` last.

    Args:
        recipe: The benchmark's settings.
        root: The folder that relative paths of the recipe start from (the project's).
        folder: The index folder; made where absent.

    Raises:
        UserError: videos are missing, unreadable or truncated (all of them in one message), or a class has
            no training or no test videos.
    """
    video.require_ffmpeg()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    entries = recipe.entries(Path(root), folder)
    classes = _classes(entries)
    videos = _probe_all(entries, folder)

    counts = {split: Counter(item.class_name for item in videos if item.split == split) for split in SPLITS}
    write_json(folder / "classes.json", classes)
    write_json(
        folder / "summary.json",
        {
            "classes": len(classes),
            "videos": {split: counts[split].total() for split in SPLITS},
            "per_class": {split: {name: counts[split][name] for name in classes} for split in SPLITS},
        },
    )
    write_sheet(folder, [item._replace(path=_absolute(item.path, folder)) for item in videos])
    _write_csv(folder / "index.csv", videos)
    say(f"{folder}: " + ", ".join(f"{counts[split].total()} {split}" for split in SPLITS) + " videos")


def read(folder: Path) -> list[Video]:
    """Return the videos of an index folder, in the order of the index, with absolute paths.

    Raises:
        UserError: there is no index, or it is not one that ``build`` wrote.
    """
    path = Path(folder) / "index.csv"
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
            header, *rows = csv.reader(stream, strict=True)
        if tuple(header) != Video._fields:
            raise ValueError(f"its first line is not {','.join(Video._fields)}")
        return [_parse(row, Path(folder)) for row in rows]
    except FileNotFoundError:
        raise UserError(f"{path} is missing: the benchmark has not been indexed") from None
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(
            f"{path} is no index of a benchmark ({error}): remove its folder, index again"
        ) from error


def _classes(entries: list[Entry]) -> list[str]:
    """Return the class names in label order, having checked that labels, names and splits make sense."""
    names = {entry.label: entry.class_name for entry in entries}
    if sorted(names) != list(range(len(names))) or len(set(names.values())) != len(names):
        raise ValueError(f"labels must count the classes from 0, got {names}")
    if any(names[entry.label] != entry.class_name or entry.split not in SPLITS for entry in entries):
        raise ValueError("an entry's class name or split is not that of its label")
    repeated = [path for path, count in Counter(entry.path for entry in entries).items() if count > 1]
    if repeated:
        raise UserError(f"listed more than once: {_first(repeated)}")
    for split in SPLITS:
        there = {entry.label for entry in entries if entry.split == split}
        empty = [name for label, name in sorted(names.items()) if label not in there]
        if empty or not names:
            raise UserError(f"no {split} videos of {len(empty)} classes: {', '.join(empty[:PROBLEMS_SHOWN])}")
    return [names[label] for label in range(len(names))]


def _probe_all(entries: list[Entry], folder: Path) -> list[Video]:
    def probe(entry: Entry) -> Video | str:
        try:
            info = video.probe(_absolute(entry.path, folder))
        except UserError as error:
            return str(error)
        return Video(Path(entry.path), *entry[1:], *info)

    # libav releases the interpreter's lock, so that threads read files side by side.
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        found = list(progress(pool.map(probe, entries), "reading videos", len(entries), "files"))
    problems = [item for item in found if isinstance(item, str)]
    if problems:
        raise UserError(f"{len(problems)} of {len(entries)} videos cannot be used:\n{_first(problems)}")
    return [item for item in found if isinstance(item, Video)]


def _first(lines: list[str]) -> str:
    more = [f"... and {len(lines) - PROBLEMS_SHOWN} more"] if len(lines) > PROBLEMS_SHOWN else []
    return "\n".join(f"  {line}" for line in (*lines[:PROBLEMS_SHOWN], *more))


def _write_csv(path: Path, videos: list[Video]) -> None:
    # File names are bytes: those that are not UTF-8 pass through as surrogates, as everywhere in Python.
    with (
        written_whole(path) as partial,
        partial.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(Video._fields)
        writer.writerows(videos)


def _parse(row: list[str], folder: Path) -> Video:
    if len(row) != len(Video._fields):
        raise ValueError(f"a line has {len(row)} fields instead of {len(Video._fields)}")
    path, label, class_name, split, frames, fps, width, height = row
    if split not in SPLITS:
        raise ValueError(f"a split is {split!r}")
    size = int(width), int(height)
    return Video(_absolute(path, folder), int(label), class_name, split, int(frames), float(fps), *size)


def _absolute(path: Path | str, folder: Path) -> Path:
    # `..` leads where the system would lead: links in the folder's own path are followed first. A link on
    # the way down to a video, say to a disk of data, stays in its name.
    return Path(os.path.normpath(folder.resolve() / path))

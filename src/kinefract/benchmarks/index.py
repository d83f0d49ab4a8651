"""The index of a benchmark, made from its recipe: one CSV line per probed video, a summary and a sheet.

The index folder holds ``index.csv`` (what training reads), ``classes.json`` (names in the order of their
labels), ``summary.json`` and ``summary.txt`` (the counts found and the official ones) and the sheet
``preview.mp4`` with its still. If videos cannot be used, ``problems.txt`` lists all of them.
"""

import csv
import io
import math
import os
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from kinefract.benchmarks import summary
from kinefract.benchmarks.base import SPLITS, TRAIN, VALIDATION, BenchmarkRecipe, Contents, Entry, Video
from kinefract.benchmarks.fields import check_class_name, same_place, whole_number
from kinefract.benchmarks.probes import probe_all
from kinefract.common import checksums
from kinefract.common.errors import UserError
from kinefract.common.files import write_json, write_text
from kinefract.common.layout import CLASSES, INDEX, PROBLEMS, SPEC_FILE, SUMMARY, SUMMARY_PAGE
from kinefract.common.progress import log_line
from kinefract.common.records import damaged, read_json
from kinefract.common.remedies import make_again
from kinefract.common.schema import digest_of, short
from kinefract.common.terminal import printable
from kinefract.common.words import counted, first_of

PROBLEMS_SHOWN = 10


def build(recipe: BenchmarkRecipe, root: Path, folder: Path) -> None:
    """List a benchmark's videos, probe each of them and write the index folder, ``index.csv`` last.

    Args:
        recipe: The benchmark's settings.
        root: The folder that relative paths of the recipe start from (the project's).
        folder: The index folder; it is created if it does not exist.

    Raises:
        UserError: there are no videos at all. If the recipe is not tolerant, also: videos are missing,
            unreadable or truncated, counts differ from the official ones (all in one message), or a class
            has no videos on one side of the split.
    """
    from kinefract.viewing.videos import write_sheet  # imports Pillow, which reading an index does not need

    root, folder = Path(root), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INDEX).unlink(missing_ok=True)  # an earlier index may have other labels
    checksums.remove(folder)
    contents = recipe.contents(root, folder)
    classes = contents.classes
    _check(classes, contents.entries, folder)
    videos, unreadable = probe_all(contents.entries, folder, root)
    _report(recipe, contents, unreadable, folder)
    _check_sides(recipe, classes, videos)
    _check_repeats(videos, folder)
    base = folder.resolve()
    duplicates = summary.duplicates([_absolute(item.path, base) for item in videos])

    facts = summary.facts(classes, videos, contents, unreadable, duplicates, folder)
    write_json(folder / CLASSES, classes)
    write_json(folder / SUMMARY, facts)
    write_text(folder / SUMMARY_PAGE, summary.page(facts))
    if warning := summary.told(facts["straddling"]):
        log_line(f"{folder}: {warning}")
    write_sheet(folder, [item._replace(path=_absolute(item.path, base)) for item in videos])
    _write_csv(folder / INDEX, videos)
    counts = Counter(item.split for item in videos)
    found = ", ".join(counted(counts[split], f"{split} video") for split in SPLITS if counts[split])
    log_line(f"{folder}: {found} of {counted(len(classes), 'class')}")


def read(folder: Path) -> list[Video]:
    """Return the videos of an index folder, in the order of the index, with absolute paths.

    Raises:
        UserError: there is no index, or it is not one that ``build`` wrote; the message names file, line and
            field.
    """
    path = Path(folder) / INDEX
    try:
        text = checksums.read_bytes(path).decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        spec = Path(folder) / SPEC_FILE
        raise UserError(
            f"{path} is missing: the benchmark is not indexed yet; "
            f"`kinefract index {spec}` does that, or `kinefract index` with its name"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    classes = read_classes(folder)
    base, videos, line = Path(folder).resolve(), [], 1
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if line == 1 and tuple(row) != Video._fields:
                raise ValueError(f"its first line is not {','.join(Video._fields)}")
            if line > 1:
                videos.append(_parse(row, classes, base))
            line = reader.line_num + 1  # where the next row begins; a path may contain line breaks
        if not videos:
            raise ValueError("it lists no video")
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path}, line {line}: {error}; {make_again(path.parent)}") from error
    return videos


def read_classes(folder: Path) -> list[str]:
    """Return the class names in ``classes.json`` of an index folder, or of a run's, in label order.

    Raises:
        UserError: the file is missing, or is no JSON list of different class names.
    """
    path = Path(folder) / CLASSES
    try:
        names = read_json(path, list[str])
    except FileNotFoundError:
        raise UserError(f"{path} is missing; {make_again(path.parent)}") from None
    if len(set(names)) != len(names) or not names:
        raise damaged(path, f"wants at least one class name, and each once, got {short(names)}")
    for name in names:
        check_class_name(name, path)
    return names


def fingerprint(folder: Path, root: Path) -> dict[str, str]:
    """Return the fingerprint of an index: its ``file``, relative to the project's folder, and its ``digest``.

    Raises:
        UserError: there is no index, or it is not one that ``build`` wrote.
    """
    path = Path(folder) / INDEX
    return {"file": path.relative_to(root).as_posix(), "digest": _digest(path)}


def matches_fingerprint(facts: Mapping[Any, str], root: Path) -> bool:
    """Return whether an index matches a fingerprint; an index that does not exist counts as matching."""
    path = Path(root) / facts["file"]
    return not path.exists() or _digest(path) == facts["digest"]


def _digest(path: Path) -> str:
    facts = path.stat()
    return _digest_at(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=64)
def _digest_at(path: Path, size: int, time: int) -> str:
    """Return the digest of an index's content, independent of the videos' places; cached until it changes."""
    return digest_of([[os.fsencode(item.path.name).hex(), *item[1:]] for item in read(path.parent)])


def _check(classes: list[str], entries: list[Entry], folder: Path) -> None:
    """Check that labels, names and splits are valid."""
    if not classes:
        raise UserError("the benchmark lists no class")
    if len(set(classes)) != len(classes):
        raise ValueError(f"a class is named twice: {classes}")
    for name in classes:
        check_class_name(name, folder)
    if any(classes[entry.label] != entry.class_name or entry.split not in SPLITS for entry in entries):
        raise ValueError("an entry's class name or split is not that of its label")


def _check_repeats(videos: list[Video], folder: Path) -> None:
    """Check that no clip is listed twice, in whatever spelling; copies and links of a file are duplicates."""
    place = same_place(folder)
    listed = Counter((place(item.path), item.start, item.end) for item in videos)
    if repeated := [path for (path, _, _), count in listed.items() if count > 1]:
        raise UserError(f"listed more than once:\n{_first([printable(path) for path in repeated])}")


def _check_sides(recipe: BenchmarkRecipe, classes: list[str], videos: list[Video]) -> None:
    """Check that every class has videos for training and for evaluation; name those that have not.

    A fold may evaluate on some of the classes, since its groups may have no others.
    """
    if not videos:
        raise UserError("not one of the benchmark's videos is there")
    held_out = "validation" if any(item.split == VALIDATION for item in videos) else "test"
    sides = ["training"] * (not recipe.folds_to_pool) + [held_out] * (not recipe.is_fold)
    for side in sides:
        there = {item.label for item in videos if (item.split == TRAIN) == (side == "training")}
        empty = [name for label, name in enumerate(classes) if label not in there]
        if empty:
            message = (
                f"{len(empty)} of {counted(len(classes), 'class')} have no {side} videos: {_listed(empty)}; "
                "name those wanted in the benchmark's `classes:`, or bring the videos"
            )
            if not recipe.tolerant:
                raise UserError(message)
            log_line(message)


def _report(recipe: BenchmarkRecipe, contents: Contents, unreadable: list[str], folder: Path) -> None:
    """Raise a UserError about all problems, or log them if the recipe is tolerant."""
    (folder / PROBLEMS).unlink(missing_ok=True)
    problems = [
        *contents.disagreements,
        *(f"missing: {path}" for path in contents.missing),
        *unreadable,
    ]
    if not problems:
        return
    problems = [printable(problem) for problem in problems]
    write_text(folder / PROBLEMS, "\n".join(problems) + "\n")
    total = len(contents.entries) + len(contents.missing)
    counts = [
        (len(contents.missing), f"of {counted(total, 'listed video')} are not there"),
        (len(unreadable), f"of {total} cannot be read"),
    ]
    message = "; ".join([*contents.disagreements, *(f"{n} {what}" for n, what in counts if n)])
    if recipe.tolerant:
        log_line(f"{message}: going on without them (allow_missing: true), so results are not official")
        return
    shown = _first(problems[len(contents.disagreements) :])
    advice = f"all of it stands in {folder / PROBLEMS}"
    if hasattr(recipe, "allow_missing"):
        advice += "; `allow_missing: true` goes on with what is there, `classes:` with some classes"
    raise UserError("\n".join([message + ":", *([shown] if shown else []), advice]))


def _first(lines: list[str]) -> str:
    return "\n".join(f"  {line}" for line in first_of(lines, PROBLEMS_SHOWN))


def _listed(names: list[str]) -> str:
    return ", ".join(names[:PROBLEMS_SHOWN]) + (", ..." if len(names) > PROBLEMS_SHOWN else "")


def _write_csv(path: Path, videos: list[Video]) -> None:
    # File names are bytes: those that are not UTF-8 pass through as surrogates, as everywhere in Python.
    with (
        checksums.last_file(path) as partial,
        partial.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(Video._fields)
        writer.writerows(videos)


def _parse(row: list[str], classes: list[str], base: Path) -> Video:
    """Return the video of a row of the index.

    Raises:
        ValueError: a field is none that ``build`` writes; the message names it.
    """
    if len(row) != len(Video._fields):
        raise ValueError(f"has {counted(len(row), 'field')} instead of {len(Video._fields)}")
    given = dict(zip(Video._fields, row, strict=True))
    path, class_name, split = given["path"], given["class_name"], given["split"]

    def number(name: str, least: int, most: int | None = None) -> int:
        value = whole_number(given[name])
        if value is None or value < least or (most is not None and value > most):
            wanted = f"from {least}" + (f" to {most}" if most is not None else " on")
            raise ValueError(f"{name} is {given[name]!r:.60}, wants a whole number {wanted}")
        return value

    if not path or "\0" in path:
        raise ValueError(f"path is {path!r:.60}, wants that of a video")
    label = number("label", 0, len(classes) - 1)
    if class_name != classes[label]:
        raise ValueError(
            f"class_name is {class_name!r:.60}, but label {label} is {classes[label]!r:.60} in {CLASSES}"
        )
    frames = number("frames", 1)
    if (fps := _rate(given["fps"])) is None:
        raise ValueError(f"fps is {given['fps']!r:.60}, wants a number from 0 on")
    width, height = number("width", 1), number("height", 1)
    start = number("start", 0, frames - 1)
    end = number("end", start + 1, frames)
    if split not in SPLITS:
        raise ValueError(f"split is {split!r:.60}, wants one of {', '.join(SPLITS)}")
    return Video(_absolute(path, base), label, class_name, frames, fps, width, height, start, end, split)


def _rate(text: str) -> float | None:
    try:
        rate = float(text)
    except ValueError:
        return None
    return rate if 0 <= rate < math.inf else None


def _absolute(path: Path | str, base: Path) -> Path:
    # `..` is resolved as by the system: links in the folder's own path were followed to get `base`. A link
    # below it, for example to a disk of data, stays in a video's path.
    return Path(os.path.normpath(base / path))

"""The summary of an index: found, missing, unreadable and duplicate videos, and the official counts."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NotRequired

from pydantic import with_config
from typing_extensions import TypedDict

from kinefract.benchmarks.base import SPLITS, Contents, Video
from kinefract.common.files import sha256
from kinefract.common.layout import SUMMARY
from kinefract.common.records import AS_WRITTEN, Count, Positive, read_json
from kinefract.common.terminal import printable
from kinefract.common.words import counted


@with_config(AS_WRITTEN)
class Summary(TypedDict):
    """What readers use of ``summary.json``: the number of classes, and of the videos of each split."""

    classes: Positive
    videos: dict[str, Count]
    straddling: NotRequired[list[list[str]]]  # groups of equal files on several sides of the split


def read(folder: Path) -> Summary | None:
    """Return the summary in an index folder; None if there is none.

    Raises:
        UserError: the file is damaged.
    """
    try:
        return read_json(folder / SUMMARY, Summary)
    except FileNotFoundError:
        return None


def duplicates(paths: Sequence[Path]) -> list[list[Path]]:
    """Return groups of files that are equal byte for byte; empty ones and folders are not compared."""
    by_size: dict[int, list[Path]] = defaultdict(list)
    for path in dict.fromkeys(paths):
        if path.is_file() and (size := path.stat().st_size):
            by_size[size].append(path)
    by_content: dict[str, list[Path]] = defaultdict(list)
    for same_size in by_size.values():
        if len(same_size) > 1:
            for path in same_size:
                by_content[sha256(path)].append(path)
    return [group for group in by_content.values() if len(group) > 1]


def straddling(videos: Iterable[tuple[Path, str]], doubled: Sequence[Sequence[Path]]) -> list[list[Path]]:
    """Return the groups of equal files that are on more than one side of the split.

    Args:
        videos: The path and the split of each video.
        doubled: Groups of equal files, as ``duplicates`` returns them.
    """
    sides: dict[Path, set[str]] = defaultdict(set)
    for path, split in videos:
        sides[path].add(split)
    return [list(group) for group in doubled if len(set().union(*(sides[path] for path in group))) > 1]


def told(apart: Sequence[Sequence[object]]) -> str:
    """Return the sentence about groups of equal files on several sides of the split; empty without any."""
    if not apart:
        return ""
    first = " = ".join(printable(str(path)) for path in apart[0])
    return (
        f"equal files on both sides of the split, which makes results too good: "
        f"{counted(len(apart), 'group')}, such as {first}"
    )


def facts(
    classes: list[str],
    videos: list[Video],
    contents: Contents,
    unreadable: list[str],
    doubled: list[list[Path]],
    folder: Path,
) -> dict:
    """Return the summary as it stands in ``summary.json``.

    Args:
        classes: Names in label order.
        videos: The videos that the index lists.
        contents: The contents that the benchmark lists.
        unreadable: A line for each video that is left out.
        doubled: Groups of equal files.
        folder: The index folder, to which paths are relative.
    """
    counts = {split: Counter(item.class_name for item in videos if item.split == split) for split in SPLITS}
    used = [split for split in SPLITS if counts[split] or contents.listed.get(split)]
    absolute = [item._replace(path=Path(os.path.normpath(folder.resolve() / item.path))) for item in videos]
    lengths = sorted(item.length for item in videos)
    sizes = Counter(f"{item.width}x{item.height}" for item in videos)
    return {
        "classes": len(classes),
        "videos": {split: counts[split].total() for split in used},
        "listed": {split: contents.listed.get(split, counts[split].total()) for split in used},
        "official": contents.official,
        "missing": len(contents.missing),
        "unreadable": len(unreadable),
        "disagreements": contents.disagreements,
        "duplicates": _relative(doubled, folder),
        "straddling": _relative(straddling(((item.path, item.split) for item in absolute), doubled), folder),
        "frames": {
            "shortest": lengths[0],
            "median": lengths[len(lengths) // 2],
            "longest": lengths[-1],
            "all": sum(lengths),
        },
        "rates": {f"{rate:.6g}": count for rate, count in Counter(v.fps for v in videos).most_common(5)},
        "sizes": dict(sizes.most_common(5)),
        "per_class": {split: {name: counts[split][name] for name in classes} for split in used},
    }


def _relative(groups: Sequence[Sequence[Path]], folder: Path) -> list[list[str]]:
    return [[printable(os.path.relpath(path, folder.resolve())) for path in group] for group in groups]


def page(facts: dict) -> str:
    """Return the summary as text for readers."""
    official, videos = facts["official"], facts["videos"]
    lines = [f"{'split':<12}{'found':>8}{'listed':>10}{'official':>10}"]
    lines += [
        f"{split:<12}{count:>8}{facts['listed'][split]:>10}{official.get(split, '-'):>10}"
        for split, count in videos.items()
    ]
    lines += [
        "",
        f"classes     {facts['classes']}",
        f"missing     {facts['missing']}",
        f"unreadable  {facts['unreadable']}",
        f"duplicates  {sum(len(group) - 1 for group in facts['duplicates'])}",
        *(f"            {' = '.join(group)}" for group in facts["duplicates"][:10]),
        *filter(None, [told(facts["straddling"])]),
        *facts["disagreements"],
        "",
        "frames      {shortest} to {longest}, median {median}, {all} in all".format(**facts["frames"]),
        "rates       " + ", ".join(f"{count} at {rate}" for rate, count in facts["rates"].items()),
        "sizes       " + ", ".join(f"{count} of {size}" for size, count in facts["sizes"].items()),
        "",
    ]
    shown = {name: printable(name) for names in facts["per_class"].values() for name in names}
    longest = max(len("class"), *map(len, shown.values()))
    lines.append(f"{'class':<{longest}}" + "".join(f"{split:>12}" for split in videos))
    lines += [
        f"{text:<{longest}}" + "".join(f"{facts['per_class'][split][name]:>12}" for split in videos)
        for name, text in shown.items()
    ]
    return "\n".join(lines) + "\n"

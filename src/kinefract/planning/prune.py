"""Removing what no study of params.yaml refers to: folders of earlier settings, their caches and logs.

Only names that kinefract gives are looked at (``<name>-<12 hexadecimal digits>``), only in the folders where
it puts them, and a link is never followed. What was found out about videos (``data/cache/probes``) stays: it
is small, and of all benchmarks.
"""

import os
import re
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from kinefract.benchmarks.listed import ListedRecipe
from kinefract.benchmarks.tree import UNPACKED
from kinefract.errors import UserError
from kinefract.files import in_bytes
from kinefract.plan import Plan
from kinefract.planning.outlook import CACHES
from kinefract.specs import SPEC_FILE, BenchmarkSpec, DatasetSpec, FinetuneSpec, PretrainSpec, StudySpec

SPECS = (DatasetSpec, BenchmarkSpec, PretrainSpec, FinetuneSpec, StudySpec)
RECORDS = {"results/logs": ".log", "results/benchmarks": ".tsv"}
PARENTS = (*(spec.PARENT for spec in SPECS), CACHES, UNPACKED, *RECORDS)
ID = r"[a-z0-9_]+(?:-[a-z0-9_]+)*-[0-9a-f]{12}"
NAME = re.compile(ID)
CACHE_NAME = re.compile(rf"({ID})(?:-\d+)?")  # of a dataset, or of a benchmark at so many pixels
UNPACKED_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+-]*-[0-9a-f]{12}")
RECORD_NAME = re.compile(rf"({ID})(?:-\d{{5}})?")  # of a job, or of one shard
KERNELS_NAME = re.compile(r"[0-9a-f]{12}")
REMOVED = re.compile(r"\..+\.removed")  # what a removal that was killed left
CHECKPOINT = "checkpoint.pt"
LAST_FILES = ("manifest.csv", "index.csv", "model.safetensors", "index.html", "frames.bin")
RECENT = 3600.0  # seconds


class Stale(NamedTuple):
    """Something that no study refers to.

    Attributes:
        path: A folder, a file, or a link (whose target is not meant).
        what: What it is, in the plural.
        bytes: How much it holds.
        busy: Whether a job may still work on it, or with it.
    """

    path: Path
    what: str
    bytes: int
    busy: bool = False


def prune(root: Path | str, plan: Plan, kernels: Path, yes: bool = False, dry_run: bool = False) -> None:
    """Show what no study refers to, ask, and remove it.

    Args:
        root: The project's folder.
        plan: Every study of params.yaml, resolved.
        kernels: The folder of compiled kernels in use; those beside it are old (``synth.compiled.folder``).
        yes: Remove without asking, and also what a job may still work on.
        dry_run: Only show.

    Raises:
        UserError: there is nobody to ask and ``yes`` is not given, or something cannot be removed.
    """
    root = Path(root)
    found = find(root, plan, kernels)
    print(listing(root, found))
    chosen = [item for item in found if yes or not item.busy]
    if dry_run or not chosen:
        return
    if not yes:
        if not sys.stdin.isatty():
            raise UserError("nobody to ask whether to remove this; say --yes, or run it in a terminal")
        if input(f"remove {in_bytes(sum(item.bytes for item in chosen))}? [y/N] ").strip().lower() not in (
            "y",
            "yes",
        ):
            print("nothing was removed")
            return
    for item in chosen:
        remove(item.path)
    print(f"removed {in_bytes(sum(item.bytes for item in chosen))}")


def find(root: Path, plan: Plan, kernels: Path) -> list[Stale]:
    """Return what no study refers to, in order of paths. Arguments as of ``prune``."""
    root = Path(root)
    shelves = (plan.datasets, plan.benchmarks, plan.pretrains, plan.finetunes, plan.studies)
    kept = dict(zip((spec.PARENT for spec in SPECS), map(set, shelves), strict=True))
    needed = _needed_by_running(root, kept)
    everything = needed.union(*kept.values())
    found = []
    for parent, ids in kept.items():
        stale = [path for path in _folders(root, parent, NAME) if path.name not in ids]
        found += [Stale(p, f"folders in {parent}", _bytes(p), p.name in needed or _busy(p)) for p in stale]
        found += [
            Stale(p, "left by a prune that was stopped", _bytes(p)) for p in _folders(root, parent, REMOVED)
        ]
    for path in _folders(root, CACHES, CACHE_NAME):
        owner = CACHE_NAME.fullmatch(path.name)[1]
        if owner not in kept[DatasetSpec.PARENT] | kept[BenchmarkSpec.PARENT]:
            found.append(Stale(path, f"folders in {CACHES}", _bytes(path), owner in needed or _busy(path)))
    archives = _archives(root, plan)
    for path in _folders(root, UNPACKED, UNPACKED_NAME):
        if path.name.rpartition("-")[0] not in archives:
            found.append(Stale(path, f"folders in {UNPACKED}", _bytes(path)))
    for parent in (CACHES, UNPACKED):
        found += [
            Stale(p, "left by a prune that was stopped", _bytes(p)) for p in _folders(root, parent, REMOVED)
        ]
    gone = {item.path.name for item in found if item.path.parent == root / StudySpec.PARENT}
    found += [Stale(path, "links in results/studies", 0) for path in _links(root, plan, gone)]
    for path in _records(root):
        if RECORD_NAME.fullmatch(path.stem)[1] not in everything:
            found.append(Stale(path, "logs and times of jobs", path.lstat().st_size))
    for path in _folders(kernels.parent, ".", KERNELS_NAME):
        if path.name != kernels.name:
            found.append(Stale(path, "old compiled kernels", _bytes(path)))
    return sorted(found)


def listing(root: Path, found: Sequence[Stale]) -> str:
    """Return what was found as text: a line per folder, one for all logs, and sums."""
    lines = [f"{parent}: a link, left alone" for parent in PARENTS if not _is_own(root, parent)]
    for what in dict.fromkeys(item.what for item in found):
        items = [item for item in found if item.what == what]
        lines.append(f"{what}: {len(items)}, {in_bytes(sum(item.bytes for item in items))}")
        if what != "logs and times of jobs":
            lines += [f"  {in_bytes(item.bytes):>9}  {_shown(root, item)}" for item in items]
    total = sum(item.bytes for item in found)
    return "\n".join([*lines, f"{in_bytes(total)} that no study of params.yaml refers to"])


def remove(path: Path) -> None:
    """Remove a folder, a file or a link itself. A folder gets a hidden name first, so it is whole or gone.

    Raises:
        UserError: it cannot be removed.
    """
    try:
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
            return
        hidden = path
        if not REMOVED.fullmatch(path.name):
            hidden = path.with_name(f".{path.name}.removed")
            if hidden.is_dir():
                shutil.rmtree(hidden)
            path.rename(hidden)
        shutil.rmtree(hidden)
    except OSError as error:
        raise UserError(f"cannot remove {error.filename or path}: {error.strerror or error}") from error


def _is_own(root: Path, parent: str) -> bool:
    """Return whether a parent lies in the project itself, none of its folders being a link."""
    return not any(
        (root / part).is_symlink() for part in (parent, *map(str, Path(parent).parents)) if part != "."
    )


def _folders(root: Path, parent: str, name: re.Pattern[str]) -> list[Path]:
    """Return the folders of a parent with such names; no links."""
    folder = root / parent
    if not (_is_own(root, parent) and folder.is_dir()):
        return []
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if name.fullmatch(e.name) and e.is_dir(follow_symlinks=False)]
    return [folder / name for name in sorted(names)]


def _links(root: Path, plan: Plan, gone: set[str]) -> Iterator[Path]:
    """Yield the links to studies that no longer are, or whose folder is to be removed."""
    folder, studies = root / StudySpec.PARENT, {spec.study for spec in plan.studies.values()}
    if not (_is_own(root, StudySpec.PARENT) and folder.is_dir()):
        return
    for path in sorted(folder.iterdir()):
        if not path.is_symlink():
            continue
        target = str(path.readlink())
        if NAME.fullmatch(target) and (path.name not in studies or target in gone):
            yield path


def _records(root: Path) -> Iterator[Path]:
    for parent, suffix in RECORDS.items():
        if not _is_own(root, parent):
            continue
        for folder, _, names in os.walk(root / parent):  # which does not follow links
            paths = (Path(folder, name) for name in sorted(names))
            yield from (
                path
                for path in paths
                if path.suffix == suffix and RECORD_NAME.fullmatch(path.stem) and not path.is_symlink()
            )


def _archives(root: Path, plan: Plan) -> set[str]:
    """Return the files in the folders of the studies' benchmarks, by what ``tree`` calls them unpacked."""
    recipes = (spec.recipe for spec in plan.benchmarks.values())
    tops = {root / recipe.root for recipe in recipes if isinstance(recipe, ListedRecipe)}
    return {path.name.partition(".")[0] for top in tops if top.is_dir() for path in top.iterdir()}


def _needed_by_running(root: Path, kept: dict[str, set[str]]) -> set[str]:
    """Return the ids of runs that no study refers to and that may be running, and of all they build on."""
    needed = set()
    for kind in (PretrainSpec, FinetuneSpec):
        for path in _folders(root, kind.PARENT, NAME):
            if path.name in kept[kind.PARENT] or not _busy(path):
                continue
            needed.add(path.name)
            with suppress(UserError):
                plan = Plan()
                plan.add(kind.read(path / SPEC_FILE))
                needed |= {*plan.datasets, *plan.benchmarks, *plan.pretrains}
    return needed


def _busy(path: Path) -> bool:
    """Return whether a job may work on a folder: its checkpoint is young, or it is unfinished and young."""
    if _is_recent(path / CHECKPOINT):
        return True
    if any((path / name).exists() for name in LAST_FILES):
        return False
    return any(_is_recent(folder) for folder in (path, path / "shards", path / "videos"))


def _is_recent(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime < RECENT
    except OSError:
        return False


def _bytes(path: Path) -> int:
    """Return the bytes of the files in a folder; links count as themselves."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(folder, name).lstat().st_size
    return total


def _shown(root: Path, item: Stale) -> str:
    path = item.path.relative_to(root) if item.path.is_relative_to(root) else item.path
    busy = "  (a job may be working with it: left, unless --yes)" if item.busy else ""
    return f"{path}{busy}"

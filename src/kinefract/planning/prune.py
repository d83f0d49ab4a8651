"""Removal of results that no study refers to, of what killed jobs left, and of weights if asked.

Results are folders of earlier settings, their caches and logs. Only names that kinefract gives
(``<name>-<12 hexadecimal digits>``) in the folders of kinefract are considered. Killed jobs leave partial
files anywhere below ``data`` and ``results``, and checkpoints in folders of finished runs. ``data`` and
``results`` may be links to another disk; no other link is followed. Unpacked archives and cached facts about
videos and pictures are kept.
"""

import os
import re
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from kinefract.common.errors import UserError
from kinefract.common.files import in_bytes, partial_of, remove_abandoned
from kinefract.common.layout import CACHES, CHECKPOINT, LOCK, LOGS, RAW, SPEC_FILE, TIMES
from kinefract.common.words import counted
from kinefract.config.plan import Plan
from kinefract.config.run_files import is_finished
from kinefract.config.specs import SPECS, FinetuneSpec, PretrainSpec, StudySpec
from kinefract.planning import removed_weights

FOLDERS = (*(spec.PARENT for spec in SPECS), CACHES)
RECORDS = {LOGS: ".log", TIMES: ".tsv"}
ID = r"([a-z0-9_]+(?:-[a-z0-9_]+)*-[0-9a-f]{12})"
FOLDER, CACHE, RECORD = (re.compile(ID + end) for end in ("", r"(?:-\d+)?", r"(?:-\d{5})?"))
REMOVED = re.compile(r"\..+\.removed")  # left by a removal that was killed
TOPS = ("data", "results")
RECENT = 3600.0  # seconds


class Stale(NamedTuple):
    """Something that no study refers to.

    Attributes:
        path: A folder, a file, or a link (without its target).
        owner: The id of the dataset, benchmark, run or study to which it belongs; empty for what a killed job
            left.
        bytes: Its size.
        changed: The time of its last change, in seconds since 1970.
    """

    path: Path
    owner: str
    bytes: int
    changed: float


def prune(
    root: Path | str, plan: Plan, yes: bool = False, dry_run: bool = False, weights: bool = False
) -> None:
    """List results that no study refers to and what killed jobs left, ask for confirmation, and remove them.

    Args:
        root: The project's folder.
        plan: Every study of the configuration, resolved.
        yes: Remove without asking, including results that a job may still work on.
        dry_run: Only list them.
        weights: Also those of runs whose studies are finished.

    Raises:
        UserError: there is no terminal to ask on and ``yes`` is not given, or a path cannot be removed.
    """
    root = Path(root)
    found, emptied = find(root, plan), dict(removed_weights.find(root, plan)) if weights else {}
    found += [_measured(path, run) for path, run in emptied.items()]
    used = set() if yes else _in_use(root, found)
    chosen = [item for item in found if item.owner not in used]
    size = in_bytes(sum(item.bytes for item in chosen))
    for line in _lines(root, chosen):
        print(line)
    more = ", or that are weights of finished studies" if weights else ""
    print(f"{size} that no study refers to, or that killed jobs left{more}")
    if left := len(found) - len(chosen):
        print(f"{left} more changed within the hour, so a job may still work on them: left, unless --yes")
    if dry_run or not chosen:
        return
    if not yes:
        if not sys.stdin.isatty():
            raise UserError("nobody to ask whether to remove this; say --yes, or run it in a terminal")
        if input(f"remove {size}? [y/N] ").strip().lower() not in ("y", "yes"):
            print("nothing was removed")
            return
    for item in chosen:
        if item.path in emptied:
            removed_weights.remove(item.path, item.owner)
        else:
            remove(item.path)
    print(f"removed {size}")


def find(root: Path, plan: Plan) -> list[Stale]:
    """Return all results that no study of a plan refers to, and what killed jobs left, sorted by path."""
    kept = {*plan.datasets, *plan.benchmarks, *plan.pretrains, *plan.finetunes, *plan.studies}
    there = [*_folders(root), *_links(root), *_records(root)]
    stale = {path: owner for path, owner in there if owner not in kept}
    # What lies in a folder that goes as a whole is not listed again.
    stale |= {path: "" for path in _left(root) if not any(parent in stale for parent in path.parents)}
    return [_measured(path, owner) for path, owner in sorted(stale.items())]


def remove(path: Path) -> None:
    """Remove a folder, a file or a link itself. A folder gets a hidden name first, so it is whole or gone.

    Raises:
        UserError: it cannot be removed.
    """
    try:
        if _is_of_a_job(path):
            remove_abandoned(path)
            return
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
            return
        if not REMOVED.fullmatch(path.name):
            path = path.rename(path.with_name(f".{path.name}.removed"))
        shutil.rmtree(path)
    except OSError as error:
        raise UserError(f"cannot remove {error.filename or path}: {error.strerror or error}") from error


def _folders(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield folders with the names that kinefract gives, each with the id in its name.

    Remains of a removal that was killed have no id, so nothing keeps them.
    """
    for parent in FOLDERS:
        name = CACHE if parent == CACHES else FOLDER
        for path in (root / parent).iterdir() if _is_own(root, parent) else ():
            if path.is_symlink() or not path.is_dir():
                continue
            if match := name.fullmatch(path.name):
                yield path, match[1]
            elif REMOVED.fullmatch(path.name):
                yield path, ""


def _links(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield the links to studies, ``results/studies/<study>``, each with the id that it leads to."""
    for path in (root / StudySpec.PARENT).iterdir() if _is_own(root, StudySpec.PARENT) else ():
        if path.is_symlink() and not FOLDER.fullmatch(path.name) and FOLDER.fullmatch(str(path.readlink())):
            yield path, str(path.readlink())


def _records(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield the logs and the times of jobs, each with the id in its name."""
    for parent, suffix in RECORDS.items():
        for path in (root / parent).glob(f"**/*{suffix}") if _is_own(root, parent) else ():
            if (match := RECORD.fullmatch(path.stem)) and path.is_file() and not path.is_symlink():
                yield path, match[1]


def _left(root: Path) -> Iterator[Path]:
    """Yield partial files and locks whose jobs were killed, and checkpoints of finished runs.

    Raw data is the user's, so it is not searched.
    """
    for top in TOPS:
        for folder, folders, names in os.walk(root / top):
            folders[:] = [name for name in folders if Path(folder, name) != root / RAW]
            for path in (Path(folder, name) for name in names):
                if (_is_of_a_job(path) and remove_abandoned(path, dry_run=True)) or _is_done(path):
                    yield path


def _is_of_a_job(path: Path) -> bool:
    """Return whether a path is a file that a job holds while it works: a partial file, or a lock."""
    named = partial_of(path.name) or path.name.endswith(LOCK)
    return bool(named) and path.is_file() and not path.is_symlink()


def _is_done(path: Path) -> bool:
    """Return whether a file is the checkpoint of a run that is finished and that no job makes again."""
    if path.name != CHECKPOINT or not is_finished(path.parent):
        return False
    lock = path.with_name(LOCK)
    return not lock.exists() or remove_abandoned(lock, dry_run=True)


def _is_own(root: Path, parent: str) -> bool:
    """Return whether a parent is a folder of the project, reached through no link below its top folder."""
    top, *rest = Path(parent).parts
    return (root / parent).is_dir() and (root / parent).resolve() == (root / top).resolve().joinpath(*rest)


def _in_use(root: Path, found: list[Stale]) -> set[str]:
    """Return the ids of results that changed recently, and of all on which such runs depend."""
    recent = {item.owner for item in found if item.owner and time.time() - item.changed < RECENT}
    used = set(recent)
    for kind in (PretrainSpec, FinetuneSpec):
        for owner in recent:
            with suppress(UserError):
                plan = Plan()
                plan.add(kind.read(root / kind.PARENT / owner / SPEC_FILE))
                used |= {*plan.datasets, *plan.benchmarks, *plan.pretrains}
    return used


def _measured(path: Path, owner: str) -> Stale:
    """Return a path with the bytes of its files and when the last of them, or their folders, changed."""
    inside = path.rglob("*") if path.is_dir() and not path.is_symlink() else ()
    size, changed = 0, 0.0
    for part in (path, *inside):
        with suppress(FileNotFoundError):
            status = part.lstat()
            size += status.st_size if stat.S_ISREG(status.st_mode) else 0
            changed = max(changed, status.st_mtime)
    return Stale(path, owner, size, changed)


def _lines(root: Path, items: list[Stale]) -> Iterator[str]:
    """Yield a line for each folder, link and file, and one for all logs and times of jobs."""
    for top in TOPS:
        if (root / top).is_symlink():
            yield f"{top}: a link to {(root / top).resolve()}; what other projects keep there is listed, too"
    for parent in (*FOLDERS, *RECORDS):
        if (root / parent).exists() and not _is_own(root, parent):
            yield f"{parent}: reached through a link, left alone"
    records = [item for item in items if item.path.suffix in RECORDS.values()]
    for item in items:
        if item not in records:
            yield f"{in_bytes(item.bytes):>9}  {item.path.relative_to(root)}"
    if records:
        size = in_bytes(sum(item.bytes for item in records))
        yield f"{size:>9}  {counted(len(records), 'log')}, times of jobs included"

"""Single flipped bits in the files of a finished project, and who notices them."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from kinefract.benchmarks import index
from kinefract.benchmarks.base import Entry
from kinefract.benchmarks.probes import probe_all
from kinefract.common.errors import UserError
from kinefract.common.layout import (
    BENCHMARKS,
    CACHED_FRAMES,
    CACHES,
    DATABASE,
    DATASETS,
    FRAME_CHECKSUMS,
    PROBES,
)
from kinefract.report.verify import verify
from kinefract.synth.store.shards import Shards
from kinefract.training.feed import CachedClips

# Nothing is read from these: logs and times of jobs, MLflow's copies of figures, notes for people, links to
# MLflow, and the page of all studies, which each report writes anew.
LOGS = (
    "results/logs",
    "results/benchmarks",
    "results/mlflow/artifacts",
    "results/mlflow/experiments.txt",
    "results/mlflow/studies",
)
NOT_READ = (*LOGS, "results/README.md", "results/index.html")


def files(project: Path) -> list[Path]:
    """Return the files of a project's data and results from which anything is read, relative to it."""
    found = [path for folder in ("data", "results") for path in (project / folder).rglob("*")]
    kept = [path.relative_to(project) for path in found if path.is_file() and not path.is_symlink()]
    return sorted(path for path in kept if not str(path).startswith(NOT_READ) and path.name[0] != ".")


@contextlib.contextmanager
def flipped(path: Path, bit: int) -> Iterator[None]:
    """Have one bit of a file flipped while the block runs; its size and its time stamp stay as they are."""
    content, status = path.read_bytes(), path.stat()
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    for now in (changed, content):
        path.write_bytes(now)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        if now is changed:
            try:
                yield
            except BaseException:
                path.write_bytes(content)
                raise


def outcome(project: Path, path: Path) -> str:
    """Return what becomes of a changed file: ``detected``, ``harmless`` or ``silent``.

    It is detected if `kinefract verify` or the reader of a cache names its folder in an error. It is harmless
    if it is known not to hold what was written, and is not used.

    Args:
        project: A finished project.
        path: The file, relative to the project.
    """
    try:
        if path.is_relative_to(PROBES):
            return "harmless" if _probed(project) else "silent"
        if path.name in (CACHED_FRAMES, FRAME_CHECKSUMS):
            name = path.parts[len(Path(CACHES).parts)]
            clips = Shards(project / DATASETS / name)
            CachedClips.of(clips, project / CACHES / name).store.everything()
        else:
            folder = project.joinpath(*path.parts[:3])
            verify(project, [folder] if len(path.parts) > 3 and "mlflow" not in path.parts else [], sample=0)
    except UserError as error:
        return "detected" if path.parts[-2] in str(error) or "MLflow" in str(error) else f"misnamed: {error}"
    # Each number that MLflow holds has been compared; its file has much room in which nothing is.
    return "harmless" if path.name == DATABASE else "silent"


def _probed(project: Path) -> bool:
    """Return whether indexing finds the facts of all videos that the index holds."""
    (folder,) = (project / BENCHMARKS).iterdir()
    videos = index.read(folder)
    names = [str(video.path.relative_to(folder.resolve())) for video in videos]
    entries = [
        Entry(name, item.label, item.class_name, item.split) for name, item in zip(names, videos, strict=True)
    ]
    found, problems = probe_all(entries, folder, project)
    facts = [(item.path.name, *item[3:7]) for item in found]
    return not problems and facts == [(item.path.name, *item[3:7]) for item in videos]

"""Logging to MLflow afterwards: finished runs and studies that its store does not hold yet.

They go the same way as while they are made (``RunExport``, ``log_study``), so MLflow holds the same.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from kinefract import tracking
from kinefract.common.errors import UserError
from kinefract.common.files import locked
from kinefract.common.layout import METRICS, MLFLOW, RESULT, SPEC_FILE, SYNC_LOCK
from kinefract.common.progress import progress
from kinefract.common.records import read_json
from kinefract.common.remedies import make_again
from kinefract.common.words import counted
from kinefract.config.run_files import is_finished
from kinefract.config.specs import FinetuneSpec, PretrainSpec, StudySpec
from kinefract.tracking import store

Scores = dict[str, dict[str, dict[str, float | int | None]]]  # variant -> benchmark -> figure
Kind = type[PretrainSpec] | type[FinetuneSpec] | type[StudySpec]
KINDS: tuple[Kind, ...] = (PretrainSpec, FinetuneSpec, StudySpec)  # studies last, since they tag their runs


@dataclass
class Summary:
    """What ``sync`` did: ids of runs and of studies logged, how many were held, and what was left out.

    ``unfinished`` counts folders of runs and studies that are not done; ``problems`` has a line for each that
    cannot be read.
    """

    runs: list[str] = field(default_factory=list)
    studies: list[str] = field(default_factory=list)
    held: int = 0
    unfinished: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return a line of counts, and a line for each problem."""
        line = (
            f"logged {counted(len(self.runs), 'run')} and {counted(len(self.studies), 'study')}; "
            f"held already: {self.held}, not finished: {self.unfinished}"
        )
        return "\n".join([line, *(f"left out: {problem}" for problem in self.problems)])


def sync(root: Path | str, folders: Iterable[Path | str] | None = None) -> Summary:
    """Log every finished run and study that MLflow does not hold as it is.

    A run is finished when ``metrics.jsonl``, ``result.json`` and ``model.safetensors`` are there, and no
    ``progress.jsonl`` of a job that makes it again. One that MLflow holds in part is completed, and one made
    again with another result is replaced. Of the studies of one name the last one reported is logged. A
    second call logs nothing.

    Args:
        root: The project's folder.
        folders: Folders of runs and studies; None for all below ``results``.

    Returns:
        What was done.

    Raises:
        UserError: a folder is not that of a run or a study, or the store cannot be used.
    """
    root = Path(root).resolve()
    summary = Summary()
    chosen = None if folders is None else [Path.cwd() / folder for folder in folders]
    finished, summary.unfinished = finished_folders(root, chosen)
    with locked(root / MLFLOW / SYNC_LOCK):
        for kind, folder in progress(finished, "MLflow", len(finished), "folders"):
            try:
                spec = kind.read(folder / SPEC_FILE)
                if isinstance(spec, StudySpec):
                    logged = _log_study(root, spec, folder)
                else:
                    logged = tracking.RunExport(root, spec).update()
            except UserError as error:
                summary.problems.append(" ".join(str(error).split()))
                continue
            if store.given_up(root):
                raise UserError("MLflow's store cannot be used; run `kinefract sync` again when it can")
            if not logged:
                summary.held += 1
            elif isinstance(spec, StudySpec):
                summary.studies.append(spec.id)
            else:
                summary.runs.append(spec.id)
    return summary


def finished_folders(root: Path, folders: list[Path] | None = None) -> tuple[list[tuple[Kind, Path]], int]:
    """Return the finished folders that MLflow holds or should hold, and the number of those not finished.

    Args:
        root: The project's folder.
        folders: Folders of runs and studies; None for all below ``results``.

    Returns:
        Kinds and folders, studies last; of the studies of one name only the last one reported, unless folders
        are given.

    Raises:
        UserError: a folder is not that of a run or a study.
    """
    finished, unfinished = [], 0
    for folder in _all_folders(root) if folders is None else folders:
        kind = _kind_of(root, folder)
        if _is_finished(kind, folder):
            finished.append((kind, folder))
        else:
            unfinished += not _pools_folds(kind, folder)
    return sorted(finished, key=lambda found: KINDS.index(found[0])), unfinished


def _log_study(root: Path, spec: StudySpec, folder: Path) -> bool:
    """Log the variants of a study that MLflow does not hold; return whether there were any."""
    try:
        metrics = read_json(folder / METRICS, Scores)
    except FileNotFoundError as error:
        raise UserError(f"{folder / METRICS}: missing; {make_again(folder)}") from error
    return bool(tracking.log_study(root, spec, metrics, tracking.study_files(folder)))


def _all_folders(root: Path) -> list[Path]:
    """Return the folders of all runs, and of each study the one whose report is the newest."""
    runs = [path.parent for kind in KINDS[:2] for path in sorted((root / kind.PARENT).glob(f"*/{SPEC_FILE}"))]
    newest: dict[str, Path] = {}
    for path in (root / StudySpec.PARENT).glob(f"*/{SPEC_FILE}"):
        folder, name = path.parent, path.parent.name.rpartition("-")[0]
        if folder.is_symlink() or not (folder / METRICS).exists():
            continue
        if name not in newest or _reported(folder) > _reported(newest[name]):
            newest[name] = folder
    return [*runs, *newest.values()]


def _pools_folds(kind: Kind, folder: Path) -> bool:
    """Return whether a run pools its folds. Each of them is a run in MLflow, the pooled one is none."""
    if kind is not FinetuneSpec or not (folder / RESULT).exists():
        return False
    with suppress(UserError):
        return bool(FinetuneSpec.read(folder / SPEC_FILE).folds)
    return False


def _reported(folder: Path) -> int:
    return (folder / METRICS).stat().st_mtime_ns


def _kind_of(root: Path, folder: Path) -> Kind:
    for kind in KINDS:
        if folder.parent == root / kind.PARENT and (folder / SPEC_FILE).exists():
            return kind
    raise UserError(f"{folder}: not the folder of a run or a study of this project")


def _is_finished(kind: Kind, folder: Path) -> bool:
    if kind is StudySpec:
        return (folder / METRICS).exists()
    return is_finished(folder)

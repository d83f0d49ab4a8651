"""The check of finished results: files against their checksums, and what they state against each other.

A dataset is checked against its recipe (``synth.store.verify``). The videos of a benchmark are compared with
its index, the predictions and weights of a run with its result, and a study with its runs, which are checked
too.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from kinefract import tracking, video
from kinefract.benchmarks import index
from kinefract.benchmarks.base import TRAIN
from kinefract.common import checksums
from kinefract.common.errors import UserError
from kinefract.common.layout import (
    CHECKSUMS,
    INDEX,
    MANIFEST,
    METRICS,
    MODEL,
    PAGE,
    PREDICTIONS,
    RESULT,
    SPEC_FILE,
)
from kinefract.common.progress import progress
from kinefract.common.records import damaged, read_json
from kinefract.common.remedies import make_again
from kinefract.common.words import counted, first_of
from kinefract.config.run_files import read_epochs, read_result
from kinefract.config.specs import BenchmarkSpec, DatasetSpec, FinetuneSpec, PretrainSpec, Spec, StudySpec
from kinefract.evaluation import predictions
from kinefract.models import weights
from kinefract.report import compare, cost, results, summary
from kinefract.report.table import metrics_of
from kinefract.synth.store import verify as dataset

SHOWN = 20  # problems that a message lists
# The kinds of results, and the file whose presence says that one is finished.
KINDS: dict[type[Spec], str] = {
    DatasetSpec: MANIFEST,
    BenchmarkSpec: INDEX,
    PretrainSpec: RESULT,
    FinetuneSpec: RESULT,
    StudySpec: PAGE,
}


def verify(root: Path, folders: Iterable[Path] = (), sample: int | None = 20, jobs: int = 1) -> str:
    """Check results, and all on which a study rests.

    Args:
        root: The project's folder. If there are no folders, all its finished results are checked, and with
            them the figures of all studies and what MLflow holds.
        folders: Folders of results, of this project or another.
        sample: Number of clips of each dataset, and of videos of each benchmark, that are decoded; None for
            all.
        jobs: Number of threads.

    Returns:
        Lines that state what was checked.

    Raises:
        UserError: a folder is not that of a finished result, or results are damaged; the message lists them.
    """
    folders = list(folders)
    chosen: dict[Path, type[Spec]] = {}
    for folder in folders or _finished(root.absolute()):
        chosen |= _with_sources(folder.absolute())
    counts, unsummed, problems = dict.fromkeys(KINDS, 0), 0, []
    lines = []
    for folder, kind in progress(chosen.items(), "verifying", len(chosen), "results"):
        counts[kind] += 1
        try:
            found, line = _checked(folder, kind, sample, jobs)
        except UserError as error:
            found, line = [str(error)], ""
        except FileNotFoundError as error:
            found, line = [f"{error.filename}: missing; {make_again(folder)}"], ""
        problems += found
        lines += [line] if line else []
        unsummed += not (folder / CHECKSUMS).exists()
    for compared in (summary.differing, tracking.differences) if not folders else ():
        try:
            problems += compared(root)
        except UserError as error:
            problems.append(str(error))
    if len(problems) == 1:
        raise UserError(problems[0])
    if problems:
        raise UserError("\n".join([f"{counted(len(problems), 'problem')}:", *first_of(problems, SHOWN)]))
    names = {DatasetSpec: "dataset", BenchmarkSpec: "benchmark", StudySpec: "study"}
    whole = [
        counted(count, names.get(kind, f"{Path(kind.PARENT).name} run")) for kind, count in counts.items()
    ]
    lines.append(f"checked {', '.join(whole)}: as they were written")
    if unsummed:
        lines.append(
            f"{unsummed} of them without {CHECKSUMS}: version 0.1 kept none, so only contents were checked"
        )
    return "\n".join(lines)


def _kind_of(folder: Path) -> type[Spec]:
    """Return the kind of the result in a folder, by its place; a dataset may lie anywhere."""
    if not (folder / SPEC_FILE).exists():
        raise UserError(f"{folder}: holds no {SPEC_FILE}, so it is no dataset, benchmark, run or study")
    parent = folder.parts[-3:-1]
    return next((kind for kind in KINDS if Path(kind.PARENT).parts == parent), DatasetSpec)


def _finished(root: Path) -> list[Path]:
    return [
        path.parent
        for kind, last in KINDS.items()
        for path in sorted((root / kind.PARENT).glob(f"*/{last}"))
        if not path.parent.is_symlink()
    ]


def _with_sources(folder: Path) -> dict[Path, type[Spec]]:
    """Return the kind of a result after those on which it rests, by folder."""
    kind = _kind_of(folder)
    if not (folder / KINDS[kind]).exists():
        raise UserError(f"{folder / KINDS[kind]}: no such file; make the result first, as `snakemake` does")
    sources: dict[Path, type[Spec]] = {}
    if kind is StudySpec:
        spec, root = StudySpec.read(folder / SPEC_FILE), folder.parents[2]
        parts = (
            (DatasetSpec, spec.datasets),
            (BenchmarkSpec, spec.benchmarks.values()),
            (PretrainSpec, spec.pretrains),
            (FinetuneSpec, spec.runs),
        )
        for part, ids in parts:
            for name in ids:
                source = root / part.PARENT / name
                # Clips that are rendered as training goes are no files, and official videos may be elsewhere.
                if (source / KINDS[part]).exists():
                    sources[source] = part
    return {**sources, folder: kind}


def _checked(folder: Path, kind: type[Spec], sample: int | None, jobs: int) -> tuple[list[str], str]:
    """Return the problems of a result, and a line on what was checked if it is a dataset."""
    problems = checksums.differing(folder) if (folder / CHECKSUMS).exists() else []
    if problems:
        return [f"{problem}; {make_again(folder)}" for problem in problems], ""
    spec = kind.read(folder / SPEC_FILE)
    if isinstance(spec, DatasetSpec):
        return [], f"{folder}: {dataset.verify(spec.recipe, folder, sample, jobs)}"
    if spec.id != folder.name:
        return [str(damaged(folder / SPEC_FILE, f"is of {spec.id}"))], ""
    if isinstance(spec, BenchmarkSpec):
        return _benchmark(folder, sample), ""
    if isinstance(spec, StudySpec):
        return _study(folder, spec), ""
    assert isinstance(spec, PretrainSpec | FinetuneSpec)
    return _run(folder, spec), ""


def _benchmark(folder: Path, sample: int | None) -> list[str]:
    """Decode a sample of the videos, and compare each with its line in the index."""
    videos = index.read(folder)
    wanted = len(videos) if sample is None else min(sample, len(videos))
    again = make_again(folder)
    problems = [f"{entry.path}: missing; {again}" for entry in videos if not entry.path.exists()]
    for place in np.linspace(0, len(videos) - 1, wanted).round().astype(int).tolist() if not problems else []:
        entry = videos[place]
        found = video.probe(entry.path)
        if (found.frames, found.width, found.height) != (entry.frames, entry.width, entry.height):
            problems.append(f"{entry.path}: another video than when it was indexed; {again}")
    return problems


def _run(folder: Path, spec: PretrainSpec | FinetuneSpec) -> list[str]:
    """Compare the result of a run with its epochs, predictions, index and weights."""
    result, epochs = read_result(folder), read_epochs(folder)
    problems = []
    if result["id"] != spec.id or not len(epochs) == result["epochs"] == spec.recipe.epochs:
        text = f"of {result['id']} after {result['epochs']} epochs, not of this spec"
        problems.append(str(damaged(folder / RESULT, text)))
    if isinstance(spec, FinetuneSpec):
        problems += filter(None, [predictions.contradiction(folder, result)])
        benchmark = folder.parents[2] / spec.benchmark.folder
        if not spec.folds and (benchmark / INDEX).exists():
            problems += _predicted(folder, benchmark)
        if spec.folds:
            return problems
    if (made_by := weights.made_by(folder / MODEL)) != spec.id:
        problems.append(str(damaged(folder / MODEL, f"weights of {made_by or 'another program'}")))
    return problems


def _predicted(folder: Path, benchmark: Path) -> list[str]:
    """Compare the videos and classes of a run's predictions with those of its index."""
    videos = [entry for entry in index.read(benchmark) if entry.split != TRAIN]
    evaluated = [(entry.path.name, entry.class_name) for entry in videos]
    found = predictions.read(folder)
    there = [(Path(path).name, name) for path, name in zip(found.paths, found.classes, strict=True)]
    if there == evaluated:
        return []
    return [str(damaged(folder / PREDICTIONS, f"not of the videos in {benchmark / INDEX}"))]


def _study(folder: Path, spec: StudySpec) -> list[str]:
    """Compute a study's figures again from its runs, and compare them."""
    root = folder.parents[2]
    rows = cost.with_costs(root, compare.compared(results.read(root, spec).rows))
    same = read_json(folder / METRICS, dict) == metrics_of(rows)
    return [] if same else [str(damaged(folder / METRICS, "not the figures of the study's runs"))]

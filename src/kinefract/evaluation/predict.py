"""Predictions of a finished network: for the videos of another index, and for files without a label."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kinefract import released, video
from kinefract.benchmarks import index
from kinefract.benchmarks.base import TEST, Video
from kinefract.benchmarks.kinds.own import in_class_folders
from kinefract.common.errors import UserError
from kinefract.common.files import write_json
from kinefract.common.layout import CLASSES, MODEL, PREDICTIONS, RESULT, SPEC_FILE
from kinefract.common.progress import progress
from kinefract.common.provenance import made_with
from kinefract.common.schema import not_one_of, suggestion
from kinefract.common.terminal import can_show, escaped
from kinefract.common.words import counted, first_of
from kinefract.config.phases import FinetuneRecipe
from kinefract.config.specs import FinetuneSpec, project_root
from kinefract.evaluation.evaluate import evaluate, scores
from kinefract.evaluation.scores import best
from kinefract.models import weights
from kinefract.models.base import Backbone
from kinefract.released import hub

PROBLEMS_SHOWN = 10
BAR = 24  # length in characters of the bar for a probability of 1
BLOCK, PLAIN_BLOCK = "█", "#"  # of the bar, and in encodings that lack it

Guesses = list[tuple[str, float]]  # class names and probabilities, the best first


@dataclass(frozen=True)
class Finished:
    """A finished fine-tuning run: its network, and the names of its classes in the order of outputs."""

    id: str
    root: Path  # the project's folder
    recipe: FinetuneRecipe
    model: Backbone
    classes: list[str]


def load(run: Path | str, root: Path | str = "") -> Finished:
    """Load a finished fine-tuning run.

    The names of its classes are read from ``classes.json`` in its folder; if there is none, from the index
    on which it was trained.

    Args:
        run: Its folder, its id below ``results/finetune/`` of the project, or ``hf:owner/name`` on the
            Hugging Face Hub.
        root: The project's folder.

    Raises:
        UserError: there is no such run, it is not finished, or its files are damaged.
    """
    folder = _folder(run, Path(root))
    spec = FinetuneSpec.read(folder / SPEC_FILE)
    if spec.folds:
        raise UserError(
            f"{folder}: pools {counted(len(spec.folds), 'fold')} and has no weights of its own; "
            f"name one of the folds, such as {spec.folds[0].id}"
        )
    path = folder / MODEL
    if not path.exists():
        raise UserError(f"{folder}: the run is not finished, its {MODEL} is missing")
    inside = folder.absolute().match(f"{FinetuneSpec.PARENT}/*")
    root = project_root(folder / SPEC_FILE) if inside else folder.resolve()
    classes = _classes(folder, root / spec.benchmark.folder)
    recipe = spec.recipe
    # The initial weights do not matter, and the caller's random generator must not change.
    model = spec.network.built(0, recipe, len(classes), recipe.dropout)
    weights.copy_into(model, weights.read(path), path, classifier=True)
    return Finished(spec.id, root, recipe, model, classes)


def evaluate_run(
    run: Path | str,
    on: Path | str | list[Video],
    out: Path | str,
    split: str = "test",
    workers: int = 0,
    accelerator: str = "auto",
) -> dict:
    """Evaluate a finished fine-tuning run on other videos; classes are matched by name.

    Args:
        run: As for ``load``.
        on: An index folder, or a folder of class folders (whose videos are for testing unless it has folders
            for splits), or videos. Their labels are ignored, since outputs are matched by class names.
        out: The folder for ``predictions.csv``, the files that ``evaluate`` writes beside it, and
            ``result.json``.
        split: The videos to use: one of ``SPLITS``, or ``all``.
        workers: Number of processes that read videos.
        accelerator: The device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        The content of ``result.json``: the figures of ``evaluate``, the run's id, the split, versions.

    Raises:
        UserError: as for ``load``; there are no such videos, or some are of classes that the network does
            not have; ``out`` is the folder of a run.
    """
    out = Path(out)
    if (out / SPEC_FILE).exists():
        raise UserError(f"{out}: belongs to a run, whose own results would be lost; choose another folder")
    finished = load(run)
    listed = on if isinstance(on, list) else _videos(Path(on))
    videos = [entry for entry in listed if split in ("all", entry.split)]
    if not videos:
        there = sorted({entry.split for entry in listed})
        raise UserError(f"no videos to evaluate on: split {not_one_of(split, ['all', *there])}")
    videos = _relabelled(videos, finished)
    path = out / PREDICTIONS
    figures = evaluate(
        finished.model, videos, finished.recipe, path, finished.root, workers, finished.classes, accelerator
    )
    result = {"run": finished.id, "split": split, **figures, "made_with": made_with(finished.root)}
    write_json(out / RESULT, result)
    return result


def predict_videos(
    run: Path | str | Finished,
    paths: Sequence[Path | str],
    top: int = 5,
    workers: int = 0,
    accelerator: str = "auto",
) -> list[Guesses]:
    """Return the most probable classes of each video, averaged over windows as in the evaluation.

    Args:
        run: As for ``load``, or what it returned.
        paths: Video files, in any container.
        top: Number of classes to return, at least 1; all of them if there are fewer.
        workers: Number of processes that read videos.
        accelerator: The device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        For each path, class names and probabilities (0 to 1), the most probable first.

    Raises:
        UserError: as for ``load``, or files cannot be read as videos; the message names them.
    """
    if top < 1:
        raise ValueError(f"top: wants at least 1, got {top}")
    finished = run if isinstance(run, Finished) else load(run)
    if not paths:
        return []
    videos = _probed(paths)
    found = scores(finished.model, videos, finished.recipe, workers, "predicting", accelerator)
    return [[(finished.classes[label], float(row[label])) for label in best(row, top)] for row in found]


def text(paths: Sequence[Path | str], found: Sequence[Guesses]) -> str:
    """Return predictions as text for a terminal: a video's path, then a line with a bar per class."""
    block = BLOCK if can_show(BLOCK) else PLAIN_BLOCK
    width = max((len(escaped(name)) for guesses in found for name, _ in guesses), default=0)
    lines = []
    for path, guesses in zip(paths, found, strict=True):
        lines.append(escaped(str(path)))
        for name, probability in guesses:
            bar = block * math.floor(BAR * probability + 0.5)
            lines.append(f"  {escaped(name):{width}}  {100 * probability:5.1f} %  {bar}".rstrip())
    return "\n".join(lines)


def json_text(paths: Sequence[Path | str], found: Sequence[Guesses]) -> str:
    """Return predictions as JSON: per ``video`` its ``classes``, each with ``class`` and ``probability``."""
    content = [
        {
            "video": str(path),
            "classes": [{"class": name, "probability": probability} for name, probability in guesses],
        }
        for path, guesses in zip(paths, found, strict=True)
    ]
    return json.dumps(content, indent=2)


def _videos(folder: Path) -> list[Video]:
    """Return the videos of an index folder, or of a folder of class folders."""
    if (folder / index.INDEX).exists() or not folder.is_dir():
        return index.read(folder)
    listed, _ = in_class_folders(folder)
    if not listed:
        raise UserError(f"{folder}: holds no {index.INDEX} of a benchmark, and no videos in class folders")
    found = _probed([folder / video.path for video in listed])
    return [
        item._replace(class_name=video.class_name, split=video.split or TEST)
        for item, video in zip(found, listed, strict=True)
    ]


def _folder(run: Path | str, root: Path) -> Path:
    """Return a run's folder, fetched if it is on the Hub; an existing folder takes precedence over an id."""
    if hub.is_name(run):
        return released.run_folder(str(run))
    for folder in (root / run, root / FinetuneSpec.PARENT / run):
        if (folder / SPEC_FILE).is_file():
            return folder
    there = [spec.parent.name for spec in (root / FinetuneSpec.PARENT).glob(f"*/{SPEC_FILE}")]
    if not there:
        raise UserError(f"{run}: no such run, and {root / FinetuneSpec.PARENT} holds none")
    raise UserError(f"{run}: no such run in {FinetuneSpec.PARENT}, {not_one_of(str(run), there)}")


def _classes(run: Path, benchmark: Path) -> list[str]:
    """Return the class names of a run, or of its benchmark if the run has none of its own."""
    there = [folder for folder in (run, benchmark) if (folder / CLASSES).exists()]
    if not there:
        raise UserError(
            f"the names of the run's classes are missing: neither {run / CLASSES} nor {benchmark / CLASSES}"
        )
    return index.read_classes(there[0])


def _relabelled(videos: list[Video], finished: Finished) -> list[Video]:
    """Return the videos with the labels of the network for their classes."""
    labels = {name: label for label, name in enumerate(finished.classes)}
    unknown = sorted({entry.class_name for entry in videos} - labels.keys())
    if unknown:
        lines = [f"{name!r}{suggestion(name, finished.classes)}" for name in unknown]
        raise UserError(
            f"{counted(len(unknown), 'class')} of the videos {'is' if len(unknown) == 1 else 'are'} "
            f"not among the {len(labels)} that {finished.id} was trained on:\n" + _indented(lines)
        )
    return [entry._replace(label=labels[entry.class_name]) for entry in videos]


def _probed(paths: Sequence[Path | str]) -> list[Video]:
    """Count the frames of files and return them as videos without a label."""
    videos, problems = [], []
    for path in progress(paths, "reading videos", len(paths), "files"):
        try:
            info = video.probe(path)
        except UserError as error:
            problems.append(str(error))
            continue
        entry = {"path": Path(path), "label": 0, "class_name": "", "split": "test", **info._asdict()}
        videos.append(Video(**entry, start=0, end=info.frames))
    if problems:
        raise UserError(
            f"{len(problems)} of {counted(len(paths), 'video')} cannot be used:\n{_indented(problems)}"
        )
    return videos


def _indented(lines: list[str]) -> str:
    return "\n".join(f"  {line}" for line in first_of(lines, PROBLEMS_SHOWN))

"""Parameters, tags and results to log for a run and for a study's variant, from their specs and folders.

Nothing here depends on MLflow.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinefract.common.errors import UserError
from kinefract.common.layout import EPOCHS, PAGE, PROGRESS, SPEC_FILE
from kinefract.common.remedies import make_again
from kinefract.common.schema import digest_of
from kinefract.config.networks import WeightsRecipe
from kinefract.config.run_files import Result, is_finished, read_epochs, read_result
from kinefract.config.specs import FinetuneSpec, PretrainSpec, Spec, StudySpec, Variant

SCRATCH = "scratch"
NOTE = "mlflow.note.content"  # MLflow's tag for the description of a run, which its page shows as Markdown
STUDY = "study."  # a run's tag for each study that it is part of begins so


def described(spec: PretrainSpec | FinetuneSpec) -> tuple[dict[str, Any], dict[str, str], Spec]:
    """Return a run's parameters, tags and training data, from its spec."""
    if isinstance(spec, PretrainSpec):
        params = _flat("pretraining", spec.recipe) | _flat("dataset", spec.dataset.recipe)
        return params, {**_origin(spec), "seed": str(spec.recipe.seed)}, spec.dataset
    params = _flat("finetuning", spec.recipe) | _flat("network", spec.network)
    params |= _flat("benchmark", spec.benchmark.recipe)
    tags = {"benchmark": spec.benchmark.name, "seed": str(spec.seed), "pretrain_run": SCRATCH}
    if isinstance(spec.init, PretrainSpec):
        params |= described(spec.init)[0]
        tags |= {**_origin(spec.init), "pretrain_run": spec.init.id}
    elif isinstance(spec.init, WeightsRecipe):
        params |= _flat("weights", spec.init)
        tags["pretrain_run"] = Path(spec.init.file).name
    return params, {**tags, "backbone": spec.network.backbone}, spec.benchmark


def variant_tags(root: Path, spec: StudySpec, variant: Variant) -> dict[str, str]:
    """Return the tags of a study's variant; values that its runs share are read from their folders."""
    commits = set()
    shared: dict[str, str] = {}
    for run_id in (run_id for by_seed in variant.runs.values() for run_id in by_seed.values()):
        folder = root / FinetuneSpec.PARENT / run_id
        with suppress(UserError):  # a run that cannot be read adds nothing
            files = read_run(folder)
            if files.result is not None:
                commits.add(commit_of(files.result["made_with"]))
            shared = shared or described(FinetuneSpec.read(folder / SPEC_FILE))[1]
    tags: dict[str, str] = {key: shared[key] for key in ("family", "objective", "backbone") if key in shared}
    if commits:
        tags["commit"] = ", ".join(sorted(commits))
    return {
        **tags,
        "phase": "study",
        "study": spec.study,
        "study_digest": spec.digest,
        "variant": variant.label,
        "digest": digest_of([variant.label, variant.model_dump(mode="json")["runs"]]),
        "benchmark": ", ".join(variant.runs),
        "seed": ", ".join(sorted({str(seed) for by_seed in variant.runs.values() for seed in by_seed})),
        "pretrain_run": ", ".join(dict.fromkeys(variant.pretrains.values()))
        or (Path(variant.weights).name if variant.weights else SCRATCH),
        "mlflow.source.name": "kinefract study",
        NOTE: note("", [spec.study]),
    }


def note(folder: str, studies: Iterable[str]) -> str:
    """Return the description of a run: its folder, and the pages of the studies that it is part of.

    They are paths in the project, since a browser follows no link from a server to a file.
    """
    lines = [f"Folder: `{folder}`"] if folder else []
    lines += [f"Page of the study {study}: `{StudySpec.PARENT}/{study}/{PAGE}`" for study in sorted(studies)]
    return "\n\n".join(lines)


def noted(tags: Mapping[str, str], folder: str, study: str) -> dict[str, str]:
    """Return the new description of a run that becomes part of a study; none if a user has written one."""
    studies = {key.removeprefix(STUDY) for key in tags if key.startswith(STUDY)}
    if tags.get(NOTE) not in (None, note(folder, ()), note(folder, studies), note(folder, studies - {study})):
        return {}
    return {NOTE: note(folder, studies | {study})}


@dataclass(frozen=True)
class RunFiles:
    """The content of a run's folder: metrics of each epoch, and the result of a finished run."""

    epochs: list[dict[str, Any]]
    result: Result | None

    @property
    def content(self) -> str | None:
        """The digest of the result."""
        return None if self.result is None else digest_of(self.result)


def read_run(folder: Path, finished: bool | None = None) -> RunFiles:
    """Read a run's folder: ``metrics.jsonl`` and ``result.json``, or ``progress.jsonl`` until it is finished.

    Args:
        folder: The run's folder.
        finished: Whether the run is finished; None to find out by ``is_finished``.

    Raises:
        UserError: one of them cannot be read.
    """
    if not (is_finished(folder) if finished is None else finished):
        return RunFiles(read_epochs(folder, PROGRESS), None)
    try:
        return RunFiles(read_epochs(folder, EPOCHS), read_result(folder))
    except FileNotFoundError as error:
        raise UserError(f"{error.filename}: missing; {make_again(folder)}") from error


def commit_of(made_with: Mapping[str, str]) -> str:
    """Return the commit of the code that made a result, from the versions that made it."""
    return made_with.get("commit", "unknown")


def _origin(spec: PretrainSpec) -> dict[str, str]:
    return {
        "family": spec.dataset.recipe.family,
        "dataset": spec.dataset.id,
        "objective": spec.recipe.objective,
        "backbone": spec.recipe.backbone,
    }


def _flat(section: str, settings: Any) -> dict[str, Any]:
    """Return settings, including nested ones, as ``section.key``."""
    if hasattr(settings, "model_dump"):
        settings = settings.model_dump(mode="json")
    if not isinstance(settings, dict) or not settings:
        return {section: settings}
    parts = (_flat(f"{section}.{key}", value) for key, value in settings.items())
    return {key: value for part in parts for key, value in part.items()}

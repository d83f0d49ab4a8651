"""The comparison of MLflow with the results on disk, which it repeats."""

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinefract.common.errors import UserError
from kinefract.common.layout import DATABASE, METRICS, MLFLOW, SPEC_FILE
from kinefract.common.records import read_json
from kinefract.config.specs import Spec, StudySpec
from kinefract.tracking import labels, store
from kinefract.tracking.database import store_uri
from kinefract.tracking.export import MARK, final_values, points, study_values
from kinefract.tracking.sync import Scores, finished_folders

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


def differences(root: Path) -> list[str]:
    """Compare the runs and studies of MLflow with the project's results.

    Args:
        root: The project's folder.

    Returns:
        A line for each result that MLflow lacks, holds twice or with other numbers; none if the project has
        no store yet.

    Raises:
        UserError: the store cannot be used.
    """
    root = Path(root).resolve()
    if store_uri(root).startswith("sqlite:") and not (root / MLFLOW / DATABASE).exists():
        return []
    found = store.attempt(root, lambda client: _differences(client, root))
    if found is None:
        raise UserError("MLflow's store cannot be used")
    return found


def _differences(client: "MlflowClient", root: Path) -> list[str]:
    problems = []
    held: dict[str, dict[str, list[Run]]] = {}  # experiment -> digest -> runs
    for kind, folder in finished_folders(root)[0]:
        spec: Spec = kind.read(folder / SPEC_FILE)
        phase = f"study/{spec.name}" if isinstance(spec, StudySpec) else folder.parent.name
        if phase not in held:
            held[phase] = defaultdict(list)
            (experiment,) = store.experiments(client, root, [phase])
            for run in store.runs(client, experiment):
                held[phase][run.data.tags.get("digest", "")].append(run)
        for name, digest, numbers, curve in _expected(root, spec, folder):
            runs = held[phase][digest]
            if len(runs) != 1 or runs[0].info.status != "FINISHED":
                states = ", ".join(run.info.status for run in runs) or "none"
                problems.append(f"{name}: MLflow should hold one finished run, but holds {states}")
            elif wrong := _wrong(client, runs[0], numbers, curve):
                problems.append(f"{name}: MLflow holds another {wrong}")
    return [f"{problem}; delete its runs in MLflow, then run `kinefract sync`" for problem in problems]


def _expected(root: Path, spec: Any, folder: Path) -> list[tuple[str, str, dict[str, Any], list[float]]]:
    """Return name, digest, final numbers and times of epochs of the runs that MLflow should hold."""
    if isinstance(spec, StudySpec):
        metrics = read_json(folder / METRICS, Scores)
        return [
            (
                f"{spec.id}, {variant.label}",
                labels.variant_tags(root, spec, variant)["digest"],
                study_values(metrics.get(variant.label, {})),
                [],
            )
            for variant in spec.variants
        ]
    files = labels.read_run(folder)
    assert files.result is not None
    return [(spec.id, spec.digest, final_values(spec, files.result), [line[MARK] for line in files.epochs])]


def _wrong(client: "MlflowClient", run: "Run", numbers: dict[str, Any], curve: list[float]) -> str:
    """Return the name of the first number that differs; empty if none does."""
    for key, value, _ in points(numbers, 0):
        if run.data.metrics.get(key) != value:
            return key
    history = client.get_metric_history(run.info.run_id, MARK) if curve else []
    return MARK if [point.value for point in sorted(history, key=lambda point: point.step)] != curve else ""

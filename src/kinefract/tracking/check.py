"""The comparison of MLflow with the results on disk, which it repeats."""

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinefract.common.errors import UserError
from kinefract.common.layout import DATABASE, METRICS, MLFLOW, SPEC_FILE
from kinefract.common.records import read_json
from kinefract.config.specs import Spec, StudySpec
from kinefract.tracking import labels, store
from kinefract.tracking.database import store_uri
from kinefract.tracking.export import MARK, differing, final_values, study_values
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
        no store yet. Results that cannot be read are left out.

    Raises:
        UserError: the store cannot be used.
    """
    root = Path(root).resolve()
    if store_uri(root).startswith("sqlite:") and not (root / MLFLOW / DATABASE).exists():
        return []
    wanted = []
    for kind, folder in finished_folders(root)[0]:
        with suppress(UserError):  # of a result that cannot be read there is nothing to compare
            spec: Spec = kind.read(folder / SPEC_FILE)
            phase = f"study/{spec.name}" if isinstance(spec, StudySpec) else folder.parent.name
            wanted.append((phase, _expected(root, spec, folder)))
    found = store.attempt(root, lambda client: _differences(client, root, wanted))
    if found is None:
        raise UserError("MLflow's store cannot be used")
    return found


def _differences(
    client: "MlflowClient", root: Path, of_results: "list[tuple[str, list[tuple[str, _Wanted]]]]"
) -> list[str]:
    problems = []
    held: dict[str, dict[str, list[Run]]] = {}  # experiment -> digest -> runs
    for phase, expected in of_results:
        if phase not in held:
            held[phase] = defaultdict(list)
            (experiment,) = store.experiments(client, root, [phase])
            for run in store.runs(client, experiment):
                held[phase][run.data.tags.get("digest", "")].append(run)
        for name, wanted in expected:
            found = held[phase][wanted.digest]
            # One that is not finished may be of another clone, which makes the same.
            finished = [run for run in found if run.info.status == "FINISHED"]
            if len(finished) != 1:
                states = ", ".join(run.info.status for run in found) or "none"
                problems.append(f"{name}: MLflow should hold one finished run, but holds {states}")
            elif wrong := _wrong(client, finished[0], wanted):
                problems.append(f"{name}: MLflow holds another {wrong}")
    return [f"{problem}; delete its runs in MLflow, then run `kinefract sync`" for problem in problems]


@dataclass(frozen=True)
class _Wanted:
    """A run that MLflow should hold: digests of its spec and result, final numbers, times of its epochs."""

    digest: str
    content: str | None
    numbers: dict[str, Any]
    times: list[float]


def _expected(root: Path, spec: Any, folder: Path) -> list[tuple[str, _Wanted]]:
    """Return the runs that MLflow should hold of a folder, with their names for messages."""
    if isinstance(spec, StudySpec):
        metrics = read_json(folder / METRICS, Scores)
        expected = []
        for variant in spec.variants:
            digest = labels.variant_tags(root, spec, variant)["digest"]
            numbers = study_values(metrics.get(variant.label, {}))
            expected.append((f"{spec.id}, {variant.label}", _Wanted(digest, None, numbers, [])))
        return expected
    files = labels.read_run(folder)
    assert files.result is not None
    times = [line[MARK] for line in files.epochs]
    return [(spec.id, _Wanted(spec.digest, files.content, final_values(spec, files.result), times))]


def _wrong(client: "MlflowClient", run: "Run", wanted: _Wanted) -> str:
    """Return the name of the first number that differs; empty if none does.

    Where several clones share a store, the run may be of another one, whose times are others.
    """
    another = wanted.content is not None and run.data.tags.get("content") != wanted.content
    wrong = differing(run, wanted.numbers, another)
    if wrong or another or not wanted.times:
        return wrong
    history = client.get_metric_history(run.info.run_id, MARK)
    times = [point.value for point in sorted(history, key=lambda point: point.step)]
    return "" if times == wanted.times else MARK

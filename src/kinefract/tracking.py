"""The one module that knows MLflow: runs of both phases while they train, variants of studies to compare.

Nothing depends on it. Where MLflow is not installed, or its store cannot be used or reached, one line says so
and the process goes on without it; what was measured stands in ``metrics.jsonl`` and ``result.json`` anyway.

The store is SQLite in ``results/mlflow`` unless ``MLFLOW_TRACKING_URI`` names another.
"""

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from kinefract.progress import say
from kinefract.schema import digest_of
from kinefract.specs import StudySpec

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PHASES = ("pretrain", "finetune")
STORE = "results/mlflow"
LARGEST_ARTIFACT = 5_000_000  # bytes; models and data stay with DVC
LONGEST_VALUE = 500  # characters of a parameter or tag; what MLflow's older servers accept

# What MLflow reads from the environment; a value the user has set stays.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # A training job waits for an unreachable server once, ten seconds at most; by default it is minutes.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
}

T = TypeVar("T")
_given_up: set[str] = set()  # stores that failed in this process, which leaves them alone from then on


def store_uri(root: Path | str) -> str:
    """Return the address of the store: ``MLFLOW_TRACKING_URI``, or else the project's SQLite file."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{_database(root)}"


def prepare(root: Path | str, studies: Iterable[str] = ()) -> None:
    """Make the store and its experiments where they are missing.

    Safe to call again and from several processes at once. A new database is made beside its place and
    renamed, since MLflow never recovers one whose making was cut short.

    Args:
        root: The project's folder.
        studies: Names of studies, each of which gets an experiment ``study/<name>``.
    """
    _attempt(
        root, lambda client: _experiments(client, root, [*PHASES, *(f"study/{name}" for name in studies)])
    )


class Tracker:
    """One run of a phase in MLflow. Every method is harmless where MLflow is not to be had."""

    def __init__(self, root: Path, run: "Run | None", resumed: bool) -> None:
        self._root = root
        self._run_id = run.info.run_id if run else None
        self._resumed = resumed
        self._steps: dict[str, set[int]] = {}

    @classmethod
    def open(
        cls,
        root: Path | str,
        phase: str,
        spec_id: str,
        digest: str,
        params: dict[str, Any],
        tags: dict[str, str],
        resumed: bool,
    ) -> Self:
        """Open the run of a job, found again by its digest.

        Args:
            root: The project's folder.
            phase: ``"pretrain"`` or ``"finetune"``.
            spec_id: The run's folder name, which names it in MLflow too.
            digest: The digest of its spec.
            params: Its settings, flat: ``pretraining.lr``, ``dataset.classes``, ...
            tags: What to filter by: benchmark, seed, commit, ...
            resumed: Whether the job goes on from a checkpoint. Then it goes on in its run; otherwise the runs
                an earlier job left are deleted and a new one begins.

        Returns:
            The tracker, which logs nothing where MLflow is not to be had.
        """
        root = Path(root)
        labels = {**tags, "phase": phase, "digest": digest, "name": spec_id}
        if "commit" in tags:
            labels["mlflow.source.git.commit"] = tags["commit"]
        labels["mlflow.source.name"] = f"kinefract {phase}"

        def begin(client: "MlflowClient") -> "Run":
            (experiment,) = _experiments(client, root, [phase])
            earlier = _runs_of(client, experiment, digest)
            kept = earlier.pop(0) if resumed and earlier else None
            for run in earlier:
                client.delete_run(run.info.run_id)
            if kept:
                client.update_run(kept.info.run_id, status="RUNNING")
            run = kept or client.create_run(experiment, tags=_texts(labels), run_name=spec_id)
            missing = {key: value for key, value in params.items() if key not in run.data.params}
            _log(client, run.info.run_id, params=missing)
            return run

        run = _attempt(root, begin)
        return cls(root, run, resumed)

    def log_epoch(self, metrics: dict[str, Any], epoch: int) -> None:
        """Log the numbers of one epoch, each at most once however often the epoch is passed.

        Args:
            metrics: A line of ``metrics.jsonl``; what is not a number is left out.
            epoch: Counted from 1; the step in MLflow.
        """
        self._do(lambda client, run_id: self._log_new(client, run_id, metrics, epoch))

    def log_artifact(self, path: Path | str) -> None:
        """Log a small file; one above 5 MB is left to DVC."""
        if Path(path).stat().st_size <= LARGEST_ARTIFACT:
            self._do(lambda client, run_id: client.log_artifact(run_id, str(path)))

    def finish(self, result: dict[str, Any]) -> None:
        """Log what came out and mark the run finished.

        Args:
            result: The content of ``result.json``, and what else is to be found in MLflow, such as the
                model's path and hash. What was measured on test videos becomes the metric ``test/<key>``,
                other numbers ``final/<key>``; texts and ``made_with`` become tags.
        """
        tested = {"top1", "top5", "videos"} if result.get("phase") == "finetune" else set()
        numbers = {f"{'test' if key in tested else 'final'}/{key}": value for key, value in result.items()}
        texts = {key: value for key, value in result.items() if isinstance(value, str)}
        texts |= {f"made_with.{key}": value for key, value in result.get("made_with", {}).items()}

        def end(client: "MlflowClient", run_id: str) -> None:
            self._log_new(client, run_id, numbers, int(result.get("epochs", 0)))
            _log(client, run_id, tags=texts)
            client.set_terminated(run_id)

        self._do(end)

    def fail(self) -> None:
        """Mark the run failed."""
        self._do(lambda client, run_id: client.set_terminated(run_id, status="FAILED"))

    def _do(self, action: Callable[["MlflowClient", str], None]) -> None:
        run_id = self._run_id
        if run_id:
            _attempt(self._root, lambda client: action(client, run_id))

    def _log_new(self, client: "MlflowClient", run_id: str, metrics: dict[str, Any], step: int) -> None:
        numbers = {
            key: value
            for key, value in metrics.items()
            if isinstance(value, int | float) and not isinstance(value, bool) and not key.endswith("epoch")
        }
        for key in numbers.keys() - self._steps.keys():
            history = client.get_metric_history(run_id, key) if self._resumed else []
            self._steps[key] = {metric.step for metric in history}
        new = {key: value for key, value in numbers.items() if step not in self._steps[key]}
        _log(client, run_id, metrics=new, step=step)
        for key in new:
            self._steps[key].add(step)


def log_study(
    root: Path | str, spec: StudySpec, metrics: dict[str, dict[str, dict]], artifacts: Iterable[Path]
) -> None:
    """Log a study as one run per variant in ``study/<name>``, replacing those of an earlier report.

    Args:
        root: The project's folder.
        spec: The study. Only what it varies becomes parameters, so that the compare view shows nothing else.
        metrics: Variant label -> benchmark -> ``{"top1", "top1_std", "top5", "n"}``, as in ``metrics.json``.
        artifacts: Figures and tables, attached to each variant's run.
    """
    root = Path(root)

    def write(client: "MlflowClient") -> None:
        (experiment,) = _experiments(client, root, [f"study/{spec.study}"])
        for variant in spec.variants:
            digest = digest_of([variant.label, variant.model_dump(mode="json")["runs"]])
            for run in _runs_of(client, experiment, digest):
                client.delete_run(run.info.run_id)
            labels = {
                "phase": "study",
                "study": spec.study,
                "study_digest": spec.digest,
                "variant": variant.label,
                "digest": digest,
                "pretrain": variant.pretrain or "scratch",
                "mlflow.source.name": "kinefract study",
            }
            run = client.create_run(experiment, tags=_texts(labels), run_name=variant.label)
            numbers = {
                f"{benchmark}/{'top1_n' if key == 'n' else key}": value
                for benchmark, scores in metrics[variant.label].items()
                for key, value in scores.items()
                if value is not None
            }
            _log(client, run.info.run_id, params=variant.values, metrics=numbers)
            for path in artifacts:
                client.log_artifact(run.info.run_id, str(path))
            client.set_terminated(run.info.run_id)

    _attempt(root, write)


def _attempt(root: Path | str, action: Callable[["MlflowClient"], T]) -> T | None:
    """Do something with the store; after a failure say so once and never try that store again."""
    uri = store_uri(root)
    if uri in _given_up:
        return None
    try:
        for key, value in SETTINGS.items():
            os.environ.setdefault(key, value)
        from mlflow import MlflowClient

        if not os.environ.get("MLFLOW_TRACKING_URI"):
            _make_database(root)
        return action(MlflowClient(tracking_uri=uri))
    except ImportError:
        problem = "it is not installed"
    # MLflow lets errors of its database, of HTTP and of files through as they are.
    except Exception as error:
        text = " ".join(str(error).split()) or type(error).__name__
        problem = f"{uri} cannot be used ({text[:120]}{'...' * (len(text) > 120)})"
    _given_up.add(uri)
    say(f"nothing more is logged to MLflow: {problem}; the results do not depend on it")
    return None


def _database(root: Path | str) -> Path:
    return Path(root).resolve() / STORE / "mlflow.db"


def _make_database(root: Path | str) -> None:
    """Make the project's SQLite store if it is missing; one process does, the others wait for it."""
    database = _database(root)
    artifacts = database.parent / "artifacts"
    database.parent.mkdir(parents=True, exist_ok=True)
    with (database.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if database.exists():
            _follow_move(database, artifacts)
            return
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        partial = database.with_name(".mlflow.partial.db")
        partial.unlink(missing_ok=True)
        SqlAlchemyStore(f"sqlite:///{partial}", artifacts.as_uri()).engine.dispose()
        partial.replace(database)


def _follow_move(database: Path, artifacts: Path) -> None:
    """Correct the addresses of artifacts, which MLflow keeps absolute, in a project moved or copied here."""
    with closing(sqlite3.connect(database, timeout=20)) as connection, connection:
        row = connection.execute(
            "SELECT artifact_location FROM experiments WHERE experiment_id = 0"
        ).fetchone()
        before = row[0].removesuffix("/0") if row else artifacts.as_uri()
        after = artifacts.as_uri()
        if before == after:
            return
        for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} LIKE ? || '/%'",
                (after, len(before) + 1, before),
            )


def _experiments(client: "MlflowClient", root: Path | str, names: Iterable[str]) -> list[str]:
    """Return the ids of experiments, making those that are missing."""
    from mlflow.exceptions import MlflowException

    # A server decides by itself where artifacts go.
    local = store_uri(root).startswith("sqlite:")
    ids = []
    for name in names:
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            place = (_database(root).parent / "artifacts" / name).as_uri() if local else None
            try:
                ids.append(client.create_experiment(name, artifact_location=place))
                continue
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                experiment = client.get_experiment_by_name(name)
        if experiment.lifecycle_stage == "deleted":
            client.restore_experiment(experiment.experiment_id)
        ids.append(experiment.experiment_id)
    return ids


def _runs_of(client: "MlflowClient", experiment: str, digest: str) -> "list[Run]":
    """Return the runs with this digest that are not deleted, the newest first."""
    return list(client.search_runs([experiment], f"tags.digest = '{digest}'", order_by=["start_time DESC"]))


def _log(
    client: "MlflowClient",
    run_id: str,
    params: dict[str, Any] | None = None,
    metrics: dict[str, float] | None = None,
    tags: dict[str, Any] | None = None,
    step: int = 0,
) -> None:
    """Log everything in one request."""
    from mlflow.entities import Metric, Param, RunTag

    now = int(time.time() * 1000)
    client.log_batch(
        run_id,
        metrics=[Metric(key, float(value), now, step) for key, value in (metrics or {}).items()],
        params=[Param(key, value) for key, value in _texts(params or {}).items()],
        tags=[RunTag(key, value) for key, value in _texts(tags or {}).items()],
    )


def _texts(values: dict[str, Any]) -> dict[str, str]:
    return {key: str(value)[:LONGEST_VALUE] for key, value in values.items()}

"""Logging to MLflow's store: whether it can be had, its experiments and runs, and what is logged to a run."""

import json
import math
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kinefract.common.errors import UserError
from kinefract.common.progress import log_line
from kinefract.tracking.database import artifact_place, connect, missing_package, shown, store_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

LONGEST_VALUE = 500  # characters of a parameter; what MLflow's older servers accept
LONGEST_TAG = 5000  # of a tag
LARGEST_FILE = 5_000_000  # bytes; models and data stay with DVC
AT_ONCE = {"metrics": 800, "params": 100, "tags": 100}  # of one request; MLflow takes 1000 in all

# Environment variables of MLflow; a value that the user has set is kept.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # Of a server that answered a moment ago; by default MLflow tries for minutes.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
}

T = TypeVar("T")
_given_up: set[str] = set()  # stores that failed in this process, which leaves them alone from then on


def attempt(root: Path | str, action: Callable[["MlflowClient"], T]) -> T | None:
    """Perform an action on the store; a failure is logged once, and that store is not tried again.

    A server or database is first asked for a sign of life, so that one that is missing costs two seconds,
    once.

    Args:
        root: The project's folder.
        action: A function of MLflow's client. Errors that it raises count as errors of the store.

    Returns:
        The result of ``action``; None after a failure.
    """
    uri = store_uri(root)
    if uri in _given_up:
        return None
    try:
        for key, value in SETTINGS.items():
            os.environ.setdefault(key, value)
        client = connect(root)
        if client:
            return action(client)
        problem = f"{shown(uri)} does not answer"
    except ImportError as error:
        problem = missing_package(error, uri)
    except UserError as error:
        problem = str(error)
    # MLflow lets errors of its database, of HTTP and of files through as they are.
    except Exception as error:
        message = str(error).partition("(Background on this error at")[0]
        text = shown(" ".join(message.split()) or type(error).__name__, uri)
        problem = f"{shown(uri)} cannot be used ({text[:120]}{'...' * (len(text) > 120)})"
    _given_up.add(uri)
    log_line(
        f"nothing more is logged to MLflow: {problem}; `kinefract sync` does it later, results are not lost"
    )
    return None


def given_up(root: Path | str) -> bool:
    """Return whether the store failed in this process, so that ``attempt`` does nothing more."""
    return store_uri(root) in _given_up


def experiments(client: "MlflowClient", root: Path | str, names: Iterable[str]) -> list[str]:
    """Return the ids of experiments, making those that are missing and restoring deleted ones."""
    from mlflow.exceptions import MlflowException

    ids = []
    for name in names:
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            try:
                ids.append(client.create_experiment(name, artifact_location=artifact_place(root, name)))
                continue
            except MlflowException:  # another process may have made it a moment ago
                experiment = client.get_experiment_by_name(name)
                if experiment is None:
                    raise
        if experiment.lifecycle_stage == "deleted":
            client.restore_experiment(experiment.experiment_id)
        ids.append(experiment.experiment_id)
    return ids


def runs(client: "MlflowClient", experiment: str, **tags: str) -> "list[Run]":
    """Return the runs that are not deleted and have these tags, the newest first; ``%`` is any text."""
    wanted = " AND ".join(
        f"tags.`{key}` {'LIKE' if value == '%' else '='} '{value}'" for key, value in tags.items()
    )
    found: list[Run] = []
    token = None
    while True:
        page = client.search_runs([experiment], wanted, order_by=["start_time DESC"], page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def drop_older(client: "MlflowClient", experiment: str, digest: str) -> None:
    """Delete the runs of a digest that began before the newest finished one.

    Several jobs may do so at once. In whatever order they come, a finished run remains.
    """
    from mlflow.exceptions import MlflowException

    found = sorted(
        runs(client, experiment, digest=digest),
        key=lambda run: (run.info.start_time, run.info.run_id),
        reverse=True,
    )
    newest = next((place for place, run in enumerate(found) if run.info.status == "FINISHED"), len(found))
    for run in found[newest + 1 :]:
        try:
            client.delete_run(run.info.run_id)
        except MlflowException:
            if not is_deleted(client, run.info.run_id):
                raise


def is_deleted(client: "MlflowClient", run_id: str) -> bool:
    """Return whether a run is deleted."""
    return client.get_run(run_id).info.lifecycle_stage == "deleted"


def log(
    client: "MlflowClient",
    run_id: str,
    params: dict[str, Any] | None = None,
    metrics: Iterable[tuple[str, float, int]] = (),
    tags: dict[str, Any] | None = None,
) -> None:
    """Log parameters, metrics (key, value, step) and tags in as few requests as MLflow allows."""
    from mlflow.entities import Metric, Param, RunTag

    now = int(time.time() * 1000)
    entries: dict[str, list[Any]] = {
        "params": [Param(key, value) for key, value in texts(params or {}).items()],
        "metrics": [Metric(key, float(value), now, step) for key, value, step in metrics],
        "tags": [RunTag(key, value) for key, value in tag_texts(tags or {}).items()],
    }
    requests = max(math.ceil(len(entries[kind]) / most) for kind, most in AT_ONCE.items())
    for number in range(requests):
        part = {kind: entries[kind][number * most : (number + 1) * most] for kind, most in AT_ONCE.items()}
        client.log_batch(run_id, part["metrics"], part["params"], part["tags"])


def log_files(client: "MlflowClient", run_id: str, paths: Iterable[Path]) -> None:
    """Log those of the files that exist and that the run does not hold; files above 5 MB are left to DVC."""
    held = {item.path for item in client.list_artifacts(run_id)}
    for path in paths:
        if path.name not in held and path.exists() and path.stat().st_size <= LARGEST_FILE:
            client.log_artifact(run_id, str(path))


def log_input(client: "MlflowClient", run_id: str, name: str, digest: str, folder: str) -> None:
    """Log the data a run is trained on: the name and digest in its folder's name, and the folder."""
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from mlflow.exceptions import MlflowException

    data = Dataset(name, digest, "local", json.dumps({"uri": folder}))
    inputs = [DatasetInput(data, [InputTag("mlflow.data.context", "training")])]
    try:
        client.log_inputs(run_id, inputs)
    except MlflowException:
        # Another job has just made the entry of the same data, on which this one stumbled.
        client.log_inputs(run_id, inputs)


def texts(values: dict[str, Any], longest: int = LONGEST_VALUE) -> dict[str, str]:
    """Return values as MLflow stores them: text of a length that every server accepts."""
    return {key: str(value)[:longest] for key, value in values.items()}


def tag_texts(tags: dict[str, Any]) -> dict[str, str]:
    """Return the same of tags, which may be longer."""
    return texts(tags, LONGEST_TAG)

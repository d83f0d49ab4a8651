"""The only module that imports MLflow: the address of its store, its availability, and logging to it.

The store is SQLite in ``results/mlflow`` unless ``MLFLOW_TRACKING_URI`` names another.
"""

import json
import math
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit

from kinefract.common.files import locked
from kinefract.common.layout import DATABASE, LOCK, MLFLOW
from kinefract.common.progress import log_line

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from sqlalchemy import Engine

LONGEST_VALUE = 500  # characters of a parameter or tag; what MLflow's older servers accept
PATIENCE = 2.0  # seconds within which a server or a database must answer
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")  # that MLflow takes
LARGEST_FILE = 5_000_000  # bytes; models and data stay with DVC
AT_ONCE = {"metrics": 800, "params": 100, "tags": 100}  # of one request; MLflow takes 1000 in all

# Environment variables of MLflow; a value that the user has set is kept.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # Of a server that answered a moment ago; by default MLflow tries for minutes.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
}

T = TypeVar("T")
_given_up: set[str] = set()  # stores that failed in this process, which leaves them alone from then on


def store_uri(root: Path | str) -> str:
    """Return the address of the store: ``MLFLOW_TRACKING_URI``, or else the project's SQLite file."""
    return os.environ.get("MLFLOW_TRACKING_URI") or _sqlite_uri(_database(root))


def shown_uri(root: Path | str) -> str:
    """Return the address of the store without the user and password that it may hold."""
    return _shown(store_uri(root))


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
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            import mlflow  # noqa: F401 (nothing is made without it)

            _make_database(root)
        if _answers(uri):
            from mlflow import MlflowClient

            return action(MlflowClient(tracking_uri=uri))
        problem = f"{_shown(uri)} does not answer"
    except ImportError as error:
        package = (error.name or "mlflow").partition(".")[0]
        driver = f"the Python package {package}, which {_shown(uri)} needs, is not installed"
        problem = "it is not installed" if package == "mlflow" else driver
    # MLflow lets errors of its database, of HTTP and of files through as they are.
    except Exception as error:
        message = str(error).partition("(Background on this error at")[0]
        text = _shown(" ".join(message.split()) or type(error).__name__, uri)
        problem = f"{_shown(uri)} cannot be used ({text[:120]}{'...' * (len(text) > 120)})"
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

    # A server decides by itself where artifacts go.
    local = urlsplit(store_uri(root)).scheme.startswith("sqlite")
    ids = []
    for name in names:
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            place = (_database(root).parent / "artifacts" / name).as_uri() if local else None
            try:
                ids.append(client.create_experiment(name, artifact_location=place))
                continue
            except MlflowException:  # another process may have made it a moment ago
                experiment = client.get_experiment_by_name(name)
                if experiment is None:
                    raise
        if experiment.lifecycle_stage == "deleted":
            client.restore_experiment(experiment.experiment_id)
        ids.append(experiment.experiment_id)
    return ids


def runs(client: "MlflowClient", experiment: str, digest: str | None = None) -> "list[Run]":
    """Return the runs that are not deleted, all or those with this digest, the newest first."""
    wanted = f"tags.digest = '{digest}'" if digest else ""
    found: list[Run] = []
    token = None
    while True:
        page = client.search_runs([experiment], wanted, order_by=["start_time DESC"], page_token=token)
        found += page
        token = page.token
        if not token:
            return found


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
        "tags": [RunTag(key, value) for key, value in texts(tags or {}).items()],
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


def texts(values: dict[str, Any]) -> dict[str, str]:
    """Return values as MLflow stores them: text of a length that every server accepts."""
    return {key: str(value)[:LONGEST_VALUE] for key, value in values.items()}


def _answers(uri: str) -> bool:
    """Return whether a server or a database answers in time, be it with an error.

    A thread asks, since neither looking up a name nor connecting keeps to a time limit.

    Raises:
        ImportError: the database's driver is not installed.
        sqlalchemy.exc.SQLAlchemyError, OSError: the database cannot be opened.
    """
    scheme = urlsplit(uri).scheme
    if scheme in ("http", "https"):
        ask = partial(_ask_server, uri)
    elif scheme.partition("+")[0] in DATABASES:
        import sqlalchemy  # which MLflow brings

        if scheme == "sqlite":  # MLflow does it, too
            Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.pool.NullPool)
        ask = partial(_ask_database, engine)
    else:
        return True
    answers: list[bool | Exception] = []

    def keep_answer() -> None:
        try:
            answers.append(ask())
        except Exception as error:
            answers.append(error)

    asking = threading.Thread(target=keep_answer, daemon=True)
    asking.start()
    asking.join(PATIENCE)
    answer = answers[0] if answers else False
    if isinstance(answer, Exception):
        raise answer
    return answer


def _ask_server(uri: str) -> bool:
    """Return whether a server answers. It is asked as MLflow asks, through the same proxies."""
    import requests  # which MLflow brings

    try:
        requests.get(f"{uri.rstrip('/')}/health", timeout=PATIENCE)
    except requests.exceptions.SSLError:
        pass  # what certificates it trusts is MLflow's to decide
    except requests.exceptions.RequestException:
        return False
    return True


def _ask_database(engine: "Engine") -> bool:
    """Connect to a database. MLflow would try ten times, for minutes, where that fails."""
    with engine.connect():
        return True


def _shown(text: str, uri: str | None = None) -> str:
    """Return a text without the user and password that the store's address may hold."""
    user, at, _ = urlsplit(uri or text).netloc.rpartition("@")
    return text.replace(user + at, "") if at else text


def _database(root: Path | str) -> Path:
    return Path(root).resolve() / MLFLOW / DATABASE


def _sqlite_uri(database: Path) -> str:
    """Return the address of a SQLite file; only SQLite's own form can hold a question mark."""
    if "?" not in str(database):
        return f"sqlite:///{database}"
    # The driver is named because MLflow makes folders of the path in an address without one.
    return f"sqlite+pysqlite:///file:{quote(str(database))}?uri=true"


def _make_database(root: Path | str) -> None:
    """Make the project's SQLite store if it is missing; one process does, the others wait for it.

    It is made beside its place and renamed, since MLflow never recovers one whose making was cut short.
    """
    database = _database(root)
    artifacts = database.parent / "artifacts"
    with locked(database.with_name(LOCK)):
        if database.exists():
            _follow_move(database, artifacts)
            return
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        unfinished = database.with_name(".mlflow.partial.db")
        unfinished.unlink(missing_ok=True)
        SqlAlchemyStore(_sqlite_uri(unfinished), artifacts.as_uri()).engine.dispose()
        unfinished.replace(database)


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
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                (after, len(before) + 1, len(before) + 1, f"{before}/"),
            )

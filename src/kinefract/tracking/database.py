"""The database or server that keeps MLflow's runs: its address, whether it answers, and its making.

It is SQLite in ``results/mlflow`` unless ``MLFLOW_TRACKING_URI`` names another.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from kinefract.common.errors import UserError
from kinefract.common.files import locked
from kinefract.common.layout import DATABASE, LOCK, MLFLOW
from kinefract.common.mounts import mount_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from sqlalchemy import Engine

PATIENCE = 2.0  # seconds within which a server or a database must answer
PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds between attempts to open a database that another process makes
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")  # that MLflow takes
# Tables and columns in which MLflow keeps absolute addresses of artifacts.
PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
PACKAGES = {"psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}  # module -> what pip installs


def store_uri(root: Path | str) -> str:
    """Return the address of the store: ``MLFLOW_TRACKING_URI``, or else the project's SQLite file."""
    return os.environ.get("MLFLOW_TRACKING_URI") or _sqlite_uri(_database(root))


def shown_uri(root: Path | str) -> str:
    """Return the address of the store without the user and password that it may hold."""
    return shown(store_uri(root))


def artifact_place(root: Path | str, experiment: str) -> str | None:
    """Return where an experiment's artifacts go; None where a server decides it.

    Of a database that several projects share it is ``MLFLOW_DEFAULT_ARTIFACT_ROOT``, as for MLflow's server.
    Otherwise it is a folder of the project that makes the experiment.
    """
    if urlsplit(store_uri(root)).scheme.partition("+")[0] not in DATABASES:
        return None
    place = os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT") or (_database(root).parent / "artifacts").as_uri()
    return f"{place.rstrip('/')}/{quote(experiment)}"


def connect(root: Path | str) -> "MlflowClient | None":
    """Return a client of the store, whose tables are made if they are missing; None if it does not answer.

    It is safe to call this from several processes at once, also for a database that is still empty.

    Raises:
        ImportError: MLflow or the database's driver is not installed.
        UserError: the project's SQLite file is where machines share files but not locks.
        Exception: of MLflow, SQLAlchemy, or the system: the store cannot be opened.
    """
    uri = store_uri(root)
    scheme = urlsplit(uri).scheme.partition("+")[0]
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        import mlflow  # noqa: F401 (nothing is made without it)

        _refuse_without_locks(_database(root))
        _make_database(root)
    if scheme in DATABASES:
        return _open(uri)
    if scheme in ("http", "https") and not _in_time(partial(_ask_server, uri)):
        return None
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def answers(root: Path | str) -> bool | None:
    """Return whether the store answers; None if it is a file that is not there yet. Nothing is made.

    Raises:
        ImportError, UserError, Exception: as for ``connect``.
    """
    import sqlalchemy  # which MLflow brings

    uri = store_uri(root)
    scheme = urlsplit(uri).scheme.partition("+")[0]
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        _refuse_without_locks(_database(root))
        if not _database(root).exists():
            return None
    if scheme in DATABASES:
        engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.pool.NullPool)
        file = engine.url.database or ""
        if scheme == "sqlite" and not file.startswith("file:") and not Path(file).exists():
            return None
        return _in_time(partial(_ask_database, engine))
    return scheme not in ("http", "https") or _in_time(partial(_ask_server, uri))


def missing_package(error: ImportError, uri: str) -> str:
    """Return what is not installed, from the error of ``connect``, and how to install it."""
    module = (error.name or "mlflow").partition(".")[0]
    if module == "mlflow":
        return "it is not installed"
    package = PACKAGES.get(module, module)
    return f"the Python package {module}, which {shown(uri)} needs, is not installed (pip install {package})"


def shown(text: str, uri: str | None = None) -> str:
    """Return a text without the user and password that the store's address may hold."""
    user, at, _ = urlsplit(uri or text).netloc.rpartition("@")
    return text.replace(user + at, "") if at else text


def _open(uri: str) -> "MlflowClient | None":
    """Return a client of a database, which is made if it is empty; None if the database does not answer.

    Of several processes that find it empty, one makes the tables, in one piece. MLflow fails in the others
    when it is done. Trying again is all they need.
    """
    import sqlalchemy  # which MLflow brings

    if uri.startswith("sqlite:///"):  # MLflow does it, too
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.pool.NullPool)
    if not _in_time(partial(_ask_database, engine)):
        return None
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    for pause in PAUSES:
        made = _is_made(engine)
        try:
            return MlflowClient(tracking_uri=uri)
        except (sqlalchemy.exc.SQLAlchemyError, MlflowException):
            if made:
                raise
        time.sleep(pause)
    return MlflowClient(tracking_uri=uri)


def _in_time(ask: Callable[[], bool]) -> bool:
    """Return what a server or a database answers, be it an error; False if it says nothing in time.

    A thread asks, since neither looking up a name nor connecting keeps to a time limit.
    """
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


def _is_made(engine: "Engine") -> bool:
    """Return whether a database holds what MLflow makes last in an empty one: the experiment Default."""
    import sqlalchemy

    try:
        with engine.connect() as connection:
            question = sqlalchemy.text("SELECT 1 FROM experiments WHERE experiment_id = 0")
            return connection.execute(question).first() is not None
    except sqlalchemy.exc.SQLAlchemyError:
        return False


def _refuse_without_locks(database: Path) -> None:
    """Refuse a SQLite file in a shared folder without common locks, where two jobs would damage it."""
    mount = mount_of(database)
    if mount and mount.lock_trouble:
        raise UserError(
            f"{database.parent} is on {mount.lock_trouble}, whose locks do not keep other machines out; set "
            "MLFLOW_TRACKING_URI to a server, or to a file on a local disk"
        )


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
        for table, column in PLACES:
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                (after, len(before) + 1, len(before) + 1, f"{before}/"),
            )

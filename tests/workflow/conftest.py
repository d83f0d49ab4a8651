"""One finished project for all tests, made once a session, however many processes share the tests."""

import copy
import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path

import projects
import pytest


@pytest.fixture(scope="session")
def one_seed(tiny_params) -> dict:
    """Return parameters of a study of two runs, since each starts a process that loads torch and MLflow."""
    params = copy.deepcopy(tiny_params)
    params["studies"]["tiny"]["seeds"] = [1]
    return params


@pytest.fixture
def tiny(one_seed) -> dict:
    """Return the finished project's parameters, free to be changed."""
    return copy.deepcopy(one_seed)


@pytest.fixture(scope="session")
def once(tmp_path_factory, worker_id):
    """Return a function that has a folder made by whichever process needs it first, and returns it."""
    base = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        base = base.parent

    def made(name: str, make: Callable[[Path], None]) -> Path:
        folder, done = base / name, base / f"{name}.done"
        with (base / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def finished(once, one_seed) -> Path:
    """Return a project whose study has been built by a plain `snakemake`; only to be read."""

    def make(folder: Path) -> None:
        projects.run(projects.new_project(folder, one_seed), "snakemake")

    return once("finished", make)


@pytest.fixture
def versioned(once, finished, tmp_path) -> Path:
    """Return a copy of the finished project as a git repository whose data DVC has recorded."""

    def make(folder: Path) -> None:
        shutil.copytree(finished, folder, symlinks=True)
        projects.run(folder, "git", "init", "-q")
        projects.run(folder, "dvc", "repro")
        projects.commit(folder)

    return Path(shutil.copytree(once("versioned", make), tmp_path / "versioned", symlinks=True))


@pytest.fixture
def project(finished, tmp_path) -> Path:
    """Return a copy of the finished project, free to be changed."""
    return Path(shutil.copytree(finished, tmp_path / "project", symlinks=True))


@pytest.fixture
def unbuilt(tmp_path, tiny) -> Path:
    """Return a project in which nothing has been made yet."""
    return projects.new_project(tmp_path / "unbuilt", tiny)

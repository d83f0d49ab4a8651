"""One finished project for all tests, made once a session, however many processes share the tests."""

import copy
import fcntl
import shutil
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
def finished(tmp_path_factory, one_seed, worker_id) -> Path:
    """Return a project whose study has been built by a plain `snakemake`; only to be read."""
    base = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        base = base.parent
    with (base / "finished.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        project, done = base / "finished", base / "finished.done"
        if not done.exists():
            projects.run(projects.new_project(project, one_seed), "snakemake")
            done.touch()
    return project


@pytest.fixture
def project(finished, tmp_path) -> Path:
    """Return a copy of the finished project, free to be changed."""
    return Path(shutil.copytree(finished, tmp_path / "project", symlinks=True))


@pytest.fixture
def unbuilt(tmp_path, tiny) -> Path:
    """Return a project in which nothing has been made yet."""
    return projects.new_project(tmp_path / "unbuilt", tiny)

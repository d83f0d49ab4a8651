"""Copies of the finished project, free to be changed."""

import copy
import shutil
from pathlib import Path

import projects
import pytest


@pytest.fixture
def tiny(one_seed) -> dict:
    """Return the finished project's parameters, free to be changed."""
    return copy.deepcopy(one_seed)


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

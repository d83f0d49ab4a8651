"""Small settings that every part of the pipeline accepts, for tests that run the real thing."""

import copy
import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import projects
import pytest
import yaml
from hypothesis import HealthCheck, settings

from kinefract.common import strict_yaml
from kinefract.config import files as config_files
from kinefract.config.params import SECTIONS

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"

# `HYPOTHESIS_PROFILE=faults` tries more; `ci` tries the same few each time.
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
PATIENT = {"deadline": None, "database": None, "suppress_health_check": SLOW}
settings.register_profile("ci", max_examples=40, derandomize=True, **PATIENT)
settings.register_profile("faults", max_examples=1000, **PATIENT)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

TINY = {"weights": {}, **strict_yaml.read(ROOT / ".test/params.yaml")}


@pytest.fixture
def tiny() -> dict:
    """Return the content of a params file whose one study takes seconds; free to be changed."""
    return copy.deepcopy(TINY)


@pytest.fixture(scope="session")
def tiny_params() -> dict:
    """Return the same for fixtures that last a whole session; not to be changed."""
    return copy.deepcopy(TINY)


@pytest.fixture
def own_settings() -> dict:
    """Return the project's own configuration as the content of one file; free to be changed."""
    files = config_files.find(ROOT / "params.yaml")
    whole = config_files.joined(config_files.read(files), list(SECTIONS))
    return {"run": whole.run, **whole.sections}


@pytest.fixture
def shared() -> Path:
    """Return the folder of real research data beside the project; skip where it is not there."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"no real data at {SHARED / 'data'}")
    return SHARED


@pytest.fixture
def write_params() -> Callable[[Path, dict], Path]:
    """Return a function that writes ``params.yaml`` into a folder and returns its path."""

    def write(folder: Path, params: dict) -> Path:
        path = folder / "params.yaml"
        path.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def one_seed(tiny_params) -> dict:
    """Return parameters of a study of two runs, since each starts a process that loads torch and MLflow."""
    params = copy.deepcopy(tiny_params)
    params["studies"]["tiny"]["seeds"] = [1]
    return params


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

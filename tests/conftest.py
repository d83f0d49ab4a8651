"""Small settings that every part of the pipeline accepts, for tests that run the real thing."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from kinefract import config_files
from kinefract.params import SECTIONS

SHARED = Path(__file__).resolve().parents[2] / "shared"

TINY = {
    "run": ["tiny"],
    "datasets": {
        "fractal": {
            "family": "fractal",
            "classes": 3,
            "clips_per_class": 4,
            "size": 48,
            "clips_per_shard": 7,
            "points": {"steps": 300, "discard": 50},
        }
    },
    "pretraining": {
        "small": {
            "dataset": "fractal",
            "objective": "supervised",
            "backbone": "tsm_resnet18",
            "width": 8,
            "size": 32,
            "epochs": 2,
            "warmup_epochs": 1,
            "batch_size": 4,
            "threads": 1,
        }
    },
    "weights": {},
    "finetuning": {
        "small": {
            "size": 32,
            "resize": 32,
            "stride": 2,
            "windows": 2,
            "epochs": 2,
            "warmup_epochs": 1,
            "batch_size": 6,
            "threads": 1,
        }
    },
    "benchmarks": {"motions": {"kind": "motions", "train_per_class": 1, "test_per_class": 1, "size": 32}},
    "studies": {
        "tiny": {
            "question": "Does the chain hold?",
            "pretraining": "small",
            "finetuning": "small",
            "vary": {"pretraining.objective": ["scratch", "supervised"]},
            "benchmarks": ["motions"],
            "seeds": [1, 2],
        }
    },
}


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
    files = config_files.find(Path(__file__).parents[1] / "params.yaml")
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

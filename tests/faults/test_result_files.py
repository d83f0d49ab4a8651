"""Changed files of results, read without checksums: they give values that can be or one clear error."""

import math
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import TEXTS, mutated

from kinefract.benchmarks import summary
from kinefract.cards import card
from kinefract.common import checksums
from kinefract.common.errors import UserError
from kinefract.config.run_files import read_epochs, read_result
from kinefract.evaluation import predictions
from kinefract.models import weights
from kinefract.report.terminal import text_table
from kinefract.synth.store.shards import Shards
from kinefract.training import checkpoint


@pytest.fixture(scope="module")
def project(finished, tmp_path_factory) -> Path:
    """Return a copy of the finished project as version 0.1 made it, without checksums, and a checkpoint."""
    copy = tmp_path_factory.mktemp("results") / "project"
    shutil.copytree(finished, copy, symlinks=True)
    for path in copy.rglob("SHA256SUMS"):
        checksums.remove(path.parent)
    state = {"spec": "a", "history": [], "step": 1, "meter": None}
    state |= {"objective": {}, "optimizer": {}, "precision": {}}
    checkpoint.write(copy / "checkpoint.pt", state)
    return copy


def epochs(folder: Path) -> None:
    for number, line in enumerate(read_epochs(folder), 1):
        assert line["epoch"] == number and math.isfinite(line["loss"]) and line["seconds"] >= 0


def result(folder: Path) -> None:
    found = read_result(folder)
    assert 0 <= found["top1"] <= 1 and 0 <= found["top5"] <= 1 and found["epochs"] >= 1


def predicted(folder: Path) -> None:
    found = predictions.read(folder)
    assert len(found.paths) == len(found.classes) == len(found.right) > 0


def manifest(folder: Path) -> None:
    clips = Shards(folder)
    assert len(clips) == 12
    clips.read(11)


def described(folder: Path) -> None:
    found = card.read(folder)
    assert found is None or (found["clips"] > 0 and found["seconds"] >= 0)


def counted(folder: Path) -> None:
    found = summary.read(folder)
    assert found and found["classes"] > 0 and all(count >= 0 for count in found["videos"].values())


def resumed(folder: Path) -> None:
    found = checkpoint.read(folder / "checkpoint.pt", "a")
    assert found and found["step"] == 1


READERS = {
    "results/finetune/*/metrics.jsonl": epochs,
    "results/finetune/*/result.json": result,
    "results/finetune/*/predictions.csv": predicted,
    "results/finetune/*/model.safetensors": lambda folder: weights.read(folder / "model.safetensors"),
    "results/studies/*-*/table.csv": text_table,
    "data/synthetic/*/manifest.csv": manifest,
    "data/synthetic/*/card.json": described,
    "data/benchmarks/*/summary.json": counted,
    "checkpoint.pt": resumed,
}


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
def test_a_changed_file_gives_values_that_can_be_or_one_clear_error(project, name, data):
    path = sorted(project.glob(name))[0]
    content = path.read_bytes()
    READERS[name](path.parent)
    try:
        path.write_bytes(data.draw(mutated(content, TEXTS)))
        READERS[name](path.parent)
    except UserError as error:
        assert len(str(error)) < 2000 and "\n" not in str(error).strip()
    finally:
        path.write_bytes(content)

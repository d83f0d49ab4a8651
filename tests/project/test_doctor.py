"""`kinefract doctor` tells what there is, and the way out where something is broken."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import projects
import pytest
import torch
import yaml

from kinefract.cli import main
from kinefract.common import cores

SRC = Path(__file__).parents[2] / "src"


@pytest.fixture
def doctor(tmp_path, monkeypatch, capsys) -> Callable[..., tuple[int, str]]:
    """Return a function that runs the command in a folder, and returns its exit code and what it printed."""
    monkeypatch.chdir(tmp_path)
    for name, value in projects.environment().items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> tuple[int, str]:
        code = main(["doctor", *arguments])
        return code, capsys.readouterr().out

    return run


def line_of(text: str, name: str) -> str:
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return line


def test_a_machine_in_order_is_described_in_json(doctor, tmp_path):
    code, text = doctor("--json")
    found = json.loads(text)
    assert code == 0 and not any(entry["broken"] for entry in found.values())
    assert found["torch"]["values"]["version"] == torch.__version__
    assert found["training"]["values"]["device"] == "cpu"  # no GPU is shown to it
    assert found["cores"]["values"]["usable"] == cores.usable()
    assert "libx264" in found["encoders"]["values"]["encoders"]
    assert found["mlflow"]["values"]["answers"] is None
    assert "kinefract init" in found["project"]["remedy"]
    assert not list(tmp_path.iterdir())


def test_what_is_broken_is_named_with_its_remedy_and_the_rest_is_told(tmp_path):
    broken = tmp_path / "broken"
    (broken / "numpy-1.0.dist-info").mkdir(parents=True)
    (broken / "numpy-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 1.0\n")
    (broken / "torch.py").write_text("raise ImportError('libcudart.so.13: cannot open shared object file')\n")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"run": ["nothing"]}))
    done = subprocess.run(
        [sys.executable, "-m", "kinefract.cli", "doctor"],
        cwd=tmp_path,
        env=projects.environment(PYTHONPATH=f"{broken}{os.pathsep}{SRC}"),
        capture_output=True,
        text=True,
    )
    text = done.stdout
    assert done.returncode == 1 and not done.stderr
    assert "numpy 1.0 is installed" in line_of(text, "packages")
    assert "; pip install 'numpy" in line_of(text, "packages")
    assert line_of(text, "torch").endswith("pip install --force-reinstall torch")
    assert "libcudart.so.13" in line_of(text, "torch")
    assert "kinefract check" in line_of(text, "project")
    assert "BROKEN" not in line_of(text, "memory")
    assert text.splitlines()[-1] == "Broken: packages, torch, devices, training, project"


def test_a_store_that_does_not_answer_breaks_nothing_and_shows_no_password(doctor, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    code, text = doctor()
    assert code == 0 and text.splitlines()[-1] == "All that jobs need is there."
    assert "http://127.0.0.1:9, which does not answer" in line_of(text, "mlflow")
    assert "secret" not in text
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db")
    assert "which the first job makes" in line_of(doctor()[1], "mlflow")


def test_programs_that_the_shell_does_not_find_are_named(doctor, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    code, text = doctor()
    assert code == 0 and "/activate" in line_of(text, "snakemake")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_is_named_and_used(doctor, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    code, text = doctor("--json")
    found = json.loads(text)
    assert code == 0 and found["training"]["values"]["device"] == "cuda"
    assert found["devices"]["values"]["gpus"][0]["name"] == torch.cuda.get_device_name(0)

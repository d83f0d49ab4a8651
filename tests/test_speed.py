"""The programs that measure speed can be started; that for GPUs goes through on CPU tensors."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kinefract.objectives import OBJECTIVES

SPEED = Path(__file__).parents[1] / "speed"


@pytest.mark.parametrize("program", sorted(path.stem for path in SPEED.glob("*.py")))
def test_a_program_says_what_it_measures(program):
    done = subprocess.run(
        [sys.executable, str(SPEED / f"{program}.py"), "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0 and "usage:" in done.stdout, done.stderr


@pytest.mark.long
def test_what_tracking_costs_is_measured(tmp_path):
    command = [sys.executable, str(SPEED / "track.py"), "--epochs", "2", "--steps", "1"]
    done = subprocess.run([*command, "--json", str(tmp_path / "track.json")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "track.json").read_text())
    assert figures["seconds"].keys() >= {"begin", "epoch", "end"} and 0 < figures["epoch_share"] < 1


@pytest.mark.long
def test_every_figure_of_a_gpu_is_measured(tmp_path):
    command = [sys.executable, str(SPEED / "gpu.py"), "--device", "cpu", "--miniature"]
    done = subprocess.run([*command, "--json", str(tmp_path / "gpu.json")], capture_output=True, text=True)
    verdicts = [line for line in done.stdout.splitlines() if line.startswith(("PASS", "FAIL"))]
    assert len(verdicts) == 8, done.stderr
    assert done.returncode == any(line.startswith("FAIL") for line in verdicts)
    figures = json.loads((tmp_path / "gpu.json").read_text())
    # What does not depend on speed holds on a CPU, too.
    assert figures["likeness"] >= 0.97
    assert figures["objectives_finite"] == len(OBJECTIVES)
    assert figures["resume_difference"] == 0
    assert figures["two_jobs"] == 2

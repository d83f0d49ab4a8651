"""The program that measures a GPU goes through on CPU tensors, every figure in its place."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kinefract.objectives import OBJECTIVES

PROGRAM = Path(__file__).parents[1] / "speed/gpu.py"


@pytest.mark.long
def test_every_figure_of_a_gpu_is_measured(tmp_path):
    command = [sys.executable, str(PROGRAM), "--device", "cpu", "--miniature"]
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

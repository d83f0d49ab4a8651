"""Imports between the rooms of the package go one way (``[tool.importlinter]``), and no two have one name."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def test_imports_go_one_way():
    done = subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache", "--no-logo"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_snakemake_imports_loads_neither_torch_nor_numba():
    heavy = {"torch", "numba", "scipy", "safetensors", "mlflow"}
    program = f"import sys, kinefract.config.plan; print({heavy} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_modules_of_tests_have_names_of_their_own():
    """A worker of pytest that imports both of two modules with one name takes one for the other."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert sorted({name for name in names if names.count(name) > 1}) == []

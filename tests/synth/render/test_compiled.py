"""A kernel is that of the sources as they are, wherever compiled code is kept."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import kinefract

# A kernel like that of the chaos game, which calls a variation of another module, but quick to compile.
MODULE = """\
from kinefract.synth.render.compiled import kernel
from kinefract.synth.render.flame import bent


@kernel
def bend(x, y):
    bent(x, y)
"""
PROGRAM = """\
import numpy as np
from kinefract.synth.render import probe

x, y = np.full((2, 1), -1, np.float32)
probe.bend(x, y)
print(x[0], y[0], sum(probe.bend.stats.cache_hits.values()))
"""


@pytest.fixture
def copied(tmp_path):
    """Return the folder of a copy of the package, with one more kernel."""
    package = Path(kinefract.__file__).parent
    shutil.copytree(package, tmp_path / "kinefract", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "kinefract/synth/render/probe.py").write_text(MODULE, encoding="utf-8")
    return tmp_path


def bent(folder, **environment):
    """Return in a new process where (-1, -1) goes, how often it was compiled before, and what was said."""
    command, where = [sys.executable, "-c", PROGRAM], {**os.environ, **environment}
    run = subprocess.run(command, cwd=folder, env=where, capture_output=True, text=True, check=True)
    x, y, hits = run.stdout.split()
    return float(x), float(y), int(hits), run.stderr


def edit(folder):
    source = folder / "kinefract/synth/render/flame.py"
    text = source.read_text(encoding="utf-8")
    assert text.count("else TWO * x") == 1
    source.write_text(text.replace("else TWO * x", "else FOUR * x"), encoding="utf-8")


COMPILES = "compiling the renderer for this machine, once; this takes up to a minute\n"


@pytest.mark.parametrize("variable", ["NUMBA_CACHE_DIR", "XDG_CACHE_HOME"])
def test_an_edit_of_what_a_kernel_calls_is_noticed(copied, variable):
    where = {"NUMBA_CACHE_DIR": "", variable: str(copied / "cache")}
    assert [bent(copied, **where) for _ in range(2)] == [(-2, -0.5, 0, COMPILES), (-2, -0.5, 1, "")]
    edit(copied)
    assert bent(copied, **where) == (-4, -0.5, 0, COMPILES)
    assert len(list((copied / "cache/kinefract").iterdir())) == 2


def test_where_nothing_can_be_kept_each_process_compiles_and_says_so_once(copied):
    (copied / "cache").write_text("a file", encoding="utf-8")
    where = {"NUMBA_CACHE_DIR": str(copied / "cache")}
    assert bent(copied, **where)[:3] == (-2, -0.5, 0)
    edit(copied)
    *found, said = bent(copied, **where)
    assert found == [-4, -0.5, 0]
    assert said.startswith(f"{copied / 'cache/kinefract'}/") and said.count("cannot be written") == 1
    assert not list((copied / "kinefract").rglob("*.nbi"))


PAIR = """\
import sys

import numpy as np
from kinefract.synth.render.compiled import kernel
from kinefract.synth.render.flame import fisheye, spherical


@kernel
def first(x, y):
    spherical(x, y)


@kernel
def second(x, y):
    fisheye(x, y)


for name in sys.argv[1:]:
    x, y = np.full((2, 1), 1, np.float32)
    globals()[name](x, y)
    print(name, round(float(x[0]), 4))
"""


def test_kernels_that_two_processes_compiled_do_not_take_each_others_loops(copied):
    """Numba numbers loops of one name by the process, so those of two processes may share a number."""
    (copied / "pair.py").write_text(PAIR, encoding="utf-8")
    where = {**os.environ, "NUMBA_CACHE_DIR": str(copied / "cache")}

    def run(*names):
        command = [sys.executable, "pair.py", *names]
        return subprocess.run(
            command, cwd=copied, env=where, capture_output=True, text=True, check=True
        ).stdout

    alone = run("first") + run("second")
    assert alone == "first 0.5\nsecond 0.8284\n"
    assert run("first", "second") == alone

"""What holds for every family and each of its examples: a clip is a function of recipe and index alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kinefract.synth.families import FAMILIES
from kinefract.synth.store.shards import frames_digest

SMALL = {"classes": 5, "clips_per_class": 4, "size": 32, "frames": (6, 9)}
POINTS = {"steps": 300, "discard": 50, "window_steps": 300}
# What a family needs besides, to be quick and to have something to show at 32 px.
SMALLER = {
    "fractal": {"points": POINTS},
    "ifs3d": {"points": POINTS},
    "perlin": {"frequencies": (2, 5, 10)},
}
CLIPS = 12
# The digests of the first three clips of every example. If they change, DatasetSpec.VERSION has to be raised.
RECORDED = json.loads((Path(__file__).parents[1] / "clips.json").read_text(encoding="utf-8"))
# Processors without AVX, for numba and for numpy.
PLAIN = {
    "NUMBA_CPU_NAME": "generic",
    "NUMBA_CPU_FEATURES": "",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
}
EXAMPLES = [(name, caption) for name, recipe in FAMILIES.items() for caption in recipe.EXAMPLES]
IN_REVERSE = """\
import json, sys
from kinefract.synth.families import FAMILIES
from kinefract.synth.store.shards import frames_digest

for settings in json.load(sys.stdin):
    recipe = FAMILIES.parse(settings)
    print(*reversed([frames_digest(recipe.clip(index)) for index in reversed(range(int(sys.argv[1])))]))
"""


def recipe(name, caption, **settings):
    example = FAMILIES[name].EXAMPLES[caption]
    return FAMILIES.parse({"family": name, **SMALL, **SMALLER.get(name, {}), **example, **settings})


def digests(made):
    return [frames_digest(made.clip(index)) for index in range(CLIPS)]


def run(program, *arguments, given="", **environment):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(
        command, input=given, capture_output=True, text=True, env=environment, check=True
    ).stdout


@pytest.fixture(scope="module")
def elsewhere():
    """The digests of every example's clips, made by another process, the last clip first."""
    recipes = [recipe(*example).model_dump(mode="json") for example in EXAMPLES]
    lines = run(IN_REVERSE, str(CLIPS), given=json.dumps(recipes)).splitlines()
    return dict(zip(EXAMPLES, map(str.split, lines), strict=True))


@pytest.mark.parametrize("example", EXAMPLES, ids="-".join)
def test_order_and_process_change_nothing_and_no_clip_is_another(example, elsewhere):
    assert digests(recipe(*example)) == elsewhere[example]
    assert len(set(elsewhere[example])) == CLIPS


@pytest.mark.parametrize("example", EXAMPLES, ids="-".join)
def test_clips_are_those_of_the_recorded_version(example, elsewhere):
    assert elsewhere[example][:3] == RECORDED["-".join(example)]


@pytest.mark.long
def test_a_processor_without_vector_instructions_makes_the_same_clips(tmp_path):
    recipes = [recipe(*example).model_dump(mode="json") for example in EXAMPLES]
    lines = run(IN_REVERSE, "3", given=json.dumps(recipes), NUMBA_CACHE_DIR=str(tmp_path), **PLAIN)
    assert list(map(str.split, lines.splitlines())) == [RECORDED["-".join(example)] for example in EXAMPLES]


@pytest.mark.parametrize("example", EXAMPLES, ids="-".join)
def test_another_seed_makes_other_clips(example, elsewhere):
    assert not set(digests(recipe(*example, seed=2))) & set(elsewhere[example])


@pytest.mark.parametrize("example", EXAMPLES, ids="-".join)
def test_clips_are_of_the_size_and_length_asked_for_and_few_are_drawn_again(example):
    made = recipe(*example)
    drawn = [made.draw(index) for index in range(CLIPS)]
    shapes = {frames.shape[1:] for frames, _ in drawn}
    assert shapes in ({(32, 32)}, {(32, 32, 3)})
    assert all(frames.dtype == np.uint8 and 6 <= len(frames) <= 9 for frames, _ in drawn)
    assert sum(again > 0 for _, again in drawn) <= 3


def test_families_register_without_importing_numba_scipy_or_torch():
    loaded = run(
        "import sys, kinefract.synth.families as f; print(len(f.FAMILIES), *sys.modules.keys())"
    ).split()
    assert int(loaded[0]) == len(FAMILIES) >= 6
    assert not {"numba", "scipy", "torch"} & set(loaded)

"""A new family is one file: what registers itself is accepted everywhere, with nothing else edited."""

import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kinefract.synth.families
from kinefract import cli
from kinefract.common.errors import UserError
from kinefract.config import params
from kinefract.config.specs import DatasetSpec
from kinefract.synth import RenderedClips, Shards, join
from kinefract.synth.families import FAMILIES
from kinefract.synth.store.verify import verify

MODULE = '''\
"""The stripes family: a stripe that crosses the frame, at a speed that is the class."""

from typing import Literal

import numpy as np
from pydantic import Field

from kinefract.synth.recipes import FAMILIES, DatasetRecipe
from kinefract.common.streams import stream


@FAMILIES.register
class StripesRecipe(DatasetRecipe):
    """Settings of a dataset of stripes."""

    family: Literal["stripes"] = "stripes"
    width: int = Field(default=6, ge=1, description="width of the stripe in pixels")

    def render(self, index: int, attempt: int) -> np.ndarray | None:
        """Render one draw of clip ``index``: uint8 (T, size, size)."""
        rng = stream(self.seed, "stripes", index, attempt)
        frames = np.zeros((int(rng.integers(*self.frames, endpoint=True)), self.size, self.size), np.uint8)
        start, speed = int(rng.integers(self.size)), 2 + 3 * self.label(index)
        for t, image in enumerate(frames):
            image[:, (start + t * speed + np.arange(self.width)) % self.size] = 255
        return frames
'''
SETTINGS = {"family": "stripes", "classes": 3, "clips_per_class": 3, "size": 32, "clips_per_shard": 4}


@pytest.fixture
def family(tmp_path, monkeypatch):
    """The file of a family, put where families are looked for, and taken out of the registry again."""
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "stripes.py").write_text(MODULE, encoding="utf-8")
    families = kinefract.synth.families
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path / "more")])
    importlib.invalidate_caches()
    yield importlib.import_module("kinefract.synth.families.stripes")
    FAMILIES.pop("stripes", None)
    sys.modules.pop("kinefract.synth.families.stripes", None)
    families.__dict__.pop("stripes", None)


def test_parameters_shards_reading_checking_and_training_take_it(family, tiny, tmp_path):
    tiny["datasets"]["stripes"] = SETTINGS
    recipe = params.parse(tiny).datasets["stripes"]
    assert recipe == family.StripesRecipe(**SETTINGS)

    spec = DatasetSpec(recipe=recipe)
    assert spec.id.startswith("stripes-")
    folder = spec.write(tmp_path).parent
    assert DatasetSpec.read(folder / "spec.yaml") == spec

    for shard in range(recipe.shards):
        assert cli.main(["shard", str(folder / "spec.yaml"), str(shard)]) == 0
    join(recipe, folder)
    shards = Shards(folder)
    np.testing.assert_array_equal(shards.labels, np.arange(9) % 3)
    for index in range(9):
        frames = recipe.clip(index)
        assert np.abs(shards.read(index).astype(int) - frames).mean() < 20
    assert verify(recipe, folder).problems == []
    assert sum(1 for _ in RenderedClips(recipe, epochs=1)) == 9


def test_its_settings_are_checked_like_those_of_any_other(family, tiny):
    tiny["datasets"]["stripes"] = {**SETTINGS, "width": 0, "wide": 3}
    with pytest.raises(UserError, match=r"datasets\.stripes\.width: .*got 0\n.*stripes\.wide: unknown key"):
        params.parse(tiny)


def test_afterwards_the_registry_is_as_it_was(tiny):
    tiny["datasets"]["stripes"] = SETTINGS
    with pytest.raises(UserError, match="family: 'stripes' is not one of"):
        params.parse(tiny)


def test_a_file_in_the_package_is_found_by_being_there(tmp_path):
    package = Path(kinefract.__file__).parent
    shutil.copytree(package, tmp_path / "kinefract", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "kinefract" / "synth" / "families" / "stripes.py").write_text(MODULE, encoding="utf-8")
    code = (
        "from kinefract import synth; "
        "print(synth.recipe(family='stripes', classes=1, clips_per_class=1, size=32).clip(0).max())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run.stdout == "255\n"

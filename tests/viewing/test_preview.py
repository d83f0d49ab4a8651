"""A preview shows what was asked for: a dataset, made or not, a class, a variation, a curve."""

import numpy as np
import pytest
from PIL import Image

from kinefract.cli import main
from kinefract.common.errors import UserError
from kinefract.config.specs import DatasetSpec
from kinefract.synth.dataset_recipe import Points
from kinefract.synth.families.fractal import FractalRecipe
from kinefract.synth.store.dataset import join, write_shard
from kinefract.viewing import curves
from kinefract.viewing.preview import RecipeClips, preview
from kinefract.viewing.sheets import sheet

RECIPE = FractalRecipe(
    classes=3,
    clips_per_class=4,
    size=32,
    frames=(4, 5),
    points=Points(steps=300, discard=50, window_steps=300),
)


@pytest.fixture
def project(tmp_path, monkeypatch):
    spec = DatasetSpec(recipe=RECIPE)
    spec.write(tmp_path)
    write_shard(RECIPE, 0, tmp_path / spec.folder)
    join(RECIPE, tmp_path / spec.folder)
    monkeypatch.chdir(tmp_path)
    return spec


def test_a_made_dataset_is_shown_from_its_shards_and_another_is_rendered(project):
    made = preview(project.folder)
    rendered = sheet(RecipeClips(RECIPE))
    assert made.picture.shape == rendered.shape and not np.array_equal(made.picture, rendered)
    assert np.abs(made.picture.astype(int) - rendered).mean() < 12  # encoded, decoded

    bent = preview(project.folder, variation="14")
    expected = RECIPE.model_copy(update={"nonlinear_shapes": 1.0, "variations": ("bent",)})
    np.testing.assert_array_equal(bent.picture, sheet(RecipeClips(expected)))


def test_outside_a_project_a_family_is_shown_by_its_name(tmp_path, tiny, write_params, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = preview("perlin")
    assert shown.caption == "perlin" and shown.picture.std() > 10
    write_params(tmp_path, tiny)
    with pytest.raises(UserError, match="perlin: no such folder, and as a name in the configuration"):
        preview("perlin")


def test_one_class_alone(project):
    shown = preview(project.folder, label=2)
    assert "class 2" in shown.caption and shown.picture.shape[0] == 4 + 36
    assert shown.motion.shape[1:3] == (4 + 2 * 36, 4 + 2 * 36)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--curve", "sharpe"], "did you mean 'sharp'"),
        (["--family", "fractals"], "did you mean 'fractal'"),
        (["--variation", "horse"], "'horse' is none (did you mean 'horseshoe'?); there are sinusoidal, "),
        (["--variation", "99"], "'99' is none; there are sinusoidal, "),
        (["--class", "9"], "has classes 0 to 5"),
        (["--curve", "sharp", "--out", "x.avi"], "wants the ending"),
    ],
)
def test_what_there_is_not_is_one_clear_error(project, capsys, arguments, message):
    assert main(["preview", *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and "Traceback" not in error


def test_a_curve_is_drawn_with_a_clip_that_follows_it(project, capsys):
    assert main(["preview", "--curve", "sharp", "--out", "curve.png"]) == 0
    with Image.open("curve.png") as picture:
        assert picture.size == (4 + 3 * (curves.SIZE + 4), 8 + curves.SIZE + curves.GRAPH)
    frames = curves.curve_sheet("sharp", samples=1)[: curves.FRAMES]
    clip = frames[:, 4 + curves.GRAPH : 4 + curves.GRAPH + curves.SIZE].astype(int)
    steps = np.abs(np.diff(clip, axis=0)).mean((1, 2, 3))
    # It rests, jumps in 4 to 8 frames and rests: still frames differ by the grain of their points alone.
    assert steps[0] < steps.max() / 3 and steps[-1] < steps.max() / 3


@pytest.mark.parametrize("family", ["mixture", "pseudo_motion"])
def test_a_family_with_settings_that_are_required_is_shown_by_its_first_example(family):
    assert preview(family=family).picture.any()

"""Sheets and animations show what was asked for, in the format that the file's ending says."""

import av
import numpy as np
import pytest
import yaml
from PIL import Image

from kinefract.cli import main
from kinefract.errors import UserError
from kinefract.specs import DatasetSpec
from kinefract.synth import gallery, looks, preview
from kinefract.synth.dataset import join, write_shard
from kinefract.synth.families.fractal import FractalRecipe
from kinefract.synth.recipes import Points

RECIPE = FractalRecipe(
    classes=3,
    clips_per_class=4,
    size=32,
    frames=(4, 5),
    points=Points(steps=300, discard=50, window_steps=300),
)


class Numbered:
    """Grey clips whose level tells their number, and whose last frame is white."""

    labels = np.arange(10) % 5

    def read(self, index, *, grey):
        frames = np.full((3 + index % 2, 20, 20, 3), 20 * index, np.uint8)
        frames[-1] = 255
        return frames


def test_a_sheet_has_a_row_per_class_with_first_middle_and_last_frames():
    picture = preview.sheet(Numbered())
    assert picture.shape == (4 + 5 * 24, 4 + 6 * 24, 3)
    cells = picture[14::24, 14::24, 0]  # centres
    np.testing.assert_array_equal(cells[1], [20, 20, 255, 120, 120, 255])
    np.testing.assert_array_equal(preview.sheet(Numbered(), [3])[14, 14::24, 0], [60, 60, 255, 160, 160, 255])


def test_clips_side_by_side_play_forth_and_back_and_wait_for_the_longest():
    moving = preview.moving_sheet(Numbered(), [1, 2], columns=2)
    np.testing.assert_array_equal(moving[:, 14, 14, 0], [20, 20, 20, 255, 20, 20])
    np.testing.assert_array_equal(moving[:, 14, 38, 0], [40, 40, 255, 255, 255, 40])


@pytest.mark.parametrize("ending", [".mp4", ".webp", ".gif"])
def test_animations_are_written_by_their_ending(tmp_path, ending):
    path = tmp_path / f"clips{ending}"
    moving = preview.moving_sheet(Numbered(), [1, 2], columns=2)
    preview.write(path, moving, 12)
    if ending == ".mp4":
        with av.open(str(path)) as container:
            assert sum(1 for _ in container.decode(video=0)) == len(moving)
    else:
        with Image.open(path) as image:
            assert image.size == moving.shape[2:0:-1] and image.is_animated
    with pytest.raises(UserError, match=r"wants the ending \.png"):
        preview.write(tmp_path / "clips.avi", moving, 12)


@pytest.fixture
def project(tmp_path, monkeypatch):
    spec = DatasetSpec(recipe=RECIPE)
    spec.write(tmp_path)
    write_shard(RECIPE, 0, tmp_path / spec.folder)
    join(RECIPE, tmp_path / spec.folder)
    monkeypatch.chdir(tmp_path)
    return spec


def test_a_made_dataset_is_shown_from_its_shards_and_another_is_rendered(project):
    made = looks.looks(project.folder)
    rendered = preview.sheet(preview.RecipeClips(RECIPE))
    assert made.picture.shape == rendered.shape and not np.array_equal(made.picture, rendered)
    assert np.abs(made.picture.astype(int) - rendered).mean() < 12  # encoded, decoded

    bent = looks.looks(project.folder, variation="14")
    expected = RECIPE.model_copy(update={"nonlinear_shapes": 1.0, "variations": ("bent",)})
    np.testing.assert_array_equal(bent.picture, preview.sheet(preview.RecipeClips(expected)))


def test_one_class_alone(project):
    shown = looks.looks(project.folder, label=2)
    assert "class 2" in shown.caption and shown.picture.shape[0] == 4 + 36
    assert shown.motion.shape[1:3] == (4 + 2 * 36, 4 + 2 * 36)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--curve", "sharpe"], "did you mean 'sharp'"),
        (["--family", "fractals"], "did you mean 'fractal'"),
        (["--variation", "horse"], "did you mean 'horseshoe'"),
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
        assert picture.size == (4 + 3 * (gallery.SIZE + 4), 8 + gallery.SIZE + gallery.GRAPH)
    frames = gallery.curve_sheet("sharp", samples=1)[: gallery.FRAMES]
    clip = frames[:, 4 + gallery.GRAPH : 4 + gallery.GRAPH + gallery.SIZE].astype(int)
    steps = np.abs(np.diff(clip, axis=0)).mean((1, 2, 3))
    # It rests, jumps in 4 to 8 frames and rests: still frames differ by the grain of their points alone.
    assert steps[0] < steps.max() / 3 and steps[-1] < steps.max() / 3


def test_the_gallery_shows_every_family_and_every_picture_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "SIZE", 32)
    monkeypatch.setattr(gallery, "CLIPS", 2)
    monkeypatch.setattr(gallery, "POINTS", Points(steps=300, discard=50, window_steps=300))
    monkeypatch.setattr(gallery, "FAMILIES", {"fractal": FractalRecipe})
    monkeypatch.setattr(gallery, "example", lambda family, settings: RECIPE)
    gallery.write_gallery(tmp_path)
    text = (tmp_path / "gallery.md").read_text()
    pictures = [line.partition("(")[2].rstrip(")") for line in text.splitlines() if line.startswith("![")]
    assert len(pictures) == len(FractalRecipe.EXAMPLES) + len(gallery.CURVES) + 1
    assert all((tmp_path / picture).stat().st_size > 500 for picture in pictures)
    assert yaml.safe_load("still") in text.lower()

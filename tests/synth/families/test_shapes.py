"""Shapes move, transform and accelerate as they are told, and each step adds one thing to the step before."""

import re
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from kinefract.common.errors import UserError
from kinefract.common.streams import stream
from kinefract.synth.families.shapes import (
    STEPS,
    Perturbation,
    Scene,
    ShapesRecipe,
    Windows,
    class_scene,
    paint,
    transformations,
    vary,
)
from kinefract.synth.render.polygons import corners

SQUARE = 32.0 * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
SAME = Perturbation(shift=0.0, factor=0.0, radius=0.0, turn=0.0, tint=0)


def recipe(**settings):
    return ShapesRecipe(**{"classes": 5, "clips_per_class": 4, "size": 32, "frames": (6, 9), **settings})


def scene(*outlines, **settings):
    """Return still shapes in the middle of the frame, changed by settings."""
    count = len(outlines)
    still = {
        "frames": 8,
        "pace": 1,
        "colours": np.full((count, 3), 255, np.uint8),
        "starts": np.full((count, 2), 128.0),
        "scales": np.zeros((count, 2)),
        "shears": np.zeros((count, 2)),
    }
    still |= {key: np.zeros(count) for key in ("speeds", "directions", "accelerations", "rotations")}
    return Scene(outlines=outlines, **{**still, **settings})


def seen_centres(frames):
    """Return the centre of mass (x, y) of what is painted, in pixels of a 256 px frame."""
    weight = frames[..., 0].astype(float)
    at = (np.arange(frames.shape[1]) + 0.5) * 256 / frames.shape[1]
    total = weight.sum(axis=(1, 2))
    return np.stack([(weight.sum(axis=1) @ at) / total, (weight.sum(axis=2) @ at) / total], axis=1)


def test_clips_are_coloured_on_black_of_the_class_length():
    for index in range(5):
        frames = recipe().clip(index)
        assert frames.dtype == np.uint8 and frames.shape[1:] == (32, 32, 3) and 6 <= len(frames) <= 9
        assert np.ptp(frames.reshape(-1, 3).astype(int), axis=1).max() > 50
        assert 0.05 < (frames.max(axis=3) == 0).mean() < 0.95
        assert len(frames) == len(recipe().clip(index + 5))


@pytest.mark.parametrize("pace", [1, 2])
def test_a_circle_moves_by_its_speed_in_its_direction(pace):
    circle, angle = corners(0, (20.0, 20.0), 0.0), 0.6
    moving = scene(circle, pace=pace, speeds=np.array([1.7]), directions=np.array([angle]))
    steps = np.diff(seen_centres(paint(moving, 256)), axis=0)
    expected = 1.7 * pace * np.array([np.cos(angle), np.sin(angle)])
    np.testing.assert_allclose(steps, np.tile(expected, (7, 1)), atol=0.03)


@pytest.mark.parametrize("pace", [1, 2])
def test_acceleration_is_the_second_difference_along_the_direction(pace):
    circle, angle = corners(0, (20.0, 20.0), 0.0), -2.0
    moving = scene(
        circle,
        pace=pace,
        speeds=np.array([1.7]),
        directions=np.array([angle]),
        accelerations=np.array([0.4]),
    )
    second = np.diff(seen_centres(paint(moving, 256)), n=2, axis=0)
    expected = 0.4 * pace**2 * np.array([np.cos(angle), np.sin(angle)])
    np.testing.assert_allclose(second, np.tile(expected, (6, 1)), atol=0.05)


def test_transformations_are_scaling_turning_and_shearing_frame_by_frame():
    sx, sy, angle, hx, hy = 0.03, -0.02, 0.1, 0.04, -0.01
    changing = scene(
        SQUARE,
        pace=3,
        scales=np.array([(sx, sy)]),
        rotations=np.array([angle]),
        shears=np.array([(hx, hy)]),
    )
    shape = SQUARE
    for t, matrix in enumerate(transformations(changing)[:, 0]):
        np.testing.assert_allclose(SQUARE @ matrix.T, shape, rtol=1e-9)
        assert t < changing.frames
        for _ in range(3):
            x, y = shape[:, 0] * (1 + sx), shape[:, 1] * (1 + sy)
            x, y = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
            shape = np.stack([x + hx * y, y + hy * x], axis=1)


def test_a_growing_shape_covers_more_and_a_turning_one_the_same():
    growing = paint(scene(SQUARE, scales=np.array([(0.05, 0.0)])), 128)[..., 0] / 255
    np.testing.assert_allclose(growing.sum(axis=(1, 2)), 32**2 * 1.05 ** np.arange(8), rtol=0.01)
    turning = paint(scene(SQUARE, rotations=np.array([0.1])), 128)[..., 0] / 255
    np.testing.assert_allclose(turning.sum(axis=(1, 2)), 32**2, rtol=0.01)
    assert np.abs(turning[4] - turning[0]).sum() > 50


def test_each_step_adds_one_thing_and_leaves_the_rest():
    def differs(one, other):
        if isinstance(one, tuple):
            return any(differs(*pair) for pair in zip(one, other, strict=True))
        return not np.array_equal(one, other)

    scenes = [class_scene(recipe(step=step, outlined=0.5), 3)._asdict() for step in STEPS]
    changed = [{key for key in old if differs(old[key], new[key])} for old, new in pairwise(scenes)]
    assert changed == [{"speeds"}, {"outlines"}, {"scales", "rotations", "shears"}, {"accelerations"}]
    circle = len(corners(0, (1.0, 1.0), 0.0))
    corner_counts = [{len(outline) for outline in each["outlines"]} for each in scenes]
    assert corner_counts[1] == {circle, 2 * circle + 2}  # filled, outlined
    assert corner_counts[2] == {circle, 2 * circle + 2, 3, 8, 4, 10}
    reach = [[np.hypot(*outline[0]) for outline in each["outlines"]] for each in scenes[1:3]]
    np.testing.assert_allclose(*reach)  # the same radii, whatever the shape


def test_static_circles_stay_and_are_worth_seeing_as_they_are():
    still = recipe(step="static_circles")
    frames, refused = still.draw(2)
    assert not still.moves and recipe(step="moving_circles").moves and not refused
    np.testing.assert_array_equal(frames, frames[:1].repeat(len(frames), axis=0))
    assert not np.array_equal(still.clip(7)[0], frames[0])  # another instance


def test_radii_are_exponential_above_the_least():
    least, mean = 8.0, 16.0
    many = recipe(step="moving_circles", shapes=(1000, 1000), radius=(least, 60.0), mean_radius=mean)
    radii = np.sort([np.hypot(*outline[0]) for outline in class_scene(many, 0).outlines])
    expected = (1 - np.exp(-(radii - least) / mean)) / (1 - np.exp(-(60 - least) / mean))
    assert least <= radii[0] and radii[-1] <= 60
    assert np.abs(expected - (np.arange(1000) + 0.5) / 1000).max() < 0.05


def test_classes_keep_to_the_papers_ranges():
    made = ShapesRecipe(classes=40, clips_per_class=1)
    scenes = [class_scene(made, label) for label in range(40)]
    assert {each.frames for each in scenes} == {18, 19, 20}
    together = {
        key: np.concatenate([getattr(each, key) for each in scenes])
        for key in ("speeds", "directions", "accelerations", "scales", "rotations", "shears", "colours")
    }
    limits = {
        "speeds": (1.2, 3.0),
        "directions": (-np.pi, np.pi),
        "accelerations": (-0.06, 0.06),
        "scales": (-0.005, 0.005),
        "rotations": (-np.pi / 100, np.pi / 100),
        "shears": (-0.005, 0.005),
        "colours": (0, 255),
    }
    for key, (low, high) in limits.items():
        values = together[key].astype(float)
        assert low - 1e-9 <= values.min() and values.max() <= high + 1e-9, key
        assert np.ptp(values) > 0.97 * (high - low), key
        assert abs(values.mean() - (low + high) / 2) < 0.06 * (high - low), key
    sides = [len(outline) for each in scenes for outline in each.outlines]
    shares = np.unique(sides, return_counts=True)[1] / len(sides)
    np.testing.assert_allclose(shares, 1 / 3, atol=0.05)  # circles, triangles, quadrilaterals


def test_the_last_shape_lies_on_top():
    colours = np.array([(255, 0, 0), (0, 255, 0)], np.uint8)
    frames = paint(scene(1.5 * SQUARE, SQUARE, colours=colours), 64)
    assert (frames[:, 32, 32] == colours[1]).all() and (frames[:, 22, 22] == colours[0]).all()
    frames = paint(scene(SQUARE, 1.5 * SQUARE, colours=colours), 64)
    assert (frames[:, 32, 32] == colours[1]).all() and (frames[:, 22, 22] == colours[1]).all()


def test_an_outline_is_as_wide_as_set_and_open_inside():
    settings = {"step": "moving_circles", "shapes": (1, 1), "radius": (80.0, 80.0), "line": (0.25, 0.25)}
    ring = class_scene(recipe(**settings, outlined=1.0), 0)
    image = paint(ring._replace(frames=1, starts=np.full((1, 2), 128.0)), 256)[0].max(axis=2)
    row = image[128] > image.max() / 2
    assert not row[128] and row.sum() == 2 * 20
    assert abs((image / image.max()).sum() - np.pi * (80**2 - 60**2)) < 60
    filled = class_scene(recipe(**settings, outlined=0.0), 0)
    assert len(filled.outlines[0]) < len(ring.outlines[0])


def test_an_instance_strays_no_further_than_set():
    base = class_scene(recipe(), 0)
    by = Perturbation(shift=0.05, factor=0.2, radius=0.1, turn=10.0, tint=12)
    made = vary(base, by, stream(0, "test"))
    assert 10 < np.abs(made.starts - base.starts).max() <= 0.05 * 256
    for key in ("speeds", "accelerations", "scales", "rotations", "shears"):
        ratios = getattr(made, key) / getattr(base, key)
        assert 0.8 <= ratios.min() < 0.9 and 1.1 < ratios.max() <= 1.2, key
    assert 8 < np.rad2deg(np.abs(made.directions - base.directions).max()) <= 10
    assert 8 < np.abs(made.colours.astype(int) - base.colours).max() <= 12
    growth = [new[0, 0] / old[0, 0] for new, old in zip(made.outlines, base.outlines, strict=True)]
    assert 0.9 <= min(growth) < 0.95 and 1.05 < max(growth) <= 1.1
    unchanged = vary(base, SAME, stream(0, "test"))
    np.testing.assert_array_equal(paint(unchanged, 32), paint(base, 32))


def test_clips_of_a_class_are_more_alike_than_those_of_others():
    made = recipe(classes=6, clips_per_class=4, frames=(8, 8))
    clips = np.stack([made.clip(index).mean(axis=0).ravel() for index in range(24)])
    clips = (clips - clips.mean(axis=0)) / np.linalg.norm(clips - clips.mean(axis=0), axis=1, keepdims=True)
    likeness = clips @ clips.T
    same = np.equal.outer(np.arange(24) % 6, np.arange(24) % 6)
    assert likeness[same & ~np.eye(24, dtype=bool)].mean() > likeness[~same].mean() + 0.3


def test_size_changes_no_more_than_the_sharpness():
    small, large = recipe(size=32).clip(3), recipe(size=128).clip(3)
    shrunk = large.reshape(len(large), 32, 4, 32, 4, 3).mean(axis=(2, 4))
    assert np.abs(shrunk - small).mean() < 1.5


@pytest.mark.parametrize(
    "settings",
    [
        {"step": "moving_textures"},
        {"kinds": ()},
        {"kinds": ("star",)},
        {"shapes": (0, 3)},
        {"radius": (30.0, 20.0)},
        {"colour": (0, 256)},
        {"speed": (-1.0, 2.0)},
        {"pace": 0},
        {"pace": 25, "frames": (20, 20), "shear": (-0.1, 0.0)},
        {"outlined": 1.5},
        {"perturbation": {"factor": 1.0}},
    ],
)
def test_impossible_settings_are_rejected(settings):
    with pytest.raises(ValidationError):
        recipe(**settings)


def test_a_texture_moves_and_transforms_with_its_shape():
    picture = np.random.default_rng(0).integers(1, 256, size=(256, 256, 3), dtype=np.uint8)
    windows = Windows((picture,), np.array([(0.5, 0.5)]), np.ones(1))
    moving = scene(SQUARE, speeds=np.array([3.0]), rotations=np.array([np.pi / 2]))
    frames = paint(moving, 256, windows)
    for t, frame in enumerate(frames):
        # A square that is turned by quarters, 3 pixels further in every frame.
        shown = np.rot90(picture[96:160, 96:160], -t)
        np.testing.assert_array_equal(frame[96:160, 96 + 3 * t : 160 + 3 * t], shown)
        assert np.count_nonzero(frame.any(axis=2)) == 64 * 64


def test_a_magnified_texture_shows_fewer_of_its_pixels():
    picture = np.random.default_rng(0).integers(1, 256, size=(128, 128, 3), dtype=np.uint8)
    windows = Windows((picture,), np.array([(0.5, 0.25)]), np.array([0.5]))
    frame = paint(scene(SQUARE), 128, windows)[0]
    np.testing.assert_array_equal(frame[48:80, 48:80], picture[16:48, 48:80])


@pytest.mark.parametrize("step", STEPS)
def test_textures_change_what_fills_shapes_but_not_where_they_are(step):
    plain, textured = recipe(step=step), recipe(step=step, textures=("perlin",))
    for index in range(3):
        covered, coloured = (made.render(index, 0).max(axis=3) > 40 for made in (textured, plain))
        assert (covered == coloured).mean() > 0.93
        assert (textured.render(index, 0) != plain.render(index, 0)).any(axis=3)[coloured].mean() > 0.9


def test_shapes_of_colours_keep_their_settings_and_so_their_digests():
    assert not {"textures", "pictures"} & recipe().model_dump(mode="json").keys()


def test_shapes_are_filled_with_a_folders_pictures(tmp_path):
    Image.new("RGB", (64, 64), (10, 200, 30)).save(tmp_path / "a.png")
    with pytest.raises(UserError) as caught:
        recipe(pictures={"root": str(tmp_path)}).clip(0)
    digest = re.search("[0-9a-f]{64}", str(caught.value)).group()
    frames = recipe(pictures={"root": str(tmp_path), "sha256": digest}).render(0, 0)
    assert set(map(tuple, frames[0].reshape(-1, 3))) >= {(10, 200, 30), (0, 0, 0)}
    assert (frames.max(axis=(0, 1, 2)) == (10, 200, 30)).all()

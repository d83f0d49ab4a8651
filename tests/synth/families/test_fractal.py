"""A fractal clip is a function of recipe and index alone, and always shows something."""

import numpy as np
import pytest
from pydantic import ValidationError

from kinefract.common.streams import stream
from kinefract.synth.dataset_recipe import Points
from kinefract.synth.families import fractal
from kinefract.synth.families.fractal import (
    CHECKED_POINTS,
    CHECKED_SIZE,
    FractalRecipe,
    Perturbation,
    System,
    class_system,
    perturb,
    render_clip,
)
from kinefract.synth.refuse import is_worth_seeing
from kinefract.synth.store.shards import frames_digest
from kinefract.synth.variations import LINEAR, METHOD_MIX, VARIATIONS

POINTS = Points(steps=300, discard=50, window_steps=300)


def recipe(**settings):
    return FractalRecipe(
        **{"classes": 5, "clips_per_class": 4, "size": 32, "frames": (6, 9), "points": POINTS, **settings}
    )


def test_clips_are_grey_of_the_class_length_and_reach_white():
    for index in range(5):
        frames = recipe().clip(index)
        assert frames.dtype == np.uint8 and frames.shape[1:] == (32, 32) and 6 <= len(frames) <= 9
        assert frames.max() == 255
        assert len(frames) == len(class_system(recipe(), index).maps) == len(recipe().clip(index + 5))


def test_last_digits_that_differ_between_processors_change_no_pixel():
    system = class_system(recipe(), 3)
    digits = stream(1, "test").uniform(-1e-14, 1e-14, system.maps.shape)
    clips = [
        render_clip(System(maps, system.variation), 32, POINTS, stream(0, "test"))
        for maps in (system.maps, system.maps + digits)
    ]
    np.testing.assert_array_equal(*clips)


def test_seed_changes_every_clip_and_size_changes_no_class():
    assert not np.array_equal(class_system(recipe(), 0).maps, class_system(recipe(seed=2), 0).maps)
    np.testing.assert_array_equal(class_system(recipe(), 0).maps, class_system(recipe(size=64), 0).maps)


def test_clips_of_a_class_are_more_alike_than_those_of_others():
    weak = recipe(classes=6, clips_per_class=6, perturbation=Perturbation(factor=0.1, offset=0.02))
    means = np.stack([weak.clip(index).mean(axis=0).ravel() for index in range(36)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    likeness = means @ means.T
    same = np.equal.outer(np.arange(36) % 6, np.arange(36) % 6)
    within = likeness[same & ~np.eye(36, dtype=bool)].mean()
    assert within > likeness[~same].mean() + 0.1


def test_linear_motion_moves_translations_along_straight_lines():
    steps = np.diff(class_system(recipe(motion="linear"), 1).maps[..., [2, 5]], axis=0)
    np.testing.assert_allclose(steps, steps[:1].repeat(len(steps), axis=0), atol=1e-12)


def test_perturbation_keeps_to_its_ranges():
    system = System(np.ones((12, 4, 6)), LINEAR)
    changed = perturb(system, Perturbation(factor=0.4, offset=0.2), 1.0, stream(0, "test")).maps
    assert changed.min() >= 0.4 and changed.max() <= 1.6
    offset = changed - changed[:, :1]  # the curves are shared, so maps differ by a constant
    np.testing.assert_allclose(offset, offset[:1].repeat(12, axis=0), atol=1e-12)
    assert not np.allclose(offset[0, 1], 0)
    same = perturb(system, Perturbation(), 0.0, stream(0, "test"))
    np.testing.assert_array_equal(same.maps, system.maps)


def test_systems_without_picture_and_frames_without_motion_are_refused():
    moving = class_system(recipe(nonlinear_shapes=0.0), 0).maps

    def rendered(maps):
        return render_clip(System(maps, LINEAR), 32, POINTS, stream(0, "test"))

    assert rendered(moving) is not None
    assert rendered(3 * moving) is None  # explodes
    assert rendered(moving * np.nan) is None
    point = rendered(np.zeros_like(moving))
    assert point is None or not is_worth_seeing(point)
    frames = np.zeros((6, 32, 32), np.uint8)
    frames[:, 8:20, 8:20] = 200
    assert not is_worth_seeing(frames) and is_worth_seeing(frames, moves=False)


@pytest.mark.parametrize(
    ("size", "points", "refused"), [(256, Points(), True), (CHECKED_SIZE, CHECKED_POINTS, False)]
)
def test_motionless_fractals_are_refused_at_the_points_of_the_method_but_not_when_classes_are_checked(
    size, points, refused
):
    # The grain of 36 times fewer points is change enough.
    for label in range(4):
        maps = class_system(recipe(nonlinear_shapes=0.0), label).maps[:1].repeat(6, axis=0)
        frames = render_clip(System(maps, LINEAR), size, points, stream(0, "test", label))
        assert is_worth_seeing(frames, moves=False)
        assert is_worth_seeing(frames) != refused


def test_a_refused_clip_is_drawn_again_by_its_index_alone():
    wild = recipe(classes=3, clips_per_class=10, perturbation=Perturbation(factor=0.9, offset=0.6))
    drawn = [wild.draw(index) for index in range(30)]
    redrawn = [attempts for _, attempts in drawn]
    assert any(redrawn)
    assert all(is_worth_seeing(frames) for frames, _ in drawn)
    index = int(np.argmax(redrawn))
    assert frames_digest(wild.clip(index)) == frames_digest(drawn[index][0])


def test_a_class_never_draws_a_degenerate_system(monkeypatch):
    good, calls = fractal.sample_maps, []

    def sample_maps(rng, *settings):
        calls.append(0)
        return good(rng, *settings) * (np.nan if len(calls) == 1 else 1)

    monkeypatch.setattr(fractal, "sample_maps", sample_maps)
    fractal._class_system.cache_clear()
    assert np.isfinite(class_system(recipe(), 0).maps).all() and len(calls) == 2
    fractal._class_system.cache_clear()


def test_still_clips_hold_one_picture():
    still = recipe(motion="still")
    for index in range(5):
        frames = still.clip(index)
        assert 6 <= len(frames) <= 9 and (frames == frames[0]).all()
        assert frames[0].std() > 10


def test_half_of_the_classes_have_one_variation_of_the_methods_mix():
    classes = recipe(classes=120)
    numbers = [class_system(classes, label).variation for label in range(120)]
    assert 40 < numbers.count(LINEAR) < 80
    assert set(numbers) - {LINEAR} == {VARIATIONS[name] for name in METHOD_MIX}


def test_variations_go_by_name_or_number_and_bend_the_clip():
    named = recipe(nonlinear_shapes=1.0, variations=["fisheye"])
    assert named == recipe(nonlinear_shapes=1.0, variations=[16])
    straight = recipe(nonlinear_shapes=0.0)
    np.testing.assert_array_equal(class_system(named, 0).maps, class_system(straight, 0).maps)
    assert not np.array_equal(named.clip(0), straight.clip(0))


def test_an_unknown_variation_is_named_with_those_there_are():
    with pytest.raises(ValidationError, match=r"'horse' is not one of: .*did you mean 'horseshoe'"):
        recipe(variations=["horse"])


@pytest.mark.parametrize(
    "settings",
    [
        {"points": {"chains": 100}},
        {"points": {"steps": 100}},
        {"perturbation": {"factor": 1.0}},
        {"motion": "x"},
        {"nonlinear_shapes": 1.1},
        {"variations": []},
        {"variations": ["horseshoes"]},
        {"variations": [23]},
    ],
)
def test_impossible_settings_are_rejected(settings):
    with pytest.raises(ValidationError):
        recipe(**settings)

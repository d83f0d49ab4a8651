"""3-D fractals are sound systems seen by a moving camera; a clip depends on recipe and index alone."""

import numpy as np
import pytest
from pydantic import ValidationError

from kinefract.common.errors import UserError
from kinefract.common.streams import stream
from kinefract.synth import systems3d
from kinefract.synth.dataset_recipe import Points
from kinefract.synth.families import ifs3d
from kinefract.synth.families.ifs3d import Ifs3dRecipe, Perturbation, class_scene, perturb, render_clip, vary
from kinefract.synth.refuse import is_worth_seeing

POINTS = Points(steps=300, discard=50, window_steps=300)


def recipe(**settings):
    return Ifs3dRecipe(
        **{"classes": 5, "clips_per_class": 4, "size": 32, "frames": (6, 9), "points": POINTS, **settings}
    )


def sound(maps, limits=systems3d.Limits()):  # noqa: B008
    return systems3d.is_sound(maps, systems3d.map_probabilities(maps), limits)


@pytest.mark.parametrize("motion", ["camera", "both"])
def test_clips_are_grey_of_the_class_length_and_reach_white(motion):
    made = recipe(motion=motion)
    for index in range(5):
        frames = made.clip(index)
        assert frames.dtype == np.uint8 and frames.shape[1:] == (32, 32) and 6 <= len(frames) <= 9
        assert frames.max() == 255
        path = class_scene(made, index).path
        assert len(frames) == len(path.azimuth) == len(made.clip(index + 5))


@pytest.mark.parametrize("motion", ["camera", "both"])
@pytest.mark.parametrize("what", ["maps", "path"])
def test_last_digits_that_differ_between_processors_change_no_pixel(motion, what):
    scene = class_scene(recipe(motion=motion), 2)
    # Far more than processors differ by, so that single precision alone would not hide it.
    other = {
        "maps": scene._replace(maps=scene.maps * (1 + 1e-8)),
        "path": scene._replace(path=type(scene.path)(*(curve * (1 + 1e-8) for curve in scene.path))),
    }
    clips = [render_clip(each, 256, Points(), stream(0, "test")) for each in (scene, other[what])]
    np.testing.assert_array_equal(*clips)


def test_seed_changes_every_class_and_size_none():
    maps = class_scene(recipe(), 0).maps
    assert not np.array_equal(maps, class_scene(recipe(seed=2), 0).maps)
    np.testing.assert_array_equal(maps, class_scene(recipe(size=64), 0).maps)


@pytest.mark.parametrize("motion", ["camera", "both"])
def test_classes_and_instances_are_sound_in_every_frame(motion):
    made = recipe(motion=motion)
    for label in range(5):
        scene = class_scene(made, label)
        frames = len(scene.path.azimuth) if motion == "both" else 1
        assert len(scene.maps) == frames and sound(scene.maps).all()
        for instance in range(10):
            assert sound(vary(scene, made, stream(instance, "test")).maps).all()


def test_degenerate_classes_are_refused_before_rendering(monkeypatch):
    good, calls = systems3d.sample_maps, []

    def flat_at_first(rng, maps, curves):
        calls.append(0)
        system = good(rng, maps, curves)
        if len(calls) < 4:
            system[..., 2, :] = 0
        return system

    monkeypatch.setattr(systems3d, "sample_maps", flat_at_first)
    monkeypatch.setattr(ifs3d, "render_clip", None)
    class_scene.cache_clear()
    assert sound(class_scene(recipe(), 0).maps).all() and len(calls) == 4
    class_scene.cache_clear()


def test_instances_that_would_be_degenerate_come_closer_to_their_class():
    wild = recipe(perturbation=Perturbation(factor=0.9, offset=0.9))
    scene = class_scene(wild, 0)
    full = [perturb(scene.maps, 6, wild.perturbation, 1.0, stream(i, "test")) for i in range(40)]
    assert not all(sound(maps).all() for maps in full)
    assert all(sound(vary(scene, wild, stream(i, "test")).maps).all() for i in range(40))


def test_limits_that_leave_nothing_are_one_clear_error(monkeypatch):
    monkeypatch.setattr(ifs3d, "CLASS_ATTEMPTS", 20)
    with pytest.raises(UserError, match="no sound system in 20 draws"):
        class_scene(recipe(limits=systems3d.Limits(third_axis=0.999)), 0)


def test_perturbation_keeps_to_its_ranges():
    by = Perturbation(factor=0.4, offset=0.2)
    changed = perturb(np.ones((12, 4, 3, 4)), 12, by, 1.0, stream(0, "test"))
    assert 0.4 <= changed.min() < 0.6 and 1.4 < changed.max() <= 1.6
    offset = changed - changed[:, :1]  # the curves are shared, so maps differ by a constant
    np.testing.assert_allclose(offset, offset[:1].repeat(12, axis=0), atol=1e-12)
    still = perturb(np.ones((1, 4, 3, 4)), 12, by, 1.0, stream(0, "test"))
    np.testing.assert_array_equal(still[0], changed[0])
    np.testing.assert_array_equal(perturb(still, 12, by, 0.0, stream(0, "test")), still)


def test_an_instance_starts_elsewhere_on_its_way_round():
    made = recipe(start=30.0)
    scene = class_scene(made, 0)
    instances = [vary(scene, made, stream(i, "test")).path for i in range(50)]
    shifts = np.array([path.azimuth - scene.path.azimuth for path in instances])
    np.testing.assert_allclose(shifts, shifts[:, :1].repeat(shifts.shape[1], axis=1), atol=1e-9)
    assert 25 < np.abs(shifts).max() <= 30
    np.testing.assert_array_equal(instances[0].elevation, scene.path.elevation)


def test_clips_of_a_class_are_more_alike_than_those_of_others():
    weak = recipe(
        classes=6, clips_per_class=4, start=10.0, perturbation=Perturbation(factor=0.1, offset=0.03)
    )
    means = np.stack([weak.clip(index).mean(axis=0).ravel() for index in range(24)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    likeness = means @ means.T
    same = np.equal.outer(np.arange(24) % 6, np.arange(24) % 6)
    assert likeness[same & ~np.eye(24, dtype=bool)].mean() > likeness[~same].mean() + 0.1


def test_a_camera_at_rest_shows_a_still_body_and_a_faster_one_moves_it_more():
    rest = {"sway": 0.0, "zoom": (1.0, 1.0)}
    still = recipe(speed=(0.0, 0.0), **rest)
    frames = still.render(0, 0)
    np.testing.assert_array_equal(frames, frames[:1].repeat(len(frames), axis=0))
    assert not is_worth_seeing(frames)
    changes = []
    for speed in (1.0, 6.0):
        clips = [recipe(speed=(speed, speed), **rest).render(index, 0) for index in range(5)]
        changes.append(np.mean([np.abs(np.diff(clip.astype(int), axis=0)).mean() for clip in clips]))
    assert changes[1] > 1.5 * changes[0]


def test_the_body_fills_a_good_part_of_the_frame_whatever_its_size_and_place():
    made = recipe(size=64)
    scene = class_scene(made, 1)
    frames = render_clip(scene, 64, POINTS, stream(0, "test"))
    assert 0.03 < (frames > 0).mean() < 0.95
    # The same body ten times as large, and elsewhere: v -> 10 v + c.
    shift = np.array([5.0, -3.0, 8.0])
    linear, translation = np.split(scene.maps, [3], axis=-1)
    moved = 10 * translation[..., 0] + shift - linear @ shift
    larger = scene._replace(maps=np.concatenate([linear, moved[..., None]], axis=-1))
    again = render_clip(larger, 64, POINTS, stream(0, "test"))
    assert np.abs(again.astype(int) - frames).mean() < 1


def test_nothing_is_redrawn_for_lack_of_a_picture_by_default():
    assert sum(recipe().draw(index)[1] > 0 for index in range(20)) <= 2


@pytest.mark.parametrize(
    "settings",
    [
        {"motion": "still"},
        {"speed": (5.0, 2.0)},
        {"elevation": (-91.0, 0.0)},
        {"distance": (0.1, 2.0)},
        {"zoom": (0.0, 1.0)},
        {"points": {"chains": 100}},
        {"limits": {"third_axis": 1.0}},
        {"perturbation": {"factor": 1.0}},
    ],
)
def test_impossible_settings_are_rejected(settings):
    with pytest.raises(ValidationError):
        recipe(**settings)

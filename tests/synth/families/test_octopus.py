"""An octopus is joined limbs that bend, as one body with its polygons, patches and outline."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage

from kinefract.common.streams import stream
from kinefract.synth.families import FAMILIES
from kinefract.synth.families.octopus import POINTS, OctopusRecipe, class_body, join, paint, vary

SAME = {"factor": 0.0, "shift": 0.0}
PLAIN = {"with_polygons": 0.0, "with_patches": 0.0, "outline_only": 0.0}


def recipe(**settings):
    return OctopusRecipe(**{"classes": 5, "clips_per_class": 4, "size": 64, "frames": (6, 9), **settings})


def limbs_of(made, label=0):
    return vary(class_body(made, label), made, stream(0, "test"))


def test_clips_are_coloured_on_black_of_the_class_length():
    for index in range(5):
        frames = recipe().clip(index)
        assert frames.dtype == np.uint8 and frames.shape[1:] == (64, 64, 3) and 6 <= len(frames) <= 9
        assert 0.01 < (frames.max(axis=3) > 0).mean() < 0.6
        assert len(frames) == len(recipe().clip(index + 5))


def test_a_plain_body_has_one_colour_and_one_piece():
    made = recipe(**PLAIN)
    for label in range(5):
        frames = made.clip(label)
        lit = frames.max(axis=3) > 0
        np.testing.assert_array_equal(np.unique(frames[lit], axis=0), class_body(made, label).colours)
        _, pieces = ndimage.label(lit[0], np.ones((3, 3)))
        assert pieces == 1


def test_parts_come_as_often_as_the_paper_says():
    made = OctopusRecipe(classes=400, clips_per_class=1)
    bodies = [class_body(made, label) for label in range(400)]
    assert {body.keys.shape[1] for body in bodies} == {3, 4, 5}
    assert {len(body.polygons) for body in bodies} == {0, 1, 2, 3}
    assert abs(np.mean([bool(body.polygons) for body in bodies]) - 0.8) < 0.06
    assert abs(np.mean([bool(body.patches) for body in bodies]) - 0.8) < 0.06
    assert abs(np.mean([body.outline > 0 for body in bodies]) - 0.4) < 0.08
    sigmas, thresholds = (
        np.array([getattr(body, name) for body in bodies]) for name in ("sigma", "threshold")
    )
    assert 3 <= sigmas.min() < 3.2 and 7.8 < sigmas.max() <= 8
    assert 3 <= thresholds.min() < 3.2 and 8.8 < thresholds.max() <= 9


def test_limbs_grow_from_the_start_of_the_first():
    body = class_body(recipe(), 0)
    points = limbs_of(recipe())
    assert (body.joints <= 0.2 * POINTS + 1).all()
    for limb in range(1, points.shape[1]):
        np.testing.assert_allclose(points[:, limb, 0], points[:, 0, body.joints[limb]], atol=1e-12)


def test_joining_moves_limbs_and_bends_none():
    limbs = stream(0, "test").normal(size=(3, 2, POINTS, 2))
    limbs -= limbs[:, :, :1]
    joined = join(limbs, np.array([70, 9]))
    np.testing.assert_array_equal(joined[:, 0], limbs[:, 0])
    np.testing.assert_allclose(joined[:, 1] - joined[:, 1, :1], limbs[:, 1], atol=1e-12)
    np.testing.assert_allclose(joined[:, 1, 0], limbs[:, 0, 9], atol=1e-12)


def test_a_limb_moves_between_two_smooth_curves_along_its_time_curve():
    made = recipe(**SAME)
    body = class_body(made, 0)
    points = limbs_of(made)
    relative = points - points[:, :, :1]
    first, second = body.keys
    expected = first + body.times[..., None, None] * (second - first)
    scale = np.abs(relative).max() / np.abs(expected).max()
    np.testing.assert_allclose(relative, expected * scale, atol=1e-9)
    bends = np.abs(np.diff(body.keys, n=2, axis=2)).max()
    assert bends < 0.01 * np.ptp(body.keys)


def test_linear_motion_moves_every_point_evenly():
    points = limbs_of(recipe(motion="linear", **SAME))
    steps = np.diff(points, axis=0)
    np.testing.assert_allclose(steps, steps[:1].repeat(len(steps), axis=0), atol=1e-12)
    assert np.abs(steps).max() > 0.01


def test_a_class_fits_into_the_frame_whatever_its_motion():
    for label in range(5):
        points = limbs_of(recipe(**SAME), label)
        low, high = points.min(axis=(0, 1, 2)), points.max(axis=(0, 1, 2))
        assert low.min() >= 0.12 - 1e-9 and high.max() <= 0.88 + 1e-9
        np.testing.assert_allclose((high - low).max(), 0.76)
        np.testing.assert_allclose(low + high, 1)


def test_instances_shift_the_whole_and_bend_limbs_within_their_ranges():
    body = class_body(recipe(), 0)
    still = vary(body, recipe(**SAME), stream(0, "test"))
    shifts = [
        vary(body, recipe(factor=0.0), stream(0, "test", i)).mean(axis=(0, 1, 2)) - still.mean(axis=(0, 1, 2))
        for i in range(40)
    ]
    assert 0.06 < np.abs(shifts).max() <= 0.08
    bent = vary(body, recipe(shift=0.0), stream(0, "test"))
    before, after = still - still[:, :, :1], bent - bent[:, :, :1]
    factors = (after / np.where(np.abs(before) > 1e-6, before, np.nan))[:, :, 1:]
    assert np.nanmin(factors) >= 0.8 - 1e-6 and np.nanmax(factors) <= 1.2 + 1e-6
    assert np.nanstd(factors, axis=2).max() < 1e-6  # one factor for all points of a limb
    assert np.nanmax(np.abs(factors[:, 0] - factors[:, 1])) > 0.05


def test_an_outline_is_the_rim_of_the_body():
    filled, rim = (recipe(outline_only=share).render(0, 0) for share in (0.0, 1.0))
    inside = rim.max(axis=3) > 0
    np.testing.assert_array_equal(rim[inside], filled[inside])
    assert 0 < inside.sum() < 0.7 * (filled.max(axis=3) > 0).sum()
    missing = (filled.max(axis=3) > 0) & ~inside
    assert not (missing & ~ndimage.binary_erosion(filled.max(axis=3) > 0, np.ones((1, 3, 3)))).any()


def test_polygons_belong_to_the_body_and_patches_keep_inside_it():
    made = recipe(with_polygons=1.0, with_patches=1.0, outline_only=0.0)
    body, limbs = class_body(made, 0), limbs_of(made)
    whole = paint(body, limbs, 64)
    unpatched = paint(body._replace(patches=[], colours=body.colours[:1]), limbs, 64)
    bare = paint(body._replace(polygons=[], patches=[], colours=body.colours[:1]), limbs, 64)
    lit, lit_unpatched, lit_bare = (frames.max(axis=3) > 0 for frames in (whole, unpatched, bare))
    np.testing.assert_array_equal(lit, lit_unpatched)
    assert not (lit_bare & ~lit).any() and lit.sum() > lit_bare.sum()
    assert len(np.unique(whole[lit], axis=0)) > 3 and len(np.unique(unpatched[lit], axis=0)) == 1


def test_all_parts_go_with_the_limbs():
    made = recipe(with_polygons=1.0, with_patches=1.0, outline_only=0.0)
    body, limbs = class_body(made, 0), limbs_of(made)
    centred = paint(body, 0.5 * limbs + 0.25, 64)
    moved = paint(body, 0.5 * limbs + 0.25 + np.array([4, -3]) / 64, 64)
    np.testing.assert_array_equal(moved, np.roll(centred, (-3, 4), axis=(1, 2)))


def test_limbs_are_as_thick_at_every_size():
    shares = [(recipe(size=size, **PLAIN).render(1, 0).max(axis=3) > 0).mean() for size in (64, 128, 256)]
    np.testing.assert_allclose(shares, shares[-1], rtol=0.1)


def test_clips_of_a_class_are_more_alike_than_those_of_others():
    made = recipe(classes=5, clips_per_class=4)
    means = np.stack([made.clip(index).mean(axis=0).ravel() for index in range(20)])
    likeness = np.corrcoef(means)
    same = np.equal.outer(np.arange(20) % 5, np.arange(20) % 5)
    within = likeness[same & ~np.eye(20, dtype=bool)].mean()
    assert within > likeness[~same].mean() + 0.1


def test_seed_changes_every_class_and_size_changes_none():
    body = class_body(recipe(), 0)
    np.testing.assert_array_equal(body.keys, class_body(recipe(size=32), 0).keys)
    assert not np.array_equal(body.keys[0, 0], class_body(recipe(seed=2), 0).keys[0, 0])


def test_hardly_a_clip_is_drawn_again():
    made = recipe(classes=60, clips_per_class=1)
    assert sum(made.draw(index)[1] > 0 for index in range(60)) <= 1


def test_a_threshold_above_every_line_is_rejected_with_what_is_possible():
    with pytest.raises(ValidationError, match=r"line blurred by sigma 20, which has 5\.1 grey levels"):
        recipe(sigma=(3.0, 20.0))


@pytest.mark.parametrize(
    "settings",
    [
        {"limbs": (0, 3)},
        {"limbs": (5, 3)},
        {"curve_points": (2, 5)},
        {"sigma": (0.0, 3.0)},
        {"colours": (64, 256)},
        {"with_patches": 1.1},
        {"factor": 1.0},
        {"motion": "still"},
    ],
)
def test_impossible_settings_are_rejected(settings):
    with pytest.raises(ValidationError):
        recipe(**settings)


def test_settings_come_from_yaml_lists():
    made = FAMILIES.parse(
        {"family": "octopus", "classes": 1, "clips_per_class": 1, "limbs": [6, 8], "sigma": [3, 4]}
    )
    assert made.limbs == (6, 8) and made.sigma == (3.0, 4.0)

"""Each transformation of a picture has known effects, frame by frame, and a clip shows what it combines."""

import numpy as np
import pytest
from pydantic import ValidationError

from kinefract.common.streams import stream
from kinefract.synth.families.pseudo_motion import (
    KINDS,
    OF,
    REDRAWN,
    Motion,
    PseudoMotionRecipe,
    class_setting,
    draw_motion,
    geometry,
    paint,
    vary,
)
from kinefract.synth.stills import Stills

SIDE, LENGTH = 256, 5
STILL = Motion(*(np.zeros(size) for size in (2, 1, 1, 2, 2, 2, 3, 1)))


def recipe(**settings):
    return PseudoMotionRecipe(
        **{"classes": 6, "clips_per_class": 4, "size": 32, "frames": (6, 9), **settings}
    )


def moved(picture, **rates):
    """Return a clip of a picture of the frame's size, all of which the first frame shows."""
    clip = np.zeros((LENGTH, SIDE, SIDE, 3), np.uint8)
    motion = STILL._replace(**{name: np.array(value, float) for name, value in rates.items()})
    paint(clip, picture, motion, np.array([SIDE / 2, SIDE / 2]), SIDE)
    return clip


def lit(*places, radius=0):
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    for x, y in places:
        picture[y - radius : y + radius + 1, x - radius : x + radius + 1] = 255
    return picture


def centres(clip):
    weight = clip[..., 0].astype(float)
    at, total = np.arange(SIDE) + 0.5 - SIDE / 2, weight.sum(axis=(1, 2))
    return np.stack([(weight.sum(axis=1) @ at) / total, (weight.sum(axis=2) @ at) / total], axis=1)


def noise():
    return np.random.default_rng(0).integers(256, size=(SIDE, SIDE, 3), dtype=np.uint8)


def test_without_rates_every_frame_is_the_picture():
    picture = noise()
    np.testing.assert_array_equal(moved(picture), np.stack([picture] * LENGTH))


@pytest.mark.parametrize(("x", "y"), [(3, 0), (-2, 5)])
def test_shift_moves_a_dot_by_that_many_pixels_a_frame(x, y):
    clip = moved(lit((100, 120)), shift=(x, y))
    for t, frame in enumerate(clip):
        assert np.argwhere(frame[..., 0]).tolist() == [[120 + y * t, 100 + x * t]]
        assert frame[120 + y * t, 100 + x * t].tolist() == [255] * 3


@pytest.mark.parametrize("zoom", [0.1, -0.05])
def test_zoom_scales_a_square_by_a_power_of_the_growth(zoom):
    clip = moved(lit((128, 128), radius=20), zoom=[zoom])
    areas = clip[..., 0].sum(axis=(1, 2)) / 255
    np.testing.assert_allclose(areas, 41**2 * (1 + zoom) ** (2 * np.arange(LENGTH)), rtol=0.01)


def test_rotation_turns_a_spot_about_the_middle_of_the_frame():
    places = centres(moved(lit((188, 128), radius=4), rotation=[np.deg2rad(15)]))
    angles = np.rad2deg(np.arctan2(places[:, 1], places[:, 0]))
    np.testing.assert_allclose(angles - angles[0], 15 * np.arange(LENGTH), atol=0.1)
    np.testing.assert_allclose(np.hypot(*places.T), 60.5, atol=0.2)


@pytest.mark.parametrize(
    ("rates", "matrix"),
    [
        ({"scale": (0.05, -0.04)}, [(1.05, 0), (0, 0.96)]),
        ({"shear": (0.1, 0.0)}, [(1, 0.1), (0, 1)]),
        ({"shear": (0.0, -0.06)}, [(1, 0), (-0.06, 1)]),
    ],
)
def test_affine_rates_move_a_spot_by_powers_of_their_matrix(rates, matrix):
    places = centres(moved(lit((170, 90), radius=3), **rates))
    expected = [np.linalg.matrix_power(np.array(matrix), t) @ places[0] for t in range(LENGTH)]
    np.testing.assert_allclose(places, expected, atol=0.15)


def test_perspective_moves_places_as_the_powers_of_its_homography():
    places = centres(moved(lit((170, 90), radius=1), tilt=(0.05, 0.02)))
    x, y = places[0] / SIDE
    # The power t of such a homography has t times its lowest row.
    depths = 1 + np.arange(LENGTH) * (0.05 * x + 0.02 * y)
    np.testing.assert_allclose(places, SIDE * np.array([(x, y)]) / depths[:, None], atol=0.1)


def test_levels_rise_exactly_and_stay_within_eight_bits():
    picture = noise()
    clip = moved(picture, levels=(7, -4, 0))
    for t, frame in enumerate(clip):
        np.testing.assert_array_equal(frame, np.clip(picture.astype(int) + t * np.array([7, -4, 0]), 0, 255))


def test_saturation_scales_the_distance_from_grey_and_keeps_the_luma():
    picture = np.full((SIDE, SIDE, 3), (140, 120, 110), np.uint8)
    clip = moved(picture, saturation=[0.1])
    luma = picture[0, 0] @ np.array([0.299, 0.587, 0.114])
    for t, frame in enumerate(clip):
        expected = luma + 1.1**t * (picture[0, 0] - luma)
        np.testing.assert_allclose(frame.reshape(-1, 3), np.broadcast_to(expected, (SIDE**2, 3)), atol=0.51)


def test_beyond_its_edge_a_picture_goes_on_mirrored():
    picture = noise()
    frame = moved(picture, shift=(10, 0))[1]
    np.testing.assert_array_equal(frame[:, :10], picture[:, 9::-1])


def test_a_second_picture_covers_its_part_of_the_frame_alone():
    clip = np.zeros((LENGTH, SIDE, SIDE, 3), np.uint8)
    paint(clip, noise() | 1, STILL, np.array([128.0, 128.0]), SIDE, (10, 20, 50, 90))
    covered = (clip > 0).all(axis=(0, 3))
    assert covered[10:50, 20:90].all() and covered.sum() == 40 * 70


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_of_one_kind_has_its_rates_and_no_others(kind):
    motion = draw_motion(recipe(transformations=[kind], combined=(1, 1)), stream(1, "test"))
    assert {name for name in Motion._fields if getattr(motion, name).any()} == set(OF[kind])


def test_as_many_kinds_are_combined_as_asked_for():
    motion = draw_motion(recipe(combined=(5, 5)), stream(1, "test"))
    assert all(rates.any() for rates in motion)
    assert np.abs(geometry(motion) - np.eye(3)).max() > 0


def test_an_instance_is_weaker_or_stronger_by_the_factor_at_most():
    motion = draw_motion(recipe(combined=(5, 5)), stream(1, "test"))
    varied = vary(motion, 0.2, stream(2, "test"))
    for rates, own in zip(motion, varied, strict=True):
        assert (own != rates).all() and (np.abs(own / rates - 1) <= 0.2).all()


def test_every_cutmix_has_two_pictures_and_none_without():
    assert len(class_setting(recipe(cutmix=1.0), 0).motions) == 2
    assert len(class_setting(recipe(cutmix=0.0), 0).motions) == 1


@pytest.mark.parametrize("classes", [5, 10, 20])
def test_parts_and_redraws_of_a_class_show_other_pictures_of_a_folder(monkeypatch, classes):
    """Also where the classes are as many as the pictures, of which there are ten, or twice as many."""
    read = []

    def recorded(stills, number):
        read.append(number % 10)
        return noise()

    monkeypatch.setattr(Stills, "read", recorded)
    made = recipe(classes=classes, cutmix=1.0, pictures={"root": "mine", "sha256": "0" * 64})
    for attempt in (0, REDRAWN, 2 * REDRAWN):
        made.render(3, attempt)
    assert len(read) == len(set(read)) == 6


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"zoom": (0.0, 0.5)}, "zoom"),
        ({"tilt": (0.0, 0.4)}, "tilt"),
        ({"shear": (-0.5, 0.5)}, "shear"),
        ({"transformations": ["zoom"], "combined": (2, 2)}, "combined"),
        ({"transformations": ["spin"]}, "spin"),
    ],
)
def test_rates_that_leave_no_picture_are_refused(settings, key):
    with pytest.raises(ValidationError, match=key):
        recipe(**settings)

"""Dead leaves are shapes of their class, in an order and on ways of their instance."""

import numpy as np
import pytest
from pydantic import ValidationError

from kinefract.common.streams import stream
from kinefract.synth.families import FAMILIES
from kinefract.synth.families.dead_leaves import DeadLeavesRecipe, Leaves, class_leaves, paint, vary
from kinefract.synth.render.polygons import corners

SAME = {"dropped": 0.0, "factor": 0.0, "shift": 0.0}
SQUARE = np.array([(-0.125, -0.125), (0.125, -0.125), (0.125, 0.125), (-0.125, 0.125)])


def recipe(**settings):
    return DeadLeavesRecipe(**{"classes": 5, "clips_per_class": 4, "size": 32, "frames": (6, 9), **settings})


def test_clips_are_coloured_on_black_of_the_class_length():
    for index in range(5):
        frames = recipe().clip(index)
        assert frames.dtype == np.uint8 and frames.shape[1:] == (32, 32, 3) and 6 <= len(frames) <= 9
        assert np.ptp(frames.reshape(-1, 3).astype(int), axis=1).max() > 50
        assert 0.05 < (frames.max(axis=3) == 0).mean() < 0.95
        assert len(frames) == len(recipe().clip(index + 5))


def test_a_shape_moves_along_its_path():
    path = np.array([(0.25, 0.5), (0.375, 0.5), (0.5, 0.25)])[:, None]
    frames = paint(Leaves((SQUARE,), np.array([(9, 80, 255)], np.uint8), path), 32)
    assert (frames[0, 12:20, 4:12] == (9, 80, 255)).all() and np.count_nonzero(frames[0]) == 3 * 64
    np.testing.assert_array_equal(frames[1], np.roll(frames[0], 4, axis=1))
    np.testing.assert_array_equal(frames[2], np.roll(frames[0], (-8, 8), axis=(0, 1)))


def test_the_last_shape_lies_on_top():
    path = np.full((2, 2, 2), 0.5)
    colours = np.array([(255, 0, 0), (0, 255, 0)], np.uint8)
    frames = paint(Leaves((2 * SQUARE, SQUARE), colours, path), 32)
    assert (frames[:, 16, 16] == colours[1]).all() and (frames[:, 10, 10] == colours[0]).all()
    frames = paint(Leaves((SQUARE, 2 * SQUARE), colours, path), 32)
    assert (frames[:, 16, 16] == colours[1]).all() and (frames[:, 10, 10] == colours[1]).all()


def test_classes_keep_to_the_papers_ranges():
    made = DeadLeavesRecipe(classes=60, clips_per_class=1)
    leaves = [class_leaves(made, label) for label in range(60)]
    counts = [len(each.polygons) for each in leaves]
    assert min(counts) >= 15 and max(counts) <= 30 and len(set(counts)) > 8
    assert {len(each.paths) for each in leaves} == {18, 19, 20}
    shapes = [shape for each in leaves for shape in each.polygons]
    ellipses = np.mean([len(shape) == len(corners(1, (1, 1), 0)) for shape in shapes])
    assert abs(ellipses - 2 / 8) < 0.05
    assert {len(shape) for shape in shapes} == {3, 4, 5, 6, 7, 8, len(corners(1, (1, 1), 0))}
    reach = np.array([np.sqrt((shape**2).sum(axis=1)).max() for shape in shapes]) * 256
    assert reach.min() >= 12 and reach.max() <= 32 and np.ptp(reach) > 18


def test_the_centres_of_a_class_reach_all_edges_and_go_no_further():
    for label in range(5):
        paths = class_leaves(recipe(), label).paths
        np.testing.assert_allclose(paths.min(axis=(0, 1)), 0, atol=1e-12)
        np.testing.assert_allclose(paths.max(axis=(0, 1)), 1, atol=1e-12)


def test_linear_motion_is_even_and_straight_in_every_direction():
    steps = np.diff(class_leaves(recipe(motion="linear", reversed=0.0), 0).paths, axis=0)
    np.testing.assert_allclose(steps, steps[:1].repeat(len(steps), axis=0), atol=1e-12)
    assert 0.2 < (steps[0] > 0).mean() < 0.8


def test_paths_run_backwards_as_often_as_set():
    settings = {"motion": "linear", "offset": 0.0, "shapes": (30, 30)}
    forth = class_leaves(recipe(**settings, reversed=0.0), 0).paths  # from one place, without offset
    np.testing.assert_allclose(forth[0], forth[:1, 0].repeat(30, axis=0), atol=1e-12)
    back = class_leaves(recipe(**settings, reversed=1.0), 0).paths
    np.testing.assert_allclose(back[-1], back[-1:, 0].repeat(30, axis=0), atol=1e-12)
    half = class_leaves(recipe(**settings), 0).paths
    backwards = [np.allclose(half[:, n], forth[::-1, n]) for n in range(30)]
    assert 5 <= sum(backwards) <= 25


def test_an_instance_drops_a_fifth_and_reorders_the_rest():
    leaves = class_leaves(recipe(shapes=(20, 20)), 0)
    kept = [vary(leaves, recipe(), stream(0, "test", i)).colours for i in range(10)]
    place = {tuple(colour): n for n, colour in enumerate(leaves.colours)}
    orders = [[place[tuple(colour)] for colour in colours] for colours in kept]
    assert all(len(set(order)) == 16 for order in orders)
    assert all(order != sorted(order) for order in orders)
    assert len(set(np.concatenate(orders))) == 20


def test_shapes_keep_their_colours_and_paths_where_nothing_else_varies():
    leaves = class_leaves(recipe(), 0)
    same = vary(leaves, recipe(**SAME), stream(0, "test"))
    place = [leaves.colours.tolist().index(colour) for colour in same.colours.tolist()]
    assert sorted(place) == list(range(len(leaves.colours)))
    np.testing.assert_allclose(same.paths, leaves.paths[:, place], atol=1e-12)
    assert all(mine is leaves.polygons[n] for mine, n in zip(same.polygons, place, strict=True))


def test_paths_vary_within_their_ranges():
    centres = np.full((12, 30, 2), 0.5)
    shapes = Leaves((SQUARE,) * 30, np.zeros((30, 3), np.uint8), centres)
    shifted = vary(shapes, recipe(dropped=0.0), stream(0, "test")).paths - 0.5
    assert 0.06 < np.abs(shifted).max() <= 0.08  # factors leave the centre where it is
    np.testing.assert_allclose(shifted, shifted[:1].repeat(12, axis=0), atol=1e-12)
    edges = Leaves(shapes.polygons, shapes.colours, centres + 0.5)
    factors = (vary(edges, recipe(dropped=0.0, shift=0.0), stream(0, "test")).paths - 0.5) / 0.5
    assert 0.8 <= factors.min() < 0.97 and 1.03 < factors.max() <= 1.2
    np.testing.assert_allclose(factors, factors[:, :1].repeat(30, axis=1), atol=1e-12)


def test_clips_of_a_class_are_more_alike_than_those_of_others():
    made = recipe(classes=6, clips_per_class=4)
    means = np.stack([made.clip(index).mean(axis=0).ravel() for index in range(24)])
    likeness = np.corrcoef(means)
    same = np.equal.outer(np.arange(24) % 6, np.arange(24) % 6)
    within = likeness[same & ~np.eye(24, dtype=bool)].mean()
    assert within > likeness[~same].mean() + 0.2


def test_a_size_is_a_scale_and_a_seed_another_class():
    small, large = class_leaves(recipe(), 0), class_leaves(recipe(size=64), 0)
    np.testing.assert_array_equal(small.paths, large.paths)
    np.testing.assert_array_equal(small.colours, large.colours)
    assert len(small.paths) != len(class_leaves(recipe(seed=2), 0).paths) or not np.array_equal(
        small.colours, class_leaves(recipe(seed=2), 0).colours
    )
    frames, twice = recipe().clip(0), recipe(size=64).clip(0)
    shrunk = twice.reshape(len(twice), 32, 2, 32, 2, 3).mean(axis=(2, 4))
    assert np.abs(shrunk - frames).mean() < 3


def test_hardly_a_clip_is_drawn_again():
    made = recipe(classes=100, clips_per_class=1)
    assert sum(made.draw(index)[1] > 0 for index in range(100)) <= 2


@pytest.mark.parametrize(
    "settings",
    [
        {"shapes": (0, 3)},
        {"shapes": (9, 3)},
        {"shapes": (1.5, 3)},
        {"sides": (0, 8)},
        {"radius": (32.0, 12.0)},
        {"scale": (0.0, 1.0)},
        {"reversed": 1.5},
        {"dropped": 1.0},
        {"factor": 1.0},
        {"motion": "still"},
    ],
)
def test_impossible_settings_are_rejected(settings):
    with pytest.raises(ValidationError):
        recipe(**settings)


def test_settings_come_from_yaml_lists():
    made = FAMILIES.parse(
        {"family": "dead_leaves", "classes": 1, "clips_per_class": 1, "shapes": [3, 4], "radius": [8, 9.5]}
    )
    assert made.shapes == (3, 4) and made.radius == (8.0, 9.5)

"""A Perlin clip is noise of its class's frequencies, another field for every instance."""

import math

import numpy as np
import pytest
from pydantic import ValidationError

from kinefract.common.streams import stream
from kinefract.synth.families import FAMILIES
from kinefract.synth.families.perlin import GRADIENTS, PerlinRecipe, class_frequencies, perlin_noise, stretch


def recipe(**settings):
    return PerlinRecipe(
        **{
            "classes": 4,
            "clips_per_class": 5,
            "size": 32,
            "frames": (6, 9),
            "frequencies": (2, 10),
            **settings,
        }
    )


def noise_at(gradients, t, y, x):
    """Perlin noise at one place, in cells, as the textbook has it: eight corners, one by one."""
    total = 0.0
    for corner in np.ndindex(2, 2, 2):
        share, dot = 1.0, 0.0
        cell = [min(math.floor(at), count - 2) for at, count in zip((t, y, x), gradients.shape, strict=False)]
        gradient = gradients[tuple(np.add(cell, corner))]
        for axis, at in enumerate((t, y, x)):
            offset = at - cell[axis]
            fade = 6 * offset**5 - 15 * offset**4 + 10 * offset**3
            share *= fade if corner[axis] else 1 - fade
            dot += gradient[axis] * (offset - corner[axis])
        total += share * dot
    return total


def random_gradients(*cells):
    rng = stream(0, "test", *cells)
    return GRADIENTS[rng.integers(12, size=[count + 1 for count in cells])]


@pytest.mark.parametrize("cells", [(1, 1, 1), (1, 3, 5), (2, 16, 2), (3, 7, 40)])
def test_noise_agrees_with_the_textbook(cells):
    gradients, frames, size = random_gradients(*cells), 5, 16
    expected = np.empty((frames, size, size))
    for t, i, j in np.ndindex(*expected.shape):
        at = [(n + 0.5) / of * count for n, of, count in zip((t, i, j), expected.shape, cells, strict=True)]
        expected[t, i, j] = noise_at(gradients, *at)
    np.testing.assert_allclose(perlin_noise(gradients, frames, size), expected, atol=1e-5)


def test_gradients_are_as_long_as_each_other_and_balanced():
    assert len(np.unique(GRADIENTS, axis=0)) == 12
    np.testing.assert_array_equal((GRADIENTS**2).sum(axis=1), 2)
    np.testing.assert_array_equal(GRADIENTS.sum(axis=0), 0)


def test_clips_are_grey_and_use_all_levels():
    for index in range(12):
        frames = recipe().clip(index)
        assert frames.dtype == np.uint8 and frames.shape[1:] == (32, 32)
        assert frames.min() == 0 and frames.max() == 255
    assert {len(recipe().clip(index)) for index in range(40)} == {6, 7, 8, 9}


def test_stretching_keeps_the_order_of_levels():
    np.testing.assert_array_equal(stretch(np.array([[[-0.5, 0.0, 0.5]]], np.float32)), [[[0, 128, 255]]])


def test_default_classes_are_all_pairs_of_the_papers_frequencies():
    whole = PerlinRecipe(classes=256, clips_per_class=1)
    pairs = {class_frequencies(whole, label) for label in range(256)}
    assert len(pairs) == 256
    assert {pair[0] for pair in pairs} == set(whole.frequencies) and (240, 1) in pairs and (1, 240) in pairs


def test_further_classes_change_none_and_the_seed_changes_their_order():
    few, many = recipe(classes=2), recipe(classes=4)
    assert [class_frequencies(few, n) for n in (0, 1)] == [class_frequencies(many, n) for n in (0, 1)]
    orders = {tuple(class_frequencies(recipe(seed=seed), n) for n in range(4)) for seed in range(10)}
    assert len(orders) > 2


def test_instances_share_frequencies_and_no_picture():
    made = recipe(size=64)
    for label in range(4):
        fy, fx = class_frequencies(made, label)
        clips = [made.clip(index).astype(float) for index in range(label, made.clips, 4)]
        for clip in clips:
            down, across = (np.abs(np.diff(clip, axis=axis)).mean() for axis in (1, 2))
            assert 0.5 * fy / fx < down / across < 2 * fy / fx
        first = np.stack([clip[0].ravel() for clip in clips])
        likeness = np.corrcoef(first)[np.triu_indices(5, 1)]
        assert np.abs(likeness).max() < 0.8 and abs(likeness.mean()) < 0.3


def test_one_period_moves_slowly_from_one_field_to_another():
    frames = PerlinRecipe(classes=1, clips_per_class=1, size=64, frequencies=(10,), frames=(19, 19)).clip(0)
    likeness = np.corrcoef(frames.reshape(19, -1))
    assert np.diag(likeness, 1).min() > 0.9
    assert abs(likeness[0, -1]) < 0.3


def test_more_periods_change_more_often():
    one, four = (recipe(frames=(20, 20), periods=periods).clip(0).astype(float) for periods in (1, 4))
    assert np.abs(np.diff(four, axis=0)).mean() > 1.5 * np.abs(np.diff(one, axis=0)).mean()


def test_a_frame_spans_the_same_noise_at_every_size():
    small, large = recipe(size=32).clip(0), recipe(size=64).clip(0)
    shrunk = large.reshape(len(large), 32, 2, 32, 2).mean(axis=(2, 4))
    assert np.corrcoef(shrunk.ravel(), small.ravel())[0, 1] > 0.99


def test_fine_noise_is_not_refused_for_moving_within_blocks_only():
    fine = PerlinRecipe(classes=1, clips_per_class=1, size=512, frequencies=(240,), frames=(4, 4))
    frames, redrawn = fine.draw(0)
    assert redrawn == 0 and np.abs(np.diff(frames.astype(int), axis=0)).mean() > 2


def test_more_classes_than_pairs_are_rejected_with_their_number():
    with pytest.raises(ValidationError, match="2 frequencies make 4 pairs"):
        recipe(classes=5)


@pytest.mark.parametrize(
    "settings",
    [{"frequencies": ()}, {"frequencies": (2, 2)}, {"frequencies": (0, 2)}, {"periods": 0}, {"cells": 1}],
)
def test_impossible_settings_are_rejected(settings):
    with pytest.raises(ValidationError):
        recipe(**{"classes": 1, **settings})


def test_settings_come_from_yaml_lists():
    made = FAMILIES.parse({"family": "perlin", "classes": 1, "clips_per_class": 1, "frequencies": [4, 8]})
    assert made.frequencies == (4, 8)

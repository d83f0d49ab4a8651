"""Sampled systems obey the paper's constraints; interpolating factors keeps a clip alive."""

import numpy as np
import pytest

from kinefract.common.streams import stream
from kinefract.synth import ifs
from kinefract.synth.render import cpu as render
from kinefract.synth.render import window


@pytest.mark.parametrize("maps", range(ifs.FEWEST_MAPS, ifs.MOST_MAPS + 1))
def test_singular_values_add_up_to_alpha_within_bounds(maps):
    drawn = np.stack([ifs.sample_singular_values(stream(0, "test", maps, i), maps) for i in range(400)])
    s1, s2 = drawn[..., 0], drawn[..., 1]
    assert (s2 >= 0).all() and (s2 <= s1 + 1e-12).all() and (s1 <= 1 + 1e-12).all()
    alpha = (s1 + 2 * s2).sum(axis=1)
    assert alpha.min() >= (5 + maps) / 2 and alpha.max() <= (6 + maps) / 2
    assert alpha.min() < (5 + maps) / 2 + 0.05 and alpha.max() > (6 + maps) / 2 - 0.05  # all of the range


def test_maps_are_sorted_by_area():
    area = ifs.sample_singular_values(stream(0, "test"), 8).prod(axis=1)
    assert (np.diff(area) <= 0).all()


def test_composition_is_the_product_of_the_factors():
    factors = ifs.sample_factors(stream(1, "test"), 5)
    for n, (a, b, c, d, e, f) in enumerate(ifs.compose(factors)):

        def turn(angle):
            return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

        d1, d2 = np.diag(factors.signs[n, :2]), np.diag(factors.signs[n, 2:])
        matrix = turn(factors.theta[n]) @ d1 @ np.diag(factors.s[n]) @ turn(factors.phi[n]) @ d2
        np.testing.assert_allclose([[a, b], [d, e]], matrix, atol=1e-12)
        np.testing.assert_allclose([c, f], factors.b[n])
        np.testing.assert_allclose(np.linalg.svd(matrix, compute_uv=False), factors.s[n], atol=1e-12)


def test_interpolation_meets_the_key_frames_and_keeps_singular_values_in_bounds():
    start, end = ifs.sample_key_frames(stream(2, "test"), 6)
    curves = np.array([0.0, 1.0, -0.6, 0.5])[:, None].repeat(6, axis=1)
    moving = ifs.interpolate(start, end, curves)
    composed = ifs.compose(moving)
    np.testing.assert_allclose(composed[0], ifs.compose(start), atol=1e-12)
    np.testing.assert_allclose(composed[1], ifs.compose(end), atol=1e-12)
    s1, s2 = moving.s[..., 0], moving.s[..., 1]
    assert (s2 >= 0).all() and (s2 <= s1).all() and (s1 <= 1).all()


def test_key_frames_turn_by_at_most_half_a_turn_and_sometimes_hold_their_place():
    held = 0
    for i in range(400):
        start, end = ifs.sample_key_frames(stream(3, "test", i), 3)
        assert np.abs(end.theta - start.theta).max() <= np.pi
        assert np.abs(end.phi - start.phi).max() <= np.pi
        held += np.array_equal(start.b, end.b)
    assert 0.13 < held / 400 < 0.27  # 0.2 +- 3.5 standard errors


def test_probabilities_follow_area_and_survive_systems_without_any():
    flat = np.array([[0.5, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]], float)
    np.testing.assert_allclose(ifs.map_probabilities(flat), [0.5, 0.5])
    two = np.array([[0.5, 0, 0, 0, 0.5, 0], [-0.5, 0, 0, 0, 0.25, 0]])
    np.testing.assert_allclose(ifs.map_probabilities(two), [2 / 3, 1 / 3])


def lit_share(maps, key):
    """Return the share of lit pixels of one frame in a window of its own."""
    system = maps[None]
    probabilities, keys = ifs.map_probabilities(system), np.array([key], np.uint64)
    shown = window.find_window(system, probabilities, keys, steps=400, discard=20)
    return (render.render(system, probabilities, shown, 64, keys, steps=400, discard=20) > 0).mean()


def test_naive_interpolation_loses_lit_area_in_mid_clip_and_decomposed_does_not():
    kept = {"decomposed": [], "naive": []}  # lit in the middle, relative to both ends
    for i in range(30):
        rng = stream(4, "test", i)
        maps = int(rng.integers(3, 9))
        curves = np.array([0.0, 0.5, 1.0])[:, None].repeat(maps, axis=1)
        start, end = ifs.sample_key_frames(rng, maps)
        unrelated = ifs.compose(ifs.sample_factors(rng, maps))
        clips = {
            "decomposed": ifs.compose(ifs.interpolate(start, end, curves)),
            "naive": ifs.interpolate_entries(ifs.compose(start), unrelated, curves),
        }
        for name, system in clips.items():
            first, middle, last = (lit_share(frame, i) for frame in system)
            kept[name].append(2 * middle / (first + last))
    assert np.median(kept["naive"]) < 0.4
    assert np.median(kept["decomposed"]) > 0.8


def test_signs_are_fair_and_turns_go_all_the_way_both_ways():
    drawn = [ifs.sample_key_frames(stream(5, "test", i), 4) for i in range(400)]
    signs = np.stack([start.signs for start, _ in drawn])
    assert set(np.unique(signs)) == {-1, 1} and np.abs(signs.mean(axis=(0, 1))).max() < 0.15
    for name in ("theta", "phi"):
        first = np.stack([getattr(start, name) for start, _ in drawn])
        turns = np.stack([getattr(end, name) - getattr(start, name) for start, end in drawn])
        assert first.min() < 0.1 and first.max() > 2 * np.pi - 0.1
        assert turns.min() < -np.pi + 0.1 and turns.max() > np.pi - 0.1

"""The game in space draws what the plain one does, and cameras count each point where geometry puts it."""

import numpy as np
import pytest

from kinefract.common.streams import stream
from kinefract.synth.render.camera import Path, projections
from kinefract.synth.render.render3d import NEAR, play, project
from kinefract.synth.systems3d import map_probabilities, moments, sample_maps

CORNERS = np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)], float)
SIERPINSKI = np.concatenate([np.tile(np.eye(3) / 2, (4, 1, 1)), CORNERS[..., None] / 2], axis=-1)
EVEN = np.full(4, 0.25)


def cameras(azimuth, elevation=0.0, distance=4.0, reach=2.0, size=64):
    azimuth = np.atleast_1d(np.asarray(azimuth, float))
    path = Path(azimuth, np.full(len(azimuth), elevation), np.ones(len(azimuth)))
    return projections(path, np.zeros(3), distance, reach, size)


def columns_of(points):
    return np.ascontiguousarray(np.transpose(points), np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_points_have_the_moments_of_their_system(seed):
    system = sample_maps(stream(seed, "test"), 5, np.zeros((1, 5)))[0]
    probabilities = map_probabilities(system)
    points = play(system, probabilities, stream(0, "game"), steps=20_000).astype(float)
    mean, covariance = moments(system, probabilities)
    spread = np.sqrt(np.trace(covariance))
    np.testing.assert_allclose(points.mean(axis=1), mean, atol=0.02 * spread)
    np.testing.assert_allclose(np.cov(points), covariance, atol=0.03 * spread**2)


def test_every_map_is_played_by_its_probability_at_even_and_odd_steps():
    # Maps to single points, so each point tells which map it came from.
    system = np.concatenate([np.zeros((4, 3, 3)), CORNERS[..., None]], axis=-1)
    share = np.array([0.5, 0.25, 0.25, 0.0])
    points = play(system, share, stream(0, "game"), chains=320, steps=4200)
    steps = points.reshape(3, 4000, 320)
    for parity in (0, 1):
        played = [(steps[:, parity::2] == corner[:, None, None]).all(axis=0).mean() for corner in CORNERS]
        np.testing.assert_allclose(played, share, atol=0.02)


def test_chains_that_shared_a_map_part_again():
    points = play(SIERPINSKI, EVEN, stream(0, "game"), chains=64, steps=300).reshape(3, 100, 64)
    last = points[:, -1]
    apart = np.abs(last[:, :, None] - last[:, None]).max(axis=0)
    assert apart[~np.eye(64, dtype=bool)].min() > 1e-4


def test_a_sierpinski_tetrahedron_seen_along_its_edges_axis_is_an_even_square():
    # From far away along x its four corners are those of a square, each copy covers a quarter of it, and so
    # on: all cells of the square are hit equally often.
    points = play(SIERPINSKI, EVEN, stream(0, "game"), steps=20_200)
    (counts,) = project(points, cameras(0, distance=1e4, reach=2.0), 64)
    square = counts[16:48, 16:48]
    assert square.sum() > 0.999 * points.shape[1]
    blocks = square.reshape(8, 4, 8, 4).sum(axis=(1, 3)) / square.sum() * 64
    assert np.abs(blocks - 1).max() < 0.05


def test_near_parts_are_seen_larger():
    rng = stream(0, "test")
    sheet = rng.uniform(-0.5, 0.5, (20_000, 3)) * (0, 1, 1)
    widths = []
    for towards in (2, 0, -4):  # at half, once and twice the target's distance
        (counts,) = project(columns_of(sheet + np.array([towards, 0, 0])), cameras(0), 64)
        widths.append(np.count_nonzero(counts.any(axis=0)))
    assert widths == [32, 16, 8]


def test_a_point_is_counted_in_its_pixel():
    points = columns_of([(0, 0.51, 1.01), (0, 0.51, 1.01), (0, -1.99, -1.99)])
    (counts,) = project(points, cameras(0, size=64), 64)
    assert counts[15, 40] == 2 and counts[63, 0] == 1 and counts.sum() == 3


def test_points_outside_or_behind_are_dropped():
    points = columns_of([(0, 2.1, 0), (0, 0, -2.1), (5, 0, 0), (4, 0, 0), (np.nan, 0, 0), (0, np.inf, 0)])
    assert project(points, cameras(0), 64).sum() == 0
    just = 4 * (1 - np.array([NEAR * 1.01, NEAR * 0.99]))
    assert project(columns_of([(just[0], 0, 0)]), cameras(0), 64).sum() == 1
    assert project(columns_of([(just[1], 0, 0)]), cameras(0), 64).sum() == 0


def test_a_full_circle_returns_the_image():
    points = play(SIERPINSKI, EVEN, stream(0, "game"), steps=1200)
    first, other, full = project(points, cameras([20, 75, 380], elevation=25), 64).astype(int)
    assert np.abs(first - full).sum() <= 0.001 * first.sum()
    assert np.abs(first - other).sum() > 0.2 * first.sum()


def test_each_camera_sees_what_it_sees_alone():
    points = play(SIERPINSKI, EVEN, stream(0, "game"), chains=32, steps=333)
    together = project(points, cameras([0, 40, 80]), 64)
    for azimuth, image in zip([0, 40, 80], together, strict=True):
        np.testing.assert_array_equal(project(points, cameras(azimuth), 64)[0], image)


def test_counts_do_not_wrap_on_a_pixel_hit_every_time():
    still = np.concatenate([np.zeros((2, 3, 3)), np.full((2, 3, 1), 0.01)], axis=-1)
    points = play(still, np.full(2, 0.5), stream(0, "game"), steps=1200)
    counts = project(points, cameras(0), 64)
    assert counts.max() == counts.sum() == 128 * 1000 > 2**16


def test_chains_come_in_rows():
    with pytest.raises(ValueError, match="multiple of 16"):
        play(SIERPINSKI, EVEN, stream(0, "game"), chains=100)

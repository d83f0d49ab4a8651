"""A camera keeps its target in the middle, sees what is near as larger, and moves within its ranges."""

import numpy as np
import pytest

from kinefract.common.streams import stream
from kinefract.synth.render.camera import SLOWEST, Path, projections, sample_path

TARGET = np.array([0.3, -0.2, 0.5])
RANGES = {"speed": (4.0, 10.0), "elevation": (-30.0, 60.0), "sway": 15.0, "zoom": (0.8, 1.25)}


def seen(points, azimuth=0.0, elevation=0.0, zoom=1.0, target=(0, 0, 0), distance=4.0, reach=2.0, size=100):
    """Return (column, row, depth) of points (P, 3) from one place."""
    path = Path(np.array([azimuth]), np.array([elevation]), np.array([zoom]))
    (matrix,) = projections(path, np.asarray(target, float), distance, reach, size)
    column, row, depth = matrix @ np.vstack([np.transpose(points), np.ones(len(points))])
    return np.stack([column / depth, row / depth, depth], axis=1)


@pytest.mark.parametrize(("azimuth", "elevation"), [(0, 0), (77, 40), (250, -80)])
def test_the_target_is_the_centre_at_depth_one(azimuth, elevation):
    np.testing.assert_allclose(seen([TARGET], azimuth, elevation, 1.3, TARGET), [(50, 50, 1)])


def test_at_the_start_y_points_right_and_z_up_by_known_pixels():
    # Half the frame, 50 px, is reach = 2 at the target.
    np.testing.assert_allclose(seen([(0, 1, 0), (0, 0, 1)]), [(75, 50, 1), (50, 25, 1)])
    np.testing.assert_allclose(seen([(0, 1, 0)], zoom=2.0), [(100, 50, 1)])
    # Half-way to the camera, all is twice as large.
    np.testing.assert_allclose(seen([(2, 0.5, 0)]), [(75, 50, 0.5)])
    assert seen([(5, 0, 0)])[0, 2] < 0  # behind it


def test_azimuth_goes_round_and_elevation_up():
    np.testing.assert_allclose(seen([(1, 0, 0)], azimuth=90)[0, :2], (25, 50))
    np.testing.assert_allclose(seen([(0, 0, 1)], elevation=90), [(50, 50, 0.75)], atol=1e-12)
    np.testing.assert_allclose(seen([(1, 0, 0)], elevation=90), [(50, 75, 1)], atol=1e-12)


def test_a_full_circle_returns_the_view():
    points = stream(0, "test").uniform(-1, 1, (20, 3))
    np.testing.assert_allclose(seen(points, 33.0, 20.0), seen(points, 393.0, 20.0))
    assert np.abs(seen(points, 33.0, 20.0) - seen(points, 213.0, 20.0)).max() > 10


def test_paths_keep_to_their_ranges():
    paths = [sample_path(stream(i, "test"), 19, **RANGES) for i in range(300)]
    steps = np.array([np.diff(path.azimuth) for path in paths])
    assert (np.sign(steps) == np.sign(steps[:, :1])).all()  # never turns back
    assert 0.4 < (steps[:, 0] > 0).mean() < 0.6
    assert 4 * SLOWEST <= np.abs(steps).min() < 2 and 9 < np.abs(steps).max() <= 10
    elevations = np.array([path.elevation for path in paths])
    assert -45 <= elevations.min() < -30 and 60 < elevations.max() <= 75
    assert np.ptp(elevations, axis=1).max() <= 30
    zooms = np.array([path.zoom for path in paths])
    assert 0.8 <= zooms.min() < 0.85 and 1.2 < zooms.max() <= 1.25
    starts = np.array([path.azimuth[0] for path in paths])
    assert starts.min() < 10 and starts.max() > 350


def test_paths_are_smooth():
    path = sample_path(stream(0, "test"), 200, **RANGES)
    for curve in path:
        assert np.abs(np.diff(curve, n=2)).max() < 0.15 * np.abs(np.diff(curve)).max()

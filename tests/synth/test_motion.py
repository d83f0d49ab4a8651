"""Time curves keep to their ranges, and the cases come as often as the paper says."""

import numpy as np
import pytest
from scipy.interpolate import make_interp_spline

from kinefract.common.streams import stream
from kinefract.synth import motion


@pytest.mark.parametrize("frames", [2, 5, 8, 18, 20, 64])
def test_sharp_curves_rest_ramp_and_rest(frames):
    for i in range(200):
        values = motion.sharp(stream(0, "sharp", i), frames)
        assert values.shape == (frames,) and values[0] == 0 and values[-1] == 1
        assert (np.diff(values) >= 0).all()
        if frames >= 17:
            assert (values[:4] == 0).all() and (values[-4:] == 1).all()
            assert 4 <= np.count_nonzero(np.diff(values)) <= 8


@pytest.mark.parametrize("frames", [2, 8, 20])
def test_curves_stay_in_range_and_move_a_lot(frames):
    drawn = np.stack([motion.curve(stream(0, "curve", i), frames) for i in range(200)])
    assert drawn.min() >= 0 and drawn.max() <= 1
    if frames == 20:
        assert np.ptp(drawn, axis=1).mean() > 0.6
        assert np.ptp(drawn[:, 0]) > 0.5  # a curve may begin anywhere


def test_periodic_curves_swing_around_zero():
    drawn = np.stack([motion.periodic(stream(0, "periodic", i), 60) for i in range(200)])
    assert np.abs(drawn).max() <= 0.6
    assert abs(drawn.mean()) < 0.02
    turns = (np.diff(np.sign(np.diff(drawn, axis=1)), axis=1) != 0).sum(axis=1)
    assert 4 < turns.mean() < 20  # two a period of 5-15 frames


def test_spline_agrees_with_scipy():
    for points in range(3, 10):
        values = stream(0, "spline", points).uniform(size=points)
        reference = make_interp_spline(np.arange(points), values, k=2)(np.linspace(0, points - 1, 19))
        np.testing.assert_allclose(motion.spline_matrix(points, 19) @ values, reference, atol=1e-12)


def test_smooth_curves_keep_to_their_range():
    drawn = motion.smooth_curves(stream(0, "smooth"), 20, 300, 0.6, 1.4)
    assert drawn.shape == (20, 300) and drawn.min() >= 0.6 and drawn.max() <= 1.4
    assert np.abs(np.diff(drawn, axis=0)).max() < 0.6


def test_cases_come_as_often_as_the_paper_says():
    line, shared, mixed, total = 0, 0, 0, 1500
    for i in range(total):
        curves = motion.sample_curves(stream(0, "cases", i), 19, 8)
        distinct = np.unique(curves, axis=1).shape[1]
        is_line = np.allclose(curves, np.linspace(0, 1, 19)[:, None])
        line, shared = line + is_line, shared + (distinct == 1 and not is_line)
        mixed += distinct > 1
        assert distinct <= 3
    assert abs(line / total - 0.2) < 0.04
    assert abs(shared / total - 0.32) < 0.05
    assert abs(mixed / total - 0.48) < 0.05


def test_linear_motion_is_linear():
    curves = motion.sample_curves(stream(0, "linear"), 18, 4, nonlinear=False)
    np.testing.assert_array_equal(curves, np.linspace(0, 1, 18)[:, None].repeat(4, axis=1))


def test_nonlinear_curves_are_of_each_kind_as_often_as_the_paper_says(monkeypatch):
    drawn = []
    for name in motion.NONLINEAR_WEIGHTS:
        monkeypatch.setattr(motion, name, lambda rng, frames, name=name: drawn.append(name))
    for i in range(2000):
        motion.nonlinear_curve(stream(0, "kinds", i), 19)
    shares = [drawn.count(name) / 2000 for name in ("sharp", "curve", "periodic")]
    assert shares == pytest.approx([0.2, 0.55, 0.25], abs=0.04)


def test_a_curve_that_hardly_moves_is_drawn_again_and_a_swing_begins_anywhere():
    steps = [np.abs(np.diff(motion.curve(stream(0, "steps", i), 200))).sum() for i in range(300)]
    starts = np.array([motion.periodic(stream(0, "starts", i), 20)[0] for i in range(300)])
    assert np.mean(steps) > 2.5  # 2.2 if none were drawn again
    assert 0.4 < (starts > 0).mean() < 0.6

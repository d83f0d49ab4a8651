"""Time curves: how far along its path each map of a clip is, frame by frame (arXiv 2411.17584, section 3)."""

from functools import lru_cache

import numpy as np

ALL_LINEAR = 0.2  # probability that every map of a clip moves linearly
SHARED = 0.4  # probability, among the rest, that all maps share one nonlinear curve
NONLINEAR_WEIGHTS = {"sharp": 0.20, "curve": 0.55, "periodic": 0.25}

SHARP_RAMP = (4, 8)  # frames
SHARP_MARGIN = 4  # frames before and after the ramp
CURVE_POINTS = (5, 9)
CURVE_MEAN_STEP = 0.45
CURVE_DRAWS = 6
PERIOD = (5, 15)  # frames
PERIODIC_FREQUENCY = (0.15, 1.7)
PERIODIC_AMPLITUDE = (0.6, 1.0)
PERIODIC_SCALE = (1.5, 4.0)  # scale of the curve, in units of period / 100
SMOOTH_POINTS = (4, 7)


def sample_curves(rng: np.random.Generator, frames: int, maps: int, nonlinear: bool = True) -> np.ndarray:
    """Draw the time curves of a clip.

    Args:
        rng: Random stream.
        frames: T, at least 2.
        maps: N.
        nonlinear: ``False`` forces the linear curve (the "linear motion" of the ablation).

    Returns:
        float64 (T, N): 0 at the first key frame, 1 at the second. All curves stay in [0, 1] except the
        periodic one, which swings around the first key frame by up to 0.6.
    """
    line = np.linspace(0.0, 1.0, frames)
    choice: np.ndarray
    if not nonlinear or rng.random() < ALL_LINEAR:
        curves, choice = [line], np.zeros(maps, int)
    elif rng.random() < SHARED:
        curves, choice = [nonlinear_curve(rng, frames)], np.zeros(maps, int)
    else:
        curves = [line, *(nonlinear_curve(rng, frames) for _ in range(rng.integers(1, 3)))]
        choice = rng.integers(len(curves), size=maps)
    return np.stack(curves, axis=1)[:, choice]


def nonlinear_curve(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Draw one nonlinear curve, float64 (T,): sharp, curve or periodic, with the paper's probabilities."""
    kind = rng.choice(list(NONLINEAR_WEIGHTS), p=list(NONLINEAR_WEIGHTS.values()))
    return {"sharp": sharp, "curve": curve, "periodic": periodic}[kind](rng, frames)


def sharp(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Draw a curve that rests at 0, rises in a ramp of 4-8 frames and rests at 1.

    The ramp is at least 4 frames from either end. In clips too short for that it lies inside the clip, with
    equal room on both sides.

    Returns:
        float64 (T,), nondecreasing.
    """
    ramp = min(int(rng.integers(SHARP_RAMP[0], SHARP_RAMP[1] + 1)), frames - 1)
    margin = min(SHARP_MARGIN, (frames - 1 - ramp) // 2)
    start = int(rng.integers(margin, frames - 1 - ramp - margin + 1))  # the last frame at 0
    return np.clip((np.arange(frames) - start) / ramp, 0.0, 1.0)


def curve(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Draw a quadratic spline through 5-9 values U[0, 1] that differ much from one to the next.

    The values are drawn again, up to 6 draws in all, until their mean absolute step exceeds 0.45.

    Returns:
        float64 (T,) in [0, 1].
    """
    points = int(rng.integers(CURVE_POINTS[0], CURVE_POINTS[1] + 1))
    for _ in range(CURVE_DRAWS):
        values = rng.uniform(0.0, 1.0, points)
        if np.abs(np.diff(values)).mean() > CURVE_MEAN_STEP:
            break
    return _within(spline_matrix(points, frames) @ values, 0.0, 1.0)


def periodic(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Draw a sinusoid whose frequency and amplitude drift.

    The period is 5-15 frames. The frequency is multiplied by a smooth curve in [0.15, 1.7], the amplitude by
    one in [0.6, 1]. The result is scaled by U[1.5, 4] * period / 100. It starts at a random phase.

    Returns:
        float64 (T,) in [-0.6, 0.6].
    """
    period = rng.uniform(*PERIOD)
    frequency = smooth_curves(rng, frames, 1, *PERIODIC_FREQUENCY)[:, 0] / period
    amplitude = smooth_curves(rng, frames, 1, *PERIODIC_AMPLITUDE)[:, 0]
    scale = rng.uniform(*PERIODIC_SCALE) * period / 100
    phase = rng.uniform() + np.cumsum(frequency)
    return scale * amplitude * np.sin(2 * np.pi * phase)


def smooth_curves(rng: np.random.Generator, frames: int, count: int, low: float, high: float) -> np.ndarray:
    """Draw slow independent curves: quadratic splines through 4-7 values U[low, high].

    Returns:
        float64 (T, count) in [low, high].
    """
    points = rng.integers(SMOOTH_POINTS[0], SMOOTH_POINTS[1] + 1, count)
    curves = [spline_matrix(int(n), frames) @ rng.uniform(low, high, n) for n in points]
    return np.stack([_within(values, low, high) for values in curves], axis=1)


@lru_cache(maxsize=256)
def spline_matrix(points: int, frames: int) -> np.ndarray:
    """Return the matrix that maps values at equal distances to the quadratic spline through them.

    The spline is smooth with knots half-way between the values ("not-a-knot" at the ends).

    Args:
        points: Number of values P, at least 3; the first one is at the first frame, the last at the last.
        frames: T, at least 2.

    Returns:
        float64 (T, P), read-only; ``matrix @ values`` is the curve.
    """
    middles = np.arange(points - 1) + 0.5
    knots = np.concatenate([[0.0] * 3, middles[1:-1], [points - 1.0] * 3])
    at_values = _b_splines(np.arange(points, dtype=float), knots)  # (P, P)
    at_frames = _b_splines(np.linspace(0.0, points - 1, frames), knots)  # (T, P)
    matrix = at_frames @ np.linalg.inv(at_values)
    matrix.setflags(write=False)
    return matrix


def _b_splines(x: np.ndarray, knots: np.ndarray, degree: int = 2) -> np.ndarray:
    """Evaluate all B-splines over ``knots`` at ``x`` (Cox, de Boor): (len(x), len(knots) - degree - 1)."""
    x = x[:, None]
    # The last interval includes its right end; otherwise the curve would drop to 0 at the last frame.
    inside = (knots[:-1] <= x) & ((x < knots[1:]) | ((x == knots[-1]) & (knots[1:] == knots[-1])))
    basis = (inside & (knots[:-1] < knots[1:])).astype(float)
    for k in range(1, degree + 1):
        left, right = knots[: -k - 1], knots[k + 1 :]
        rise, fall = knots[k:-1] - left, right - knots[1:-k]
        up = np.where(rise > 0, (x - left) / np.where(rise > 0, rise, 1.0), 0.0)
        down = np.where(fall > 0, (right - x) / np.where(fall > 0, fall, 1.0), 0.0)
        basis = up * basis[:, :-1] + down * basis[:, 1:]
    return basis


def _within(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Rescale a whole spline that leaves [low, high] so that it fits and stays smooth."""
    bottom, top = min(low, values.min()), max(high, values.max())
    if top <= bottom:
        return values
    return np.clip(low + (values - bottom) * ((high - low) / (top - bottom)), low, high)

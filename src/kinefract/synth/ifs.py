"""Iterated function systems as factors: sampled, interpolated between two key frames, composed to matrices.

Svyezhentsev, Retsinas, Maragos (arXiv 2411.17584), section 3; the constraint on the singular values is the
"sigma factor" of Anderson and Farrell, "Improving Fractal Pre-training" (WACV 2022), section 3.
"""

from dataclasses import dataclass

import numpy as np

FEWEST_MAPS, MOST_MAPS = 3, 8
GRID = 2.0**16
HELD_TRANSLATION = 0.2  # probability that the maps of a clip keep their translations


@dataclass(frozen=True)
class Factors:
    """The factors of N affine maps ``v -> R(theta) D1 diag(s) R(phi) D2 v + b``; float64 arrays.

    A clip's factors have a leading axis of frames, except for the signs, which stay fixed.
    """

    theta: np.ndarray  # (..., N) radians
    phi: np.ndarray  # (..., N) radians
    s: np.ndarray  # (..., N, 2) singular values, 0 <= s[..., 1] <= s[..., 0] <= 1
    b: np.ndarray  # (..., N, 2) translation
    signs: np.ndarray  # (N, 4), +-1: the diagonals of D1, then of D2


def sample_singular_values(rng: np.random.Generator, maps: int) -> np.ndarray:
    """Draw the singular values of a system so that it is neither dust nor a filled square.

    The sum of s1 + 2 s2 over the maps is alpha ~ U[(5 + N) / 2, (6 + N) / 2]. Values are drawn one after the
    other, each uniformly over the range that lets the rest add up to alpha, so none is rejected or clipped.

    Returns:
        float64 (maps, 2) with 0 <= s2 <= s1 <= 1, sorted by s1 * s2, descending.
    """
    left = rng.uniform((5 + maps) / 2, (6 + maps) / 2)  # the sum over the maps still to be drawn
    values = np.empty((maps, 2))
    for index in range(maps):
        # Each of the maps after this one adds 0 to 3, so this one must add from least to left.
        least = left - 3 * (maps - 1 - index)
        if index < maps - 1:
            s1 = rng.uniform(max(0.0, least / 3), min(1.0, left))
            s2 = rng.uniform(max(0.0, (least - s1) / 2), min(s1, (left - s1) / 2))
        else:
            s2 = rng.uniform(max(0.0, (left - 1) / 2), left / 3)
            s1 = left - 2 * s2
        values[index] = s1, s2
        left -= s1 + 2 * s2
    return values[np.argsort(-values.prod(axis=1), kind="stable")]


def sample_factors(rng: np.random.Generator, maps: int) -> Factors:
    """Draw one system of N maps: rotations U[0, 2 pi), fair signs, translations U[-1, 1]^2.

    Sorting by area makes the maps of two systems of the same N pair up.
    """
    return Factors(
        theta=rng.uniform(0, 2 * np.pi, maps),
        phi=rng.uniform(0, 2 * np.pi, maps),
        s=sample_singular_values(rng, maps),
        b=rng.uniform(-1, 1, (maps, 2)),
        signs=rng.choice([-1.0, 1.0], (maps, 4)),
    )


def sample_key_frames(rng: np.random.Generator, maps: int) -> tuple[Factors, Factors]:
    """Draw the first and the last system of a clip whose factors are interpolated.

    Rotations end within half a turn of where they start, singular values and translations are two independent
    draws (translations are held with probability 0.2), and the signs are shared, since a reflection cannot be
    reached gradually.
    """
    start = sample_factors(rng, maps)
    held = rng.random() < HELD_TRANSLATION
    end = Factors(
        theta=start.theta + rng.uniform(-np.pi, np.pi, maps),
        phi=start.phi + rng.uniform(-np.pi, np.pi, maps),
        s=sample_singular_values(rng, maps),
        b=start.b if held else rng.uniform(-1, 1, (maps, 2)),
        signs=start.signs,
    )
    return start, end


def interpolate(start: Factors, end: Factors, curves: np.ndarray) -> Factors:
    """Interpolate every factor along its map's time curve ("decomposed interpolation").

    Args:
        start, end: Key frames of N maps with the same signs.
        curves: float64 (T, N), 0 at ``start`` and 1 at ``end``. Values outside this range go past a key
            frame; there singular values are clipped to 0 <= s2 <= s1 <= 1.

    Returns:
        Factors with a leading axis of T frames.
    """
    pairs = curves[..., None]  # (T, N, 1)
    s = np.clip(start.s + pairs * (end.s - start.s), 0.0, 1.0)
    s[..., 1] = np.minimum(s[..., 1], s[..., 0])
    return Factors(
        theta=start.theta + curves * (end.theta - start.theta),
        phi=start.phi + curves * (end.phi - start.phi),
        s=s,
        b=start.b + pairs * (end.b - start.b),
        signs=start.signs,
    )


def compose(factors: Factors) -> np.ndarray:
    """Multiply the factors to matrices.

    Returns:
        float64 (..., N, 6): (a, b, c, d, e, f) of x' = a x + b y + c, y' = d x + e y + f, as in Draves and
        Reckase, "The Fractal Flame Algorithm", section 2.
    """
    cos_t, sin_t = np.cos(factors.theta), np.sin(factors.theta)
    cos_p, sin_p = np.cos(factors.phi), np.sin(factors.phi)
    d1, d2, d3, d4 = np.moveaxis(factors.signs, -1, 0)
    s1, s2 = d1 * factors.s[..., 0], d2 * factors.s[..., 1]
    a = (cos_t * s1 * cos_p - sin_t * s2 * sin_p) * d3
    b = (-cos_t * s1 * sin_p - sin_t * s2 * cos_p) * d4
    d = (sin_t * s1 * cos_p + cos_t * s2 * sin_p) * d3
    e = (-sin_t * s1 * sin_p + cos_t * s2 * cos_p) * d4
    return np.stack([a, b, factors.b[..., 0], d, e, factors.b[..., 1]], axis=-1)


def interpolate_entries(start: np.ndarray, end: np.ndarray, curves: np.ndarray) -> np.ndarray:
    """Interpolate the entries of composed matrices (the paper's baseline "naive interpolation").

    Entries of unrelated matrices cancel half-way, so the maps shrink and the middle frames turn to dust.

    Args:
        start, end: float64 (N, 6), composed.
        curves: float64 (T, N).

    Returns:
        float64 (T, N, 6).
    """
    return start + curves[..., None] * (end - start)


def on_grid(coefficients: np.ndarray) -> np.ndarray:
    """Round coefficients to multiples of 2^-16, far below what is visible in a picture.

    Sines, splines and matrix products differ in their last digit from processor to processor. Rounded
    coefficients are equal on all processors, and so are the pictures.
    """
    return np.rint(coefficients * GRID) / GRID


def map_probabilities(coefficients: np.ndarray) -> np.ndarray:
    """Return the probability of every map, proportional to the area it covers, abs(det A).

    Args:
        coefficients: (..., N, 6), composed.

    Returns:
        float64 (..., N), summing to 1; equal shares where no map covers any area.
    """
    a, b, _, d, e, _ = np.moveaxis(coefficients, -1, 0)
    area = np.abs(a * e - b * d)
    total = area.sum(axis=-1, keepdims=True)
    return np.where(total > 0, area / np.where(total > 0, total, 1.0), 1.0 / area.shape[-1])

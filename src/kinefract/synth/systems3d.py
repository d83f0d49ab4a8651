"""Iterated function systems in space: sampled as factors, degenerate ones rejected before any rendering.

Rendering systems to find the degenerate ones is slow, a test of parameters is about a hundred times faster,
and too strict a choice costs accuracy (Putak, Moeslund, Haurum, "How to Sample High Quality 3D Fractals for
Action Recognition Pre-Training?", arXiv 2602.11810, abstract). Here mean, covariance and dimension of a
system's points are computed from its maps, and only systems that hardly fill space are rejected.
"""

from typing import NamedTuple

import numpy as np
from pydantic import Field

from kinefract.common.schema import Section

FEWEST_MAPS, MOST_MAPS = 3, 8
HELD_TRANSLATION = 0.2  # probability that the maps of a clip keep their translations
POINT = 1e-3  # standard deviation below which all points count as one
TINY = 1e-12  # keeps logarithms finite whose weight is zero


def sample_singular_values(rng: np.random.Generator, maps: int) -> np.ndarray:
    """Draw the singular values of a system so that it is neither dust nor a filled cube.

    This is the "sigma factor" of Anderson and Farrell (WACV 2022) in space: the sum of s1 + 2 s2 + 3 s3 over
    the maps is alpha ~ U[5 + N, 6 + N], the same share of the greatest sum as in the plane. Values are drawn
    one after the other, each uniformly over the range that lets the rest add up to alpha.

    Args:
        rng: Random stream.
        maps: N, at least 2.

    Returns:
        float64 (maps, 3) with 0 <= s3 <= s2 <= s1 <= 1, sorted by s1 * s2 * s3, descending.
    """
    left = rng.uniform(5 + maps, 6 + maps)  # the sum over the maps still to be drawn
    values = np.empty((maps, 3))
    for index in range(maps):
        # Each of the maps after this one adds 0 to 6, so this one must add from least to left.
        least = max(0.0, left - 6 * (maps - 1 - index))
        s1 = rng.uniform(least / 6, min(1.0, left))
        s2 = rng.uniform(max(0.0, (least - s1) / 5), min(s1, (left - s1) / 2))
        s3 = rng.uniform(max(0.0, (least - s1 - 2 * s2) / 3), min(s2, (left - s1 - 2 * s2) / 3))
        values[index] = s1, s2, s3
        left -= s1 + 2 * s2 + 3 * s3
    return values[np.argsort(-values.prod(axis=1), kind="stable")]


def sample_maps(rng: np.random.Generator, maps: int, curves: np.ndarray) -> np.ndarray:
    """Draw two systems and interpolate from one to the other, frame by frame ("decomposed interpolation").

    A map is ``v -> R diag(s) R' D v + b`` with uniformly random rotations, a fair sign for each axis in D and
    b ~ U[-1, 1]^3. From the first system to the second each rotation turns by U[0, pi] about an axis of its
    own, s and b go to a second draw (b is held with probability 0.2), and the signs stay.

    Args:
        rng: Random stream.
        maps: N.
        curves: float64 (T, N), 0 at the first system, 1 at the second.

    Returns:
        float64 (T, N, 3, 4): the linear part and, as the last column, the translation.
    """
    outer, inner = _random_rotations(rng, maps), _random_rotations(rng, maps)
    outer_turn, inner_turn = _random_turns(rng, maps), _random_turns(rng, maps)
    signs = rng.choice([-1.0, 1.0], (maps, 3))
    (s, b), (next_s, next_b) = (
        (sample_singular_values(rng, maps), rng.uniform(-1, 1, (maps, 3))) for _ in range(2)
    )
    if rng.random() < HELD_TRANSLATION:
        next_b = b
    along = curves[..., None]  # (T, N, 1)
    stretch = np.clip(s + along * (next_s - s), 0.0, 1.0)
    outer = rotations(along * outer_turn) @ outer
    inner = rotations(along * inner_turn) @ inner
    linear = outer * stretch[..., None, :] @ inner * signs[:, None, :]
    return np.concatenate([linear, (b + along * (next_b - b))[..., None]], axis=-1)


def rotations(turns: np.ndarray) -> np.ndarray:
    """Return the matrices of rotations about axes through the origin (Rodrigues' formula).

    Args:
        turns: float64 (..., 3): the axis, whose length is the angle in radians.

    Returns:
        float64 (..., 3, 3).
    """
    angle = np.linalg.norm(turns, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(turns / np.where(angle > 0, angle, 1.0)[..., 0], -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)


def map_probabilities(maps: np.ndarray) -> np.ndarray:
    """Return the probability of every map, proportional to the volume it covers, abs(det A).

    Args:
        maps: (..., N, 3, 4).

    Returns:
        float64 (..., N), summing to 1; equal shares where no map covers any volume.
    """
    volume = np.abs(np.linalg.det(maps[..., :3]))
    total = volume.sum(axis=-1, keepdims=True)
    return np.where(total > 0, volume / np.where(total > 0, total, 1.0), 1.0 / volume.shape[-1])


class Moments(NamedTuple):
    """Mean (..., 3) and covariance (..., 3, 3) of the points of systems; NaN if they do not exist."""

    mean: np.ndarray
    covariance: np.ndarray


def moments(maps: np.ndarray, probabilities: np.ndarray) -> Moments:
    """Return mean and covariance of the invariant measure in closed form.

    The measure is the mixture of its images under the maps (Hutchinson, "Fractals and self similarity", 1981,
    section 4), so its mean is m = sum p_i (A_i m + b_i) and its covariance is S = sum p_i (A_i S A_i' + d_i
    d_i') with d_i = A_i m + b_i - m. Both are linear equations.

    Args:
        maps: (..., N, 3, 4).
        probabilities: (..., N).
    """
    linear, translation = maps[..., :3], maps[..., 3]
    weight = probabilities[..., None, None]
    mean_linear = (weight * linear).sum(axis=-3)
    mean_translation = (weight[..., 0] * translation).sum(axis=-2)
    # The maps act on a covariance as a matrix on its 9 entries: sum p_i (A_i kron A_i).
    squares = np.einsum("...ij,...kl->...ikjl", linear, linear).reshape(*linear.shape[:-2], 9, 9)
    squared = (weight * squares).sum(axis=-3)
    # Points that spread without limit have no covariance, even if the equations have a solution.
    spreads = ~(np.abs(np.linalg.eigvals(squared)).max(axis=-1) < 1)
    mean = _solve(np.eye(3) - mean_linear, mean_translation, spreads)
    away = linear @ mean[..., None, :, None] + translation[..., None] - mean[..., None, :, None]
    between = (weight * (away @ np.swapaxes(away, -1, -2))).sum(axis=-3)
    covariance = _solve(np.eye(9) - squared, between.reshape(*between.shape[:-2], 9), spreads)
    return Moments(mean, covariance.reshape(between.shape))


def _solve(matrices: np.ndarray, right: np.ndarray, hopeless: np.ndarray) -> np.ndarray:
    """Solve systems of equations; those marked ``hopeless``, whose matrices may be singular, give NaN."""
    matrices = np.where(hopeless[..., None, None], np.eye(matrices.shape[-1]), matrices)
    solved = np.linalg.solve(matrices, right[..., None])[..., 0]
    return np.where(hopeless[..., None], np.nan, solved)


def _random_rotations(rng: np.random.Generator, count: int) -> np.ndarray:
    """Draw rotations uniformly, float64 (count, 3, 3), from quaternions on the sphere (Shoemake, 1992)."""
    at, first, second = rng.random((3, count))
    first, second = 2 * np.pi * first, 2 * np.pi * second
    low, high = np.sqrt(1 - at), np.sqrt(at)
    x, y, z, w = low * np.sin(first), low * np.cos(first), high * np.sin(second), high * np.cos(second)
    rows = [
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def _random_turns(rng: np.random.Generator, count: int) -> np.ndarray:
    """Draw rotations by U[0, pi] about axes uniform on the sphere, float64 (count, 3)."""
    height, azimuth = rng.uniform(-1, 1, count), rng.uniform(0, 2 * np.pi, count)
    flat = np.sqrt(1 - height**2)
    axes = np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), height], axis=1)
    return axes * rng.uniform(0, np.pi, (count, 1))


class Limits(Section):
    """Lower limits that a system must reach; below them it is degenerate."""

    contraction: float = Field(
        default=0.0, ge=0, le=5, description="by how much a step brings points closer on average (logarithm)"
    )
    second_axis: float = Field(
        default=0.2, ge=0, lt=1, description="spread along the second axis as a share of the first, or a line"
    )
    third_axis: float = Field(
        default=0.1, ge=0, lt=1, description="spread along the third axis as a share of the first, or a plane"
    )
    dimension: float = Field(default=1.0, ge=0, lt=3, description="of the points, or they are dust")


def is_sound(maps: np.ndarray, probabilities: np.ndarray, limits: Limits) -> np.ndarray:
    """Return which systems give a body in space, from their parameters alone.

    Contraction is -sum p_i log s1_i. The axes are the principal ones of the closed-form covariance. The
    dimension is the entropy of the probabilities over the mean of -log s, which is exact for similarities
    whose copies do not overlap.

    Args:
        maps: (..., N, 3, 4), finite.
        probabilities: (..., N).
        limits: The lower limits.

    Returns:
        bool (...).
    """
    s = np.maximum(np.linalg.svd(maps[..., :3], compute_uv=False), TINY)  # (..., N, 3)
    contraction = -(probabilities * np.log(s[..., 0])).sum(axis=-1)
    per_axis = -(probabilities[..., None] * np.log(s)).sum(axis=-2).mean(axis=-1)
    entropy = -(probabilities * np.log(np.maximum(probabilities, TINY))).sum(axis=-1)
    covariance = moments(maps, probabilities).covariance
    finite = np.isfinite(covariance).all(axis=(-1, -2))
    variances = np.linalg.eigvalsh(np.where(finite[..., None, None], covariance, np.eye(3)))
    third, second, first = np.moveaxis(np.sqrt(np.maximum(variances, 0.0)), -1, 0)
    return (
        finite
        & (contraction > limits.contraction)
        & (first > POINT)
        & (second >= limits.second_axis * first)
        & (third >= limits.third_axis * first)
        & (entropy >= limits.dimension * per_axis)
    )

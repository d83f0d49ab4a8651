"""Statistics of a study: intervals over seeds, and paired tests of one variant against another.

Nothing here reads a file. Scores are shares from 0 to 1.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95  # of every interval
SIGNIFICANT = 0.05  # adjusted p-values below this are a difference
DRAWS = 10_000  # of the bootstrap
AT_ONCE = 1 << 16  # videos drawn at a time: what a processor keeps close
TIE = 1e-12  # differences closer than this are the same; sums are not exact

BETTER, WORSE, SAME = "better", "worse", "not distinguishable"


@dataclass(frozen=True)
class Interval:
    """A 95 % interval, as shares."""

    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """The score of a variant minus that of the baseline: share, 95 % interval, two-sided p-value."""

    mean: float
    interval: Interval
    p: float


def interval(values: Sequence[float]) -> Interval | None:
    """Return the 95 % interval of a mean over seeds by Student's t, cut to [0, 1]; None for one value.

    It speaks of the seeds alone: other test videos would move the mean further.

    Args:
        values: One score per seed, as shares.
    """
    if len(values) < 2:
        return None
    from scipy.special import (
        stdtrit,
    )  # half a second to load, which naming a study's folder need not wait for

    mean = statistics.fmean(values)
    half = float(stdtrit(len(values) - 1, (1 + LEVEL) / 2)) * statistics.stdev(values)
    half /= math.sqrt(len(values))
    return Interval(max(0.0, mean - half), min(1.0, mean + half))


def paired_bootstrap(
    variant: np.ndarray, baseline: np.ndarray, digest: str, draws: int = DRAWS
) -> Difference:
    """Test the difference of two variants on the same videos by resampling videos and seeds.

    A draw takes the videos with replacement, the same for both sides, and of each side's n seeds n - 1 with
    replacement: with n the spread over few seeds would come out too small (Rao and Wu, JASA 1988). The
    interval is that of percentiles; the p-value is the share of draws at least as far from the difference
    found as that is from 0 (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 16).

    It is cautious where runs of a variant differ from video to video, which resampling both counts twice. Of
    600 pairs of equal variants, 400 videos, 0 to 4 % were told apart with three seeds at p < 0.05, 0 to 10 %
    with two, the more the larger the spread of the seeds (0 to 5 points).

    Args:
        variant: bool, (seeds, videos): whether a run of the variant got a video right.
        baseline: The same of the baseline; its number of seeds may differ.
        digest: Hexadecimal digits that seed the draws.
        draws: Number of draws.

    Raises:
        ValueError: the two are not about the same number of videos, or there is nothing to resample.
    """
    if variant.shape[1] != baseline.shape[1] or not variant.size or not baseline.size:
        raise ValueError(f"cannot pair predictions of shapes {variant.shape} and {baseline.shape}")
    rng = np.random.Generator(np.random.Philox(key=int(digest, 16)))
    weights = np.hstack([_seed_weights(rng, len(variant), draws), -_seed_weights(rng, len(baseline), draws)])
    # Videos that the same runs got right count as one kind, of which only the number drawn matters.
    kinds, kind = np.unique(np.vstack([variant, baseline]), axis=1, return_inverse=True)
    found = float(variant.mean() - baseline.mean())
    drawn = np.concatenate(
        [
            (_resampled_means(rng, kinds, kind.ravel(), len(part)) * part).sum(axis=1)
            for part in np.array_split(weights, max(1, draws * kind.size // AT_ONCE))
        ]
    )
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    extreme = int((np.abs(drawn - found) >= abs(found) - TIE).sum())
    return Difference(found, Interval(float(low), float(high)), (1 + extreme) / (1 + draws))


def _seed_weights(rng: np.random.Generator, seeds: int, draws: int) -> np.ndarray:
    """Return how much each seed counts in each draw: float, (draws, seeds), each row's sum 1."""
    size = max(1, seeds - 1)
    taken = rng.integers(0, seeds, (draws, size))
    return (taken[:, :, None] == np.arange(seeds)).sum(axis=1) / size


def _resampled_means(rng: np.random.Generator, kinds: np.ndarray, kind: np.ndarray, draws: int) -> np.ndarray:
    """Return each run's mean over resampled videos: float, (draws, runs).

    Args:
        rng: The generator.
        kinds: bool, (runs, kinds): which runs got a kind of video right.
        kind: int, (videos): the kind of each.
        draws: Number of draws.
    """
    taken = kind[rng.integers(0, kind.size, (draws, kind.size), dtype=np.uint32)]
    taken += kinds.shape[1] * np.arange(draws)[:, None]
    counts = np.bincount(taken.ravel(), minlength=draws * kinds.shape[1]).reshape(draws, -1)
    return counts @ kinds.T.astype(float) / kind.size


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for being several, in their order (Holm, Scand. J. of Statistics 1979)."""
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def verdict(difference: float, adjusted: float) -> str:
    """Return ``better``, ``worse`` or ``not distinguishable``, from a difference and its adjusted p-value."""
    if adjusted >= SIGNIFICANT:
        return SAME
    return BETTER if difference > 0 else WORSE

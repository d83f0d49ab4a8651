"""Statistics against known answers, simulations and a slow bootstrap written anew."""

import numpy as np
import pytest

from kinefract.report import statistics as stats
from kinefract.report.statistics import Interval, holm, interval, paired_bootstrap, verdict

DIGEST = "0123456789ab"


def predictions(rng: np.random.Generator, seeds: int, videos: int, spread: float = 0.0) -> np.ndarray:
    """Return made-up right answers: videos differ in difficulty, seeds in skill by ``spread``."""
    difficulty = rng.random(videos)
    skill = spread * rng.standard_normal((seeds, 1))
    return rng.random((seeds, videos)) < difficulty + skill


def test_the_interval_of_three_seeds_is_that_of_a_table_of_t() -> None:
    # t of 2 degrees of freedom at 97.5 % is 4.3027; the standard deviation is 0.1.
    half = 4.302653 * 0.1 / 3**0.5
    found = interval([0.4, 0.5, 0.6])
    assert found == Interval(pytest.approx(0.5 - half, abs=1e-6), pytest.approx(0.5 + half, abs=1e-6))


def test_one_seed_has_no_interval() -> None:
    assert interval([0.5]) is None


def test_an_interval_stays_within_shares() -> None:
    assert interval([0.01, 0.4]) == Interval(0.0, 1.0)


@pytest.mark.parametrize("seeds", [2, 3, 8])
def test_intervals_cover_the_truth_as_often_as_they_say(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    found = [interval(values) for values in rng.normal(0.5, 0.01, (2000, seeds)).tolist()]
    covered = np.mean([ends is not None and ends.low <= 0.5 <= ends.high for ends in found])
    assert covered == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("seeds", [1, 3])
def test_identical_predictions_have_p_1(seeds: int) -> None:
    right = predictions(np.random.default_rng(1), seeds, 100)
    found = paired_bootstrap(right, right, DIGEST)
    assert (found.mean, found.p) == (0.0, 1.0)
    assert found.interval.low <= 0 <= found.interval.high


@pytest.mark.parametrize(("ours", "theirs"), [(1, 1), (3, 3), (4, 2)])
def test_a_slow_plain_bootstrap_gives_equal_numbers(ours: int, theirs: int) -> None:
    rng = np.random.default_rng(2)
    variant, baseline = predictions(rng, ours, 37), predictions(rng, theirs, 37)
    draws = 300
    stream = np.random.Generator(np.random.Philox(key=int(DIGEST, 16)))
    taken = [stream.integers(0, n, (draws, max(1, n - 1))) for n in (ours, theirs)]
    videos = stream.integers(0, 37, (draws, 37), dtype=np.uint32)
    differences = []
    for draw in range(draws):
        sides = []
        for right, seeds in ((variant, taken[0][draw]), (baseline, taken[1][draw])):
            hits = [sum(bool(right[seed, video]) for video in videos[draw]) / 37 for seed in seeds]
            sides.append(sum(hits) / len(hits))
        differences.append(sides[0] - sides[1])
    mean = variant.mean() - baseline.mean()
    extreme = sum(abs(drawn - mean) >= abs(mean) - 1e-12 for drawn in differences)
    found = paired_bootstrap(variant, baseline, DIGEST, draws)
    assert found.mean == pytest.approx(mean)
    assert found.p == pytest.approx((1 + extreme) / (1 + draws))
    low, high = np.percentile(differences, [2.5, 97.5])
    assert (found.interval.low, found.interval.high) == (pytest.approx(low), pytest.approx(high))


def test_how_many_are_drawn_at_a_time_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    variant, baseline = predictions(rng, 3, 101), predictions(rng, 3, 101)
    whole = paired_bootstrap(variant, baseline, DIGEST, 500)
    monkeypatch.setattr(stats, "AT_ONCE", 1000)
    assert paired_bootstrap(variant, baseline, DIGEST, 500) == whole


def test_the_digest_alone_decides_the_draws() -> None:
    rng = np.random.default_rng(4)
    variant, baseline = predictions(rng, 3, 100), predictions(rng, 3, 100)
    first, again = (paired_bootstrap(variant, baseline, DIGEST) for _ in range(2))
    other = paired_bootstrap(variant, baseline, "ba9876543210")
    assert first == again
    assert other != first
    assert other.p == pytest.approx(first.p, abs=0.03)


def test_one_seed_each_gives_the_interval_of_a_paired_difference() -> None:
    rng = np.random.default_rng(5)
    variant, baseline = predictions(rng, 1, 2000), predictions(rng, 1, 2000)
    difference = variant[0].astype(float) - baseline[0]
    half = 1.96 * difference.std() / 2000**0.5
    found = paired_bootstrap(variant, baseline, DIGEST)
    assert found.interval.high - found.interval.low == pytest.approx(2 * half, rel=0.04)


def test_the_spread_over_seeds_counts_in_full() -> None:
    # Runs that are right on all videos or on none: only seeds vary, and the variance of a mean is s² / n.
    variant = np.repeat([[True], [False], [True], [True], [False]], 50, axis=1)
    baseline = np.zeros((5, 50), bool)
    found = paired_bootstrap(variant, baseline, DIGEST, 4000)
    drawn = found.interval.high - found.interval.low
    assert drawn == pytest.approx(2 * 1.96 * (0.3 / 5) ** 0.5, rel=0.15)


@pytest.mark.parametrize("spread", [0.0, 0.03])
def test_equal_variants_are_seldom_told_apart(spread: float) -> None:
    rng = np.random.default_rng(6)
    found = 0
    for number in range(300):
        both = predictions(rng, 10, 150, spread)
        found += paired_bootstrap(both[:5], both[5:], f"{number:x}", 400).p < 0.05
    assert found / 300 < 0.1


def test_a_clear_difference_is_found_and_has_a_sign() -> None:
    rng = np.random.default_rng(7)
    better = rng.random((3, 200)) < 0.7
    worse = rng.random((3, 200)) < 0.4
    up, down = paired_bootstrap(better, worse, DIGEST), paired_bootstrap(worse, better, DIGEST)
    assert up.p == down.p == pytest.approx(1 / 10_001)
    assert up.mean == -down.mean
    assert up.interval.low > 0 > down.interval.high


@pytest.mark.parametrize("shapes", [((3, 10), (3, 11)), ((0, 10), (1, 10)), ((1, 0), (1, 0))])
def test_what_cannot_be_paired_is_refused(shapes: tuple) -> None:
    variant, baseline = (np.zeros(shape, bool) for shape in shapes)
    with pytest.raises(ValueError, match="cannot pair"):
        paired_bootstrap(variant, baseline, DIGEST)


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        # By hand: 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 is 0.02, 0.03, 0.06, 0.04, made not to fall.
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.5, 0.6], [1.0, 1.0]),
        ([0.02, 0.02, 0.02], [0.06, 0.06, 0.06]),
        ([0.04], [0.04]),
        ([], []),
    ],
)
def test_holm_against_a_table_made_by_hand(p_values: list[float], adjusted: list[float]) -> None:
    assert holm(p_values) == pytest.approx(adjusted)


def test_verdicts() -> None:
    assert verdict(0.1, 0.049) == "better"
    assert verdict(-0.1, 0.049) == "worse"
    assert verdict(0.1, 0.05) == "not distinguishable"

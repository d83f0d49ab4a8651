"""Statistics against known answers, simulations, and slow or well-known ones of the same."""

import numpy as np
import pytest
import scipy.stats

from kinefract.report.statistics import (
    Difference,
    Interval,
    holm,
    interval,
    mean_difference,
    paired_difference,
    verdict,
)


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


def test_identical_predictions_have_p_1() -> None:
    right = predictions(np.random.default_rng(1), 3, 100)
    found = paired_difference(right, right)
    assert (found.mean, found.p) == (0.0, 1.0)
    assert found.interval.low <= 0 <= found.interval.high


@pytest.mark.parametrize(("ours", "theirs"), [(3, 3), (4, 2)])
def test_a_slow_analysis_of_variance_by_sums_gives_equal_numbers(ours: int, theirs: int) -> None:
    rng = np.random.default_rng(2)
    sides = predictions(rng, ours, 37, 0.2), predictions(rng, theirs, 37, 0.2)
    seed_parts, left, freedoms = [], [], []
    for right in sides:
        n, videos = right.shape
        hits = [[float(right[seed, video]) for video in range(videos)] for seed in range(n)]
        of_seed = [sum(row) / videos for row in hits]
        of_video = [sum(row[video] for row in hits) / n for video in range(videos)]
        mean = sum(of_seed) / n
        rest = sum(
            (hits[seed][video] - of_seed[seed] - of_video[video] + mean) ** 2
            for seed in range(n)
            for video in range(videos)
        )
        seed_parts.append(sum((score - mean) ** 2 for score in of_seed) / (n - 1) / n)
        left.append(rest / (n - 1) / (videos - 1) / n / videos)
        freedoms.append(n - 1)
    apart = [sum(map(int, sides[0][:, v])) / ours - sum(map(int, sides[1][:, v])) / theirs for v in range(37)]
    mean = sum(apart) / 37
    video_part = sum((value - mean) ** 2 for value in apart) / 36 / 37
    variance = sum(seed_parts) + video_part - sum(left)
    assert variance > max(sum(seed_parts), video_part)
    freedom = variance**2 / (
        sum(part**2 / n for part, n in zip(seed_parts, freedoms, strict=True)) + video_part**2 / 36
    )
    found = paired_difference(*sides)
    student = scipy.stats.t(freedom, scale=variance**0.5)
    assert found.mean == pytest.approx(mean)
    assert found.p == pytest.approx(2 * student.sf(abs(mean)))
    assert found.interval.high - found.mean == pytest.approx(student.ppf(0.975))
    assert found.mean - found.interval.low == pytest.approx(student.ppf(0.975))


def test_where_seeds_agree_it_is_the_paired_t_test_over_videos() -> None:
    rng = np.random.default_rng(5)
    variant, baseline = predictions(rng, 1, 2000), predictions(rng, 1, 2000)
    found = paired_difference(np.repeat(variant, 3, axis=0), np.repeat(baseline, 3, axis=0))
    plain = scipy.stats.ttest_rel(variant[0].astype(float), baseline[0].astype(float))
    assert found.p == pytest.approx(plain.pvalue)
    ends = plain.confidence_interval()
    assert (found.interval.low, found.interval.high) == pytest.approx((ends.low, ends.high))


def test_where_videos_agree_it_is_the_t_test_of_welch_over_seeds() -> None:
    # Runs that are right on all videos or on none: only seeds vary.
    variant = np.repeat([[True], [False], [True], [True], [False]], 50, axis=1)
    baseline = np.repeat([[False], [False], [True]], 50, axis=1)
    found = paired_difference(variant, baseline)
    plain = scipy.stats.ttest_ind([1.0, 0, 1, 1, 0], [0.0, 0, 1], equal_var=False)
    ends = plain.confidence_interval()
    assert found.p == pytest.approx(plain.pvalue)
    assert (found.interval.low, found.interval.high) == pytest.approx((max(-1, ends.low), min(1, ends.high)))


def test_where_nothing_varies_the_difference_is_certain() -> None:
    all_right, none = np.ones((2, 9), bool), np.zeros((3, 9), bool)
    assert paired_difference(all_right, none) == Difference(1.0, Interval(1.0, 1.0), 0.0)
    assert paired_difference(none, none) == Difference(0.0, Interval(0.0, 0.0), 1.0)


@pytest.mark.parametrize("spread", [0.0, 0.02, 0.1])
@pytest.mark.parametrize(("seeds", "videos"), [(2, 200), (3, 200), (2, 3000), (3, 3000), (5, 3000)])
def test_equal_variants_are_told_apart_as_seldom_as_said(seeds: int, videos: int, spread: float) -> None:
    rng = np.random.default_rng(6)
    both = [predictions(rng, 2 * seeds, videos, spread) for _ in range(400)]
    found = sum(paired_difference(right[:seeds], right[seeds:]).p < 0.05 for right in both)
    assert found / 400 < 0.075  # 5 % and 2.3 standard deviations
    assert not spread or found / 400 > 0.01


def test_intervals_cover_the_true_difference() -> None:
    # Half of the videos are a tenth likelier to be right: 0.05 over all videos that could have been drawn.
    rng = np.random.default_rng(8)
    covered = 0
    for _ in range(400):
        difficulty = rng.uniform(0.1, 0.8, 300)
        skill = 0.03 * rng.standard_normal((6, 1))
        harder, easier = difficulty + skill[:3], difficulty + 0.1 * (rng.random(300) < 0.5) + skill[3:]
        found = paired_difference(rng.random((3, 300)) < easier, rng.random((3, 300)) < harder)
        covered += found.interval.low <= 0.05 <= found.interval.high
    assert covered / 400 == pytest.approx(0.955, abs=0.03)


def test_a_clear_difference_is_found_and_has_a_sign() -> None:
    rng = np.random.default_rng(7)
    better = rng.random((3, 200)) < 0.7
    worse = rng.random((3, 200)) < 0.4
    up, down = paired_difference(better, worse), paired_difference(worse, better)
    assert up.p == pytest.approx(down.p)
    assert up.p < 1e-3
    assert up.mean == pytest.approx(-down.mean)
    assert up.interval.low > 0 > down.interval.high


def test_the_mean_over_benchmarks_counts_them_alike_in_any_order() -> None:
    rng = np.random.default_rng(9)
    small = predictions(rng, 3, 40), predictions(rng, 4, 40)
    large = predictions(rng, 3, 900), predictions(rng, 4, 900)
    found = mean_difference([small, large])
    assert found.mean == pytest.approx(
        np.mean([paired_difference(*small).mean, paired_difference(*large).mean])
    )
    assert mean_difference([large, small]).p == pytest.approx(found.p)


def test_where_seeds_agree_the_variance_of_the_mean_is_that_of_separate_t_tests() -> None:
    rng = np.random.default_rng(10)
    single = [(predictions(rng, 1, videos), predictions(rng, 1, videos)) for videos in (90, 212)]
    found = mean_difference([tuple(np.repeat(right, 3, axis=0) for right in pair) for pair in single])
    errors = np.array([scipy.stats.sem(ours[0].astype(float) - theirs[0]) for ours, theirs in single])
    freedom = sum(errors**2) ** 2 / sum(errors**4 / np.array([89, 211]))
    half = scipy.stats.t(freedom).ppf(0.975) * sum(errors**2) ** 0.5 / 2
    assert found.interval.high - found.mean == pytest.approx(half)


def test_where_videos_agree_the_mean_over_benchmarks_is_a_t_test_of_means_of_seeds() -> None:
    # A seed is right on all videos of a benchmark or on none, so that only seeds vary, and they go together.
    ours, theirs = [[1, 1], [0, 1], [1, 0], [1, 1]], [[0, 0], [0, 1], [0, 0]]
    pairs = [
        tuple(np.repeat([[bool(seed[number])] for seed in side], 50, axis=1) for side in (ours, theirs))
        for number in (0, 1)
    ]
    plain = scipy.stats.ttest_ind(np.mean(ours, axis=1), np.mean(theirs, axis=1), equal_var=False)
    assert mean_difference(pairs).p == pytest.approx(plain.pvalue)


@pytest.mark.parametrize("spread", [0.0, 0.05])
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_equal_variants_on_three_benchmarks_are_told_apart_as_seldom_as_said(
    seeds: int, spread: float
) -> None:
    rng = np.random.default_rng(11)
    found = 0
    for _ in range(400):
        skill = spread * rng.standard_normal((2 * seeds, 1))  # of a pre-training, on all benchmarks
        both = [rng.random((2 * seeds, videos)) < rng.random(videos) + skill for videos in (90, 96, 212)]
        found += mean_difference([(right[:seeds], right[seeds:]) for right in both]).p < 0.05
    assert found / 400 < 0.075
    assert not spread or found / 400 > 0.01


def test_other_seeds_on_each_benchmark_are_refused() -> None:
    pairs = [
        (np.zeros((3, 9), bool), np.zeros((2, 9), bool)),
        (np.zeros((2, 9), bool), np.zeros((2, 9), bool)),
    ]
    with pytest.raises(ValueError, match="other seeds"):
        mean_difference(pairs)


@pytest.mark.parametrize("shapes", [((3, 10), (3, 11)), ((1, 10), (2, 10)), ((2, 1), (2, 1))])
def test_what_cannot_be_paired_is_refused(shapes: tuple) -> None:
    variant, baseline = (np.zeros(shape, bool) for shape in shapes)
    with pytest.raises(ValueError, match="cannot pair"):
        paired_difference(variant, baseline)


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


def test_seeds_and_videos_of_several_benchmarks_add_up_as_the_analysis_of_variance_says() -> None:
    rng = np.random.default_rng(2)
    pairs = [(predictions(rng, 3, videos, 0.2), predictions(rng, 4, videos, 0.2)) for videos in (37, 60)]
    parts, left = [], 0.0
    for side in zip(*pairs, strict=True):
        means = np.mean([right.mean(axis=1) for right in side], axis=0)
        parts.append((means.var(ddof=1) / len(means), len(means) - 1))
        for right in side:
            rest = right - right.mean(axis=1, keepdims=True) - right.mean(axis=0) + right.mean()
            left += (rest**2).sum() / (len(right) - 1) / (right.shape[1] - 1) / right.size / 4
    for ours, theirs in pairs:
        apart = ours.mean(axis=0) - theirs.mean(axis=0)
        parts.append((apart.var(ddof=1) / len(apart) / 4, len(apart) - 1))
    variance = sum(part for part, _ in parts) - left
    assert variance > max(sum(part for part, _ in parts[:2]), sum(part for part, _ in parts[2:]))
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
    found = mean_difference(pairs)
    half = scipy.stats.t(freedom).ppf(0.975) * variance**0.5
    assert found.interval.high - found.mean == pytest.approx(half)

"""Figures of clips whose answers are known."""

import math

import numpy as np
import pytest

from kinefract.cards import measure


def noise(exponent: float, side: int, count: int = 8, seed: int = 0) -> np.ndarray:
    """Make pictures of random phase whose amplitude falls as 1/f^exponent."""
    cycles = np.fft.fftfreq(side) * side
    frequency = np.hypot(cycles[:, None], cycles)
    frequency[0, 0] = 1
    white = np.random.default_rng(seed).standard_normal((count, side, side))
    pictures = np.fft.ifft2(np.fft.fft2(white) / frequency**exponent).real
    return (128 + 35 * pictures / pictures.std()).clip(0, 255).round().astype(np.uint8)


def shifted(down: int, right: int, side: int = 64, count: int = 5) -> np.ndarray:
    """Make a clip of a picture that moves on by whole pixels."""
    world = noise(1.3, 128, 1)[0]
    start = 32
    return np.stack(
        [
            world[start - t * down : start - t * down + side, start - t * right : start - t * right + side]
            for t in range(count)
        ]
    )


@pytest.fixture
def still() -> np.ndarray:
    return np.repeat(noise(1.0, 48, 1), 8, axis=0)


def test_a_still_clip(still):
    assert measure.frame_diversity(still) == 0
    assert measure.ssim(still) == pytest.approx(1, abs=1e-6)
    assert measure.block_motion(still) == 0
    assert measure.scene_cuts(still) == 0
    with pytest.raises(measure.Unmeasurable, match="nothing moves"):
        measure.viideo(still)


def test_diversity_is_the_mean_distance_of_all_pairs():
    black, white = np.zeros((16, 16), np.uint8), np.full((16, 16), 255, np.uint8)
    assert measure.frame_diversity(np.stack([black, white])) == 1
    assert measure.frame_diversity(np.stack([black, white, black])) == pytest.approx(2 / 3)
    coloured = np.random.default_rng(1).integers(0, 256, (5, 6, 7, 3), np.uint8)
    distances = []
    for i in range(5):
        for j in range(i):
            squares = [
                (int(a) - int(b)) ** 2 for a, b in zip(coloured[i].flat, coloured[j].flat, strict=True)
            ]
            distances.append(math.sqrt(sum(squares) / len(squares)) / 255)
    assert measure.frame_diversity(coloured) == pytest.approx(sum(distances) / len(distances), rel=1e-5)


def test_similarity_is_that_of_its_definition():
    """Wang et al. 2004: windows of 11 x 11 pixels, weighted by a Gaussian, K1 0.01, K2 0.03."""
    first, second = shifted(1, 2, side=20, count=2).astype(float)
    weights = [[math.exp(-(y * y + x * x) / (2 * 1.5**2)) for x in range(-5, 6)] for y in range(-5, 6)]
    weights = np.array(weights) / np.sum(weights)
    least_mean, least_spread = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    found = []
    for y in range(10):
        for x in range(10):
            a, b = first[y : y + 11, x : x + 11], second[y : y + 11, x : x + 11]
            mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
            spread_a = (weights * (a - mean_a) ** 2).sum()
            spread_b = (weights * (b - mean_b) ** 2).sum()
            common = (weights * (a - mean_a) * (b - mean_b)).sum()
            means = (2 * mean_a * mean_b + least_mean) / (mean_a**2 + mean_b**2 + least_mean)
            found.append(means * (2 * common + least_spread) / (spread_a + spread_b + least_spread))
    assert measure.ssim(shifted(1, 2, side=20, count=2)) == pytest.approx(np.mean(found), rel=1e-4)


def test_more_change_is_less_similar():
    slow, fast = measure.ssim(shifted(0, 1)), measure.ssim(shifted(0, 4))
    assert -1 <= fast < slow < 1


@pytest.mark.parametrize(("down", "right"), [(0, 1), (3, 0), (0, -5), (2, 2)])
def test_a_shift_moves_blocks_by_as_much(down, right):
    frames = shifted(down, right)
    assert measure.block_motion(frames) == pytest.approx(math.hypot(down, right) / 64, rel=0.02)
    coloured = np.repeat(frames[..., None], 3, axis=3)
    assert measure.block_motion(coloured) == measure.block_motion(frames)


def test_motion_beyond_reach_counts_as_no_more_than_that():
    assert measure.block_motion(shifted(0, 7)) <= 7 * math.sqrt(2) / 64


def test_what_grows_brighter_does_not_move():
    frames = np.repeat(np.arange(0, 200, 20, dtype=np.uint8), 64 * 64).reshape(10, 64, 64)
    assert measure.block_motion(frames) == 0


def test_a_hard_cut_is_one_cut():
    dark, light = noise(1.0, 64, 1) // 2, 128 + noise(1.0, 64, 1, seed=1) // 2
    frames = np.concatenate([np.repeat(dark, 6, axis=0), np.repeat(light, 6, axis=0)])
    assert measure.scene_cuts(frames) == 1
    assert measure.scene_cuts(np.concatenate([frames, frames])) == 3
    assert measure.scene_cuts(shifted(1, 1)) == 0


def test_viideo_is_the_same_on_every_numpy():
    assert measure.viideo(shifted(1, 1, side=80, count=12)) == pytest.approx(0.41428, rel=1e-3)  # numpy 2.2.6


@pytest.mark.parametrize(
    ("function", "frames", "side", "words"),
    [
        (measure.viideo, 3, 64, "wants 4 frames, there are 3"),
        (measure.viideo, 8, 19, "wants 20 pixels a side, there are 19"),
        (measure.ssim, 1, 64, "wants 2 frames"),
        (measure.ssim, 2, 15, "wants 16 pixels"),
        (measure.block_motion, 1, 64, "wants 2 frames"),
        (measure.frame_diversity, 1, 64, "wants 2 frames"),
        (measure.spectral_exponent, 1, 8, "wants 16 pixels"),
    ],
)
def test_clips_too_short_or_small_are_refused_with_the_limit(function, frames, side, words):
    clip = np.random.default_rng(0).integers(0, 256, (frames, side, side), np.uint8)
    with pytest.raises(measure.Unmeasurable, match=words):
        function(clip)


def test_the_smallest_clips_that_are_measured():
    clip = np.random.default_rng(0).integers(0, 256, (4, 20, 20), np.uint8)
    assert math.isfinite(measure.viideo(clip))
    smallest = clip[:2, :16, :16]
    for function in (measure.ssim, measure.block_motion, measure.spectral_exponent):
        assert math.isfinite(function(smallest))


def test_lit_area():
    frames = np.zeros((2, 10, 10), np.uint8)
    frames[:, :5] = 200
    frames[:, 5:] = 16  # what coding leaves of black
    assert measure.lit_area(frames) == 0.5
    assert measure.lit_area(np.repeat(frames[..., None], 3, axis=3)) == 0.5


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 1.3])
@pytest.mark.parametrize("side", [64, 128])
def test_the_spectrum_has_the_exponent_it_was_made_with(exponent, side):
    assert measure.spectral_exponent(noise(exponent, side)) == pytest.approx(exponent, abs=0.08)


def test_no_spectrum_without_contrast():
    with pytest.raises(measure.Unmeasurable, match="contrast"):
        measure.spectral_exponent(np.full((3, 32, 32), 90, np.uint8))


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((10, 10, 10), (2.74, 0, 0)),
    ],
)
def test_colours_in_cielab(rgb, lab):
    frames = np.tile(np.array(rgb, np.uint8), (2, 4, 4, 1))
    *means, of_lightness, of_colour = measure.colour(frames)
    assert means == pytest.approx(lab, abs=0.02)
    assert (of_lightness, of_colour) == pytest.approx((0, 0), abs=1e-9)


def test_spread_of_colour_is_over_pixels():
    frames = np.zeros((1, 2, 2, 3), np.uint8)
    frames[0, 0] = 255
    lightness, red, yellow, of_lightness, of_colour = measure.colour(frames)
    assert (lightness, of_lightness) == pytest.approx((50, 50))
    assert (red, yellow, of_colour) == pytest.approx((0, 0, 0), abs=1e-9)
    assert measure.colour(frames[..., 0]) == pytest.approx(measure.colour(frames))


def test_colourfulness():
    grey = noise(1.0, 32, 2)
    assert measure.colourfulness(grey) == 0
    assert measure.colourfulness(np.repeat(grey[..., None], 3, axis=3)) == 0
    red = np.tile(np.array([255, 0, 0], np.uint8), (1, 8, 8, 1))
    assert measure.colourfulness(red) == pytest.approx(0.3 * math.hypot(255, 127.5))
    halves = red.copy()
    halves[:, 4:] = [0, 255, 0]  # red-green is +-255, yellow-blue 127.5 throughout
    assert measure.colourfulness(halves) == pytest.approx(255 + 0.3 * 127.5)


def test_scale_is_the_centre_square_and_never_larger():
    frames = np.zeros((2, 40, 60), np.uint8)
    frames[:, :, 10:50] = 80
    square = measure.at_scale(frames, 20)
    assert square.shape == (2, 20, 20) and (square == 80).all()
    assert measure.at_scale(frames, 128).shape == (2, 40, 40)
    assert measure.at_scale(np.zeros((2, 300, 200, 3), np.uint8)).shape == (2, 128, 128, 3)


def test_every_figure_is_found_or_said_to_be_absent():
    found, absent = measure.measure(shifted(1, 0))
    assert found.keys() == measure.FIGURES.keys() and not absent
    found, absent = measure.measure(np.full((1, 8, 8), 40, np.uint8))
    assert found.keys() | absent.keys() == measure.FIGURES.keys()
    assert not found.keys() & absent.keys()
    assert absent["viideo"] == "wants 4 frames, there are 1"


def test_grey_and_the_same_in_rgb_have_the_same_figures():
    grey = shifted(1, 2)
    first, _ = measure.measure(grey)
    second, _ = measure.measure(np.repeat(grey[..., None], 3, axis=3))
    assert first == pytest.approx(second, abs=1e-6)


def test_numpy_is_left_as_it_was():
    before = hasattr(np, "int"), hasattr(np, "float")
    with pytest.raises(RuntimeError), measure.scikit_video():
        assert np.int is int and np.float is float  # noqa: NPY001
        raise RuntimeError
    assert (hasattr(np, "int"), hasattr(np, "float")) == before

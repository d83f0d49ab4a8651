"""Figures of a set of clips: known distances between frames, and between distributions of colours."""

import math

import numpy as np
import pytest
from PIL import Image

from kinefract.cards import card, diversity
from kinefract.cards.measure import Unmeasurable


def flat(level, size=32):
    return np.full((4, size, size), level, np.uint8)


def figures(**changed):
    """Return the figures of a card that the distance of frames is made of."""
    means = {"spectral_exponent": 1.2, "lightness": 50.0, "green_red": 2.0, "blue_yellow": 5.0}
    spreads = {"lightness_spread": 20.0, "colour_spread": 10.0}
    known = {name: {"mean": mean, "std": 0.5} for name, mean in (means | spreads).items()}
    return known | {name: known[name] | values for name, values in changed.items()}


def test_diversity_is_the_mean_distance_over_pairs_of_clips():
    assert diversity.clip_diversity([diversity.thumbnail(flat(level)) for level in (0, 51, 255)]) == (
        pytest.approx((0.2 + 0.8 + 1) / 3)
    )
    assert diversity.clip_diversity([diversity.thumbnail(flat(90))] * 3) == 0


def test_a_thumbnail_is_the_middle_frame_in_colour():
    clip = np.zeros((5, 64, 64, 3), np.uint8)
    clip[2, :, 32:] = (10, 200, 30)
    small = diversity.thumbnail(clip)
    assert small.shape == (16, 16, 3)
    assert (small[:, 8:] == (10, 200, 30)).all() and not small[:, :8].any()


def test_one_clip_has_no_diversity():
    with pytest.raises(Unmeasurable, match="wants 2 clips, there is 1"):
        diversity.clip_diversity([diversity.thumbnail(flat(90))])
    assert card.summary([flat(90)])["clip_diversity"]["why"] == "wants 2 clips, there is 1"


def test_a_cards_diversity_is_that_of_its_clips():
    clips = [flat(0), flat(51), flat(255)]
    assert card.summary(clips)["clip_diversity"] == {"mean": 0.666667, "std": None, "clips": 3}


def test_frames_that_are_alike_have_no_distance_and_it_is_the_same_both_ways():
    other = figures(lightness={"mean": 61.0}, colour_spread={"mean": 25.0})
    assert diversity.frame_distance(figures(), figures()) == 0
    there, back = diversity.frame_distance(figures(), other), diversity.frame_distance(other, figures())
    assert there == pytest.approx(back) and there > 0


def test_the_distance_is_the_symmetric_divergence_of_normal_distributions():
    # L*: variance 0.5**2 + 20**2 on both sides, means 10 apart.
    brighter = figures(lightness={"mean": 60.0})
    assert diversity.frame_distance(figures(), brighter) == pytest.approx(10**2 / (0.5**2 + 20**2) / 2)
    # The exponent varies between clips alone; KL(p, q) = ln(t / s) + (s**2 + d**2) / (2 t**2) - 1/2.
    steeper = figures(spectral_exponent={"mean": 1.5, "std": 0.25})
    kl = math.log(0.25 / 0.5) + (0.5**2 + 0.3**2) / (2 * 0.25**2) - 0.5
    lk = math.log(0.5 / 0.25) + (0.25**2 + 0.3**2) / (2 * 0.5**2) - 0.5
    assert diversity.frame_distance(figures(), steeper) == pytest.approx((kl + lk) / 2)


def test_grey_clips_are_at_a_finite_distance_and_unmeasured_ones_at_none():
    none = {"mean": 0.0, "std": 0.0}
    grey = figures(green_red=none, blue_yellow=none, colour_spread=none)
    assert 1 < diversity.frame_distance(grey, figures()) < 100
    assert diversity.frame_distance(figures(spectral_exponent={"mean": None}), figures()) is None


def test_noise_is_farther_from_a_blurred_picture_than_another_blurred_one():
    rng = np.random.default_rng(0)

    def clips(blurred):
        for _ in range(4):
            levels = rng.integers(256, size=(64, 64, 3), dtype=np.uint8)
            size = (8, 8) if blurred else (64, 64)
            picture = Image.fromarray(levels).resize(size, Image.Resampling.BOX)
            yield np.asarray(picture.resize((64, 64), Image.Resampling.BICUBIC))[None].repeat(4, axis=0)

    smooth, other, noise = (card.summary(clips(blurred)) for blurred in (True, True, False))
    assert 5 * diversity.frame_distance(smooth, other) < diversity.frame_distance(smooth, noise)

"""Crops stay inside, keep to their ranges, and show what they cut out."""

import numpy as np
import torch

from kinefract.augment.crop import centre_crop, random_box, random_resized_crop, resize


def rng(seed=0):
    return np.random.Generator(np.random.Philox(seed))


def test_boxes_are_inside_and_keep_area_and_aspect():
    draws = rng()
    for _ in range(500):
        top, left, height, width = random_box(120, 160, (0.2, 0.9), (0.75, 1.333), draws)
        assert top >= 0 and left >= 0 and top + height <= 120 and left + width <= 160
        assert 0.19 <= height * width / (120 * 160) <= 0.91
        assert 0.72 <= width / height <= 1.38


def test_a_crop_that_cannot_fit_falls_back_to_the_largest_centred_box():
    assert random_box(100, 10, (1.0, 1.0), (1.0, 1.0), rng()) == (45, 0, 10, 10)


def test_the_whole_frame_comes_back_unchanged():
    frames = rng().integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    clip = random_resized_crop(frames, 32, (1.0, 1.0), (1.0, 1.0), rng())
    assert np.array_equal(clip.permute(0, 2, 3, 1).numpy(), frames)


def test_all_frames_of_a_clip_are_cropped_alike():
    frame = rng().integers(0, 256, (40, 60), dtype=np.uint8)
    clip = random_resized_crop(np.stack([frame] * 4), 32, (0.3, 0.6), (0.75, 1.333), rng(5))
    assert clip.shape == (4, 1, 32, 32) and clip.dtype == torch.uint8
    assert all(torch.equal(clip[0], other) for other in clip[1:])


def test_centre_crop_keeps_the_centre():
    frames = np.zeros((2, 64, 100), np.uint8)
    frames[:, 28:36, 46:54] = 255  # a square around the centre
    clip = centre_crop(frames, 64, 32)
    assert clip.shape == (2, 1, 32, 32)
    lit = clip[0, 0].nonzero().float().mean(0)
    assert torch.allclose(lit, torch.tensor([15.5, 15.5]))


def test_resizing_keeps_a_constant_and_the_mean():
    constant = np.full((1, 50, 70), 77, np.uint8)
    assert resize(constant, 32, 32).unique().tolist() == [77]
    ramp = np.tile(np.linspace(0, 200, 64).astype(np.uint8), (1, 64, 1))
    assert abs(resize(ramp, 16, 16).float().mean().item() - ramp.mean()) < 1


def test_area_is_the_mean_over_what_a_pixel_covers():
    frames = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4) * 7
    means = frames.reshape(2, 2, 2, 2, 2).mean((2, 4))
    assert np.abs(resize(frames, 2, 2, "area")[:, 0].numpy() - means).max() <= 0.5
    assert not torch.equal(resize(frames, 2, 2, "area"), resize(frames, 2, 2))

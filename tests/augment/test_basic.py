"""Batched augmentations: each clip has its own draws, and each effect does what it says."""

import numpy as np
import torch

from kinefract.augment.basic import IMAGENET_MEAN, IMAGENET_STD, augment, blur, mirror, normalise


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(clips=6, channels=3):
    return torch.randint(0, 256, (clips, 4, channels, 16, 16), generator=generator(), dtype=torch.uint8)


def test_probability_zero_is_normalisation_alone():
    clips = batch()
    expected = (clips.numpy() / 255 - np.reshape(IMAGENET_MEAN, (3, 1, 1))) / np.reshape(
        IMAGENET_STD, (3, 1, 1)
    )
    assert np.allclose(augment(clips, 0, 0, generator()).numpy(), expected, atol=1e-5)


def test_grey_clips_become_three_equal_channels_before_normalising():
    grey = batch(channels=1)
    assert torch.equal(normalise(grey), normalise(grey.expand(-1, -1, 3, -1, -1)))


def test_mirror_turns_the_chosen_clips_whole():
    clips, chosen = batch(3), torch.tensor([True, False, True])
    out = mirror(clips, chosen)
    assert torch.equal(out[0], clips[0].flip(-1))
    assert torch.equal(out[1], clips[1])
    assert torch.equal(out[2], clips[2].flip(-1))


def test_blur_equals_a_plain_convolution():
    clips, sigma = torch.rand(2, 1, 1, 9, 9, generator=generator()), torch.tensor([0.7, 0.0])
    out = blur(clips, sigma)
    weights = np.exp(-0.5 * (np.array([-1, 0, 1]) / 0.7) ** 2)
    kernel = np.outer(weights, weights) / weights.sum() ** 2
    padded = np.pad(clips[0, 0, 0].numpy(), 1, mode="reflect")
    expected = [[(padded[y : y + 3, x : x + 3] * kernel).sum() for x in range(9)] for y in range(9)]
    assert np.allclose(out[0, 0, 0].numpy(), expected, atol=1e-5)
    assert torch.equal(out[1], clips[1])


def test_clips_of_a_batch_get_draws_of_their_own_from_the_generator_alone():
    clips = batch(64)[:1].expand(64, -1, -1, -1, -1).contiguous()
    out = augment(clips, 0.5, 0.0, generator(1))
    mirrored = sum(torch.equal(clip, normalise(clips[:1].flip(-1))[0]) for clip in out)
    assert 16 <= mirrored <= 48  # binomial, p = 0.5: eight standard deviations around 32
    assert torch.equal(out, augment(clips, 0.5, 0.0, generator(1)))
    assert not torch.equal(out, augment(clips, 0.5, 0.0, generator(2)))

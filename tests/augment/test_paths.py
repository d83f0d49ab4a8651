"""Paths, zooms and shakes of known settings: how far, how long, how often."""

import torch

from kinefract.augment import paths
from kinefract.augment.effects import Displacement, Shake, Zoom


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def test_a_path_is_at_rest_before_and_after():
    recipe = Displacement(p=1.0, speed=(0.2, 1.0), share=(0.1, 1.0))
    moved = paths.displacement(400, 8, 112, recipe, 1.0, generator()).diff(dim=1).norm(dim=-1) > 1e-6
    counts = moved.sum(1)
    assert counts.min() == 1 and counts.max() == 7  # at least two frames, up to all
    for row in moved.int().tolist():
        assert "101" not in "".join(map(str, row))  # one stretch
    slow = Displacement(p=1.0, speed=(0.0, 0.0), share=(1.0, 1.0))
    steps = paths.displacement(3, 8, 112, slow, 0.0, generator()).diff(dim=1).norm(dim=-1)
    assert torch.allclose(steps, torch.tensor(1 / 112))  # a pixel per frame at least


def test_shake_has_the_stated_deviation():
    for progress, low, high in ((0.0, 1.0, 2.0), (1.0, 2.0, 4.0)):
        path = paths.shake(300, 8, Shake(p=1.0), progress, generator()) * 112
        deviation = path.std(1, unbiased=False)
        assert low - 1e-4 <= deviation.min() < low + 0.1 and high - 0.1 < deviation.max() <= high + 1e-4
        assert path.mean(1).abs().max() < 1e-4


def test_a_moving_background_wanders_a_frame_at_a_time_in_its_window():
    walk = paths.lazy_walk(500, 8, 0.5, generator())
    assert walk.min() == 0 and walk.max() == 7
    assert walk.diff(dim=1).abs().max() == 1
    width = walk.amax(1) - walk.amin(1) + 1
    assert width.max() == 4 and (width == 1).float().mean() < 0.2


def test_a_path_is_at_its_place_half_way():
    path = paths.displacement(50, 8, 112, Displacement(p=1.0), 1.0, generator())
    assert torch.allclose(path[:, 0], -path[:, -1], atol=1e-7)
    assert path[:, 0].abs().amax() > 0.2


def test_zoom_is_as_fast_as_the_curriculum_allows():
    steady = Zoom(p=1.0, share=(1.0, 1.0), out=0.0)
    ends = [paths.zoom(2000, 8, steady, progress, generator())[:, -1] - 1 for progress in (0.0, 0.5, 1.0)]
    assert torch.allclose(ends[0], torch.tensor(0.3 * 7 / 8))
    for end, most in zip(ends[1:], (0.65, 1.0), strict=True):
        assert 0.3 * 7 / 8 <= end.min() < 0.32 and most - 0.14 < end.max() <= most * 7 / 8 + 1e-6


def test_zoom_rests_before_and_after():
    factors = paths.zoom(400, 8, Zoom(p=1.0, out=0.0), 1.0, generator())
    moved = (factors.diff(dim=1) > 1e-6).sum(1)
    assert moved.min() == 1 and moved.max() == 7
    assert (factors[:, 0] == 1).all() and (factors.diff(dim=1) >= 0).all()


def off_a_sine(path):
    """Return how far steps along the last axis are from those of one sine, as a share of their size."""
    # A sine is the mean of its neighbours times a constant; steps have no part of the path's mean.
    steps = path.diff(dim=-1)
    middle, sides = steps[..., 1:-1], steps[..., :-2] + steps[..., 2:]
    constant = (middle * sides).sum(-1, keepdim=True) / (middle**2).sum(-1, keepdim=True)
    return (sides - constant * middle).norm(dim=-1) / steps.norm(dim=-1)


def shaken(clips, frames, **settings):
    return paths.shake(clips, frames, Shake(p=1.0, **settings), 1.0, generator()).transpose(1, 2)


def test_one_wave_without_noise_is_a_sine_of_the_stated_frequency():
    path = shaken(20, 8, waves=(1, 1), noise=0.0, frequency=(0.25, 0.25))  # (B, 2, T)
    assert torch.allclose(path[..., 2:], -path[..., :-2], atol=1e-6)
    # Each axis has a phase of its own, or the camera would shake on a line.
    assert torch.linalg.svdvals(path)[:, 1].median() > 0.01


def test_noise_is_added_to_the_waves():
    assert off_a_sine(shaken(50, 16, waves=(1, 1), noise=0.0, frequency=(0.2, 0.2))).max() < 1e-3
    assert off_a_sine(shaken(50, 16, waves=(1, 1), noise=0.3, frequency=(0.2, 0.2))).min() > 0.01


def test_the_number_of_waves_is_drawn():
    single = off_a_sine(shaken(500, 16, waves=(1, 5), noise=0.0, frequency=(0.1, 0.4))) < 1e-3
    assert 0.15 < single.float().mean() < 0.25  # a fifth have one
    assert not (off_a_sine(shaken(100, 16, waves=(2, 5), noise=0.0, frequency=(0.1, 0.4))) < 1e-3).any()


def test_later_waves_weigh_less():
    path = shaken(100, 512, waves=(5, 5), noise=0.0, frequency=(0.05, 0.45))
    power = torch.fft.rfft(path * torch.hann_window(512)).abs() ** 2  # (B, 2, 257)
    near = (torch.arange(257) - power.argmax(-1, keepdim=True)).abs() <= 2
    strongest = (power * near).sum(-1) / power.sum(-1)
    # 1 / (1 + 1/4 + 1/9 + 1/16 + 1/25), or 1/5 if all weighed the same.
    assert abs(strongest.median() - 0.683) < 0.05

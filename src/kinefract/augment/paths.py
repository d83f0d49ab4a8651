"""Movements of clip, background and camera over the frames, drawn per clip from a generator on the CPU."""

import math

import torch
from torch import Generator, Tensor

from kinefract.augment.effects import Displacement, Shake, Zoom, scheduled

LEAST_MOVED = 2  # frames


def uniform(shape: tuple[int, ...] | int, low: float, high: float, generator: Generator) -> Tensor:
    """Draw float32 U[low, high]."""
    return low + (high - low) * torch.rand(shape, generator=generator)


def chosen(count: int, p: float, generator: Generator) -> Tensor:
    """Draw bool (count,), each true with probability ``p``."""
    return torch.rand(count, generator=generator) < p


def ramp(
    count: int, frames: int, share: tuple[float, float], progress: float, generator: Generator
) -> Tensor:
    """Draw when a movement happens: rest, then one step per frame, then rest.

    Args:
        count: B, number of clips.
        frames: T.
        share: Share of the frames with movement, at least 2 frames. It is drawn between the first value and
            an upper limit that grows with the curriculum.
        progress: Progress of the curriculum, 0 to 1.
        generator: A generator on the CPU.

    Returns:
        float32 (B, T), the number of steps made so far, from 0.
    """
    moved = (uniform(count, share[0], scheduled(share, progress), generator) * frames).round()
    moved = moved.clamp(min(LEAST_MOVED, frames), frames)
    start = (torch.rand(count, generator=generator) * (frames - moved + 1)).floor()
    return (torch.arange(frames) - start[:, None]).clamp_min(0).minimum(moved[:, None] - 1)


def displacement(
    count: int, frames: int, size: int, recipe: Displacement, progress: float, generator: Generator
) -> Tensor:
    """Draw straight paths, each centred on the clip's place: float32 (B, T, 2) in heights, x and y.

    A path covers at least a pixel per frame while it moves.
    """
    speed = uniform(count, recipe.speed[0], scheduled(recipe.speed, progress), generator) / frames
    steps = ramp(count, frames, recipe.share, progress, generator)
    angle = uniform(count, 0, 2 * math.pi, generator)
    length = speed.clamp_min(1 / size)[:, None] * (steps - steps[:, -1:] / 2)
    path = torch.stack([length * angle.cos()[:, None], length * angle.sin()[:, None]], -1)
    return path * chosen(count, recipe.p, generator)[:, None, None]


def zoom(count: int, frames: int, recipe: Zoom, progress: float, generator: Generator) -> Tensor:
    """Draw factors of enlargement: float32 (B, T), rising from 1 or falling to 1."""
    speed = uniform(count, recipe.speed[0], scheduled(recipe.speed, progress), generator) / frames
    factors = 1 + speed[:, None] * ramp(count, frames, recipe.share, progress, generator)
    factors = torch.where(chosen(count, recipe.out, generator)[:, None], factors.flip(1), factors)
    return torch.where(chosen(count, recipe.p, generator)[:, None], factors, 1.0)


def shake(count: int, frames: int, recipe: Shake, progress: float, generator: Generator) -> Tensor:
    """Draw a shaking camera: float32 (B, T, 2) in heights, x and y.

    Each axis is a sum of sines of one phase with weights 1, 1/2, ..., plus noise. The sum is scaled to a
    deviation that is drawn in pixels of a 112 px frame.
    """
    most = recipe.waves[1]
    waves = torch.randint(recipe.waves[0], most + 1, (count, 2, 1), generator=generator)
    weights = (1.0 / torch.arange(1, most + 1)) * (torch.arange(most) < waves)  # (B, 2, most)
    frequency = uniform((count, 2, most), *recipe.frequency, generator)
    phase = uniform((count, 2, 1, 1), 0, 2 * math.pi, generator)
    angles = 2 * math.pi * frequency[..., None] * torch.arange(frames) + phase
    path = (weights[..., None] * angles.sin()).sum(2)  # (B, 2, T)
    path = path + uniform((count, 2, frames), -recipe.noise, recipe.noise, generator)
    path = path - path.mean(-1, keepdim=True)
    spread = path.std(-1, keepdim=True, unbiased=False).clamp_min(1e-6)
    wanted = uniform(
        (count, 2, 1), scheduled(recipe.least, progress), scheduled(recipe.most, progress), generator
    )
    path = path / spread * wanted / 112
    return path.transpose(1, 2) * chosen(count, recipe.p, generator)[:, None, None]


def lazy_walk(count: int, frames: int, window: float, generator: Generator) -> Tensor:
    """Draw a random walk over frame numbers, inside a window of a few frames.

    Each number is the one before it or a neighbour of that.

    Args:
        count: B, number of clips.
        frames: T, the number of frames of the clip and of the walk.
        window: Greatest length of the window as a share of T; the window has at least 2 frames.
        generator: A generator on the CPU.

    Returns:
        int64 (B, T), 0 to T - 1.
    """
    most = max(min(LEAST_MOVED, frames), round(window * frames))
    width = torch.randint(min(LEAST_MOVED, frames), most + 1, (count,), generator=generator)
    first = (torch.rand(count, generator=generator) * (frames - width + 1)).long()
    place = (torch.rand(count, generator=generator) * width).long()
    steps = torch.randint(-1, 2, (count, frames), generator=generator)
    places = []
    for step in steps.unbind(1):
        place = (place + step).clamp_min(0).minimum(width - 1)
        places.append(place)
    return first[:, None] + torch.stack(places, 1)

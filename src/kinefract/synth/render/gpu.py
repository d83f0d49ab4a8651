"""Iterated function systems to counts of points on a GPU: the measure of ``render``, for many frames.

The chaos game in torch operations, a step at a time for all chains of all frames. On a CUDA device all of a
step but the counting is compiled into one kernel; elsewhere it runs as written.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from kinefract.synth.render.cpu import FAR, OFTEN, TABLE, map_tables
from kinefract.synth.render.flame_torch import Point, vary

SPARE = 4096  # cells after the images that take the points outside, so that they do not queue for one


def render(
    coefficients: np.ndarray,
    probabilities: np.ndarray,
    windows: np.ndarray,
    size: int,
    keys: np.ndarray,
    device: torch.device | str,
    chains: int = 2048,
    steps: int = 490,
    discard: int = 32,
    variation: int = 0,
) -> Tensor:
    """Count the points of a chaos game for many frames (arXiv 2411.17584, section 3).

    More and shorter chains than on a CPU fill a GPU and draw the same measure, since a chain forgets its
    start within tens of steps.

    Args:
        coefficients: (F, N, 6), the maps of every frame, of however many clips; rows of maps with
            probability 0 fill up systems of fewer maps.
        probabilities: (F, N), each row summing to 1; rounded to 1/4096.
        windows: (F, 4), left, bottom, right and top of what each frame shows.
        size: Height and width in pixels.
        keys: uint64 (F,), the random key of every frame.
        device: Where the game is played; a frame's counts depend on its row alone, and on the device's
            rounding.
        chains, steps, discard: Chains per frame, steps of each, steps at the start that are not counted.
        variation: Number of the flame variation that follows every map; 0 for none.

    Returns:
        int32 (F, size, size) on the device: visits of every pixel; a frame whose system explodes is empty.
    """
    frames = len(coefficients)
    maps = torch.as_tensor(coefficients, dtype=torch.float32, device=device).reshape(-1, 6)
    tables = torch.as_tensor(map_tables(probabilities), device=device).reshape(-1)
    low, high = np.split(np.asarray(windows, float), 2, axis=1)
    scale = size / (high - low)
    place = torch.as_tensor(np.hstack([scale, -low * scale]), dtype=torch.float32, device=device)
    halves = np.stack([keys & np.uint64(0xFFFFFFFF), keys >> np.uint64(32)], axis=1).astype(np.uint32)
    seeds = torch.as_tensor(halves.view(np.int32), device=device)
    counts = torch.zeros(frames * size * size + SPARE, dtype=torch.int32, device=device)

    frame = torch.arange(frames, device=device)[:, None]
    chain = torch.arange(chains, device=device, dtype=torch.int32)
    state = _hash(seeds[:, :1] ^ _hash(seeds[:, 1:] + chain))  # int32 (F, chains)
    first_x, first_y = 2 * _unit(_hash(state + 1)) - 1, 2 * _unit(_hash(state + 2)) - 1
    x, y = first_x, first_y
    restarts = torch.zeros(frames, 1, dtype=torch.int32, device=device)
    step = _compiled() if torch.device(device).type == "cuda" else _step
    number = torch.zeros((), dtype=torch.int32, device=device)  # a tensor, or each step would compile anew
    ones = torch.ones(frames * chains, dtype=torch.int32, device=device)
    first = first_x, first_y
    for index in range(steps):
        x, y, near, cells = step(x, y, state, number, frame, maps, tables, first, place, size, variation)
        if variation:
            restarts += (~near).sum(1, keepdim=True, dtype=torch.int32)
        if index >= discard:
            counts.scatter_add_(0, cells, ones)
        number += 1
    counts = counts[: frames * size * size].reshape(frames, size, size)
    return counts * (restarts[..., None] * OFTEN <= chains * steps)


def _step(x, y, state, number, frame, maps, tables, first, place, size: int, variation: int):
    """Move every chain by one random map: x, y, whether each is still near, (F, chains), and its cell."""
    bits = _hash(state + number * -0x61C88647)  # steps of the golden ratio, as a Weyl sequence
    chosen = tables[frame * TABLE + (bits & (TABLE - 1))].long()
    a, b, c, d, e, f = maps[frame * (len(maps) // len(frame)) + chosen].unbind(-1)
    x, y = a * x + b * y + c, d * x + e * y + f
    near = None
    if variation:
        again = _hash(bits + 1)
        x, y = vary(variation, Point(x, y, b, c, e, f, _unit(again), _unit(_hash(again + 1))))
        near = (x.abs() < float(FAR)) & (y.abs() < float(FAR))
        x, y = torch.where(near, x, first[0]), torch.where(near, y, first[1])
    return x, y, near, _cells(x, y, place, frame, size)


@cache
def _compiled():
    return torch.compile(_step, dynamic=True)


def _cells(x: Tensor, y: Tensor, place: Tensor, frame: Tensor, size: int) -> Tensor:
    """Return the cell of ``counts`` for every point, int64 (F * chains,); spare ones for points outside."""
    px, py = x * place[:, :1] + place[:, 2:3], y * place[:, 1:2] + place[:, 3:]
    inside = (px >= 0) & (px < size) & (py >= 0) & (py < size)
    # Clamped first, for what a float outside the range of integers turns into is undefined.
    column, row = px.clamp(0, size - 1).long(), py.clamp(0, size - 1).long()
    spare = torch.arange(x.shape[1], device=x.device) % SPARE + len(x) * size * size
    return torch.where(inside, (frame * size + row) * size + column, spare).reshape(-1)


def _hash(z: Tensor) -> Tensor:
    """Scramble 32-bit integers, int32 that wrap around; constants by Wellons's "hash prospector"."""
    z = z ^ ((z >> 16) & 0xFFFF)
    z = z * 0x7FEB352D
    z = z ^ ((z >> 15) & 0x1FFFF)
    z = z * -0x7B935975
    return z ^ ((z >> 16) & 0xFFFF)


def _unit(bits: Tensor) -> Tensor:
    """Return U[0, 1) float32 from the upper 24 of 32 random bits."""
    return ((bits >> 8) & 0xFFFFFF).float() * 2.0**-24

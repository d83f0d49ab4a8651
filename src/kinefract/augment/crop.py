"""Crops of single clips, which differ in size, to the square that the network sees."""

import math

import numpy as np
import torch
from torch.nn.functional import interpolate

CROP_TRIES = 10


def random_box(
    height: int,
    width: int,
    area: tuple[float, float],
    aspect: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[int, int, int, int]:
    """Draw the box of a random resized crop (Szegedy et al., "Going deeper with convolutions", 2015).

    Args:
        height: Height of the frame in pixels.
        width: Width of the frame in pixels.
        area: Least and most share of the frame's area.
        aspect: Least and most width over height, drawn log-uniformly.
        rng: Where the draws come from.

    Returns:
        Top, left, height and width of a box inside the frame. After ten draws that do not fit, the largest
        centred box of an allowed aspect.
    """
    for _ in range(CROP_TRIES):
        wanted = height * width * rng.uniform(*area)
        ratio = math.exp(rng.uniform(math.log(aspect[0]), math.log(aspect[1])))
        box_width, box_height = round(math.sqrt(wanted * ratio)), round(math.sqrt(wanted / ratio))
        if 0 < box_width <= width and 0 < box_height <= height:
            top = int(rng.integers(height - box_height + 1))
            left = int(rng.integers(width - box_width + 1))
            return top, left, box_height, box_width
    ratio = min(max(width / height, aspect[0]), aspect[1])
    box_width, box_height = min(width, round(height * ratio)), min(height, round(width / ratio))
    return (height - box_height) // 2, (width - box_width) // 2, box_height, box_width


def resize(frames: np.ndarray | torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Resize uint8 frames (T, H, W[, C]) to uint8 (T, C, height, width), bicubic with antialiasing."""
    pixels = torch.as_tensor(frames)
    pixels = pixels.unsqueeze(1) if pixels.ndim == 3 else pixels.movedim(-1, 1)
    if pixels.shape[-2:] == (height, width):
        return pixels.contiguous()
    resized = interpolate(pixels.float(), (height, width), mode="bicubic", antialias=True)
    return resized.round_().clamp_(0, 255).to(torch.uint8)


def random_resized_crop(
    frames: np.ndarray | torch.Tensor,
    size: int,
    area: tuple[float, float],
    aspect: tuple[float, float],
    rng: np.random.Generator,
) -> torch.Tensor:
    """Crop all frames to one random box and resize it: uint8 (T, H, W[, C]) to (T, C, size, size)."""
    top, left, height, width = random_box(*frames.shape[1:3], area, aspect, rng)
    return resize(frames[:, top : top + height, left : left + width], size, size)


def centre_crop(frames: np.ndarray, short_side: int, size: int) -> torch.Tensor:
    """Resize a clip's short side and cut the centre: uint8 (T, H, W[, C]) to (T, C, size, size)."""
    height, width = frames.shape[1:3]
    scale = short_side / min(height, width)
    resized = resize(frames, max(size, round(height * scale)), max(size, round(width * scale)))
    top, left = (resized.shape[-2] - size) // 2, (resized.shape[-1] - size) // 2
    return resized[..., top : top + size, left : left + size].contiguous()

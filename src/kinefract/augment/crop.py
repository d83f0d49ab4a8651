"""Crops that turn single clips of any size into the square input of the network."""

import math

import numpy as np
import torch
from torch.nn.functional import interpolate

CROP_TRIES = 10
FRAMES_AT_ONCE = 8  # frames resized together; as floats they take four times the memory


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
        rng: The random generator.

    Returns:
        Top, left, height and width of a box inside the frame. If ten draws do not fit, it is the largest
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


def resize(
    frames: np.ndarray | torch.Tensor, height: int, width: int, resizing: str = "bicubic"
) -> torch.Tensor:
    """Resize frames.

    Args:
        frames: uint8 (T, H, W[, C]).
        height: Height of the result in pixels.
        width: Width of the result in pixels.
        resizing: "bicubic", with antialiasing, or "area", the mean over the area that a pixel covers.

    Returns:
        uint8 (T, C, height, width).
    """
    pixels = torch.as_tensor(frames)
    pixels = pixels.unsqueeze(1) if pixels.ndim == 3 else pixels.movedim(-1, 1)
    if pixels.shape[-2:] == (height, width):
        return pixels.contiguous()
    settings = {"mode": "area"} if resizing == "area" else {"mode": "bicubic", "antialias": True}
    parts = (interpolate(part.float(), (height, width), **settings) for part in pixels.split(FRAMES_AT_ONCE))
    return torch.cat([part.round_().clamp_(0, 255).to(torch.uint8) for part in parts])


def random_resized_crop(
    frames: np.ndarray | torch.Tensor,
    size: int,
    area: tuple[float, float],
    aspect: tuple[float, float],
    rng: np.random.Generator,
    resizing: str = "bicubic",
) -> torch.Tensor:
    """Crop all frames to one random box and resize it: uint8 (T, H, W[, C]) to (T, C, size, size)."""
    top, left, height, width = random_box(frames.shape[1], frames.shape[2], area, aspect, rng)
    return resize(frames[:, top : top + height, left : left + width], size, size, resizing)


def centre_crop(frames: np.ndarray, short_side: int, size: int, resizing: str = "bicubic") -> torch.Tensor:
    """Resize a clip's short side and crop the centre: uint8 (T, H, W[, C]) to (T, C, size, size)."""
    height, width = frames.shape[1:3]
    scale = short_side / min(height, width)
    tall, wide = max(size, round(height * scale)), max(size, round(width * scale))
    resized = resize(frames, tall, wide, resizing)
    top, left = (resized.shape[-2] - size) // 2, (resized.shape[-1] - size) // 2
    return resized[..., top : top + size, left : left + size].contiguous()

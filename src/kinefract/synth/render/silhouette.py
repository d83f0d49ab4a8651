"""Lines to bodies: drawn, blurred, cut off at a threshold, closed (arXiv 2411.17584, ablation: octopus).

Importing this module imports SciPy. Ink and weights are rounded, to fewer digits than those in which
libraries differ; the rest are sums and products in a fixed order, so every machine draws the same.
"""

import numpy as np
from scipy import ndimage

ROUNDING = 256  # ink and its places lie on multiples of 1/256
WEIGHT_ROUNDING = 2**20
REACH = 3  # of the blur, in standard deviations


def draw_lines(lines: np.ndarray, size: int, ink: float) -> np.ndarray:
    """Draw lines, an equal amount of ink per length; where they cross it adds up.

    Args:
        lines: (T, N, points, 2), each (x, y) in pixels, the first pixel's centre being (0.5, 0.5). What lies
            outside the image is not drawn.
        size: Height and width in pixels.
        ink: Amount per pixel of length.

    Returns:
        float64 (T, size, size); sums to ``ink`` times the length inside.
    """
    steps = np.diff(lines, axis=2)
    amount = np.rint(np.sqrt((steps**2).sum(axis=3)) * (ink * ROUNDING)) / ROUNDING
    middles = np.rint((lines[:, :, :-1] + steps / 2 - 0.5) * ROUNDING) / ROUNDING
    corner = np.floor(middles).astype(int)  # the upper left of the four pixels that share the ink of a step
    right, lower = np.moveaxis(middles - corner, 3, 0)
    images = np.zeros(len(lines) * size * size)
    first = np.arange(len(lines))[:, None, None] * (size * size)
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        x, y = corner[..., 0] + dx, corner[..., 1] + dy
        share = (right if dx else 1 - right) * (lower if dy else 1 - lower)
        inside = (x >= 0) & (x < size) & (y >= 0) & (y < size)
        pixels = (first + y * size + x)[inside]
        images += np.bincount(pixels, (amount * share)[inside], len(images))
    return images.reshape(len(lines), size, size)


def blur(images: np.ndarray, sigma: float) -> np.ndarray:
    """Blur images by a Gaussian of ``sigma`` pixels, cut off at three of them; outside they are 0.

    Returns:
        float64, the shape of ``images``, (T, H, W).
    """
    reach = max(1, round(REACH * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    # The last digits of exp differ from processor to processor.
    weights = np.rint(weights / weights.sum() * WEIGHT_ROUNDING) / WEIGHT_ROUNDING
    down = ndimage.correlate1d(images, weights, axis=1, mode="constant")
    return ndimage.correlate1d(down, weights, axis=2, mode="constant")


def close(masks: np.ndarray, width: int) -> np.ndarray:
    """Fill gaps and notches narrower than ``width`` pixels: morphological closing by a square.

    Args:
        masks: uint8 (T, H, W) of 0 and 1.
        width: Odd.
    """
    return ndimage.grey_closing(masks, (1, width, width))


def outline(masks: np.ndarray, width: int) -> np.ndarray:
    """Keep the rim of bodies, ``width`` pixels of it; where the image cuts a body off there is none.

    Args:
        masks: uint8 (T, H, W) of 0 and 1.
        width: At least 1.
    """
    side = 2 * width + 1
    return masks - ndimage.grey_erosion(masks, (1, side, side))

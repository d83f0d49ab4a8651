"""Pictures seen through maps: bilinear samples, and clips whose frames are one picture, moved and recoloured.

Importing this module imports numba. Maps are rounded first, beyond which libraries' sines and products may
differ; the rest is whole numbers and the arithmetic of IEEE 754 alone, so that every machine draws the same.
Places between pixels are rounded to a 256th of a pixel.
"""

import numpy as np

from kinefract.synth.render.compiled import inlined, kernel

GRID = 2.0**30
FARTHEST = 1e6  # pixels from a picture, beyond which places are moved back
HALF = 32_768  # of what a level is multiplied by in a mix
LEAST_DEPTH = 0.05  # of a perspective, where a picture would reach its horizon


def on_grid(maps: np.ndarray) -> np.ndarray:
    """Return coefficients on multiples of 2**-30, float64 of the same shape."""
    return np.rint(maps * GRID) / GRID


def warp(
    frames: np.ndarray,
    picture: np.ndarray,
    places: np.ndarray,
    colours: np.ndarray,
    box: tuple[int, int, int, int] | None = None,
) -> None:
    """Paint a picture into the frames of a clip, each by a map of places and one of colours, in place.

    Args:
        frames: uint8 (T, H, W, 3), C-contiguous.
        picture: uint8 (h, w, 3), C-contiguous; beyond its edges it goes on mirrored.
        places: float64 (T, 3, 3), from a place (x, y, 1) of a frame to one of the picture, both in pixels;
            the first pixel's centre is (0.5, 0.5).
        colours: float64 (T, 3, 4), from levels (R, G, B, 1) of the picture to those of a frame, which are
            rounded and kept within 0 to 255.
        box: Top, left, bottom and right of the pixels that are painted; ``None``: all.
    """
    box = box or (0, 0, frames.shape[1], frames.shape[2])
    _warp(frames, picture, on_grid(places), on_grid(colours), *box)


@inlined
def neighbours(at, count):
    """Return the two pixels around a place, mirrored beyond the ends, and the share of the second, of 256."""
    place = int(np.floor(min(max(at, -FARTHEST), FARTHEST) * 256 - 127.5))
    share = place & 255
    first = place >> 8
    second = first + 1
    if first < 0 or second >= count:  # a division would cost more than all else
        first, second = first % (2 * count), second % (2 * count)
        first, second = min(first, 2 * count - 1 - first), min(second, 2 * count - 1 - second)
    return first, second, share


@inlined
def weights(beside, under):
    """Return the shares of four pixels, of 65,536: upper left, upper right, lower left, lower right."""
    both = beside * under
    return 65_536 - 256 * (beside + under) + both, 256 * beside - both, 256 * under - both, both


@inlined
def mixed(picture, channel, left, right, above, below, a, b, c, d):
    """Return the bilinear mix of four pixels by their shares: a level times 65,536."""
    upper = a * picture[above, left, channel] + b * picture[above, right, channel]
    return upper + c * picture[below, left, channel] + d * picture[below, right, channel]


@kernel
def _warp(frames, picture, places, colours, top, left, bottom, right):
    height, width = picture.shape[:2]
    for t in range(len(frames)):
        place, colour = places[t], colours[t]
        tilted, recoloured = False, False
        for i in range(3):
            tilted |= place[2, i] != (i == 2)
            for j in range(4):
                recoloured |= colour[i, j] != (i == j)
        for row in range(top, bottom):
            y = row + 0.5
            for column in range(left, right):
                x = column + 0.5
                across = place[0, 0] * x + place[0, 1] * y + place[0, 2]
                down = place[1, 0] * x + place[1, 1] * y + place[1, 2]
                if tilted:
                    depth = 1 / max(place[2, 0] * x + place[2, 1] * y + place[2, 2], LEAST_DEPTH)
                    across, down = across * depth, down * depth
                west, east, beside = neighbours(across, width)
                north, south, under = neighbours(down, height)
                a, b, c, d = weights(beside, under)
                red = mixed(picture, 0, west, east, north, south, a, b, c, d)
                green = mixed(picture, 1, west, east, north, south, a, b, c, d)
                blue = mixed(picture, 2, west, east, north, south, a, b, c, d)
                if not recoloured:
                    frames[t, row, column, 0] = (red + HALF) >> 16
                    frames[t, row, column, 1] = (green + HALF) >> 16
                    frames[t, row, column, 2] = (blue + HALF) >> 16
                    continue
                for channel in range(3):
                    level = colour[channel, 0] * red + colour[channel, 1] * green + colour[channel, 2] * blue
                    level = min(max(level / 65_536 + colour[channel, 3], 0.0), 255.0)
                    frames[t, row, column, channel] = np.uint8(level + 0.5)

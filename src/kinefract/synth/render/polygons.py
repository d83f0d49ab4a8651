"""Filled polygons: their corners, and a scanline filler with smooth edges.

Importing this module imports numba. Edges lie where they are to a fraction of a pixel, so that slow shapes
glide; and the arithmetic is that of IEEE 754 alone, so that every machine draws the same.
"""

import numpy as np

from kinefract.synth.render.compiled import inlined, kernel
from kinefract.synth.render.sampling import HALF, mixed, neighbours, weights

ELLIPSE_CORNERS = 48
ROUNDING = 1024  # corners lie on multiples of 1/1024 px, beyond which libraries' sines and splines may differ
LINES = 4  # scanlines per row of pixels


def corners(sides: int, radii: tuple[float, float], rotation: float) -> np.ndarray:
    """Return the corners of a regular polygon or an ellipse around the origin.

    Args:
        sides: At least 3; fewer give an ellipse, whose outline has 48 corners.
        radii: Distance of a polygon's corners from the origin, of which the first counts; both semi-axes of
            an ellipse.
        rotation: In turns.

    Returns:
        float64 (corners, 2), each (x, y), in the unit of the radii.
    """
    count, (along, across) = (sides, (radii[0], radii[0])) if sides > 2 else (ELLIPSE_CORNERS, radii)
    angles = 2 * np.pi * np.arange(count) / count
    x, y = along * np.cos(angles), across * np.sin(angles)
    cosine, sine = np.cos(2 * np.pi * rotation), np.sin(2 * np.pi * rotation)
    return np.stack([cosine * x - sine * y, sine * x + cosine * y], axis=1)


def fill(image: np.ndarray, polygon: np.ndarray, colour: np.ndarray) -> None:
    """Paint a polygon over an image, in place. Pixels at its edge are mixed by the share that it covers.

    Args:
        image: uint8 (H, W, channels), C-contiguous.
        polygon: float64 (corners, 2), each (x, y) in pixels; (0, 0) is the image's upper left corner, the
            first pixel's centre is (0.5, 0.5). May reach beyond the image, and cross itself (even-odd rule).
        colour: uint8 (channels,).
    """
    polygon = np.rint(polygon * ROUNDING) / ROUNDING
    _fill(image, polygon, colour, np.empty(image.shape[1]), np.empty(len(polygon)))


def fill_textured(image: np.ndarray, polygon: np.ndarray, texture: np.ndarray, texels: np.ndarray) -> None:
    """Paint a polygon over an image as ``fill`` does, with a picture in place of a colour.

    Args:
        image: uint8 (H, W, 3), C-contiguous.
        polygon: float64 (corners, 2), as for ``fill``.
        texture: uint8 (h, w, 3), C-contiguous; beyond its edges it goes on mirrored.
        texels: float64 (2, 3), the affine map from a place (x, y) of the image to one of the texture, on the
            grid of ``sampling.on_grid``.
    """
    polygon = np.rint(polygon * ROUNDING) / ROUNDING
    _fill_textured(image, polygon, texture, texels, np.empty(image.shape[1]))


@inlined
def _cover(polygon, row, width, cover, crossings):
    """Sum up how much of each pixel of a row a polygon covers, in scanlines; return the pixels touched."""
    # cover: float64 (W,)   crossings: float64 (corners,)
    cover[:] = 0
    first, end = width, 0
    for line in range(LINES):
        y = row + (line + 0.5) / LINES
        count = 0
        for i in range(len(polygon)):
            x0, y0 = polygon[i - 1]
            x1, y1 = polygon[i]
            if (y0 <= y) != (y1 <= y):
                # Kept in order as they come: there are rarely more than two.
                at, place = x0 + (y - y0) * ((x1 - x0) / (y1 - y0)), count
                while place and crossings[place - 1] > at:
                    crossings[place] = crossings[place - 1]
                    place -= 1
                crossings[place] = at
                count += 1
        for pair in range(0, count, 2):
            left, right = max(crossings[pair], 0.0), min(crossings[pair + 1], np.float64(width))
            if left < right:
                start, stop = int(left), int(np.ceil(right))
                for x in range(start, stop):
                    cover[x] += 1
                cover[start] -= left - start
                cover[stop - 1] -= stop - right
                first, end = min(first, start), max(end, stop)
    return first, end


@inlined
def _rows(polygon, height):
    """Return the first row of pixels that a polygon touches, and the one after the last."""
    top, bottom = np.float64(height), 0.0
    for i in range(len(polygon)):
        top, bottom = min(top, polygon[i, 1]), max(bottom, polygon[i, 1])
    return int(max(top, 0.0)), int(min(np.ceil(bottom), np.float64(height)))


@kernel
def _fill(image, polygon, colour, cover, crossings):
    height, width, channels = image.shape
    top, bottom = _rows(polygon, height)
    for row in range(top, bottom):
        first, end = _cover(polygon, row, width, cover, crossings)
        for x in range(first, end):
            share = cover[x] / LINES
            for channel in range(channels):
                under = np.float64(image[row, x, channel])
                image[row, x, channel] = np.uint8(under + share * (colour[channel] - under) + 0.5)


@kernel
def _fill_textured(image, polygon, texture, texels, cover):
    height, width = image.shape[:2]
    crossings = np.empty(len(polygon))
    top, bottom = _rows(polygon, height)
    for row in range(top, bottom):
        first, end = _cover(polygon, row, width, cover, crossings)
        y = row + 0.5
        from_left, from_top = texels[0, 1] * y + texels[0, 2], texels[1, 1] * y + texels[1, 2]
        for x in range(first, end):
            left, right, beside = neighbours(texels[0, 0] * (x + 0.5) + from_left, texture.shape[1])
            above, below, under = neighbours(texels[1, 0] * (x + 0.5) + from_top, texture.shape[0])
            a, b, c, d = weights(beside, under)
            share = cover[x] / LINES
            for channel in range(3):
                level = mixed(texture, channel, left, right, above, below, a, b, c, d)
                if share == 1:
                    image[row, x, channel] = (level + HALF) >> 16
                else:
                    ground = np.float64(image[row, x, channel])
                    image[row, x, channel] = np.uint8(ground + share * (level / 65_536 - ground) + 0.5)

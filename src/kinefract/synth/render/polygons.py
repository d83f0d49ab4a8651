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


def fill(images: np.ndarray, polygons: np.ndarray, colour: np.ndarray) -> None:
    """Paint a polygon that moves over the frames of a clip, in place.

    Pixels at its edge are mixed by the share that it covers.

    Args:
        images: uint8 (T, H, W, channels).
        polygons: float64 (T, corners, 2), each (x, y) in pixels; (0, 0) is the upper left corner of a frame,
            the first pixel's centre is (0.5, 0.5). May reach beyond the frame, and cross itself (even-odd
            rule).
        colour: uint8 (channels,).
    """
    _fill(images, np.rint(polygons * ROUNDING) / ROUNDING, colour)


def fill_textured(images: np.ndarray, polygons: np.ndarray, texture: np.ndarray, texels: np.ndarray) -> None:
    """Paint a polygon over the frames of a clip as ``fill`` does, with a picture in place of a colour.

    Args:
        images: uint8 (T, H, W, 3).
        polygons: float64 (T, corners, 2), as for ``fill``.
        texture: uint8 (h, w, 3), C-contiguous; beyond its edges it goes on mirrored.
        texels: float64 (T, 2, 3), the affine maps from a place (x, y) of a frame to one of the texture, on
            the grid of ``sampling.on_grid``.
    """
    _fill_textured(images, np.rint(polygons * ROUNDING) / ROUNDING, texture, texels)


@inlined
def _line_from(y):
    """Return the first scanline that is not above ``y``: exact, since corners lie on multiples of 1/1024."""
    return np.ceil(LINES * y - 0.5)


@inlined
def _cross(polygon, top, bottom, crossings, counts):
    """Note where a polygon crosses each scanline of rows ``top`` to ``bottom``, from left to right."""
    # crossings: float64 (lines, corners)   counts: int64 (lines,)
    counts[: (bottom - top) * LINES] = 0
    for i in range(len(polygon)):
        x0, y0 = polygon[i - 1]
        x1, y1 = polygon[i]
        first = max(_line_from(min(y0, y1)), np.float64(top * LINES))
        end = min(_line_from(max(y0, y1)), np.float64(bottom * LINES))
        slope = (x1 - x0) / (y1 - y0)
        for line in range(int(first), int(end)):
            at = x0 + ((line + 0.5) / LINES - y0) * slope
            # Kept in order as they come: there are rarely more than two.
            place = counts[line - top * LINES]
            found = crossings[line - top * LINES]
            while place and found[place - 1] > at:
                found[place] = found[place - 1]
                place -= 1
            found[place] = at
            counts[line - top * LINES] += 1


@inlined
def _cover(crossings, counts, row, width, cover):
    """Sum up how much of each pixel of a row a polygon covers, in scanlines; return the pixels touched."""
    # row: counted from the first that the polygon touches   cover: float64 (W,), zeros
    first, end = width, 0
    for line in range(row * LINES, (row + 1) * LINES):
        for pair in range(0, counts[line], 2):
            left = max(crossings[line, pair], 0.0)
            right = min(crossings[line, pair + 1], np.float64(width))
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
    top, bottom = int(max(top, 0.0)), int(min(np.ceil(bottom), np.float64(height)))
    return top, max(top, bottom)


@kernel
def _fill(images, polygons, colour):
    height, width, channels = images.shape[1:]
    crossings = np.empty((height * LINES, polygons.shape[1]))
    counts, cover = np.empty(height * LINES, np.int64), np.zeros(width)
    for t in range(len(images)):
        top, bottom = _rows(polygons[t], height)
        _cross(polygons[t], top, bottom, crossings, counts)
        for row in range(top, bottom):
            first, end = _cover(crossings, counts, row - top, width, cover)
            for x in range(first, end):
                share = cover[x] / LINES
                cover[x] = 0
                for channel in range(channels):
                    under = np.float64(images[t, row, x, channel])
                    images[t, row, x, channel] = np.uint8(under + share * (colour[channel] - under) + 0.5)


@kernel
def _fill_textured(images, polygons, texture, texels):
    height, width = images.shape[1:3]
    crossings = np.empty((height * LINES, polygons.shape[1]))
    counts, cover = np.empty(height * LINES, np.int64), np.zeros(width)
    for t in range(len(images)):
        top, bottom = _rows(polygons[t], height)
        _cross(polygons[t], top, bottom, crossings, counts)
        across, down = texels[t]
        for row in range(top, bottom):
            first, end = _cover(crossings, counts, row - top, width, cover)
            y = row + 0.5
            from_left, from_top = across[1] * y + across[2], down[1] * y + down[2]
            for x in range(first, end):
                left, right, beside = neighbours(across[0] * (x + 0.5) + from_left, texture.shape[1])
                above, below, under = neighbours(down[0] * (x + 0.5) + from_top, texture.shape[0])
                a, b, c, d = weights(beside, under)
                share = cover[x] / LINES
                cover[x] = 0
                for channel in range(3):
                    level = mixed(texture, channel, left, right, above, below, a, b, c, d)
                    if share == 1:
                        images[t, row, x, channel] = (level + HALF) >> 16
                    else:
                        ground = np.float64(images[t, row, x, channel])
                        images[t, row, x, channel] = np.uint8(
                            ground + share * (level / 65_536 - ground) + 0.5
                        )

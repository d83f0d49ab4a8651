"""Affine systems to grey frames: a vectorised chaos game, its window, and the tone curve.

Importing this module imports numba. Kernels are compiled once per machine and kept on disk.
"""

import numpy as np
from numba import njit

WINDOW_REACH = 6.0  # the window is looked for on [-6, 6]^2
WINDOW_GRID = 128  # at this many cells a side
WINDOW_KEEP = 0.9  # of the lit cells
WINDOW_PAD = 0.1

LANES = 16  # chains that are moved together
TABLE = 4096  # entries of the table that turns 12 random bits into a map
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def render(
    coefficients: np.ndarray,
    probabilities: np.ndarray,
    window: tuple[float, float, float, float],
    size: int,
    keys: np.ndarray,
    chains: int = 128,
    steps: int = 7500,
    discard: int = 200,
) -> np.ndarray:
    """Count the points of a chaos game, one pixel per point (arXiv 2411.17584, section 3).

    Chains lie on a grid of ``chains / 16`` rows by 16 columns. At even steps the chains of a row share one
    random map, at odd steps those of a column do: so each step is a handful of vector instructions, each
    chain by itself follows the plain chaos game exactly, and no two chains share all their maps.

    Args:
        coefficients: (T, N, 6) as ``ifs.compose`` gives them, N at most 256.
        probabilities: (T, N), of each map; rounded to 1/4096.
        window: (left, bottom, right, top) of what is shown, stretched to the square frame.
        size: Height and width in pixels.
        keys: uint64 (T,), the random key of every frame.
        chains: Number of chains, a multiple of 16; they start at U[-1, 1]^2.
        steps: Steps of every chain.
        discard: Steps at the start that are not counted.

    Returns:
        uint32 (T, size, size): visits of every pixel. Points outside the window (or not finite) are dropped.
    """
    if chains % LANES:
        raise ValueError(f"chains: wants a multiple of {LANES}, got {chains}")
    frames = len(coefficients)
    scale, shift = _to_pixels(window, size)
    # A count is at most chains * steps. The cells after the image take the points outside, one per lane, so
    # that a run of them does not wait on a single counter.
    counts = np.zeros((frames, size * size + LANES), np.uint32)
    _play(
        _in_pixels(coefficients, scale, shift),
        map_tables(probabilities),
        np.ascontiguousarray(keys, np.uint64),
        np.concatenate([scale, shift]).astype(np.float32),
        chains,
        steps,
        discard,
        size,
        counts,
    )
    return counts[:, : size * size].reshape(frames, size, size)


def find_window(
    coefficients: np.ndarray,
    probabilities: np.ndarray,
    keys: np.ndarray,
    chains: int = 128,
    steps: int = 3000,
    discard: int = 200,
) -> tuple[float, float, float, float] | None:
    """Find the window of a clip: the boxes of 90 % of the lit cells of these frames, joined and padded.

    Args:
        coefficients: (T, N, 6) of the frames that decide, usually the first and the last.
        probabilities: (T, N).
        keys: uint64 (T,).
        chains, steps, discard: As for ``render``.

    Returns:
        (left, bottom, right, top), the same for all frames; ``None`` if one of these frames has no point in
        [-6, 6]^2.
    """
    square = (-WINDOW_REACH, -WINDOW_REACH, WINDOW_REACH, WINDOW_REACH)
    counts = render(coefficients, probabilities, square, WINDOW_GRID, keys, chains, steps, discard)
    lit = counts > 0
    if not lit.any(axis=(1, 2)).all():
        return None
    boxes = np.array([_kept_box(image, WINDOW_KEEP) for image in lit])  # (T, 4) in cells
    low, high = boxes[:, :2].min(axis=0).astype(float), boxes[:, 2:].max(axis=0).astype(float)
    pad = WINDOW_PAD / 2 * (high - low)
    cell = 2 * WINDOW_REACH / WINDOW_GRID
    left, bottom = (low - pad) * cell - WINDOW_REACH
    right, top = (high + pad) * cell - WINDOW_REACH
    return float(left), float(bottom), float(right), float(top)


def box_sum(counts: np.ndarray) -> np.ndarray:
    """Sum every pixel with its 8 neighbours: the counts as if each point had added 1 to a 3 x 3 patch.

    Args:
        counts: uint32 (T, H, W).

    Returns:
        uint32 (T, H, W); pixels outside the image count as 0.
    """
    sums = np.empty_like(counts)
    _sum_patches(counts, sums)
    return sums


def tone(counts: np.ndarray) -> np.ndarray:
    """Turn counts into grey levels: log(1 + count) over the clip's maximum.

    Args:
        counts: uint32 (T, H, W).

    Returns:
        uint8 (T, H, W), 255 where the clip is brightest; black if nothing was counted.
    """
    levels = np.zeros(counts.shape, np.uint8)
    top = counts.max()
    if top:
        _take_logarithms(counts.reshape(-1), top, levels.reshape(-1))
    return levels


def map_tables(probabilities: np.ndarray) -> np.ndarray:
    """Return tables from which a uniform index picks a map with its probability, within 1/4096.

    Args:
        probabilities: (T, N), each row summing to 1.

    Returns:
        uint8 (T, 4096).
    """
    edges = np.rint(np.cumsum(probabilities, axis=1) * TABLE).astype(int)
    entries = np.diff(edges, axis=1, prepend=0)  # (T, N), each row summing to 4096
    maps = np.arange(probabilities.shape[1], dtype=np.uint8)
    return np.stack([np.repeat(maps, row) for row in entries])


def _to_pixels(window: tuple[float, float, float, float], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return scale and shift, float64 (2,), of ``pixel = scale * point + shift``."""
    low, high = np.array(window[:2]), np.array(window[2:])
    scale = size / (high - low)
    return scale, -low * scale


def _in_pixels(coefficients: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Rewrite maps of points as maps of pixel positions, so that the kernel need not convert each point."""
    linear = coefficients[..., [0, 1, 3, 4]].reshape(*coefficients.shape[:-1], 2, 2)
    linear = linear * scale[:, None] / scale[None, :]
    offset = coefficients[..., [2, 5]] * scale + shift - linear @ shift
    return np.concatenate([linear, offset[..., None]], axis=-1).reshape(coefficients.shape).astype(np.float32)


@njit(inline="always")
def _mix(z):
    """Turn a counter into 64 random bits (Steele, Lea, Flood, "Fast splittable generators", SplitMix64)."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True, nogil=True)
def _play(coefficients, tables, keys, to_pixels, chains, steps, discard, size, counts):
    # coefficients: float32 (T, N, 6)   tables: uint8 (T, 4096)   counts: uint32 (T, size * size + LANES)
    rows = chains // LANES
    x = np.empty((rows, LANES), np.float32)
    y = np.empty((rows, LANES), np.float32)
    columns = np.empty((6, LANES), np.float32)
    signed = np.empty(LANES, np.int32)
    # Unsigned indices spare the test for negative ones.
    cell = signed.view(np.uint32)
    zero, edge = np.float32(0.0), np.float32(size)
    width, outside = np.int32(size), np.int32(size * size)
    one, unit = np.uint32(1), np.float32(2.0**-23)
    for t in range(len(keys)):
        state = keys[t]
        maps, table, count = coefficients[t], tables[t], counts[t]
        for r in range(rows):
            for lane in range(LANES):
                state += GOLDEN
                bits = _mix(state)
                u = np.float32(bits >> np.uint64(40)) * unit - np.float32(1.0)
                v = np.float32((bits >> np.uint64(16)) & np.uint64(0xFFFFFF)) * unit - np.float32(1.0)
                x[r, lane] = u * to_pixels[0] + to_pixels[2]
                y[r, lane] = v * to_pixels[1] + to_pixels[3]
        for step in range(steps):
            bits = np.uint64(0)
            if step % 2 == 0:
                for r in range(rows):
                    if r % 4 == 0:
                        state += GOLDEN
                        bits = _mix(state)
                    m = table[bits & np.uint64(TABLE - 1)]
                    bits = bits >> np.uint64(16)
                    a, b, c = maps[m, 0], maps[m, 1], maps[m, 2]
                    d, e, f = maps[m, 3], maps[m, 4], maps[m, 5]
                    for lane in range(LANES):
                        px = a * x[r, lane] + b * y[r, lane] + c
                        py = d * x[r, lane] + e * y[r, lane] + f
                        x[r, lane] = px
                        y[r, lane] = py
                        inside = (px >= zero) & (px < edge) & (py >= zero) & (py < edge)
                        pixel = np.int32(py) * width + np.int32(px)
                        signed[lane] = pixel if inside else outside + np.int32(lane)
                    if step >= discard:
                        for lane in range(LANES):
                            count[cell[lane]] += one
            else:
                for lane in range(LANES):
                    if lane % 4 == 0:
                        state += GOLDEN
                        bits = _mix(state)
                    m = table[bits & np.uint64(TABLE - 1)]
                    bits = bits >> np.uint64(16)
                    for k in range(6):
                        columns[k, lane] = maps[m, k]
                for r in range(rows):
                    for lane in range(LANES):
                        px = columns[0, lane] * x[r, lane] + columns[1, lane] * y[r, lane] + columns[2, lane]
                        py = columns[3, lane] * x[r, lane] + columns[4, lane] * y[r, lane] + columns[5, lane]
                        x[r, lane] = px
                        y[r, lane] = py
                        inside = (px >= zero) & (px < edge) & (py >= zero) & (py < edge)
                        pixel = np.int32(py) * width + np.int32(px)
                        signed[lane] = pixel if inside else outside + np.int32(lane)
                    if step >= discard:
                        for lane in range(LANES):
                            count[cell[lane]] += one


@njit(cache=True, nogil=True)
def _sum_patches(counts, sums):
    frames, height, width = counts.shape
    row = np.empty(width, np.uint32)  # sums of three rows
    for t in range(frames):
        for i in range(height):
            row[:] = counts[t, i]
            if i > 0:
                row += counts[t, i - 1]
            if i < height - 1:
                row += counts[t, i + 1]
            for j in range(1, width - 1):
                sums[t, i, j] = row[j - 1] + row[j] + row[j + 1]
            sums[t, i, 0] = row[0] + row[1]
            sums[t, i, width - 1] = row[width - 2] + row[width - 1]


@njit(cache=True, nogil=True)
def _take_logarithms(counts, top, levels):
    # In double precision, whose last digit alone differs between mathematical libraries: rounding hides it.
    scale = 255.0 / np.log(1.0 + top)
    for i in range(len(counts)):
        if counts[i]:
            levels[i] = np.uint8(np.log(1.0 + counts[i]) * scale + 0.5)


@njit(cache=True, nogil=True)
def _kept_box(lit, keep):
    """Return the half-open box (left, bottom, right, top) left when the sparsest side is trimmed while more
    than ``keep`` of the lit cells remain inside."""
    bottom, top, left, right = 0, lit.shape[0], 0, lit.shape[1]
    inside = lit.sum()
    needed = keep * inside
    while True:
        # Lit cells on each side of the box as it now is: bottom, top, left, right.
        sides = np.zeros(4, np.int64)
        for column in range(left, right):
            sides[0] += lit[bottom, column]
            sides[1] += lit[top - 1, column]
        for row in range(bottom, top):
            sides[2] += lit[row, left]
            sides[3] += lit[row, right - 1]
        sparsest = np.argmin(sides)
        if inside - sides[sparsest] < needed:
            return left, bottom, right, top
        inside -= sides[sparsest]
        if sparsest == 0:
            bottom += 1
        elif sparsest == 1:
            top -= 1
        elif sparsest == 2:
            left += 1
        else:
            right -= 1

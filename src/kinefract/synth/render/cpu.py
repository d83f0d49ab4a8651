"""Iterated function systems to counts of points: a vectorised chaos game on the CPU.

Importing this module imports numba. ``gpu`` draws the same measure on GPUs.
"""

import numpy as np

from kinefract.synth.render.compiled import inlined, kernel
from kinefract.synth.render.flame import DEPENDENT, vary

LANES = 16  # chains that are moved together
TABLE = 4096  # entries of the table that turns 12 random bits into a map
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
# With a variation, a point that gets as far, or nowhere (NaN), starts again; where more than one in so many
# does, the system explodes.
FAR, OFTEN = np.float32(1e6), 100


def render(
    coefficients: np.ndarray,
    probabilities: np.ndarray,
    window: tuple[float, float, float, float],
    size: int,
    keys: np.ndarray,
    chains: int = 128,
    steps: int = 7500,
    discard: int = 200,
    variation: int = 0,
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
        variation: Number of the flame variation that follows every map; 0 for none.

    Returns:
        uint32 (T, size, size): visits of every pixel. Points outside the window (or not finite) are dropped;
        a frame whose system explodes is empty.
    """
    if chains % LANES:
        raise ValueError(f"chains: wants a multiple of {LANES}, got {chains}")
    frames = len(coefficients)
    scale, shift = _to_pixels(window, size)
    if variation:
        maps, start, place = coefficients.astype(np.float32), [1, 1, 0, 0], [*scale, *shift]
    else:
        # Affine maps of points are affine maps of pixel positions, which saves converting each point.
        maps, start, place = _in_pixels(coefficients, scale, shift), [*scale, *shift], [1, 1, 0, 0]
    # A count is at most chains * steps. The cells after the image take the points outside, one per lane, so
    # that a run of them does not wait on a single counter.
    counts = np.zeros((frames, size * size + LANES), np.uint32)
    _play(
        variation,
        maps,
        map_tables(probabilities),
        np.ascontiguousarray(keys, np.uint64),
        np.array(start, np.float32),
        np.array(place, np.float32),
        chains,
        steps,
        discard,
        size,
        counts,
    )
    return counts[:, : size * size].reshape(frames, size, size)


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
    """Rewrite maps of points as maps of pixel positions: float32 (T, N, 6)."""
    linear = coefficients[..., [0, 1, 3, 4]].reshape(*coefficients.shape[:-1], 2, 2)
    linear = linear * scale[:, None] / scale[None, :]
    # Written out, since the last digit of a matrix product depends on the processor.
    shifted = linear[..., 0] * shift[0] + linear[..., 1] * shift[1]
    offset = coefficients[..., [2, 5]] * scale + shift - shifted
    return np.concatenate([linear, offset[..., None]], axis=-1).reshape(coefficients.shape).astype(np.float32)


@inlined
def _mix(z):
    """Turn a counter into 64 random bits (Steele, Lea, Flood, "Fast splittable generators", SplitMix64)."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@kernel
def _play(variation, coefficients, tables, keys, start, place, chains, steps, discard, size, counts):
    # coefficients: float32 (T, N, 6)   tables: uint8 (T, 4096)   counts: uint32 (T, size * size + LANES)
    # start, place: float32 (4,), scale and shift from [-1, 1]^2 to points, and from points to pixels
    rows, dependent = chains // LANES, variation in DEPENDENT
    x, y = np.empty(chains, np.float32), np.empty(chains, np.float32)
    first_x, first_y = np.empty(chains, np.float32), np.empty(chains, np.float32)
    last_map = np.empty((4, chains), np.float32)  # b, c, e, f
    states = np.empty(chains, np.uint32)
    columns = np.empty((6, LANES), np.float32)
    signed = np.empty(chains, np.int32)
    # Unsigned indices spare the test for negative ones.
    cell = signed.view(np.uint32)
    zero, edge, far = np.float32(0.0), np.float32(size), FAR
    width, outside = np.int32(size), np.int32(size * size)
    one, unit = np.uint32(1), np.float32(2.0**-23)
    for t in range(len(keys)):
        state = keys[t]
        maps, table, count, restarts = coefficients[t], tables[t], counts[t], 0
        for i in range(chains):
            state += GOLDEN
            bits = _mix(state)
            u = np.float32(bits >> np.uint64(40)) * unit - np.float32(1.0)
            v = np.float32((bits >> np.uint64(16)) & np.uint64(0xFFFFFF)) * unit - np.float32(1.0)
            first_x[i] = x[i] = u * start[0] + start[2]
            first_y[i] = y[i] = v * start[1] + start[3]
            states[i] = np.uint32(bits >> np.uint64(32)) | one
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
                    for i in range(r * LANES, (r + 1) * LANES):
                        px = a * x[i] + b * y[i] + c
                        y[i] = d * x[i] + e * y[i] + f
                        x[i] = px
                    if dependent:
                        for i in range(r * LANES, (r + 1) * LANES):
                            last_map[0, i], last_map[1, i], last_map[2, i], last_map[3, i] = b, c, e, f
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
                        i = r * LANES + lane
                        px = columns[0, lane] * x[i] + columns[1, lane] * y[i] + columns[2, lane]
                        y[i] = columns[3, lane] * x[i] + columns[4, lane] * y[i] + columns[5, lane]
                        x[i] = px
                    if dependent:
                        for k, column in enumerate((1, 2, 4, 5)):
                            for lane in range(LANES):
                                last_map[k, r * LANES + lane] = columns[column, lane]
            if variation:
                vary(variation, x, y, last_map, states)
                for i in range(chains):
                    near = (abs(x[i]) < far) & (abs(y[i]) < far)
                    x[i] = x[i] if near else first_x[i]
                    y[i] = y[i] if near else first_y[i]
                    restarts += not near
            if step >= discard:
                for i in range(chains):
                    px, py = x[i] * place[0] + place[2], y[i] * place[1] + place[3]
                    inside = (px >= zero) & (px < edge) & (py >= zero) & (py < edge)
                    pixel = np.int32(py) * width + np.int32(px)
                    signed[i] = pixel if inside else outside + np.int32(i % LANES)
                for i in range(chains):
                    count[cell[i]] += one
        if restarts * OFTEN > chains * steps:
            count[:] = 0

"""Systems in space to counts of points: a chaos game in three dimensions, and cameras that look at it.

Importing this module imports numba.
"""

import numpy as np

from kinefract.synth.render.compiled import kernel
from kinefract.synth.render.cpu import LANES, TABLE, map_tables

NEAR = 0.05  # depth from which on points are seen, as a share of the depth of what the camera looks at
BLOCK = 512  # points whose pixels are found together


def play(
    maps: np.ndarray,
    probabilities: np.ndarray,
    rng: np.random.Generator,
    chains: int = 128,
    steps: int = 7500,
    discard: int = 200,
) -> np.ndarray:
    """Play a chaos game, chains side by side: rows of 16 share a map at even steps, columns at odd ones.

    So each step is a handful of vector instructions, and each chain by itself follows the plain chaos game,
    as in ``cpu.render``.

    Args:
        maps: (N, 3, 4): linear part and translation, N at most 256.
        probabilities: (N,), of each map; rounded to 1/4096.
        rng: Random stream.
        chains: Number of chains, a multiple of 16; they start at U[-1, 1]^3.
        steps: Steps of every chain.
        discard: Steps at the start whose points are dropped.

    Returns:
        float32 (3, (steps - discard) * chains); points of systems that explode need not be finite.
    """
    if chains % LANES:
        raise ValueError(f"chains: wants a multiple of {LANES}, got {chains}")
    starts = rng.uniform(-1, 1, (3, chains)).astype(np.float32)
    drawn = rng.integers(0, TABLE, (steps, max(chains // LANES, LANES)), dtype=np.uint16)
    choices = map_tables(probabilities[None])[0, drawn]
    points = np.empty((3, steps - discard, chains), np.float32)
    _play(maps.reshape(len(maps), 12).astype(np.float32), choices, discard, *starts, points)
    return points.reshape(3, -1)


def project(points: np.ndarray, cameras: np.ndarray, size: int) -> np.ndarray:
    """Count the points that cameras see in each of their pixels.

    Args:
        points: float32 (3, P).
        cameras: (T, 3, 4) as ``camera.projections`` gives them.
        size: Height and width in pixels.

    Returns:
        uint32 (T, size, size). Points outside a frame, behind the camera or just before it are dropped.
    """
    # The cells after the image take the points outside, one per lane, as in ``cpu.render``.
    counts = np.zeros((len(cameras), size * size + LANES), np.uint32)
    _project(points, cameras.reshape(-1, 12).astype(np.float32), size, counts)
    return counts[:, : size * size].reshape(-1, size, size)


@kernel
def _play(maps, choices, discard, x, y, z, points):
    # maps: float32 (N, 12)   choices: uint8 (steps, rows or LANES)   x, y, z: float32 (chains,)
    # points: float32 (3, steps - discard, chains)
    rows = len(x) // LANES
    columns = np.empty((12, LANES), np.float32)
    for step in range(len(choices)):
        if step % 2 == 0:
            for r in range(rows):
                m = maps[choices[step, r]]
                a, b, c, d, e, f = m[0], m[1], m[2], m[3], m[4], m[5]
                g, h, i, j, k, o = m[6], m[7], m[8], m[9], m[10], m[11]
                for n in range(r * LANES, (r + 1) * LANES):
                    px, py, pz = x[n], y[n], z[n]
                    x[n] = a * px + b * py + c * pz + d
                    y[n] = e * px + f * py + g * pz + h
                    z[n] = i * px + j * py + k * pz + o
        else:
            for lane in range(LANES):
                for n in range(12):
                    columns[n, lane] = maps[choices[step, lane], n]
            for r in range(rows):
                for lane in range(LANES):
                    n = r * LANES + lane
                    px, py, pz = x[n], y[n], z[n]
                    a, b, c, d = columns[0, lane], columns[1, lane], columns[2, lane], columns[3, lane]
                    e, f, g, h = columns[4, lane], columns[5, lane], columns[6, lane], columns[7, lane]
                    i, j, k, o = columns[8, lane], columns[9, lane], columns[10, lane], columns[11, lane]
                    x[n] = a * px + b * py + c * pz + d
                    y[n] = e * px + f * py + g * pz + h
                    z[n] = i * px + j * py + k * pz + o
        if step >= discard:
            points[0, step - discard] = x
            points[1, step - discard] = y
            points[2, step - discard] = z


@kernel
def _project(points, cameras, size, counts):
    # points: float32 (3, P)   cameras: float32 (T, 12)   counts: uint32 (T, size * size + LANES)
    number = points.shape[1]
    signed = np.empty(BLOCK, np.int32)
    cell = signed.view(np.uint32)  # unsigned indices spare the test for negative ones
    zero, edge, near = np.float32(0.0), np.float32(size), np.float32(NEAR)
    width, outside = np.int32(size), np.int32(size * size)
    one = np.uint32(1)
    for t in range(len(cameras)):
        m, count = cameras[t], counts[t]
        a, b, c, d, e, f = m[0], m[1], m[2], m[3], m[4], m[5]
        g, h, i, j, k, o = m[6], m[7], m[8], m[9], m[10], m[11]
        for start in range(0, number, BLOCK):
            x, y, z = points[0, start:], points[1, start:], points[2, start:]
            length = min(BLOCK, number - start)
            for n in range(length):
                depth = i * x[n] + j * y[n] + k * z[n] + o
                px = (a * x[n] + b * y[n] + c * z[n] + d) / depth
                py = (e * x[n] + f * y[n] + g * z[n] + h) / depth
                inside = (depth > near) & (px >= zero) & (px < edge) & (py >= zero) & (py < edge)
                pixel = np.int32(py) * width + np.int32(px)
                signed[n] = pixel if inside else outside + np.int32(n % LANES)
            for n in range(length):
                count[cell[n]] += one

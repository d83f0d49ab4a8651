"""The window of a clip: what part of the plane its frames show (arXiv 2411.17584, section 3)."""

import numpy as np

from kinefract.synth.render.compiled import kernel
from kinefract.synth.render.cpu import render

WINDOW_REACH = 6.0  # the window is looked for on [-6, 6]^2
WINDOW_GRID = 128  # at this many cells a side
WINDOW_KEEP = 0.9  # of the lit cells
WINDOW_PAD = 0.1


def find_window(
    coefficients: np.ndarray,
    probabilities: np.ndarray,
    keys: np.ndarray,
    chains: int = 128,
    steps: int = 3000,
    discard: int = 200,
    variation: int = 0,
) -> tuple[float, float, float, float] | None:
    """Find the window of a clip: the boxes of 90 % of the lit cells of these frames, joined and padded.

    Args:
        coefficients: (T, N, 6) of the frames that decide, usually the first and the last.
        probabilities: (T, N).
        keys: uint64 (T,).
        chains, steps, discard, variation: As for ``render``.

    Returns:
        (left, bottom, right, top), the same for all frames; ``None`` if one of these frames has no point in
        [-6, 6]^2.
    """
    square = (-WINDOW_REACH, -WINDOW_REACH, WINDOW_REACH, WINDOW_REACH)
    counts = render(coefficients, probabilities, square, WINDOW_GRID, keys, chains, steps, discard, variation)
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


@kernel
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

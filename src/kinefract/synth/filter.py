"""Which clips are refused and drawn again: those without a picture, contrast or change.

Only those: over-strict filtering of "ugly" clips hurts pre-training (Yu, Chen, Gandelsman, arXiv 2410.24213).
"""

import numpy as np

# Shares of pixels, and grey levels of 255.
LEAST_LIT = 0.002
LEAST_CONTRAST = 2.0
LEAST_MOTION = 2.0  # between the means of 16 x 16 blocks of the first frame and of the one least like it
BLOCKS = 16
SAMPLED = 64  # pixels a side that are looked at


def is_worth_seeing(frames: np.ndarray, moves: bool = True) -> bool:
    """Tell whether a clip has a picture, contrast and change, however little of each.

    The grain of a chaos game is change, too, the more the fewer points a frame has, whatever its size. The
    change of motionless fractals, median over linear ones: 0.6 at the method's 934,400 points, and all are
    refused; 1.9 and 2.6 at 121,600 and 96,000 (the small datasets of ``params.yaml``), and half and a quarter
    are; 4.5 at the 25,600 by which classes are checked, and none is.

    Args:
        frames: uint8 (T, H, W) or (T, H, W, 3), at least 16 pixels a side.
        moves: Ask for change; ``False`` for clips that are meant to be still.
    """
    step = max(1, frames.shape[1] // SAMPLED)
    if frames.ndim == 4:
        frames, step = frames[:, ::step, ::step].max(axis=3), 1
    sample = frames[:, ::step, ::step]  # enough to tell, and far quicker
    lit = np.count_nonzero(sample, axis=(1, 2)) / sample[0].size
    contrast = sample.std(axis=(1, 2))
    if np.median(lit) < LEAST_LIT or np.median(contrast) < LEAST_CONTRAST:
        return False
    return not moves or _motion(frames) >= LEAST_MOTION


def _motion(frames: np.ndarray) -> float:
    """Return how far a clip gets from its first frame: the mean change of its 16 x 16 blocks.

    Means over blocks, since the chaos game's grain changes from frame to frame even where nothing moves; they
    lessen it, and with few points it still counts as change.
    """
    side = frames.shape[1] // BLOCKS
    square = frames[:, : side * BLOCKS, : side * BLOCKS]
    rows = square.reshape(len(frames), BLOCKS, side, -1).sum(axis=2, dtype=np.uint32)
    means = rows.reshape(len(frames), BLOCKS, BLOCKS, side).sum(axis=3) / side**2
    return float(np.abs(means - means[0]).mean(axis=(1, 2)).max())

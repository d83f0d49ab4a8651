"""The filter for clips without a picture, contrast or change, which are drawn again.

The filter rejects no others, since strict filtering of "ugly" clips hurts pre-training (Yu, Chen, Gandelsman,
arXiv 2410.24213).
"""

import numpy as np

# Limits as shares of the pixels, and as grey levels of 255.
LEAST_LIT = 0.002
LEAST_CONTRAST = 2.0
LEAST_MOTION = 2.0  # between means of 16 x 16 blocks, of the first frame and the frame least like it
BLOCKS = 16
SAMPLED = 64  # pixels a side that are sampled


def is_worth_seeing(frames: np.ndarray, moves: bool = True) -> bool:
    """Return whether a clip has a picture, contrast and change, however little of each.

    The grain of a chaos game counts as change, too. It grows as a frame has fewer points, whatever the size
    of the frame. The median change of motionless linear fractals is 0.6 at the method's 934,400 points, where
    all are rejected. It is 1.9 and 2.6 at 121,600 and 96,000 points (the small datasets of ``params.yaml``),
    where half and a quarter are rejected, and 4.5 at the 25,600 points by which classes are checked, where
    none is rejected.

    Args:
        frames: uint8 (T, H, W) or (T, H, W, 3), at least 16 pixels a side.
        moves: Require change; ``False`` for clips that are meant to be still.
    """
    step = max(1, frames.shape[1] // SAMPLED)
    if frames.ndim == 4:
        red, green, blue = np.moveaxis(frames[:, ::step, ::step], 3, 0)
        frames, step = np.maximum(np.maximum(red, green), blue), 1
    sample = frames[:, ::step, ::step]  # sufficient, and much faster
    lit = np.count_nonzero(sample, axis=(1, 2)) / sample[0].size
    contrast = sample.std(axis=(1, 2))
    if np.median(lit) < LEAST_LIT or np.median(contrast) < LEAST_CONTRAST:
        return False
    return not moves or _motion(frames) >= LEAST_MOTION


def _motion(frames: np.ndarray) -> float:
    """Return the greatest distance of a clip from its first frame: the mean change of its 16 x 16 blocks.

    Means over blocks are compared because the chaos game's grain changes from frame to frame even if nothing
    moves. The means reduce the grain; with few points it still counts as change.
    """
    side = frames.shape[1] // BLOCKS
    square = frames[:, : side * BLOCKS, : side * BLOCKS]
    rows = square.reshape(len(frames), BLOCKS, side, -1).sum(axis=2, dtype=np.uint32)
    means = rows.reshape(len(frames), BLOCKS, BLOCKS, side).sum(axis=3) / side**2
    return float(np.abs(means - means[0]).mean(axis=(1, 2)).max())

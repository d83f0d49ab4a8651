"""Windows of a clip: the frames that a network sees in training, in evaluation and in a user's own loops."""

import numpy as np


def window(start: int, frames: int, stride: int, length: int) -> np.ndarray:
    """Return the frame numbers of a window; past the clip's end its last frame is repeated.

    Args:
        start: The first frame, counted from 0.
        frames: T, the number of frames of the window.
        stride: Step from one frame of the window to the next.
        length: Number of frames of the clip.

    Returns:
        int64 (T,), each from 0 to ``length - 1``.
    """
    return np.minimum(start + stride * np.arange(frames), length - 1)


def random_start(length: int, frames: int, stride: int, rng: np.random.Generator) -> int:
    """Draw the first frame of a window, from all places where it fits; 0 if the clip is too short."""
    return int(rng.integers(_last_start(length, frames, stride) + 1))


def spread_starts(length: int, frames: int, stride: int, windows: int) -> list[int]:
    """Return the first frames of up to ``windows`` windows, evenly spread over the places where they fit."""
    last = _last_start(length, frames, stride)
    return sorted({round(start) for start in np.linspace(0, last, min(windows, last + 1))})


def _last_start(length: int, frames: int, stride: int) -> int:
    return max(0, length - ((frames - 1) * stride + 1))

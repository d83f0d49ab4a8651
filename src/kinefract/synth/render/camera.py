"""A camera that circles a body and looks at its middle: paths, and the projection of every frame."""

from typing import NamedTuple

import numpy as np

from kinefract.synth import motion
from kinefract.synth.ifs import on_grid

SLOWEST = 0.25  # share of its top speed to which a camera may slow down within a clip


class Path(NamedTuple):
    """Where a camera is, frame by frame; angles in degrees, each (T,)."""

    azimuth: np.ndarray
    elevation: np.ndarray
    zoom: np.ndarray  # focal length, as a factor


def sample_path(
    rng: np.random.Generator,
    frames: int,
    speed: tuple[float, float],
    elevation: tuple[float, float],
    sway: float,
    zoom: tuple[float, float],
) -> Path:
    """Draw a camera's path.

    It starts anywhere around the body and circles it one way. Its speed, its elevation and its zoom each
    follow a smooth curve.

    Args:
        rng: Random stream.
        frames: T, at least 2.
        speed: Slowest and fastest top speed, in degrees of azimuth per frame.
        elevation: Lowest and highest elevation around which the camera sways, in degrees.
        sway: By how many degrees at most it leaves that elevation.
        zoom: Smallest and greatest zoom.
    """
    direction, top = rng.choice([-1.0, 1.0]), rng.uniform(*speed)
    steps = direction * top * motion.smooth_curves(rng, frames, 1, SLOWEST, 1.0)[1:, 0]
    azimuth = rng.uniform(0, 360) + np.concatenate([[0.0], np.cumsum(steps)])
    swaying = rng.uniform(*elevation) + motion.smooth_curves(rng, frames, 1, -sway, sway)[:, 0]
    return Path(azimuth, swaying, motion.smooth_curves(rng, frames, 1, *zoom)[:, 0])


def projections(path: Path, target: np.ndarray, distance: float, reach: float, size: int) -> np.ndarray:
    """Return the perspective projection of every frame.

    Args:
        path: Of the camera; at elevation 0 and azimuth 0 it looks along -x, with y to the right and z up.
        target: float64 (3,), what the camera looks at and the frame's centre.
        distance: From the camera to the target.
        reach: Half of what the frame shows at the target's distance, at zoom 1.
        size: Height and width in pixels.

    Returns:
        float64 (T, 3, 4): ``matrix @ (x, y, z, 1)`` is (w column, w row, w), w being the depth of a point as
        a share of the target's.
    """
    azimuth, elevation = np.deg2rad(path.azimuth), np.deg2rad(path.elevation)
    cos_a, sin_a, cos_e, sin_e = np.cos(azimuth), np.sin(azimuth), np.cos(elevation), np.sin(elevation)
    towards = on_grid(np.stack([cos_e * cos_a, cos_e * sin_a, sin_e], axis=1))  # from target to camera
    right = on_grid(np.stack([-sin_a, cos_a, np.zeros_like(sin_a)], axis=1))
    up = on_grid(np.stack([-sin_e * cos_a, -sin_e * sin_a, cos_e], axis=1))
    focal = on_grid(path.zoom[:, None]) / reach
    # Of points relative to the target, whose depth is 1 and whose pixel is the centre.
    depth = -towards / distance
    linear = np.stack([size / 2 * (depth + focal * right), size / 2 * (depth - focal * up), depth], axis=1)
    # Written out, since the last digit of a matrix product depends on the processor.
    shifted = linear[..., 0] * target[0] + linear[..., 1] * target[1] + linear[..., 2] * target[2]
    centre = np.array([size / 2, size / 2, 1.0])
    return np.concatenate([linear, (centre - shifted)[..., None]], axis=-1)

"""What clips of families and passes of networks cost, as counted and measured once.

Measurements are those of docs/performance.md, one core.
"""

from typing import NamedTuple


class Network(NamedTuple):
    """A backbone at width 64 and 112 px, 8 frames, 500 classes; each grows with a power of the width.

    Attributes:
        multiply_adds: Of one clip's forward pass, in 1e9.
        parameters: In 1e6.
    """

    multiply_adds: float
    parameters: float
    work_power: float
    parameters_power: float


# Counted by torch on networks of width 64 and 32 (tests/planning/test_costs.py counts them again).
NETWORKS = {
    "tsm_resnet18": Network(3.881, 11.433, 1.91, 1.97),
    "tsm_resnet50": Network(8.615, 24.533, 1.96, 1.94),
    "tsm_mobilenetv2": Network(0.652, 2.864, 1.62, 1.11),
    "x3d_m": Network(0.631, 3.999, 1.59, 0.97),
    "x3d_l": Network(1.228, 6.358, 1.66, 1.24),
    "x3d_xl": Network(1.912, 8.965, 1.67, 1.39),
}
# Forward passes that a clip takes; a backward pass counts as two.
PASSES = {"supervised": 3, "moco": 4, "simclr": 6, "byol": 8, "full": 3, "linear_probe": 1}
VIEWS = {"moco": 2, "simclr": 2, "byol": 2}
NETWORK_SHARE = 0.9  # of a step, where a run did not say


class Family(NamedTuple):
    """A family at 256 px and 19 frames: seconds a clip on one core, kB a clip, and channels."""

    seconds: float
    kilobytes: float
    channels: int = 1


FAMILIES = {
    "fractal": Family(1 / 12.8, 73.7),
    "dead_leaves": Family(1 / 24.5, 39.5, 3),
    "ifs3d": Family(1 / 18.7, 68.8),
    "octopus": Family(1 / 12.1, 30.4, 3),
    "perlin": Family(1 / 30.3, 66.3),
    "shapes": Family(1 / 22.3, 44.8, 3),
}
PIXELS = 19 * 256 * 256
# Classes of the benchmarks whose recipes may ask for a part of them.
CLASSES = {"hmdb51": 51, "ucf101": 101, "diving48": 48, "egtea": 106, "volleyball": 8, "yup": 20}
CLIP_SECONDS = 0.005  # of a clip of any size
TAR_BYTES = 1800  # headers, label and padding of a clip
BYTES_POWER = 0.8  # small clips take more bytes a pixel
POINTS = {"linear": 725e6, "nonlinear": 325e6}  # points a second of fractals, by the kind of shape
STILL = (511e6, 62.5, 11.5)  # points a second, clips a second and kB a clip of still fractals

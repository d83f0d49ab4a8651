"""The 30 flame variations on tensors (Draves and Reckase, "The Fractal Flame Algorithm", appendix).

The formulas of ``flame`` for a GPU, whose own elementary functions are fast; the two agree to rounding.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, atan2, cos, exp, floor, hypot, sin, sqrt, tan, tanh, where


class Point(NamedTuple):
    """Points and what a variation may need to know of each; float32 tensors of one shape."""

    x: Tensor
    y: Tensor
    b: Tensor  # b, c, e and f of the map that came before
    c: Tensor
    e: Tensor
    f: Tensor
    u: Tensor  # two random numbers, U[0, 1)
    v: Tensor

    @property
    def r(self) -> Tensor:
        return hypot(self.x, self.y)

    @property
    def theta(self) -> Tensor:
        return atan2(self.x, self.y)


def vary(variation: int, p: Point) -> tuple[Tensor, Tensor]:
    """Return x and y after a variation; number 0 changes nothing."""
    return FORMULAS[variation](p)


def _mod(a: Tensor, b: Tensor) -> Tensor:
    return a - b * floor(a / b)


def _scaled(s: Tensor, p: Point) -> tuple[Tensor, Tensor]:
    return s * p.x, s * p.y


def _turned(r: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    return r * cos(angle), r * sin(angle)


def _swirl(p: Point) -> tuple[Tensor, Tensor]:
    s, c = sin(p.r**2), cos(p.r**2)
    return p.x * s - p.y * c, p.x * c + p.y * s


def _ex(p: Point) -> tuple[Tensor, Tensor]:
    first, second = sin(p.theta + p.r) ** 3, cos(p.theta - p.r) ** 3
    return p.r * (first + second), p.r * (first - second)


def _julia(p: Point) -> tuple[Tensor, Tensor]:
    return _turned(sqrt(p.r), p.theta / 2 + where(p.u < 0.5, 0.0, math.pi))


def _power(p: Point) -> tuple[Tensor, Tensor]:
    return _turned(p.r ** sin(p.theta), p.theta)


def _rings(p: Point) -> tuple[Tensor, Tensor]:
    square = p.c**2
    return _turned(_mod(p.r + square, 2 * square) - square + p.r * (1 - square), p.theta)


def _fan(p: Point) -> tuple[Tensor, Tensor]:
    step = math.pi * p.c**2
    return _turned(p.r, p.theta + where(_mod(p.theta + p.f, step) > step / 2, -step / 2, step / 2))


def _rays(p: Point) -> tuple[Tensor, Tensor]:
    scale = tan(math.pi * p.u) / p.r**2
    return scale * cos(p.x), scale * sin(p.y)


def _blade(p: Point) -> tuple[Tensor, Tensor]:
    angle = p.u * p.r
    return p.x * (cos(angle) + sin(angle)), p.x * (cos(angle) - sin(angle))


FORMULAS: dict[int, Callable[[Point], tuple[Tensor, Tensor]]] = {
    0: lambda p: (p.x, p.y),
    1: lambda p: (sin(p.x), sin(p.y)),
    2: lambda p: _scaled(1 / p.r**2, p),
    3: _swirl,
    4: lambda p: ((p.x - p.y) * (p.x + p.y) / p.r, 2 * p.x * p.y / p.r),
    5: lambda p: (p.theta / math.pi, p.r - 1),
    6: lambda p: (p.r * sin(p.theta + p.r), p.r * cos(p.theta - p.r)),
    7: lambda p: (p.r * sin(p.theta * p.r), -p.r * cos(p.theta * p.r)),
    8: lambda p: _turned(p.theta / math.pi, math.pi / 2 - math.pi * p.r),
    9: lambda p: ((cos(p.theta) + sin(p.r)) / p.r, (sin(p.theta) - cos(p.r)) / p.r),
    10: lambda p: (sin(p.theta) / p.r, p.r * cos(p.theta)),
    11: lambda p: (sin(p.theta) * cos(p.r), cos(p.theta) * sin(p.r)),
    12: _ex,
    13: _julia,
    14: lambda p: (where(p.x < 0, 2 * p.x, p.x), where(p.y < 0, p.y / 2, p.y)),
    15: lambda p: (p.x + p.b * sin(p.y / p.c**2), p.y + p.e * sin(p.x / p.f**2)),
    16: lambda p: (2 / (p.r + 1) * p.y, 2 / (p.r + 1) * p.x),
    17: lambda p: (p.x + p.c * sin(tan(3 * p.y)), p.y + p.f * sin(tan(3 * p.x))),
    18: lambda p: _turned(exp(p.x - 1), math.pi * p.y),
    19: _power,
    20: lambda p: (cos(math.pi * p.x) * tanh(p.y), -sin(math.pi * p.x) * tanh(p.y)),
    21: _rings,
    22: _fan,
    27: lambda p: _scaled(2 / (p.r + 1), p),
    28: lambda p: _scaled(4 / (p.r**2 + 4), p),
    29: lambda p: (sin(p.x), p.y),
    31: lambda p: (p.u * p.x * cos(2 * math.pi * p.v), p.u * p.y * sin(2 * math.pi * p.v)),
    42: lambda p: (sin(p.x) / cos(p.y), tan(p.y)),
    44: _rays,
    45: _blade,
    48: lambda p: _scaled(1 / (p.x**2 - p.y**2).abs(), p),
}

"""The 30 flame variations as loops over the points of a chaos game, in single precision.

Draves and Reckase, "The Fractal Flame Algorithm", appendix. There r is the distance from the origin and theta
the angle from the y axis, atan2(x, y), so that sin(theta) = x / r and cos(theta) = y / r; b, c, e, f are the
coefficients of the affine map that came before. The parameter of 44 and 45 is 1.
"""

import math

import numpy as np
from numba import njit

from kinefract.synth.render.compiled import inlined
from kinefract.synth.render.elementary import HALF, ONE, PI, TWO, ZERO, atan2, exp, log, sin_cos, tanh
from kinefract.synth.render.loops import each, each_with_chance, each_with_map

TINY, THREE, FOUR = np.float32(1e-10), np.float32(3), np.float32(4)
TWO_PI = np.float32(2 * math.pi)

DEPENDENT = (15, 17, 21, 22)  # need the coefficients of the map that came before


@inlined
def _radius(x, y):
    return np.sqrt(x * x + y * y)


@inlined
def _remainder(a, b):
    return a - b * np.floor(a / b)


@each
def sinusoidal(x, y):
    return sin_cos(x)[0], sin_cos(y)[0]


@each
def spherical(x, y):
    s = ONE / (x * x + y * y)
    return s * x, s * y


@each
def swirl(x, y):
    s, c = sin_cos(x * x + y * y)
    return x * s - y * c, x * c + y * s


@each
def horseshoe(x, y):
    s = ONE / _radius(x, y)
    return s * (x - y) * (x + y), s * TWO * x * y


@each
def polar(x, y):
    return atan2(x, y) / PI, _radius(x, y) - ONE


@each
def handkerchief(x, y):
    r = _radius(x, y)
    s, c = sin_cos(r)
    return x * c + y * s, y * c + x * s


@each
def heart(x, y):
    r = _radius(x, y)
    s, c = sin_cos(atan2(x, y) * r)
    return r * s, -r * c


@each
def disc(x, y):
    share = atan2(x, y) / PI
    s, c = sin_cos(PI * _radius(x, y))
    return share * s, share * c


@each
def spiral(x, y):
    r = _radius(x, y)
    s, c = sin_cos(r)
    return (y / r + s) / r, (x / r - c) / r


@each
def hyperbolic(x, y):
    return x / (x * x + y * y), y


@each
def diamond(x, y):
    r = _radius(x, y)
    s, c = sin_cos(r)
    return x / r * c, y / r * s


@each
def ex(x, y):
    r = _radius(x, y)
    s, c = sin_cos(r)
    p = (x * c + y * s) / r
    q = (y * c + x * s) / r
    p, q = p * p * p, q * q * q
    return r * (p + q), r * (p - q)


@each_with_chance
def julia(x, y, u, v):
    s, c = sin_cos(HALF * atan2(x, y))
    root = np.sqrt(_radius(x, y))
    root = root if u < HALF else -root
    return root * c, root * s


@each
def bent(x, y):
    return (x if x >= ZERO else TWO * x), (y if y >= ZERO else HALF * y)


@each_with_map
def waves(x, y, b, c, e, f):
    return x + b * sin_cos(y / (c * c))[0], y + e * sin_cos(x / (f * f))[0]


@each
def fisheye(x, y):
    s = TWO / (_radius(x, y) + ONE)
    return s * y, s * x


@each_with_map
def popcorn(x, y, b, c, e, f):
    s, t = sin_cos(THREE * y)
    u, v = sin_cos(THREE * x)
    return x + c * sin_cos(s / t)[0], y + f * sin_cos(u / v)[0]


@each
def exponential(x, y):
    s, c = sin_cos(PI * y)
    grown = exp(x - ONE)
    return grown * c, grown * s


@each
def power(x, y):
    r = _radius(x, y)
    grown = exp(x / r * log(r))
    return grown * y / r, grown * x / r


@each
def cosine(x, y):
    # tanh in place of cosh and sinh, which overflow (arXiv 2411.17584, section 3).
    s, c = sin_cos(PI * x)
    t = tanh(y)
    return c * t, -s * t


@each_with_map
def rings(x, y, b, c, e, f):
    r, square = _radius(x, y), c * c
    new = _remainder(r + square, TWO * square) - square + r * (ONE - square)
    return new * y / r, new * x / r


@each_with_map
def fan(x, y, b, c, e, f):
    r, theta, t = _radius(x, y), atan2(x, y), PI * c * c
    half = HALF * t
    s, c = sin_cos(theta - half if _remainder(theta + f, t) > half else theta + half)
    return r * c, r * s


@each
def eyefish(x, y):
    s = TWO / (_radius(x, y) + ONE)
    return s * x, s * y


@each
def bubble(x, y):
    s = FOUR / (x * x + y * y + FOUR)
    return s * x, s * y


@each
def cylinder(x, y):
    return sin_cos(x)[0], y


@each_with_chance
def noise(x, y, u, v):
    s, c = sin_cos(TWO_PI * v)
    return u * x * c, u * y * s


@each
def tangent(x, y):
    s, c = sin_cos(y)
    return sin_cos(x)[0] / c, s / c


@each_with_chance
def rays(x, y, u, v):
    s, c = sin_cos(PI * u)
    scale = s / c / (x * x + y * y)
    return scale * sin_cos(x)[1], scale * sin_cos(y)[0]


@each_with_chance
def blade(x, y, u, v):
    s, c = sin_cos(u * _radius(x, y))
    return x * (c + s), x * (c - s)


@each
def cross(x, y):
    s = ONE / abs(x * x - y * y)
    return s * x, s * y


@njit(nogil=True)
def vary(variation, x, y, maps, states):
    """Apply a variation to all points in place.

    Args:
        variation: Its number; 0 changes nothing.
        x, y: float32 (points,).
        maps: float32 (4, points), b, c, e and f of each point's last map; read by ``DEPENDENT`` ones.
        states: uint32 (points,), not 0; read and stepped by those that need random numbers.
    """
    if variation == 1:
        sinusoidal(x, y)
    elif variation == 2:
        spherical(x, y)
    elif variation == 3:
        swirl(x, y)
    elif variation == 4:
        horseshoe(x, y)
    elif variation == 5:
        polar(x, y)
    elif variation == 6:
        handkerchief(x, y)
    elif variation == 7:
        heart(x, y)
    elif variation == 8:
        disc(x, y)
    elif variation == 9:
        spiral(x, y)
    elif variation == 10:
        hyperbolic(x, y)
    elif variation == 11:
        diamond(x, y)
    elif variation == 12:
        ex(x, y)
    elif variation == 13:
        julia(x, y, states)
    elif variation == 14:
        bent(x, y)
    elif variation == 15:
        waves(x, y, maps)
    elif variation == 16:
        fisheye(x, y)
    elif variation == 17:
        popcorn(x, y, maps)
    elif variation == 18:
        exponential(x, y)
    elif variation == 19:
        power(x, y)
    elif variation == 20:
        cosine(x, y)
    elif variation == 21:
        rings(x, y, maps)
    elif variation == 22:
        fan(x, y, maps)
    elif variation == 27:
        eyefish(x, y)
    elif variation == 28:
        bubble(x, y)
    elif variation == 29:
        cylinder(x, y)
    elif variation == 31:
        noise(x, y, states)
    elif variation == 42:
        tangent(x, y)
    elif variation == 44:
        rays(x, y, states)
    elif variation == 45:
        blade(x, y, states)
    elif variation == 48:
        cross(x, y)

"""Elementary functions in single precision, for loops that become vector instructions.

A mathematical library rounds the last digit as it likes, differently from processor to processor, and a
chaos game amplifies that. These are made of additions, multiplications, divisions, square roots and bits
alone, which IEEE 754 defines exactly, and have no branches. Relative errors are below 1e-5 over the ranges
that matter here.
"""

import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kinefract.synth.render.compiled import inlined

ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
QUARTER, FOUR = np.float32(0.25), np.float32(4)
PI, HALF_PI, QUARTER_PI = np.float32(math.pi), np.float32(math.pi / 2), np.float32(math.pi / 4)
PER_RIGHT_ANGLE = np.float32(2 / math.pi)
# A right angle in two parts, the first of which has room for exact multiples (Cody and Waite).
RIGHT_ANGLE, RIGHT_ANGLE_REST = np.float32(1.5703125), np.float32(math.pi / 2 - 1.5703125)
SIN = tuple(np.float32(1 / math.factorial(n)) for n in (3, 5, 7))
COS = tuple(np.float32(1 / math.factorial(n)) for n in (2, 4, 6, 8))
ATAN = tuple(np.float32(1 / n) for n in (3, 5, 7, 9, 11, 13))
EXP = tuple(np.float32(1 / math.factorial(n)) for n in (2, 3, 4, 5, 6))
LOG = tuple(np.float32(2 / n) for n in (1, 3, 5, 7, 9))
TAN_PI_8 = np.float32(math.tan(math.pi / 8))
LOG2_E, LN_2 = np.float32(1 / math.log(2)), np.float32(math.log(2))
LN_2_HIGH, LN_2_LOW = np.float32(0.693359375), np.float32(math.log(2) - 0.693359375)
LEAST_EXPONENT, MOST_EXPONENT = np.float32(-87), np.float32(88)
ROOT_2 = np.float32(math.sqrt(2))
EXPONENT_SHIFT, EXPONENT_BIAS = np.int32(23), np.int32(127)
MANTISSA, BITS_OF_ONE = np.int32(0x7FFFFF), np.int32(0x3F800000)


@intrinsic
def _bits(typing_context, value):
    """Return the bits of a float32 as an int32."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.int32(types.float32), generate


@intrinsic
def _from_bits(typing_context, value):
    """Return the float32 with these bits."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate


@inlined
def sin_cos(x):
    """Return sine and cosine of an angle in radians."""
    turns = np.floor(x * PER_RIGHT_ANGLE + HALF)
    r = (x - turns * RIGHT_ANGLE) - turns * RIGHT_ANGLE_REST
    # Far out nothing of the angle is left; the result is at least that of some angle.
    r = min(max(r, -QUARTER_PI), QUARTER_PI)
    q = r * r
    s = r * (ONE - q * (SIN[0] - q * (SIN[1] - q * SIN[2])))
    c = ONE - q * (COS[0] - q * (COS[1] - q * (COS[2] - q * COS[3])))
    quadrant = turns - FOUR * np.floor(turns * QUARTER)
    odd = (quadrant == ONE) | (quadrant == np.float32(3))
    sine, cosine = c if odd else s, s if odd else c
    cosine = -cosine if (quadrant == ONE) | (quadrant == TWO) else cosine
    return -sine if quadrant >= TWO else sine, cosine


@inlined
def atan2(y, x):
    """Return the angle of the vector (x, y) in radians, in [-pi, pi]."""
    across, along = abs(y), abs(x)
    low, high = min(across, along), max(across, along)
    wide = low > TAN_PI_8 * high
    t = (low - high) / (low + high) if wide else low / high
    q = t * t
    angle = t * (
        ONE - q * (ATAN[0] - q * (ATAN[1] - q * (ATAN[2] - q * (ATAN[3] - q * (ATAN[4] - q * ATAN[5])))))
    )
    angle = angle + QUARTER_PI if wide else angle
    angle = HALF_PI - angle if across > along else angle
    angle = PI - angle if x < ZERO else angle
    return -angle if y < ZERO else angle


@inlined
def exp(x):
    """Return e to the power of x, x held to [-87, 88]."""
    x = min(max(x, LEAST_EXPONENT), MOST_EXPONENT)
    n = np.floor(x * LOG2_E + HALF)
    r = (x - n * LN_2_HIGH) - n * LN_2_LOW
    p = ONE + r * (ONE + r * (EXP[0] + r * (EXP[1] + r * (EXP[2] + r * (EXP[3] + r * EXP[4])))))
    return p * _from_bits((np.int32(n) + EXPONENT_BIAS) << EXPONENT_SHIFT)


@inlined
def log(x):
    """Return the natural logarithm of x > 0."""
    bits = _bits(x)
    exponent = np.float32((bits >> EXPONENT_SHIFT) - EXPONENT_BIAS)
    m = _from_bits((bits & MANTISSA) | BITS_OF_ONE)
    upper = m > ROOT_2
    m = m * HALF if upper else m
    exponent = exponent + ONE if upper else exponent
    s = (m - ONE) / (m + ONE)
    q = s * s
    return exponent * LN_2 + s * (LOG[0] + q * (LOG[1] + q * (LOG[2] + q * (LOG[3] + q * LOG[4]))))


@inlined
def tanh(x):
    """Return the hyperbolic tangent."""
    e = exp(TWO * x)
    return ONE - TWO / (e + ONE)

"""The catalogue of flame variations (Draves and Reckase, "The Fractal Flame Algorithm", appendix), by number.

This module holds only names and numbers, by which recipes are checked. The formulas for CPUs are in
``flame``, those for GPUs in ``flame_torch``.
"""

LINEAR = 0

VARIATIONS = {
    "sinusoidal": 1,
    "spherical": 2,
    "swirl": 3,
    "horseshoe": 4,
    "polar": 5,
    "handkerchief": 6,
    "heart": 7,
    "disc": 8,
    "spiral": 9,
    "hyperbolic": 10,
    "diamond": 11,
    "ex": 12,
    "julia": 13,
    "bent": 14,
    "waves": 15,
    "fisheye": 16,
    "popcorn": 17,
    "exponential": 18,
    "power": 19,
    "cosine": 20,
    "rings": 21,
    "fan": 22,
    "eyefish": 27,
    "bubble": 28,
    "cylinder": 29,
    "noise": 31,
    "tangent": 42,
    "rays": 44,
    "blade": 45,
    "cross": 48,
}
NAMES = {number: name for name, number in VARIATIONS.items()}

# This is the mix of arXiv 2411.17584, section 3.
METHOD_MIX = ("horseshoe", "bent", "fisheye", "popcorn", "cosine", "eyefish", "cylinder")

"""Loops that apply a formula of a flame variation to all points of a chaos game, compiled by numba."""

from collections.abc import Callable

import numpy as np
from numba import njit

from kinefract.synth.render.compiled import inlined

UNIT = np.float32(2.0**-24)


@inlined
def _next(state):
    """Step a generator of 32 random bits (Marsaglia, "Xorshift RNGs", 2003)."""
    # Shifts widen to 64 bits, so each is cut back.
    state = np.uint32(state ^ (state << np.uint32(13)))
    state = np.uint32(state ^ (state >> np.uint32(17)))
    return np.uint32(state ^ (state << np.uint32(5)))


def _compiled(loop: Callable, formula: Callable) -> Callable:
    """Compile a formula's loop, under a name of its own.

    Numba tells loops of one name apart by a number that each process counts from the start. Kernels from two
    processes' caches would take each other's loops.
    """
    loop.__qualname__ = f"{loop.__name__}_{formula.__name__}"
    return njit(nogil=True, error_model="numpy")(loop)


def each(formula: Callable) -> Callable:
    """Return a loop that applies ``formula(x, y)`` to every point."""
    vary = inlined(formula)

    def apply(x, y):
        for i in range(x.size):
            x[i], y[i] = vary(x[i], y[i])

    return _compiled(apply, formula)


def each_with_map(formula: Callable) -> Callable:
    """Return a loop that applies ``formula(x, y, b, c, e, f)`` to every point."""
    vary = inlined(formula)

    def apply(x, y, maps):  # maps: (4, points)
        for i in range(x.size):
            x[i], y[i] = vary(x[i], y[i], maps[0, i], maps[1, i], maps[2, i], maps[3, i])

    return _compiled(apply, formula)


def each_with_chance(formula: Callable) -> Callable:
    """Return a loop that applies ``formula(x, y, u, v)``, u and v ~ U[0, 1), to every point."""
    vary = inlined(formula)

    def apply(x, y, states):  # states: uint32 (points,), none of them 0
        for i in range(x.size):
            state = _next(states[i])
            u = np.float32(np.int32(state >> np.uint32(8))) * UNIT
            state = _next(state)
            v = np.float32(np.int32(state >> np.uint32(8))) * UNIT
            states[i] = state
            x[i], y[i] = vary(x[i], y[i], u, v)

    return _compiled(apply, formula)

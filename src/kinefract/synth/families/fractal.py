"""The fractal family: clips of an iterated function system on the move (arXiv 2411.17584, section 3)."""

from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from kinefract.schema import Section
from kinefract.synth import ifs, motion
from kinefract.synth.recipes import FAMILIES, DatasetRecipe, Points
from kinefract.synth.refuse import is_worth_seeing
from kinefract.synth.streams import stream

# An instance that cannot be shown is drawn again: ten times at full strength, then closer and closer to its
# class, which has been seen to show something.
FULL_STRENGTH, FADE, LEAST_STRENGTH = 10, 6, 0.1
CLASS_ATTEMPTS = 50

LEAST_INSIDE = 0.02  # of the points, or the system explodes

# Enough to tell whether a class shows something.
CHECKED_SIZE = 64
CHECKED_POINTS = Points(steps=220, discard=20, window_steps=220)


class Perturbation(Section):
    """How far an instance strays from its class."""

    factor: float = Field(default=0.4, ge=0, lt=1, description="coefficients times U[1 - factor, 1 + factor]")
    offset: float = Field(default=0.2, ge=0, description="coefficients plus U[-offset, offset]")


@FAMILIES.register
class FractalRecipe(DatasetRecipe):
    """Settings of a dataset of fractal clips."""

    family: Literal["fractal"] = "fractal"
    motion: Literal["linear", "nonlinear"] = Field(default="nonlinear", description="time curves of the maps")
    interpolation: Literal["decomposed", "naive"] = Field(
        default="decomposed", description="what moves: the factors of the maps, or their entries"
    )
    points: Points = Points()
    perturbation: Perturbation = Perturbation()

    def render(self, index: int, attempt: int) -> np.ndarray | None:
        """Render one draw of clip ``index``: uint8 (T, size, size), its brightest pixel 255."""
        system = class_system(self, self.label(index))
        strength = min(1.0, max(LEAST_STRENGTH, 1 - (attempt - FULL_STRENGTH + 1) / FADE))
        rng = stream(self.seed, "instance", index, attempt)
        return render_clip(perturb(system, self.perturbation, strength, rng), self.size, self.points, rng)


class _Class(NamedTuple):
    """What decides the parameters of a class; not its size in pixels, nor its number of points."""

    seed: int
    motion: str
    interpolation: str
    frames: tuple[int, int]
    number: int


def class_system(recipe: FractalRecipe, label: int) -> np.ndarray:
    """Return the maps of a class: float64 (T, N, 6), read-only, T and N decided by the class."""
    return _class_system(_Class(recipe.seed, recipe.motion, recipe.interpolation, recipe.frames, label))


@lru_cache(maxsize=512)
def _class_system(which: _Class) -> np.ndarray:
    for attempt in range(CLASS_ATTEMPTS):
        rng = stream(which.seed, "class", which.number, attempt)
        system = sample_system(
            rng, which.frames, which.motion == "nonlinear", which.interpolation == "decomposed"
        )
        frames = render_clip(system, CHECKED_SIZE, CHECKED_POINTS, rng)
        if frames is not None and is_worth_seeing(frames):
            break
    system.setflags(write=False)
    return system


def sample_system(
    rng: np.random.Generator, frames: tuple[int, int], nonlinear: bool, decomposed: bool
) -> np.ndarray:
    """Draw the maps of a clip, frame by frame.

    Args:
        rng: Random stream.
        frames: Fewest and most frames, T is uniform between them.
        nonlinear: Draw nonlinear time curves, too.
        decomposed: Interpolate factors; otherwise the entries of two unrelated systems.

    Returns:
        float64 (T, N, 6), N uniform on 3..8.
    """
    length = int(rng.integers(frames[0], frames[1] + 1))
    maps = int(rng.integers(ifs.FEWEST_MAPS, ifs.MOST_MAPS + 1))
    curves = motion.sample_curves(rng, length, maps, nonlinear)
    if decomposed:
        start, end = ifs.sample_key_frames(rng, maps)
        return ifs.compose(ifs.interpolate(start, end, curves))
    start, end = ifs.compose(ifs.sample_factors(rng, maps)), ifs.compose(ifs.sample_factors(rng, maps))
    return ifs.interpolate_entries(start, end, curves)


def perturb(system: np.ndarray, by: Perturbation, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Make an instance of a class: coefficients times a smooth curve that the maps share, plus an offset.

    Args:
        system: (T, N, 6), composed.
        by: Ranges of factor and offset.
        strength: From 0 (the class itself) to 1.
        rng: Random stream.

    Returns:
        float64 (T, N, 6).
    """
    frames, maps, coefficients = system.shape
    factor, offset = strength * by.factor, strength * by.offset
    factors = motion.smooth_curves(rng, frames, coefficients, 1 - factor, 1 + factor)
    return system * factors[:, None] + rng.uniform(-offset, offset, (maps, coefficients))


def render_clip(system: np.ndarray, size: int, points: Points, rng: np.random.Generator) -> np.ndarray | None:
    """Render one clip, window and all.

    Returns:
        uint8 (T, size, size), or ``None`` for a system that explodes: a frame has no point where the window
        is looked for, or hardly a point falls into the window.
    """
    from kinefract.synth import render  # imports numba, which takes longer than all else here

    probabilities = ifs.map_probabilities(system)
    keys = rng.integers(0, 2**64, len(system) + 2, dtype=np.uint64)
    ends = [0, -1]
    window = render.find_window(
        system[ends], probabilities[ends], keys[-2:], points.chains, points.window_steps, points.discard
    )
    if window is None:
        return None
    counts = render.render(
        system, probabilities, window, size, keys[:-2], points.chains, points.steps, points.discard
    )
    drawn = len(system) * points.chains * (points.steps - points.discard)
    if counts.sum(dtype=np.int64) < LEAST_INSIDE * drawn:
        return None
    return render.tone(render.box_sum(counts))

"""The fractal family: clips of a moving iterated function system (arXiv 2411.17584, section 3)."""

from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import BeforeValidator, Field

from kinefract.common.schema import Section, not_one_of
from kinefract.common.streams import stream
from kinefract.synth import ifs, motion
from kinefract.synth.dataset_recipe import FAMILIES, DatasetRecipe, Points
from kinefract.synth.filter import is_worth_seeing
from kinefract.synth.variations import LINEAR, METHOD_MIX, NAMES, VARIATIONS

# An instance that cannot be shown is drawn again: ten times at full strength, then closer and closer to its
# class, which is known to give a picture.
FULL_STRENGTH, FADE, LEAST_STRENGTH = 10, 6, 0.1
CLASS_ATTEMPTS = 50

LEAST_INSIDE = 0.02  # share of the points inside the window; with fewer the system explodes

# These points suffice to check whether a class gives a picture.
CHECKED_SIZE = 64
CHECKED_POINTS = Points(steps=220, discard=20, window_steps=220)


def _variation_name(value: Any) -> str:
    name = NAMES.get(value) if isinstance(value, int) else value
    if not isinstance(name, str) or name not in VARIATIONS:
        raise ValueError(not_one_of(str(value), [*VARIATIONS, *map(str, NAMES)]))
    return name


Variation = Annotated[str, BeforeValidator(_variation_name)]


class Perturbation(Section):
    """Settings of how far an instance differs from its class."""

    factor: float = Field(default=0.4, ge=0, lt=1, description="coefficients times U[1 - factor, 1 + factor]")
    offset: float = Field(default=0.2, ge=0, le=100, description="coefficients plus U[-offset, offset]")


@FAMILIES.register
class FractalRecipe(DatasetRecipe):
    """Settings of moving fractals: attractors of iterated function systems (arXiv 2411.17584)."""

    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {
        "The method's mix.": {},
        "Still: one system a clip, drawn once.": {"motion": "still", "nonlinear_shapes": 0.0},
        "Linear motion and shapes.": {"motion": "linear", "nonlinear_shapes": 0.0},
        "Nonlinear motion, linear shapes.": {"nonlinear_shapes": 0.0},
        "Naive interpolation: clips turn to dust half-way.": {
            "motion": "linear",
            "interpolation": "naive",
            "nonlinear_shapes": 0.0,
        },
        "Nonlinear motion and shapes.": {"nonlinear_shapes": 1.0},
        "Instances of one class.": {"classes": 1},
    }

    CHANNELS: ClassVar[int] = 1

    family: Literal["fractal"] = "fractal"
    motion: Literal["still", "linear", "nonlinear"] = Field(
        default="nonlinear", description="time curves of the maps; still: one picture, held"
    )
    interpolation: Literal["decomposed", "naive"] = Field(
        default="decomposed", description="what moves: the factors of the maps, or their entries"
    )
    nonlinear_shapes: float = Field(
        default=0.5, ge=0, le=1, description="probability that a class has a flame variation after every map"
    )
    variations: Annotated[tuple[Variation, ...], Field(strict=False, min_length=1)] = Field(
        default=METHOD_MIX, description="which flame variations, by name or number; each as often"
    )
    points: Points = Points()
    perturbation: Perturbation = Perturbation()

    @property
    def moves(self) -> bool:
        return self.motion != "still"

    def render(self, index: int, attempt: int) -> np.ndarray | None:
        """Render one draw of clip ``index``: uint8 (T, size, size), its brightest pixel 255."""
        system, rng = instance(self, index, attempt)
        return render_clip(system, self.size, self.points, rng, self.moves)


class System(NamedTuple):
    """The iterated function system of a clip, frame by frame."""

    maps: np.ndarray  # float64 (T, N, 6), composed
    variation: int  # number of the flame variation after every map; 0 for none


class _Class(NamedTuple):
    """The settings that decide the parameters of a class; size in pixels and number of points do not."""

    seed: int
    motion: str
    interpolation: str
    nonlinear_shapes: float
    variations: tuple[str, ...]
    frames: tuple[int, int]
    number: int


def class_system(recipe: FractalRecipe, label: int) -> System:
    """Return the system of a class with read-only maps; T, N and the variation are drawn per class, too."""
    return _class_system(_Class(**{key: getattr(recipe, key) for key in _Class._fields[:-1]}, number=label))


@lru_cache(maxsize=2048)
def _class_system(which: _Class) -> System:
    for attempt in range(CLASS_ATTEMPTS):
        rng = stream(which.seed, "class", which.number, attempt)
        maps = sample_maps(
            rng, which.frames, which.motion == "nonlinear", which.interpolation == "decomposed"
        )
        varied = rng.random() < which.nonlinear_shapes
        variation = VARIATIONS[which.variations[rng.integers(len(which.variations))]] if varied else LINEAR
        system, moves = System(maps, variation), which.motion != "still"
        frames = render_clip(system, CHECKED_SIZE, CHECKED_POINTS, rng, moves)
        if frames is not None and is_worth_seeing(frames, moves):
            break
    maps.setflags(write=False)
    return system


def sample_maps(
    rng: np.random.Generator, frames: tuple[int, int], nonlinear: bool, decomposed: bool
) -> np.ndarray:
    """Draw the maps of a clip, frame by frame.

    Args:
        rng: Random stream.
        frames: Fewest and most frames, T is uniform between them.
        nonlinear: Draw nonlinear time curves, too.
        decomposed: Interpolate factors; otherwise interpolate the entries of two unrelated systems.

    Returns:
        float64 (T, N, 6), N uniform on 3..8.
    """
    length = int(rng.integers(frames[0], frames[1] + 1))
    maps = int(rng.integers(ifs.FEWEST_MAPS, ifs.MOST_MAPS + 1))
    curves = motion.sample_curves(rng, length, maps, nonlinear)
    if decomposed:
        return ifs.compose(ifs.interpolate(*ifs.sample_key_frames(rng, maps), curves))
    start, end = ifs.compose(ifs.sample_factors(rng, maps)), ifs.compose(ifs.sample_factors(rng, maps))
    return ifs.interpolate_entries(start, end, curves)


def instance(recipe: FractalRecipe, index: int, attempt: int) -> tuple[System, np.random.Generator]:
    """Return the system of one draw of a clip, and the random stream of its points."""
    strength = min(1.0, max(LEAST_STRENGTH, 1 - (attempt - FULL_STRENGTH + 1) / FADE))
    rng = stream(recipe.seed, "instance", index, attempt)
    return perturb(class_system(recipe, recipe.label(index)), recipe.perturbation, strength, rng), rng


def perturb(system: System, by: Perturbation, strength: float, rng: np.random.Generator) -> System:
    """Make an instance of a class: coefficients times a smooth curve that the maps share, plus an offset.

    Args:
        system: The class.
        by: Ranges of factor and offset.
        strength: From 0 (the class itself) to 1.
        rng: Random stream.
    """
    frames, maps, coefficients = system.maps.shape
    factor, offset = strength * by.factor, strength * by.offset
    factors = motion.smooth_curves(rng, frames, coefficients, 1 - factor, 1 + factor)
    offsets = rng.uniform(-offset, offset, (maps, coefficients))
    return system._replace(maps=system.maps * factors[:, None] + offsets)


def render_clip(
    system: System, size: int, points: Points, rng: np.random.Generator, moves: bool = True
) -> np.ndarray | None:
    """Render one clip, including the choice of its window.

    Args:
        system: Maps of every frame.
        size: Height and width in pixels.
        points: Points of the chaos game.
        rng: Random stream.
        moves: ``False`` draws the first frame and holds it.

    Returns:
        uint8 (T, size, size), or ``None`` for a system that explodes: in a frame no point lies in the area
        searched for the window, or hardly a point falls into the window.
    """
    from kinefract.synth.render.cpu import render
    from kinefract.synth.render.tone import box_sum, tone
    from kinefract.synth.render.window import find_window

    maps = ifs.on_grid(system.maps if moves else system.maps[:1])
    probabilities = ifs.map_probabilities(maps)
    keys = frame_keys(rng, len(maps))
    ends = [0, -1]
    game = {"chains": points.chains, "discard": points.discard, "variation": system.variation}
    window = find_window(maps[ends], probabilities[ends], keys[-2:], steps=points.window_steps, **game)
    if window is None:
        return None
    counts = render(maps, probabilities, window, size, keys[:-2], steps=points.steps, **game)
    drawn = len(maps) * points.chains * (points.steps - points.discard)
    if counts.sum(dtype=np.int64) < LEAST_INSIDE * drawn:
        return None
    frames = tone(box_sum(counts))
    return frames if moves else frames.repeat(len(system.maps), axis=0)


def frame_keys(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Draw the keys of a clip's chaos games: uint64 (T + 2,), one per frame, then one per end's window."""
    return rng.integers(0, 2**64, frames + 2, dtype=np.uint64)

"""The dead-leaves family: flat shapes that hide each other and move (arXiv 2411.17584, ablation).

A class is a set of shapes and their paths. An instance drops some shapes, stacks the others in another order
and bends their paths.

The paper leaves some points open. Here polygons are regular, an ellipse draws both semi-axes, shapes do not
rotate as they move, and the ground is black. The two time curves of each shape follow the rule for the maps
of a clip, shape by shape. Paths are normalised together, so that the centres of a class just reach all four
edges. An instance drops exactly its share of the shapes. It multiplies distances from the frame's centre by
one curve per axis that all shapes share, as the maps of a fractal share theirs, and shifts each shape on its
own.
"""

from functools import lru_cache
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from kinefract.common.ranges import FloatRange, IntRange, within
from kinefract.common.streams import stream
from kinefract.synth import motion
from kinefract.synth.dataset_recipe import FAMILIES, DatasetRecipe

SIZE = 256  # height and width of the frame to which lengths in pixels refer


@FAMILIES.register
class DeadLeavesRecipe(DatasetRecipe):
    """Settings of a dataset of dead leaves."""

    family: Literal["dead_leaves"] = "dead_leaves"
    motion: Literal["linear", "nonlinear"] = Field(
        default="nonlinear", description="time curves of the shapes"
    )
    shapes: Annotated[IntRange, within(1, 1000)] = Field(
        default=(15, 30), description="fewest and most shapes of a class"
    )
    sides: Annotated[IntRange, within(1, 100)] = Field(
        default=(1, 8), description="fewest and most sides of a shape; 1 and 2: an ellipse"
    )
    radius: Annotated[FloatRange, within(0.5, 256)] = Field(
        default=(12.0, 32.0), description="least and greatest radius of a shape, in pixels of a 256 px frame"
    )
    scale: Annotated[FloatRange, within(0.01, 100)] = Field(
        default=(1.0, 2.0),
        description="a path is a time curve times U[scale], up or down, plus U[-offset, offset]",
    )
    offset: float = Field(
        default=2.0,
        ge=0,
        le=100,
        description="how far a path is moved, at most; all paths are then fitted together",
    )
    reversed: float = Field(default=0.5, ge=0, le=1, description="probability that a path is run backwards")
    dropped: float = Field(default=0.2, ge=0, lt=1, description="share of the shapes that an instance lacks")
    factor: float = Field(
        default=0.2, ge=0, lt=1, description="paths of an instance times U[1 - factor, 1 + factor]"
    )
    shift: float = Field(default=0.08, ge=0, le=1, description="and plus U[-shift, shift] of the frame")

    def render(self, index: int, attempt: int) -> np.ndarray:
        """Render one draw of clip ``index``: uint8 (T, size, size, 3)."""
        leaves = class_leaves(self, self.label(index))
        return paint(vary(leaves, self, stream(self.seed, "instance", index, attempt)), self.size)


class Leaves(NamedTuple):
    """Shapes in the order they are painted, N of them."""

    polygons: tuple[np.ndarray, ...]  # (corners, 2) each, around the centre, as a share of the frame
    colours: np.ndarray  # uint8 (N, 3)
    paths: np.ndarray  # float64 (T, N, 2): centres (x, y), the frame being [0, 1]


@lru_cache(maxsize=512)
def class_leaves(recipe: DeadLeavesRecipe, label: int) -> Leaves:
    """Return the shapes and paths of a class; T and N are drawn per class, too."""
    from kinefract.synth.render.polygons import corners

    rng = stream(recipe.seed, "class", label)
    frames = int(rng.integers(*recipe.frames, endpoint=True))
    count = int(rng.integers(*recipe.shapes, endpoint=True))
    polygons = tuple(
        corners(
            int(rng.integers(*recipe.sides, endpoint=True)),
            tuple(rng.uniform(*recipe.radius, 2) / SIZE),
            rng.uniform(),
        )
        for _ in range(count)
    )
    colours = rng.integers(256, size=(count, 3), dtype=np.uint8)
    paths = np.stack([_path(rng, frames, recipe) for _ in range(count)], axis=1)
    low, high = paths.min(axis=(0, 1)), paths.max(axis=(0, 1))
    return Leaves(polygons, colours, (paths - low) / (high - low))


def _path(rng: np.random.Generator, frames: int, recipe: DeadLeavesRecipe) -> np.ndarray:
    """Draw the path of one shape, float64 (T, 2), not yet fitted to the frame."""
    curves = motion.sample_curves(rng, frames, 2, recipe.motion == "nonlinear")
    scale = rng.uniform(*recipe.scale, 2) * rng.choice([-1, 1], 2)
    path = scale * curves + rng.uniform(-recipe.offset, recipe.offset, 2)
    return path[::-1] if rng.random() < recipe.reversed else path


def vary(leaves: Leaves, recipe: DeadLeavesRecipe, rng: np.random.Generator) -> Leaves:
    """Make an instance of a class: fewer shapes, in another order, on slightly different paths."""
    frames, count, _ = leaves.paths.shape
    kept = rng.permutation(count)[: max(1, count - round(recipe.dropped * count))]
    factors = motion.smooth_curves(rng, frames, 2, 1 - recipe.factor, 1 + recipe.factor)
    shifts = rng.uniform(-recipe.shift, recipe.shift, (count, 2))
    paths = (leaves.paths - 0.5) * factors[:, None] + 0.5 + shifts
    return Leaves(tuple(leaves.polygons[n] for n in kept), leaves.colours[kept], paths[:, kept])


def paint(leaves: Leaves, size: int) -> np.ndarray:
    """Paint shapes on black, the last on top.

    Returns:
        uint8 (T, size, size, 3).
    """
    from kinefract.synth.render.polygons import fill

    images = np.zeros((len(leaves.paths), size, size, 3), np.uint8)
    for n, (polygon, colour) in enumerate(zip(leaves.polygons, leaves.colours, strict=True)):
        fill(images, (polygon + leaves.paths[:, n, None]) * size, colour)
    return images

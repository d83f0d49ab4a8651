"""The Perlin family: clips of moving noise (arXiv 2411.17584, ablation; Perlin, "Improving Noise", 2002).

A class is a pair of spatial frequencies. Each instance is another noise field with a length of its own.

The paper leaves some points open. Here gradients are the twelve of Perlin 2002. The frame spans the same
cells of the lattice at every size, so frequencies above the size in pixels alias, into noise again. Pixels
and frames are sampled at their centres, since the noise is zero on the lattice. Grey levels are stretched
clip by clip.
"""

from typing import Annotated, ClassVar, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from kinefract.common.streams import stream
from kinefract.common.words import counted
from kinefract.synth.dataset_recipe import FAMILIES, DatasetRecipe

# Directions (t, y, x) to the middles of a cube's twelve edges, all of one length.
GRADIENTS = np.array(
    [
        (0, 1, 1), (0, 1, -1), (0, -1, 1), (0, -1, -1),
        (1, 0, 1), (1, 0, -1), (-1, 0, 1), (-1, 0, -1),
        (1, 1, 0), (1, -1, 0), (-1, 1, 0), (-1, -1, 0),
    ],
    np.float32,
)  # fmt: skip

Frequency = Annotated[int, Field(ge=1, le=1024)]


@FAMILIES.register
class PerlinRecipe(DatasetRecipe):
    """Settings of a dataset of Perlin noise, with at most one class per pair of frequencies."""

    CHANNELS: ClassVar[int] = 1

    family: Literal["perlin"] = "perlin"
    frequencies: Annotated[tuple[Frequency, ...], Field(strict=False, min_length=1)] = Field(
        default=(1, 2, 3, 5, 6, 8, 10, 12, 16, 20, 30, 40, 60, 80, 120, 240),
        description="cells of the lattice down a frame, and across it, of which every class has a pair",
    )
    periods: int = Field(default=1, ge=1, le=100, description="cells of the lattice along a clip")

    @model_validator(mode="after")
    def _classes_differ(self) -> Self:
        if len(set(self.frequencies)) < len(self.frequencies):
            raise ValueError("frequencies: one is named twice, so classes would be the same")
        pairs = len(self.frequencies) ** 2
        if self.classes > pairs:
            raise ValueError(
                f"classes: {counted(len(self.frequencies), 'frequency')} make "
                f"{counted(pairs, 'pair')}, no more classes"
            )
        return self

    @property
    def moves(self) -> bool:
        """``False``: no clip is rejected for lack of motion. All change, though fine noise only in blocks."""
        return False

    def render(self, index: int, attempt: int) -> np.ndarray:
        """Render one draw of clip ``index``: uint8 (T, size, size), from 0 to 255."""
        rng = stream(self.seed, "instance", index, attempt)
        frames = int(rng.integers(*self.frames, endpoint=True))
        corners = [cells + 1 for cells in (self.periods, *class_frequencies(self, self.label(index)))]
        gradients = GRADIENTS[rng.integers(len(GRADIENTS), size=corners)]
        return stretch(perlin_noise(gradients, frames, self.size))


def class_frequencies(recipe: PerlinRecipe, label: int) -> tuple[int, int]:
    """Return the frequencies (fy, fx) of a class; the seed decides the random order of the pairs."""
    count = len(recipe.frequencies)
    pair = int(stream(recipe.seed, "class").permutation(count**2)[label])
    return recipe.frequencies[pair // count], recipe.frequencies[pair % count]


def perlin_noise(gradients: np.ndarray, frames: int, size: int) -> np.ndarray:
    """Sample gradient noise with a quintic fade, zero at the corners of its lattice (Perlin 2002).

    Along time the noise is a mix of two planes of the lattice, each of which changes at a constant rate.
    Therefore only two images per plane are interpolated in space.

    Args:
        gradients: (periods + 1, fy + 1, fx + 1, 3), one gradient (t, y, x) at every corner.
        frames: T.
        size: Height and width in pixels.

    Returns:
        float32 (T, size, size).
    """
    periods, down, across = (corners - 1 for corners in gradients.shape[:3])
    y, x = _cells(size, down), _cells(size, across)
    planes = [_plane(corners, y, x) for corners in gradients]
    noise = np.empty((frames, size, size), np.float32)
    for image, cell, offset, share in zip(noise, *_cells(frames, periods), strict=True):
        (start, start_rate), (end, end_rate) = planes[cell], planes[cell + 1]
        image[:] = _mix(start + offset * start_rate, end + (offset - 1) * end_rate, share)
    return noise


def stretch(noise: np.ndarray) -> np.ndarray:
    """Convert noise to grey levels, uint8 of the same shape: the least value becomes 0, the greatest 255."""
    low, high = noise.min(), noise.max()
    levels = (noise - low) * (np.float32(255) / (high - low))
    return np.rint(levels, out=levels).astype(np.uint8)


class _Cells(NamedTuple):
    """Positions of the centres of pixels (or frames) on one axis of the lattice, each of shape (samples,)."""

    cell: np.ndarray  # int
    offset: np.ndarray  # float32, from the cell's start, in [0, 1)
    share: np.ndarray  # float32, of the cell's end: the quintic fade of the offset


def _cells(samples: int, cells: int) -> _Cells:
    position = (np.arange(samples) + 0.5) * cells / samples
    cell = position.astype(int)
    offset = position - cell
    share = offset**3 * (offset * (offset * 6 - 15) + 10)
    return _Cells(cell, offset.astype(np.float32), share.astype(np.float32))


def _plane(corners: np.ndarray, y: _Cells, x: _Cells) -> tuple[np.ndarray, np.ndarray]:
    """Return the noise in one plane of the lattice, and its change over time: float32 (size, size) each.

    Args:
        corners: (fy + 1, fx + 1, 3), gradients.
        y, x: Positions of the rows and columns of pixels.
    """
    left, right = corners[:, x.cell], corners[:, x.cell + 1]  # (fy + 1, size, 3)
    slopes = _mix(left, right, x.share[:, None])
    along = _mix(left[..., 2] * x.offset, right[..., 2] * (x.offset - 1), x.share)
    upper, lower = slopes[y.cell], slopes[y.cell + 1]  # (size, size, 3)
    offset, share = y.offset[:, None], y.share[:, None]
    plane = _mix(
        along[y.cell] + upper[..., 1] * offset, along[y.cell + 1] + lower[..., 1] * (offset - 1), share
    )
    return plane, _mix(upper[..., 0], lower[..., 0], share)


def _mix(start: np.ndarray, end: np.ndarray, share: np.ndarray) -> np.ndarray:
    return start + share * (end - start)

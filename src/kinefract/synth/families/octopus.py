"""The octopus family: bodies of a few limbs that bend and curl (arXiv 2411.17584, ablation).

A class is a body with its colours and its motion. An instance bends each limb differently and lies at another
place.

The paper leaves some points open. Here both coordinates of a limb's curve are splines. Their values set the
shape but not the size, since the body, over all frames, is fitted into the frame with a margin. The other
limbs are attached to the first fifth of the first limb and move with it. Lines have the value 255 and are a
pixel wide at 256 px, which makes limbs 10 to 27 px thick. Polygons are regular. Patches are polygons or
ellipses, visible where they lie on the body. Both are attached to points of limbs, move with them without
rotating, and are as large as the shapes of dead leaves. Colours differ clearly from the black around the
body. An instance multiplies each limb, relative to its root, by a smooth curve per axis and shifts the whole
body; the ranges are those of dead leaves.
"""

from typing import Annotated, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from kinefract.common.ranges import FloatRange, IntRange, within
from kinefract.common.streams import stream
from kinefract.synth import motion
from kinefract.synth.dataset_recipe import FAMILIES, DatasetRecipe

SIZE = 256  # height and width of the frame to which lengths in pixels refer
POINTS = 512  # points of a limb
VALUES = (0.85, 1.15)  # range of the spline values of a limb's coordinates
JOINTS = 0.2  # share of the first limb to which the others may be attached
MARGIN = 0.12  # share of the frame on each side
MOST_SIDES = 8  # sides of polygons and patches
LINE = 255.0  # grey level of a line before it is blurred


@FAMILIES.register
class OctopusRecipe(DatasetRecipe):
    """Settings of a dataset of octopuses. Lengths are in pixels of a 256 px frame, and grow with it."""

    family: Literal["octopus"] = "octopus"
    motion: Literal["linear", "nonlinear"] = Field(
        default="nonlinear", description="time curves of the limbs"
    )
    limbs: Annotated[IntRange, within(1, 50)] = Field(default=(3, 5), description="fewest and most limbs")
    curve_points: Annotated[IntRange, within(3, 50)] = Field(
        default=(3, 5), description="values that a limb's spline runs through"
    )
    sigma: Annotated[FloatRange, within(0.5, 50)] = Field(
        default=(3.0, 8.0), description="blur of the lines, in pixels"
    )
    threshold: Annotated[FloatRange, within(0.1, 255)] = Field(
        default=(3.0, 9.0), description="grey level, of 255, from which the blurred lines are the body"
    )
    closing: float = Field(
        default=5.0, ge=0, le=50, description="gaps of the body that are filled, in pixels"
    )
    polygons: Annotated[IntRange, within(1, 50)] = Field(
        default=(1, 3), description="polygons attached to a body"
    )
    with_polygons: float = Field(default=0.8, ge=0, le=1, description="probability that a body has polygons")
    patches: Annotated[IntRange, within(1, 50)] = Field(
        default=(3, 8), description="patches of other colours"
    )
    with_patches: float = Field(default=0.8, ge=0, le=1, description="probability that a body has patches")
    radius: Annotated[FloatRange, within(0.5, 256)] = Field(
        default=(12.0, 32.0), description="of polygons and patches, in pixels"
    )
    colours: Annotated[IntRange, within(0, 255)] = Field(
        default=(64, 255), description="least and greatest red, green and blue"
    )
    outline_only: float = Field(
        default=0.4, ge=0, le=1, description="probability that a body is outline only"
    )
    outline: float = Field(default=3.0, ge=0, le=50, description="width of an outline, in pixels")
    factor: float = Field(
        default=0.2, ge=0, lt=1, description="limbs of an instance times U[1 - factor, 1 + factor]"
    )
    shift: float = Field(
        default=0.08, ge=0, le=1, description="and the whole plus U[-shift, shift] of the frame"
    )

    @model_validator(mode="after")
    def _lines_reach_the_threshold(self) -> Self:
        peak = LINE / (self.sigma[1] * np.sqrt(2 * np.pi))
        if self.threshold[1] > peak:
            raise ValueError(
                f"threshold: {self.threshold[1]:g} would leave nothing of a line blurred by sigma "
                f"{self.sigma[1]:g}, which has {peak:.1f} grey levels"
            )
        return self

    def render(self, index: int, attempt: int) -> np.ndarray:
        """Render one draw of clip ``index``: uint8 (T, size, size, 3)."""
        body = class_body(self, self.label(index))
        limbs = vary(body, self, stream(self.seed, "instance", index, attempt))
        return paint(body, limbs, self.size)


class Piece(NamedTuple):
    """A shape that is attached to a point of a limb."""

    corners: np.ndarray  # float64 (corners, 2), around that point, as a share of the frame
    limb: int
    point: int


class Body(NamedTuple):
    """The body that the instances of a class share. Its limbs are in units of ``VALUES``, not yet fitted."""

    keys: np.ndarray  # float64 (2, N, POINTS, 2): key frames of the limbs, relative to their roots
    times: np.ndarray  # float64 (T, N): 0 at the first, 1 at the second
    joints: np.ndarray  # int (N,), points of limb 0 to which the others are attached
    sigma: float
    threshold: float
    closing: float
    polygons: list[Piece]
    patches: list[Piece]
    colours: np.ndarray  # uint8 (1 + patches, 3), the first that of the body
    outline: float  # 0: the body is filled


def class_body(recipe: OctopusRecipe, label: int) -> Body:
    """Draw the body of a class."""
    rng = stream(recipe.seed, "class", label)
    frames = int(rng.integers(*recipe.frames, endpoint=True))
    limbs = int(rng.integers(*recipe.limbs, endpoint=True))
    keys = np.stack([[_curve(rng, recipe) for _ in range(limbs)] for _ in range(2)])
    times = motion.sample_curves(rng, frames, limbs, recipe.motion == "nonlinear")
    joints = rng.integers(1 + int(JOINTS * POINTS), size=limbs)
    sigma, threshold = rng.uniform(*recipe.sigma), rng.uniform(*recipe.threshold)
    polygons = _pieces(rng, recipe, limbs, recipe.polygons, recipe.with_polygons, least_sides=3)
    patches = _pieces(rng, recipe, limbs, recipe.patches, recipe.with_patches, least_sides=1)
    low, high = recipe.colours
    colours = rng.integers(low, high, (1 + len(patches), 3), np.uint8, endpoint=True)
    outline = recipe.outline if rng.random() < recipe.outline_only else 0.0
    return Body(keys, times, joints, sigma, threshold, recipe.closing, polygons, patches, colours, outline)


def _curve(rng: np.random.Generator, recipe: OctopusRecipe) -> np.ndarray:
    """Draw a smooth open curve from the origin: float64 (POINTS, 2)."""
    points = int(rng.integers(*recipe.curve_points, endpoint=True))
    curve = motion.spline_matrix(points, POINTS) @ rng.uniform(*VALUES, (points, 2))
    return curve - curve[0]


def _pieces(
    rng: np.random.Generator,
    recipe: OctopusRecipe,
    limbs: int,
    number: tuple[int, int],
    probability: float,
    least_sides: int,
) -> list[Piece]:
    from kinefract.synth.render.polygons import corners

    if rng.random() >= probability:
        return []
    pieces = []
    for _ in range(rng.integers(*number, endpoint=True)):
        sides, radii = (
            int(rng.integers(least_sides, MOST_SIDES, endpoint=True)),
            rng.uniform(*recipe.radius, 2),
        )
        shape = corners(sides, tuple(radii / SIZE), rng.uniform())
        pieces.append(Piece(shape, int(rng.integers(limbs)), int(rng.integers(POINTS))))
    return pieces


def vary(body: Body, recipe: OctopusRecipe, rng: np.random.Generator) -> np.ndarray:
    """Make an instance of a class.

    Returns:
        float64 (T, N, POINTS, 2): points (x, y) of the limbs, the frame being [0, 1].
    """
    first, second = body.keys
    limbs = first + body.times[..., None, None] * (second - first)  # (T, N, POINTS, 2)
    frames, count = body.times.shape
    factors = motion.smooth_curves(rng, frames, 2 * count, 1 - recipe.factor, 1 + recipe.factor)
    shift = rng.uniform(-recipe.shift, recipe.shift, 2)
    whole = join(limbs, body.joints)
    low, high = whole.min(axis=(0, 1, 2)), whole.max(axis=(0, 1, 2))
    scale = (1 - 2 * MARGIN) / (high - low).max()
    varied = join(limbs * factors.reshape(frames, count, 1, 2), body.joints)
    return (varied - (low + high) / 2) * scale + 0.5 + shift


def join(limbs: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Move limbs to their points of attachment on limb 0, frame by frame.

    Args:
        limbs: (T, N, POINTS, 2), each relative to its root.
        joints: int (N,), points of limb 0.
    """
    roots = limbs[:, 0, joints]  # (T, N, 2)
    roots[:, 0] = 0
    return limbs + roots[:, :, None]


def paint(body: Body, limbs: np.ndarray, size: int) -> np.ndarray:
    """Paint a body on black.

    Args:
        body: The body, whose own limbs are not used.
        limbs: (T, N, POINTS, 2), the frame being [0, 1].
        size: Height and width in pixels.

    Returns:
        uint8 (T, size, size, 3).
    """
    from kinefract.synth.render import silhouette
    from kinefract.synth.render.polygons import fill

    unit = size / SIZE
    # With this amount of ink per length a line, blurred by sigma * unit, is as bright as at 256 px.
    ink = silhouette.draw_lines(limbs * size, size, LINE * unit)
    masks = (silhouette.blur(ink, body.sigma * unit) >= body.threshold).astype(np.uint8)
    images = np.empty((*masks.shape, 3), np.uint8)
    # Channels are processed one by one; otherwise each inner loop would be three steps long.
    for channel, level in enumerate(body.colours[0]):
        images[..., channel] = level
    centres = limbs[:, :, :, None]
    for piece in body.polygons:
        corners = piece.corners + centres[:, piece.limb, piece.point]
        fill(masks[..., None], corners * size, np.ones(1, np.uint8))
    for piece, colour in zip(body.patches, body.colours[1:], strict=True):
        fill(images, (piece.corners + centres[:, piece.limb, piece.point]) * size, colour)
    masks = silhouette.close(masks, 2 * round(body.closing * unit / 2) + 1)
    if body.outline:
        masks = silhouette.outline(masks, max(1, round(body.outline * unit)))
    for channel in range(3):
        images[..., channel] *= masks
    return images

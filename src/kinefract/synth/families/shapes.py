"""The shapes family: five steps from still circles to shapes that move, transform and accelerate.

The family follows Yu, Chen, Gandelsman, "Learning Video Representations without Natural Videos" (arXiv
2410.24213), section 3.1; ranges are from section 9.2 and table 8. Each step adds one thing to the step
before. The classes of a seed keep everything else, so a study of the steps compares like with like. The paper
goes on with shapes that are filled with textures, then with crops of pictures: ``textures`` and ``pictures``
do that for every step. Such a shape is a window on its part of a picture, which moves and transforms with it.

A class is a set of shapes with their colours and kinematics. In an instance every shape starts at a slightly
different place, is slightly larger or smaller, moves in a slightly different direction, and moves and
transforms up to a fifth slower or faster; its colour is shifted by a few levels. The kinds of the shapes and
their order in depth do not change.

The paper leaves some points open. Here the number of shapes, and mean and limits of their radii, are our
choice; corners lie unevenly on a circle. Of the paper's two ranges for accelerations, that of table 8 fits
the speeds. Shapes that leave the frame do not return, and the ground is black. Textures are 128 stills of our
own families, which the shapes of a dataset share. The shapes of a class share four pictures of a folder.
"""

from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, get_args

import numpy as np
from pydantic import Field, model_validator

from kinefract.common.ranges import FloatRange, IntRange, within
from kinefract.common.schema import Section, is_none
from kinefract.common.streams import stream
from kinefract.synth.dataset_recipe import FAMILIES, DatasetRecipe
from kinefract.synth.pictures import Pictures
from kinefract.synth.stills import TEXTURES, Stills, Texture

SIZE = 256  # height and width of the frame to which lengths in pixels refer
Step = Literal[
    "static_circles", "moving_circles", "moving_shapes", "transforming_shapes", "accelerating_shapes"
]
STEPS: tuple[Step, ...] = get_args(Step)
Kind = Literal["circle", "triangle", "quadrilateral", "pentagon", "hexagon"]
CORNERS: dict[Kind, int] = {"circle": 0, "triangle": 3, "quadrilateral": 4, "pentagon": 5, "hexagon": 6}
MOST_CHANGE = 4.0  # natural logarithm of a shape's greatest growth along x or y within a clip
UNEVEN = 0.25  # greatest shift of a corner, as a share of the angle between two
POOL = 128  # textures that the shapes of a dataset are filled with
PER_CLASS = 4  # pictures of a folder that the shapes of a class are filled with, since reading one takes long
MAGNIFIED = (1.0, 2.0)  # pixels of the frame per pixel of a texture


class Perturbation(Section):
    """Settings of how far the shapes of an instance differ from those of its class."""

    shift: float = Field(default=0.05, ge=0, le=1, description="starts plus U[-shift, shift] of the frame")
    factor: float = Field(
        default=0.2, ge=0, lt=1, description="speeds and rates of change times U[1 - factor, 1 + factor]"
    )
    radius: float = Field(default=0.1, ge=0, lt=1, description="radii times U[1 - radius, 1 + radius]")
    turn: float = Field(default=10.0, ge=0, le=180, description="directions plus U[-turn, turn] degrees")
    tint: int = Field(default=12, ge=0, le=255, description="colour levels plus U{-tint..tint}")


@FAMILIES.register
class ShapesRecipe(DatasetRecipe):
    """Settings of flat shapes that move, transform and accelerate: the progression of arXiv 2410.24213.

    Speeds and rates are per frame of the paper's videos, which have 25 frames a second. ``pace`` is the
    number of those frames that pass between two frames of a clip.
    """

    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {
        "Accelerating, transforming shapes: the last step.": {},
        "Static circles: the first step.": {"step": "static_circles"},
        "Moving circles.": {"step": "moving_circles"},
        "Moving shapes.": {"step": "moving_shapes"},
        "Moving and transforming shapes.": {"step": "transforming_shapes"},
        "Outlines.": {"outlined": 1.0},
        "Textures in place of colours.": {"textures": list(TEXTURES)},
        "Instances of one class.": {"classes": 1},
    }

    family: Literal["shapes"] = "shapes"
    step: Step = Field(
        default="accelerating_shapes", description="how far the progression has come; each adds one thing"
    )
    kinds: Annotated[tuple[Kind, ...], Field(strict=False, min_length=1)] = Field(
        default=("circle", "triangle", "quadrilateral"), description="which shapes, from moving_shapes on"
    )
    shapes: Annotated[IntRange, within(1, 1000)] = Field(
        default=(20, 40), description="fewest and most shapes of a class"
    )
    radius: Annotated[FloatRange, within(0.5, 256)] = Field(
        default=(8.0, 80.0), description="least and greatest radius, in pixels of a 256 px frame"
    )
    mean_radius: float = Field(
        default=16.0, gt=0, le=1000, description="of the exponential distribution of radii above the least"
    )
    colour: Annotated[IntRange, within(0, 255)] = Field(
        default=(0, 255), description="levels of red, green and blue"
    )
    outlined: float = Field(
        default=0.0, ge=0, le=1, description="probability that of a shape only the outline is drawn"
    )
    line: Annotated[FloatRange, within(0.01, 1)] = Field(
        default=(0.15, 0.4), description="width of an outline, as a share of the radius"
    )
    pace: int = Field(
        default=2, ge=1, le=25, description="frames of the paper, 25 a second, per frame of a clip"
    )
    speed: Annotated[FloatRange, within(0, 256)] = Field(
        default=(1.2, 3.0), description="pixels of 256, per frame of the paper"
    )
    acceleration: Annotated[FloatRange, within(-100, 100)] = Field(
        default=(-0.06, 0.06), description="along the direction, in pixels per frame of the paper squared"
    )
    scale: Annotated[FloatRange, within(-0.1, 0.1)] = Field(
        default=(-0.005, 0.005), description="growth along x and along y, per frame of the paper"
    )
    rotation: Annotated[FloatRange, within(-180, 180)] = Field(
        default=(-1.8, 1.8), description="degrees per frame of the paper"
    )
    shear: Annotated[FloatRange, within(-0.1, 0.1)] = Field(
        default=(-0.005, 0.005), description="along x and along y, per frame of the paper"
    )
    textures: Annotated[tuple[Texture, ...], Field(strict=False, min_length=1)] | None = Field(
        default=None,
        exclude_if=is_none,
        description="fill shapes with pictures of these families in place of colours",
    )
    pictures: Pictures | None = Field(
        default=None,
        exclude_if=is_none,
        description="fill shapes with crops of a folder's pictures in place of colours and textures",
    )
    perturbation: Perturbation = Perturbation()

    @model_validator(mode="after")
    def _keeps_its_form(self) -> Self:
        rate = max(map(abs, self.scale + self.shear))
        if rate * self.pace * self.frames[1] > MOST_CHANGE:
            raise ValueError("scale, shear: too fast for shapes to keep any form until the end of a clip")
        return self

    @property
    def moves(self) -> bool:
        return self.reaches("moving_circles")

    def reaches(self, step: Step) -> bool:
        """Return whether the recipe's step is this one or a later one."""
        return STEPS.index(self.step) >= STEPS.index(step)

    def render(self, index: int, attempt: int) -> np.ndarray:
        """Render one draw of clip ``index``: uint8 (T, size, size, 3)."""
        label = self.label(index)
        scene = class_scene(self, label)
        scene = vary(scene, self.perturbation, stream(self.seed, "instance", index, attempt))
        windows = class_windows(self, label, len(scene.starts))
        return paint(scene, self.size, windows)

    @property
    def stills(self) -> Stills | None:
        """The pictures that shapes are filled with; ``None`` if they have colours."""
        if self.pictures is None and self.textures is None:
            return None
        return Stills(self.textures or (), self.pictures, self.seed, min(self.size, SIZE))


class Scene(NamedTuple):
    """N shapes in the order they are painted; lengths in pixels of a 256 px frame, y pointing down."""

    frames: int
    pace: int
    outlines: tuple[np.ndarray, ...]  # (corners, 2) each, around the centre, before any transformation
    colours: np.ndarray  # uint8 (N, 3)
    starts: np.ndarray  # float64 (N, 2): centres (x, y) in the first frame
    speeds: np.ndarray  # (N,)
    directions: np.ndarray  # (N,) radians
    accelerations: np.ndarray  # (N,)
    scales: np.ndarray  # (N, 2)
    rotations: np.ndarray  # (N,) radians
    shears: np.ndarray  # (N, 2)


class Windows(NamedTuple):
    """What N shapes are filled with, in place of their colours."""

    pictures: tuple[np.ndarray, ...]  # uint8 (h, w, 3) each, which several shapes may share
    middles: np.ndarray  # float64 (N, 2): where the centre of a shape lies in its picture, as a share of it
    texels: np.ndarray  # (N,): pixels of the picture for each pixel of a 256 px frame


@lru_cache(maxsize=512)
def class_scene(recipe: ShapesRecipe, label: int) -> Scene:
    """Return the shapes of a class; T and N are drawn per class, too.

    Every step draws the numbers of all steps, so that a step changes only what it adds.
    """
    rng = stream(recipe.seed, "class", label)
    frames = int(rng.integers(*recipe.frames, endpoint=True))
    count = int(rng.integers(*recipe.shapes, endpoint=True))
    shaped = recipe.reaches("moving_shapes")
    moving = recipe.reaches("moving_circles")
    transforming = recipe.reaches("transforming_shapes")
    accelerating = recipe.reaches("accelerating_shapes")
    radii = _radii(rng, recipe, count)
    kinds = rng.integers(len(recipe.kinds), size=count)
    widths = np.where(rng.random(count) < recipe.outlined, rng.uniform(*recipe.line, count), 1.0)
    outlines = [
        _outline(rng, recipe.kinds[kind], shaped, radius, width)
        for kind, radius, width in zip(kinds, radii, widths, strict=True)
    ]
    return Scene(
        frames,
        recipe.pace,
        tuple(outlines),
        colours=rng.integers(*recipe.colour, size=(count, 3), endpoint=True).astype(np.uint8),
        starts=rng.uniform(0, SIZE, (count, 2)),
        speeds=moving * rng.uniform(*recipe.speed, count),
        directions=rng.uniform(-np.pi, np.pi, count),
        accelerations=accelerating * rng.uniform(*recipe.acceleration, count),
        scales=transforming * rng.uniform(*recipe.scale, (count, 2)),
        rotations=transforming * np.deg2rad(rng.uniform(*recipe.rotation, count)),
        shears=transforming * rng.uniform(*recipe.shear, (count, 2)),
    )


def class_windows(recipe: ShapesRecipe, label: int, count: int) -> Windows | None:
    """Return what the shapes of a class are filled with, if not with colours.

    Raises:
        UserError: as of ``Stills.read``.
    """
    stills = recipe.stills
    if stills is None:
        return None
    rng = stream(recipe.seed, "windows", label)
    if recipe.pictures is None:
        numbers = rng.integers(POOL, size=count)
    else:
        numbers = rng.choice(rng.integers(2**31, size=PER_CLASS), count)
    read = {number: stills.read(number) for number in dict.fromkeys(numbers.tolist())}
    texels = stills.side / SIZE / rng.uniform(*MAGNIFIED, count)
    return Windows(tuple(read[number] for number in numbers.tolist()), rng.random((count, 2)), texels)


def _radii(rng: np.random.Generator, recipe: ShapesRecipe, count: int) -> np.ndarray:
    """Draw radii above the least one, from an exponential distribution cut off at the greatest radius."""
    least, greatest = recipe.radius
    kept = -np.expm1((least - greatest) / recipe.mean_radius)
    return least - recipe.mean_radius * np.log1p(-kept * rng.random(count))


def _outline(rng: np.random.Generator, kind: Kind, shaped: bool, radius: float, width: float) -> np.ndarray:
    """Draw the corners of a shape, float64 (corners, 2); those of an outline run outside, then inside."""
    from kinefract.synth.render.polygons import corners

    shifts, turn = rng.uniform(-UNEVEN, UNEVEN, max(CORNERS.values())), rng.random()
    sides = CORNERS[kind] if shaped else 0
    if sides:
        angles = 2 * np.pi * (turn + (np.arange(sides) + shifts[:sides]) / sides)
        outer = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    else:
        outer = corners(0, (radius, radius), 0.0)
    if width == 1:
        return outer
    # The line that leads in and the one that leads out coincide, so they enclose no area.
    ring = np.concatenate([outer, outer[:1]])
    return np.concatenate([ring, (1 - width) * ring])


def vary(scene: Scene, by: Perturbation, rng: np.random.Generator) -> Scene:
    """Make an instance of a class."""
    count = len(scene.starts)
    factors = rng.uniform(1 - by.factor, 1 + by.factor, (5, count))
    growth = rng.uniform(1 - by.radius, 1 + by.radius, count)
    turn = np.deg2rad(by.turn)
    tints = rng.integers(-by.tint, by.tint, (count, 3), endpoint=True)
    return scene._replace(
        outlines=tuple(factor * outline for factor, outline in zip(growth, scene.outlines, strict=True)),
        colours=np.clip(scene.colours + tints, 0, 255).astype(np.uint8),
        starts=scene.starts + SIZE * rng.uniform(-by.shift, by.shift, (count, 2)),
        speeds=scene.speeds * factors[0],
        directions=scene.directions + rng.uniform(-turn, turn, count),
        accelerations=scene.accelerations * factors[1],
        scales=scene.scales * factors[2, :, None],
        rotations=scene.rotations * factors[3],
        shears=scene.shears * factors[4, :, None],
    )


def centres(scene: Scene) -> np.ndarray:
    """Return the centres of the shapes, float64 (T, N, 2), on straight lines with constant acceleration."""
    time = scene.pace * np.arange(scene.frames)[:, None]  # (T, 1)
    way = scene.speeds * time + scene.accelerations * time**2 / 2
    heading = np.stack([np.cos(scene.directions), np.sin(scene.directions)], axis=1)
    return scene.starts + way[..., None] * heading


def transformations(scene: Scene) -> np.ndarray:
    """Return each shape's matrix in each frame, float64 (T, N, 2, 2): scaling, rotation and shear add up."""
    cosine, sine = np.cos(scene.rotations), np.sin(scene.rotations)
    turns = np.stack([cosine, -sine, sine, cosine], axis=1).reshape(-1, 2, 2)
    shears = np.tile(np.eye(2), (len(turns), 1, 1))
    shears[:, [0, 1], [1, 0]] += scene.shears
    step = np.linalg.matrix_power(shears @ turns * (1 + scene.scales[:, None]), scene.pace)
    return np.stack([np.linalg.matrix_power(step, t) for t in range(scene.frames)])


def paint(scene: Scene, size: int, windows: Windows | None = None) -> np.ndarray:
    """Paint shapes on black, the last on top.

    Args:
        scene: The shapes.
        size: Height and width of a frame in pixels.
        windows: What they are filled with; ``None``: their colours.

    Returns:
        uint8 (T, size, size, 3).
    """
    from kinefract.synth.render.polygons import fill, fill_textured

    images = np.zeros((scene.frames, size, size, 3), np.uint8)
    places, matrices = centres(scene), transformations(scene)
    maps = None if windows is None else texel_maps(windows, matrices, places, size)
    for n, (outline, colour) in enumerate(zip(scene.outlines, scene.colours, strict=True)):
        polygons = (outline @ matrices[:, n].transpose(0, 2, 1) + places[:, n, None]) * (size / SIZE)
        if windows is None or maps is None:
            fill(images, polygons, colour)
        else:
            fill_textured(images, polygons, windows.pictures[n], maps[:, n])
    return images


def texel_maps(windows: Windows, matrices: np.ndarray, places: np.ndarray, size: int) -> np.ndarray:
    """Return the maps from places in frames to those in the pictures of shapes: float64 (T, N, 2, 3).

    Args:
        windows: What N shapes are filled with.
        matrices: (T, N, 2, 2), transformations of the shapes.
        places: (T, N, 2), their centres.
        size: Height and width of a frame in pixels.
    """
    from kinefract.synth.render.sampling import on_grid

    a, b, c, d = (matrices[..., row, column] for row in range(2) for column in range(2))
    adjugates = np.stack([d, -b, -c, a], axis=-1).reshape(matrices.shape)
    back = adjugates * (windows.texels / (a * d - b * c))[..., None, None]
    extents = np.array([picture.shape[1::-1] for picture in windows.pictures])
    offsets = windows.middles * extents - (back * places[..., None, :]).sum(axis=3)
    return on_grid(np.concatenate([back * (SIZE / size), offsets[..., None]], axis=3))

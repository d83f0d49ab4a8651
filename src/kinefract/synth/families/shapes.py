"""The shapes family: five steps from still circles to shapes that move, transform and accelerate.

Yu, Chen, Gandelsman, "Learning Video Representations without Natural Videos" (arXiv 2410.24213), section 3.1;
ranges from section 9.2 and table 8. Each step adds one thing to the step before, and the classes of a seed
keep all else, so a study of the steps compares like with like. Textures, which the paper goes on to, are left
out.

A class is a set of shapes with their colours and kinematics. In an instance every shape starts a little off,
is a little larger or smaller, takes a slightly other direction, and moves and transforms up to a fifth slower
or faster; its colour is shifted by a few levels. What the shapes are, and which hides which, stays.

Where the paper is silent: the number of shapes, and mean and limits of their radii, are ours; corners lie on
a circle, unevenly. Of the two ranges it gives for accelerations, table 8's is the one that suits the speeds.
Shapes that leave the frame are gone, and what none covers is black.
"""

from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, get_args

import numpy as np
from pydantic import Field, model_validator

from kinefract.common.ranges import FloatRange, IntRange, within
from kinefract.common.schema import Section
from kinefract.common.streams import stream
from kinefract.synth.dataset_recipe import FAMILIES, DatasetRecipe

SIZE = 256  # height and width at which lengths in pixels are given
Step = Literal[
    "static_circles", "moving_circles", "moving_shapes", "transforming_shapes", "accelerating_shapes"
]
STEPS: tuple[Step, ...] = get_args(Step)
Kind = Literal["circle", "triangle", "quadrilateral", "pentagon", "hexagon"]
CORNERS: dict[Kind, int] = {"circle": 0, "triangle": 3, "quadrilateral": 4, "pentagon": 5, "hexagon": 6}
MOST_CHANGE = 4.0  # natural logarithm of how much a shape may grow along x or y within a clip
UNEVEN = 0.25  # a corner is shifted by up to so much of the angle between two


class Perturbation(Section):
    """How far an instance strays from its class, shape by shape."""

    shift: float = Field(default=0.05, ge=0, le=1, description="starts plus U[-shift, shift] of the frame")
    factor: float = Field(
        default=0.2, ge=0, lt=1, description="speeds and rates of change times U[1 - factor, 1 + factor]"
    )
    radius: float = Field(default=0.1, ge=0, lt=1, description="radii times U[1 - radius, 1 + radius]")
    turn: float = Field(default=10.0, ge=0, le=180, description="directions plus U[-turn, turn] degrees")
    tint: int = Field(default=12, ge=0, le=255, description="colour levels plus U{-tint..tint}")


@FAMILIES.register
class ShapesRecipe(DatasetRecipe):
    """Flat shapes that move, transform and accelerate: the progression of arXiv 2410.24213.

    Speeds and rates are the paper's, per frame of its 25 a second; ``pace`` says how many of them pass
    between two frames of a clip.
    """

    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {
        "Accelerating, transforming shapes: the last step.": {},
        "Static circles: the first step.": {"step": "static_circles"},
        "Moving circles.": {"step": "moving_circles"},
        "Moving shapes.": {"step": "moving_shapes"},
        "Moving and transforming shapes.": {"step": "transforming_shapes"},
        "Outlines.": {"outlined": 1.0},
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
        """Tell whether the recipe's step is this one or a later one."""
        return STEPS.index(self.step) >= STEPS.index(step)

    def render(self, index: int, attempt: int) -> np.ndarray:
        """Render one draw of clip ``index``: uint8 (T, size, size, 3)."""
        scene = class_scene(self, self.label(index))
        return paint(vary(scene, self.perturbation, stream(self.seed, "instance", index, attempt)), self.size)


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


@lru_cache(maxsize=512)
def class_scene(recipe: ShapesRecipe, label: int) -> Scene:
    """Return the shapes of a class, which decides T and N, too.

    All that any step needs is drawn at every step, so that a step changes what it adds and nothing else.
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


def _radii(rng: np.random.Generator, recipe: ShapesRecipe, count: int) -> np.ndarray:
    """Draw radii above the least that follow an exponential distribution cut off at the greatest."""
    least, greatest = recipe.radius
    kept = -np.expm1((least - greatest) / recipe.mean_radius)
    return least - recipe.mean_radius * np.log1p(-kept * rng.random(count))


def _outline(rng: np.random.Generator, kind: Kind, shaped: bool, radius: float, width: float) -> np.ndarray:
    """Draw the corners of a shape, float64 (corners, 2); an outline's run round it outside, then inside."""
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
    # The way in and the way out are the same line, so nothing lies between them.
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
    """Return where the shapes are, float64 (T, N, 2): straight lines, evenly accelerated."""
    time = scene.pace * np.arange(scene.frames)[:, None]  # (T, 1)
    way = scene.speeds * time + scene.accelerations * time**2 / 2
    heading = np.stack([np.cos(scene.directions), np.sin(scene.directions)], axis=1)
    return scene.starts + way[..., None] * heading


def transformations(scene: Scene) -> np.ndarray:
    """Return what has become of each shape, float64 (T, N, 2, 2): scaled, turned and sheared every frame."""
    cosine, sine = np.cos(scene.rotations), np.sin(scene.rotations)
    turns = np.stack([cosine, -sine, sine, cosine], axis=1).reshape(-1, 2, 2)
    shears = np.tile(np.eye(2), (len(turns), 1, 1))
    shears[:, [0, 1], [1, 0]] += scene.shears
    step = np.linalg.matrix_power(shears @ turns * (1 + scene.scales[:, None]), scene.pace)
    return np.stack([np.linalg.matrix_power(step, t) for t in range(scene.frames)])


def paint(scene: Scene, size: int) -> np.ndarray:
    """Paint shapes on black, the last on top.

    Returns:
        uint8 (T, size, size, 3).
    """
    from kinefract.synth.render.polygons import fill

    images = np.zeros((scene.frames, size, size, 3), np.uint8)
    places, matrices = centres(scene), transformations(scene)
    for t, image in enumerate(images):
        for n, (outline, colour) in enumerate(zip(scene.outlines, scene.colours, strict=True)):
            fill(image, (outline @ matrices[t, n].T + places[t, n]) * (size / SIZE), colour)
    return images

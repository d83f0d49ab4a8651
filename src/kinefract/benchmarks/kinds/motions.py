"""The benchmark `motions`: generated clips of twelve classes that differ in motion and in nothing else.

One textured shape lies on a textured background. Its state is four phases on a circle: place across, place
down, angle and size. Each starts uniformly at random, independently of the others, and one of them moves:

========  ========  =============  ==============
moves     forward   backward       back and forth
========  ========  =============  ==============
x         right     left           bounce
y         down      up             bob
angle     clockwise anticlockwise  swing
size      grow      shrink         pulse
========  ========  =============  ==============

A uniform phase plus any independent shift is uniform again, so at every frame the state has the same
distribution in all classes: a single frame carries no label. Forward and backward clips of one phase are each
other's time reversals in distribution, so neither does the set of frames without its order tell them apart.
Files are encoded without loss by default, since a lossy encoder leaves traces of the frames before.
"""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple, Self, get_args

import numpy as np
from pydantic import Field, model_validator

from kinefract.benchmarks.base import BENCHMARKS, BenchmarkRecipe, Contents, Entry
from kinefract.common.ranges import Seed, Small

Motion = Literal[
    "right", "left", "bounce",
    "down", "up", "bob",
    "clockwise", "anticlockwise", "swing",
    "grow", "shrink", "pulse",
]  # fmt: skip
CLASSES: tuple[str, ...] = get_args(Motion)
SPLITS = ("train", "test")

# Outer radius as a share of the frame, below 0.5, so that a shape never overlaps its wrapped copy.
RADIUS = (0.16, 0.46)
PROFILE_STEPS = 512


@BENCHMARKS.register
class MotionsRecipe(BenchmarkRecipe):
    """Settings of the generated benchmark: number, size and speed of its clips."""

    MADE: ClassVar[bool] = True

    kind: Literal["motions"] = "motions"
    classes: Annotated[tuple[Motion, ...], Field(strict=False, min_length=2)] | None = Field(
        default=None, description="only these motions, labelled in the order above; all where not given"
    )
    train_per_class: int = Field(default=40, ge=1, le=99_999, description="training clips of each class")
    test_per_class: int = Field(default=20, ge=1, le=99_999, description="test clips of each class")
    size: int = Field(default=64, ge=32, le=512, multiple_of=2, description="height and width in pixels")
    frames: int = Field(default=20, ge=2, le=1000, description="frames of a clip")
    fps: Small = Field(default=12, description="frames per second written into the files")
    speed: Annotated[tuple[float, float], Field(strict=False)] = Field(
        default=(0.02, 0.05),
        description="slowest and fastest, in cycles per frame: a cycle is the width of the frame, "
        "a turn, or the range of sizes",
    )
    period: Annotated[tuple[float, float], Field(strict=False)] = Field(
        default=(12.0, 20.0), description="shortest and longest period of back and forth, in frames"
    )
    distractors: int = Field(default=0, ge=0, le=8, description="shapes lying still beneath the moving one")
    drift: float = Field(
        default=0.0, ge=0, le=0.1, description="speed of the background, any direction, in widths per frame"
    )
    clutter: float = Field(
        default=1.0, ge=0, le=1, description="contrast of the background's texture, as part of the shapes'"
    )
    crf: int = Field(default=0, ge=0, le=51, description="H.264 quality, 0 (best) to 51")
    seed: Seed = Field(default=1, description="of all that is drawn")

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        if self.classes and len(set(self.classes)) < len(self.classes):
            raise ValueError("classes: names one twice")
        low, high = self.speed
        if not 0 < low <= high < 0.25:
            raise ValueError(
                "speed: wants [slowest, fastest] with 0 < slowest <= fastest < 0.25 (at a stride of 2 a "
                "quarter of a cycle per frame looks the same both ways)"
            )
        low, high = self.period
        if not 4 <= low <= high <= 1000:
            raise ValueError("period: wants [shortest, longest] with 4 <= shortest <= longest <= 1000")
        return self

    @property
    def mirror_keeps_label(self) -> bool:
        return False

    def contents(self, root: Path, folder: Path) -> Contents:
        """Make every clip as ``folder/videos/<split>/<class>/<index>.mp4`` and list them.

        Raises:
            UserError: a file cannot be written.
        """
        from kinefract import video
        from kinefract.common.files import written_whole
        from kinefract.common.progress import progress

        names = [name for name in CLASSES if self.classes is None or name in self.classes]
        wanted = [
            Entry(f"videos/{split}/{name}/{index:05d}.mp4", label, name, split)
            for split, count in (("train", self.train_per_class), ("test", self.test_per_class))
            for label, name in enumerate(names)
            for index in range(count)
        ]
        for entry in progress(wanted, "making motions", unit="clips"):
            index = int(Path(entry.path).stem)
            frames = clip(self, CLASSES.index(entry.class_name), entry.split, index)
            data = video.encode(frames, fps=self.fps, crf=self.crf)
            with written_whole(folder / entry.path) as partial:
                partial.write_bytes(data)
        return Contents(names, wanted)


def track(recipe: MotionsRecipe, class_index: int, split: str, index: int) -> np.ndarray:
    """Return the state of the moving shape in every frame.

    Args:
        recipe: The benchmark's settings.
        class_index: Position in ``CLASSES``.
        split: "train" or "test".
        index: Which clip of the class and split, from 0; need not be below the recipe's counts.

    Returns:
        float64, (T, 4): phases in [0, 1) of x (to the right), y (down), angle (clockwise as seen) and size.
    """
    rng, _ = _streams(recipe, class_index, split, index)
    # Every class draws the same random numbers, whether it uses them or not.
    start = rng.random(4)
    speed = rng.uniform(*recipe.speed)
    period = rng.uniform(*recipe.period)
    beginning = rng.random()

    axis, motion = divmod(class_index, 3)
    time = np.arange(recipe.frames)
    shift: np.ndarray
    if motion == 2:
        wave = 2 * np.abs((time / period + beginning) % 1 - 0.5)  # from 0 to 1 and back, at 2 / period
        shift = speed * period / 2 * wave
    else:
        shift = speed * time * (1 if motion == 0 else -1)
    states = np.tile(start, (recipe.frames, 1))
    states[:, axis] += shift
    return states % 1


def clip(recipe: MotionsRecipe, class_index: int, split: str, index: int) -> np.ndarray:
    """Render one clip, a function of the arguments alone.

    Args:
        recipe: The benchmark's settings.
        class_index: Position in ``CLASSES``.
        split: "train" or "test".
        index: Which clip of the class and split, from 0; need not be below the recipe's counts.

    Returns:
        uint8 RGB frames, (T, size, size, 3).
    """
    _, rng = _streams(recipe, class_index, split, index)
    size = recipe.size
    time = np.arange(recipe.frames)
    heading = 2 * np.pi * rng.random()
    velocity = recipe.drift * np.array([np.cos(heading), np.sin(heading)])
    offset = ((rng.random(2) + time[:, None] * velocity) % 1 * size).astype(np.float32)  # (T, 2)
    if not recipe.drift:
        offset = offset[:1]

    pixels = np.arange(size, dtype=np.float32)
    columns, rows = np.broadcast_arrays(
        pixels[None, None, :] + offset[:, 0, None, None], pixels[None, :, None] + offset[:, 1, None, None]
    )
    texture = _texture(rng, size)
    mean = texture.mean((0, 1))
    backdrop = mean + np.float32(recipe.clutter) * (texture - mean)
    canvas = _look_up(backdrop, columns, rows)  # (T or 1, size, size, 3)
    canvas = np.array(np.broadcast_to(canvas, (recipe.frames, size, size, 3)))

    for _ in range(recipe.distractors):
        still = np.tile(rng.random(4), (recipe.frames, 1))
        _paint(canvas, _shape(rng), still)
    _paint(canvas, _shape(rng), track(recipe, class_index, split, index))
    return (np.clip(canvas, 0, 1) * 255 + 0.5).astype(np.uint8)


def _streams(
    recipe: MotionsRecipe, class_index: int, split: str, index: int
) -> tuple[np.random.Generator, np.random.Generator]:
    """Return the independent random streams of a clip's motion and of its appearance."""
    root = np.random.SeedSequence([recipe.seed, SPLITS.index(split), class_index, index])
    motion, looks = root.spawn(2)
    return np.random.Generator(np.random.Philox(motion)), np.random.Generator(np.random.Philox(looks))


class _Shape(NamedTuple):
    """A shape: its outline as radius over angle (at most 1), and the texture that moves with it."""

    radius: np.ndarray  # (PROFILE_STEPS,) float32
    steepness: np.ndarray  # (PROFILE_STEPS,) float32: radial distance to distance from the outline
    texture: np.ndarray  # (N, N, 3) float32
    lean: np.ndarray  # (3,) float32: change of colour from one end to the other, which shows how it lies
    rim: float  # what the outline's brightness is multiplied by


def _shape(rng: np.random.Generator) -> _Shape:
    angle = np.arange(PROFILE_STEPS) * (2 * np.pi / PROFILE_STEPS)
    kind = rng.integers(3)
    if kind == 0:  # an irregular polygon, as the nearest of its sides
        sides = int(rng.integers(3, 7))
        normals = (np.arange(sides) + rng.uniform(-0.2, 0.2, sides)) * (2 * np.pi / sides)
        distances = rng.uniform(0.5, 1.0, sides)
        facing = np.cos(angle[:, None] - normals)
        radius = np.min(distances / np.maximum(facing, 0.3), axis=1)
    elif kind == 1:  # an ellipse, turning about a point off its centre
        aspect, off = rng.uniform(0.4, 0.8), rng.uniform(0.1, 0.5)
        a, b, c = np.cos(angle) ** 2 + (np.sin(angle) / aspect) ** 2, off * np.cos(angle), off**2 - 1
        radius = (b + np.sqrt(b**2 - a * c)) / a
    else:  # a blob of a few harmonics
        order = np.arange(1, 6)
        height = rng.uniform(-1, 1, 5) * 0.5 / order**0.5
        radius = np.exp(np.cos(angle[:, None] * order + rng.uniform(0, 2 * np.pi, 5)) @ height)
    radius /= radius.max()
    slope = (np.roll(radius, -1) - np.roll(radius, 1)) * PROFILE_STEPS / (4 * np.pi)
    steepness = radius / np.hypot(radius, slope)
    lean = rng.standard_normal(3)
    return _Shape(
        radius=radius.astype(np.float32),
        steepness=steepness.astype(np.float32),
        texture=_texture(rng, 64),
        lean=(0.35 * lean / np.linalg.norm(lean)).astype(np.float32),
        rim=float(rng.choice([0.45, 1.6])),
    )


def _texture(rng: np.random.Generator, size: int) -> np.ndarray:
    """Return smooth coloured noise that tiles without a seam: float32, (size, size, 3), about [0, 1]."""
    tilt, broad, narrow = rng.random() * np.pi, np.exp(rng.uniform(*np.log([1.0, 3.5]))), rng.uniform(0.3, 1)
    across = np.fft.fftfreq(size, 1 / size)[None, :]
    down = np.fft.fftfreq(size, 1 / size)[:, None]
    along = (np.cos(tilt) * across + np.sin(tilt) * down) / broad
    aside = (np.cos(tilt) * down - np.sin(tilt) * across) / (broad * narrow)
    spectrum = np.exp(-(along**2 + aside**2) / 2)
    spectrum[0, 0] = 0
    noise = np.fft.ifft2(np.fft.fft2(rng.standard_normal((3, size, size))) * spectrum).real
    noise /= noise.std(axis=(1, 2), keepdims=True)
    # One direction in colour space carries most of the pattern, as in leaves, cloth or water.
    main = rng.standard_normal(3)
    mix = 0.04 * rng.standard_normal((3, 3))
    mix[0] += 0.18 * main / np.linalg.norm(main)
    return (rng.uniform(0.25, 0.75, 3) + np.tensordot(noise, mix, axes=(0, 0))).astype(np.float32)


def _paint(canvas: np.ndarray, shape: _Shape, states: np.ndarray) -> None:
    """Draw a shape on frames in place, wrapped round their edges and with smooth outlines.

    Args:
        canvas: float32, (T, S, S, 3).
        shape: What to draw.
        states: (T, 4) phases as ``track`` returns them.
    """
    size = canvas.shape[1]
    x, y, angle, scale = (states.T[:, :, None, None]).astype(np.float32)  # each (T, 1, 1)
    reach = (RADIUS[0] * (RADIUS[1] / RADIUS[0]) ** scale) * size
    centres = np.arange(size, dtype=np.float32) + np.float32(0.5)
    dx = (centres[None, None, :] - x * size + size / 2) % size - size / 2  # (T, 1, S)
    dy = (centres[None, :, None] - y * size + size / 2) % size - size / 2  # (T, S, 1)
    distance = np.hypot(dx, dy)  # (T, S, S)
    near = np.nonzero(distance < reach + 1)
    frame, row, column = near
    dx, dy, reach = dx[frame, 0, column], dy[frame, row, 0], reach[frame, 0, 0]
    cos, sin = (f(2 * np.pi * angle)[frame, 0, 0] for f in (np.cos, np.sin))
    u, v = (cos * dx + sin * dy) / reach, (cos * dy - sin * dx) / reach

    # One turn is added because the cast would otherwise round towards zero on both sides of zero.
    turns = np.arctan2(v, u) / (2 * np.pi) + 1
    step = (turns * PROFILE_STEPS + 0.5).astype(int) % PROFILE_STEPS
    inside = (shape.radius[step] - np.hypot(u, v)) * shape.steepness[step] * reach  # pixels from the outline
    cover = np.clip(inside + 0.5, 0, 1)[:, None]
    # The rim grows with the shape, so that its width shows the size as the texture does.
    edge = np.clip(1 - np.abs(inside / (0.09 * reach) - 0.6), 0, 1)[:, None]
    half = shape.texture.shape[0] / 2
    paint = _look_up(shape.texture, half * (1 + 0.8 * u), half * (1 + 0.8 * v))
    paint += u[:, None] * shape.lean
    paint *= 1 + edge * (shape.rim - 1)
    canvas[near] += cover * (paint - canvas[near])


def _look_up(texture: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Sample a tiling texture between its pixels: (N, N, 3) at coordinates (...) gives (..., 3)."""
    size = texture.shape[0]
    left, top = np.floor(columns), np.floor(rows)
    right_part, lower_part = (columns - left)[..., None], (rows - top)[..., None]
    c0, r0 = left.astype(int) % size, top.astype(int) % size
    c1, r1 = (c0 + 1) % size, (r0 + 1) % size
    upper = texture[r0, c0] + right_part * (texture[r0, c1] - texture[r0, c0])
    lower = texture[r1, c0] + right_part * (texture[r1, c1] - texture[r1, c0])
    return (upper + lower_part * (lower - upper)).astype(np.float32)

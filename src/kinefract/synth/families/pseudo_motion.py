"""The pseudo-motion family: a picture that becomes a clip by a transformation, applied again and again.

The family follows Ishikawa et al. (arXiv 2409.06665), whose generator shifts, zooms, deforms and recolours
pictures, filmed or synthetic ones, and pastes a part of one clip over another (cut-mix). A clip draws one
transformation, and frame ``t`` is the picture after ``t`` times that transformation.

A class is a picture, or two, with a transformation. An instance shows another crop of the picture, and its
transformation is up to a fifth weaker or stronger.

The ranges are our choice. Here the powers of a transformation are composed, and each frame is resampled once
from the picture, so that frames do not blur; colours are rounded once, too. Beyond its edges a picture goes
on mirrored. Fading is left out, since it is a change of colour. The pasted part stands still in the frame.
"""

from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, get_args

import numpy as np
from pydantic import Field, model_validator

from kinefract.common.ranges import FloatRange, IntRange, Probability, within
from kinefract.common.schema import is_none
from kinefract.common.streams import stream
from kinefract.common.words import counted
from kinefract.synth.dataset_recipe import FAMILIES, DatasetRecipe
from kinefract.synth.pictures import Pictures
from kinefract.synth.stills import TEXTURES, Stills, Texture

SIZE = 256  # height and width of the frame to which lengths in pixels refer
Kind = Literal["shift", "zoom", "affine", "perspective", "colour"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST_CHANGE = 4.0  # natural logarithm of a picture's greatest growth within a clip
MOST_TILT = 1.2  # of a perspective within a clip; at 2 an edge of the frame turns away
PICTURE_SIDE = 4 / 3  # shorter side of a picture, in sides of a frame
REDRAWN = 10  # draws of a clip that show nothing, after which its class shows another picture
LUMA = np.array([0.299, 0.587, 0.114])


@FAMILIES.register
class PseudoMotionRecipe(DatasetRecipe):
    """Settings of still pictures that a repeated transformation sets in motion (arXiv 2409.06665)."""

    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {
        "One to three transformations of our own stills.": {},
        **{
            f"{kind.capitalize()} alone.": {"transformations": [kind], "combined": [1, 1], "cutmix": 0.0}
            for kind in KINDS
        },
        "A part of another clip pasted over.": {"cutmix": 1.0},
    }

    family: Literal["pseudo_motion"] = "pseudo_motion"
    textures: Annotated[tuple[Texture, ...], Field(strict=False, min_length=1)] = Field(
        default=TEXTURES, description="families whose stills are set in motion; each as often"
    )
    pictures: Pictures | None = Field(
        default=None,
        exclude_if=is_none,
        description="a folder's pictures, set in motion in place of `textures`",
    )
    crop: Annotated[FloatRange, within(0.05, 1)] = Field(
        default=(0.6, 0.9), description="side of what the first frame shows, as a share of the shorter side"
    )
    transformations: Annotated[tuple[Kind, ...], Field(strict=False, min_length=1)] = Field(
        default=KINDS, description="which transformations; each as often"
    )
    combined: Annotated[IntRange, within(1, len(KINDS))] = Field(
        default=(1, 3), description="fewest and most transformations that a class combines"
    )
    cutmix: Probability = Field(
        default=0.25, description="probability that a part of another clip covers a part of the frame"
    )
    part: Annotated[FloatRange, within(0.05, 0.95)] = Field(
        default=(0.3, 0.7), description="height and width of that part, as a share of the frame"
    )
    shift: Annotated[FloatRange, within(0, 256)] = Field(
        default=(1.0, 5.0), description="pixels of 256, per frame, in a random direction"
    )
    zoom: Annotated[FloatRange, within(0, 0.5)] = Field(
        default=(0.01, 0.04), description="growth per frame; as often shrinking"
    )
    rotation: Annotated[FloatRange, within(-180, 180)] = Field(
        default=(-4.0, 4.0), description="of affine: degrees per frame"
    )
    scale: Annotated[FloatRange, within(-0.5, 0.5)] = Field(
        default=(-0.02, 0.02), description="of affine: growth along x and along y, per frame"
    )
    shear: Annotated[FloatRange, within(-0.5, 0.5)] = Field(
        default=(-0.03, 0.03), description="of affine: along x and along y, per frame"
    )
    tilt: Annotated[FloatRange, within(0, 0.5)] = Field(
        default=(0.01, 0.04), description="of perspective: per frame; an edge turns away as the sum nears 2"
    )
    levels: Annotated[FloatRange, within(-255, 255)] = Field(
        default=(-8.0, 8.0), description="of colour: levels that red, green and blue rise by, per frame"
    )
    saturation: Annotated[FloatRange, within(-0.5, 0.5)] = Field(
        default=(-0.06, 0.06), description="of colour: growth of the distance from grey, per frame"
    )
    factor: float = Field(
        default=0.2, ge=0, lt=1, description="all of these in an instance times U[1 - factor, 1 + factor]"
    )

    @model_validator(mode="after")
    def _keeps_its_form(self) -> Self:
        length = (1 + self.factor) * self.frames[1]
        for keys in (("zoom",), ("scale", "shear"), ("saturation",)):
            rate = max(abs(value) for key in keys for value in getattr(self, key))
            if rate * length > MOST_CHANGE:
                raise ValueError(
                    f"{', '.join(keys)}: too fast for a picture to keep any form until the end of a clip"
                )
        if self.tilt[1] * length > MOST_TILT:
            raise ValueError("tilt: too fast, a part of the picture would turn away before the end of a clip")
        if self.combined[0] > (known := len(set(self.transformations))):
            raise ValueError(f"combined: there are only {counted(known, 'transformation')}")
        return self

    @property
    def stills(self) -> Stills:
        """The pictures that are set in motion."""
        side = self.size if self.pictures is None else round(PICTURE_SIDE * self.size)
        return Stills(self.textures, self.pictures, self.seed, side)

    def render(self, index: int, attempt: int) -> np.ndarray:
        """Render one draw of clip ``index``: uint8 (T, size, size, 3)."""
        label, stills = self.label(index), self.stills
        setting = class_setting(self, label)
        rng = stream(self.seed, "instance", index, attempt)
        again = attempt // REDRAWN  # each count of draws has pictures of its own
        clip = np.empty((setting.frames, self.size, self.size, 3), np.uint8)
        box = None
        for layer, motion in enumerate(setting.motions):
            turn = 2 * again + layer
            # Of a folder, whose pictures repeat, the next ones; else pictures that no other class has.
            picture = stills.read(label + turn if self.pictures else turn * self.classes + label)
            side = rng.uniform(*self.crop) * min(picture.shape[:2])
            middle = side / 2 + rng.random(2) * (np.array(picture.shape[1::-1]) - side)
            if layer:
                box = _part(setting.part, self.size)
            paint(clip, picture, vary(motion, self.factor, rng), middle, side, box)
        return clip


class Motion(NamedTuple):
    """What changes from one frame to the next; zeros change nothing."""

    shift: np.ndarray  # float64 (2,): along x and y, in pixels of a 256 px frame
    zoom: np.ndarray  # (1,): growth
    rotation: np.ndarray  # (1,) radians
    scale: np.ndarray  # (2,): growth along x and y
    shear: np.ndarray  # (2,)
    tilt: np.ndarray  # (2,): the lowest row of a homography, in sides of the frame
    levels: np.ndarray  # (3,): levels of R, G and B
    saturation: np.ndarray  # (1,): growth of the distance from grey


OF: dict[Kind, tuple[str, ...]] = {
    "shift": ("shift",),
    "zoom": ("zoom",),
    "affine": ("rotation", "scale", "shear"),
    "perspective": ("tilt",),
    "colour": ("levels", "saturation"),
}


class Setting(NamedTuple):
    """A class: its length, the motion of one picture or of two, and the part that the second covers."""

    frames: int
    motions: tuple[Motion, ...]
    part: np.ndarray  # float64 (4,): top, left, bottom and right, as shares of the frame


@lru_cache(maxsize=512)
def class_setting(recipe: PseudoMotionRecipe, label: int) -> Setting:
    """Return the transformations of a class."""
    rng = stream(recipe.seed, "class", label)
    frames = int(rng.integers(*recipe.frames, endpoint=True))
    motions = [draw_motion(recipe, rng) for _ in range(2)]
    extent = rng.uniform(*recipe.part, 2)
    corner = rng.random(2) * (1 - extent)
    mixed = rng.random() < recipe.cutmix
    return Setting(frames, tuple(motions[: 1 + mixed]), np.concatenate([corner, corner + extent]))


def draw_motion(recipe: PseudoMotionRecipe, rng: np.random.Generator) -> Motion:
    """Draw a transformation, in which some of the recipe's kinds are combined."""
    kinds = sorted(set(recipe.transformations), key=KINDS.index)
    low, high = recipe.combined
    count = int(rng.integers(low, min(high, len(kinds)), endpoint=True))
    chosen = [kinds[place] for place in rng.permutation(len(kinds))[:count]]
    angle = rng.uniform(-np.pi, np.pi)
    drawn = Motion(
        shift=rng.uniform(*recipe.shift) * np.array([np.cos(angle), np.sin(angle)]),
        zoom=rng.uniform(*recipe.zoom, 1) * rng.choice([-1, 1]),
        rotation=np.deg2rad(rng.uniform(*recipe.rotation, 1)),
        scale=rng.uniform(*recipe.scale, 2),
        shear=rng.uniform(*recipe.shear, 2),
        tilt=rng.uniform(*recipe.tilt) * np.array([np.cos(angle), np.sin(angle)]),
        levels=rng.uniform(*recipe.levels, 3),
        saturation=rng.uniform(*recipe.saturation, 1),
    )
    kept = {name for kind in chosen for name in OF[kind]}
    return drawn._replace(**{name: 0 * getattr(drawn, name) for name in Motion._fields if name not in kept})


def vary(motion: Motion, factor: float, rng: np.random.Generator) -> Motion:
    """Make an instance's transformation: each rate of a class times U[1 - factor, 1 + factor]."""
    return Motion(*(rates * rng.uniform(1 - factor, 1 + factor, rates.shape) for rates in motion))


def paint(
    clip: np.ndarray,
    picture: np.ndarray,
    motion: Motion,
    middle: np.ndarray,
    side: float,
    box: tuple[int, int, int, int] | None = None,
) -> None:
    """Paint a picture that moves into the frames of a clip, in place.

    Args:
        clip: uint8 (T, size, size, 3).
        picture: uint8 (h, w, 3).
        motion: What changes from frame to frame.
        middle: Where the centre of the first frame lies in the picture: (x, y) in pixels.
        side: Pixels of the picture along a side of the first frame.
        box: Top, left, bottom and right of the pixels that are painted; ``None``: all.
    """
    from kinefract.synth.render.sampling import warp

    size = clip.shape[1]
    # Between, frames and pictures are measured in sides of the frame, from its centre.
    from_frame = np.array([(1 / size, 0, -0.5), (0, 1 / size, -0.5), (0, 0, 1)])
    to_picture = np.array([(side, 0, middle[0]), (0, side, middle[1]), (0, 0, 1)])
    places = [to_picture @ back @ from_frame for back in powers(inverse(geometry(motion)), len(clip))]
    colours = [change[:3] for change in powers(recolouring(motion), len(clip))]
    warp(clip, picture, np.stack(places), np.stack(colours), box)


def geometry(motion: Motion) -> np.ndarray:
    """Return how places move from a frame to the next: float64 (3, 3), in sides of the frame from its centre.

    The picture is deformed, turned and zoomed about the centre of the frame, then tilted, then shifted.
    """
    cosine, sine = np.cos(motion.rotation[0]), np.sin(motion.rotation[0])
    turn = np.array([(cosine, -sine, 0), (sine, cosine, 0), (0, 0, 1)])
    shear = np.array([(1, motion.shear[0], 0), (motion.shear[1], 1, 0), (0, 0, 1)])
    growth = np.diag([*(1 + motion.zoom[0]) * (1 + motion.scale), 1])
    tilt = np.array([(1, 0, 0), (0, 1, 0), (*motion.tilt, 1)])
    shift = np.array([(1, 0, motion.shift[0] / SIZE), (0, 1, motion.shift[1] / SIZE), (0, 0, 1)])
    return shift @ tilt @ growth @ turn @ shear


def recolouring(motion: Motion) -> np.ndarray:
    """Return how levels (R, G, B, 1) change from a frame to the next: float64 (4, 4)."""
    change = np.eye(4)
    change[:3, :3] = (1 + motion.saturation) * np.eye(3) - motion.saturation * LUMA
    change[:3, 3] = motion.levels
    return change


def inverse(matrix: np.ndarray) -> np.ndarray:
    """Return a matrix that undoes a homography, by its cofactors: float64 (3, 3), its last entry 1."""
    rows = [np.cross(matrix[:, 1], matrix[:, 2]), np.cross(matrix[:, 2], matrix[:, 0])]
    adjugate = np.stack([*rows, np.cross(matrix[:, 0], matrix[:, 1])])
    return adjugate / adjugate[2, 2]


def powers(matrix: np.ndarray, count: int) -> list[np.ndarray]:
    """Return the powers 0 to ``count - 1`` of a square matrix."""
    found = [np.eye(len(matrix))]
    while len(found) < count:
        found.append(matrix @ found[-1])
    return found


def _part(shares: np.ndarray, size: int) -> tuple[int, int, int, int]:
    top, left, bottom, right = np.rint(shares * size).astype(int).tolist()
    return top, left, max(bottom, top + 1), max(right, left + 1)

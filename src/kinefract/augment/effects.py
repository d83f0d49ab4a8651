"""Settings of what makes clips look filmed; defaults are those of arXiv 2411.17584, section 4.

Pairs named so are [start, end] of the curriculum: the value grows linearly from one to the other over its
epochs. Others are [least, most] of what is drawn. ``p: 0`` switches an effect off. Loads no torch.
"""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from kinefract.common.ranges import FloatRange, IntRange, within
from kinefract.common.schema import Section, merged

Probability = Annotated[float, Field(ge=0, le=1)]
Often = Annotated[float, Field(ge=0, le=1, description="probability that a clip gets it")]
Curriculum = Annotated[tuple[float, float], Field(strict=False)]


class Foreground(Section):
    """The clip, shrunk and put somewhere on black."""

    p: Often = 1.0
    least_scale: Curriculum = Field(
        default=(1.0, 0.3),
        description="[start, end] of the least factor of width and height, each drawn up to 1",
    )


class Group(Section):
    """The clip twice in one frame, after the curriculum."""

    p: Often = 0.15
    scale: Annotated[FloatRange, within(0.05, 1)] = Field(
        default=(0.2, 0.7), description="size of both, of the frame"
    )
    turn: float = Field(
        default=60.0, ge=0, le=180, description="degrees that the second is turned by, at most"
    )
    flip: Probability = Field(default=0.5, description="mirror the second left to right")
    delay: float = Field(
        default=0.25, ge=0, le=1, description="of the clip's length, earlier or later, at most"
    )


class Displacement(Section):
    """A straight path, at rest before and after."""

    p: Often = 0.3
    speed: Curriculum = Field(
        default=(0.2, 1.0), description="heights per clip length: drawn from the start to a growing end"
    )
    share: Curriculum = Field(default=(0.1, 1.0), description="of the frames, in which it moves: likewise")


class Background(Section):
    """What is behind the clip: frames of other clips of the batch."""

    p: Often = 1.0
    static: Probability = Field(default=0.8, description="two still frames rather than a moving clip")
    area: Annotated[FloatRange, within(0.05, 1)] = Field(
        default=(0.6, 1.0), description="share of them that is shown"
    )
    moved: Probability = Field(default=0.3, description="probability that a still one is on a path")
    window: float = Field(
        default=0.25, gt=0, le=1, description="most frames a moving one wanders over, of all"
    )


class Mixing(Section):
    """How clip and background become one picture."""

    soft: Probability = Field(default=0.95, description="a weighted mean rather than the greater of both")
    alpha: Annotated[FloatRange, within(0, 1)] = Field(
        default=(0.25, 0.55), description="weight of the background"
    )
    gamma: float = Field(default=0.75, gt=0, le=4, description="power of both before the mean")
    power: Annotated[FloatRange, within(0.1, 4)] = Field(default=(0.6, 1.0), description="power of the mean")


class Perspective(Section):
    """The frame seen at an angle."""

    p: Often = 0.8
    distortion: float = Field(default=0.7, ge=0, lt=1, description="how far corners come in, at most")
    enlargement: float = Field(default=1.4, ge=1, le=4, description="factor of the picture that is tilted")


class Zoom(Section):
    """Towards the picture or away from it."""

    p: Often = 0.3
    speed: Curriculum = Field(
        default=(0.3, 1.0), description="per clip length: from the start to a growing end"
    )
    share: Curriculum = Field(default=(0.1, 1.0), description="of the frames, in which it moves: likewise")
    out: Probability = Field(default=0.5, description="away from the picture rather than towards it")


class Shake(Section):
    """A camera held in the hand."""

    p: Often = 0.3
    waves: Annotated[IntRange, within(1, 20)] = Field(
        default=(2, 5), description="how many sines make the shake, on each axis"
    )
    frequency: Annotated[FloatRange, within(0, 4)] = Field(default=(0.1, 1.2), description="cycles per frame")
    noise: float = Field(
        default=0.3, ge=0, le=10, description="beside the waves, whose weights are 1, 1/2, ..."
    )
    least: Curriculum = Field(default=(1.0, 2.0), description="least deviation in pixels of a 112 px frame")
    most: Curriculum = Field(default=(2.0, 4.0), description="greatest deviation, in the same pixels")


class RandAugment(Section):
    """A few operations of a fixed list (Cubuk et al., arXiv 1909.13719)."""

    p: Often = 1.0
    operations: int = Field(default=2, ge=0, le=10, description="how many, one after the other")
    magnitude: float = Field(default=7.0, ge=0, le=30, description="strength of each; 30 is the greatest")


EFFECTS = (
    *("foreground", "group", "displacement", "background", "perspective"),
    *("camera", "zoom", "shake", "rand_augment"),
)


class Filmed(Section):
    """All of them."""

    foreground: Foreground = Foreground()
    group: Group = Group()
    displacement: Displacement = Displacement()
    background: Background = Background()
    mixing: Mixing = Mixing()
    perspective: Perspective = Perspective()
    camera: Displacement = Displacement()
    zoom: Zoom = Zoom()
    shake: Shake = Shake()
    rand_augment: RandAugment = RandAugment()
    curriculum_epochs: float = Field(default=5.0, ge=0, description="over which magnitudes grow")

    @model_validator(mode="before")
    @classmethod
    def _some(cls, data: Any) -> Any:
        """Take ``only: [zoom]``, ``without: [zoom]`` for what it means: others, or these, never happen."""
        if not isinstance(data, dict) or not data.keys() & {"only", "without"}:
            return data
        rest = {key: value for key, value in data.items() if key not in ("only", "without")}
        for key in ("only", "without"):
            named = data.get(key, [])
            if not isinstance(named, list) or any(name not in EFFECTS for name in named):
                raise ValueError(f"{key}: wants a list of effects, of {', '.join(EFFECTS)}")
        off = set(data.get("without", []))
        if "only" in data:
            off |= set(EFFECTS) - set(data["only"])
        return merged(rest, {name: {"p": 0.0} for name in EFFECTS if name in off})

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        if not all(0 < scale <= 1 for scale in self.foreground.least_scale):
            raise ValueError("foreground.least_scale: wants two scales above 0 and at most 1")
        for name in ("displacement", "camera", "zoom"):
            effect = getattr(self, name)
            if min(effect.speed) < 0 or not all(0 <= share <= 1 for share in effect.share):
                raise ValueError(f"{name}: wants speeds of at least 0 and shares from 0 to 1")
        if not all(0 <= low <= high for low, high in zip(self.shake.least, self.shake.most, strict=True)):
            raise ValueError("shake: wants least no greater than most, at start and end")
        return self

    def progress(self, epochs: float) -> float:
        """Return how far the curriculum is after so many epochs, from 0 to 1."""
        return 1.0 if self.curriculum_epochs == 0 else min(1.0, epochs / self.curriculum_epochs)

    def of_the_key(self) -> Self:
        """Return what a key of self-supervised training gets: scale, background and RandAugment alone."""
        off = {name: getattr(self, name).model_copy(update={"p": 0.0}) for name in NOT_OF_THE_KEY}
        return self.model_copy(update=off | {"background": self.background.model_copy(update={"moved": 0.0})})


NOT_OF_THE_KEY = ("group", "displacement", "perspective", "camera", "zoom", "shake")


def grown(curriculum: tuple[float, float], progress: float) -> float:
    """Return a value that grows with the curriculum, at ``progress`` from 0 to 1."""
    start, end = curriculum
    return start + progress * (end - start)

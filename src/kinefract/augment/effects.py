"""Settings of the augmentations that imitate filming; defaults follow arXiv 2411.17584, section 4.

A pair described as [start, end] follows the curriculum: the value grows linearly from the first to the second
over its epochs. Every other pair is the range [least, most] of a random draw. ``p: 0`` switches an effect
off. This module does not import torch.
"""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from kinefract.common.ranges import Epochs, FloatRange, IntRange, Probability, within
from kinefract.common.schema import Section, is_none, merged

Often = Annotated[float, Field(ge=0, le=1, description="probability that a clip gets it")]
Curriculum = Annotated[tuple[float, float], Field(strict=False)]


class Foreground(Section):
    """Settings of the foreground: the clip is shrunk and placed at random on black."""

    p: Often = 1.0
    least_scale: Curriculum = Field(
        default=(1.0, 0.3),
        description="[start, end] of the least factor of width and height, each drawn up to 1",
    )


class Group(Section):
    """Settings of groups: after the curriculum some frames show the clip twice."""

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
    """Settings of a straight movement, with rest before and after it."""

    p: Often = 0.3
    speed: Curriculum = Field(
        default=(0.2, 1.0), description="heights per clip length: drawn from the start to a growing end"
    )
    share: Curriculum = Field(default=(0.1, 1.0), description="of the frames, in which it moves: likewise")


class Background(Section):
    """Settings of the background, which consists of frames of other clips of the batch."""

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
    """Settings of mixing the clip with its background."""

    soft: Probability = Field(default=0.95, description="a weighted mean rather than the greater of both")
    alpha: Annotated[FloatRange, within(0, 1)] = Field(
        default=(0.25, 0.55), description="weight of the background"
    )
    gamma: float = Field(default=0.75, gt=0, le=4, description="power of both before the mean")
    power: Annotated[FloatRange, within(0.1, 4)] = Field(default=(0.6, 1.0), description="power of the mean")


class Perspective(Section):
    """Settings of the perspective: the camera sees the frame at an angle."""

    p: Often = 0.8
    distortion: float = Field(default=0.7, ge=0, lt=1, description="how far corners come in, at most")
    enlargement: float = Field(default=1.4, ge=1, le=4, description="factor of the picture that is tilted")


class Zoom(Section):
    """Settings of the zoom: the camera moves towards the picture or away from it."""

    p: Often = 0.3
    speed: Curriculum = Field(
        default=(0.3, 1.0), description="per clip length: from the start to a growing end"
    )
    share: Curriculum = Field(default=(0.1, 1.0), description="of the frames, in which it moves: likewise")
    out: Probability = Field(default=0.5, description="away from the picture rather than towards it")


class Shake(Section):
    """Settings of the shaking of a hand-held camera."""

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
    """Settings of RandAugment: a few operations of a fixed list (Cubuk et al., arXiv 1909.13719)."""

    p: Often = 1.0
    operations: int = Field(default=2, ge=0, le=10, description="how many, one after the other")
    magnitude: float = Field(default=7.0, ge=0, le=30, description="strength of each; 30 is the greatest")


class Tint(Section):
    """Settings of tint, which the paper does not have: clip and background are each lit in a colour.

    Fractals are grey. Anderson and Farrell (arXiv 2110.03091) find that pictures of them teach more with
    colours.
    """

    p: Often = 1.0
    saturation: Annotated[FloatRange, within(0, 1)] = Field(
        default=(0.0, 0.8), description="of a colour of any hue; at 0 clips stay grey"
    )


EFFECTS = (
    *("foreground", "group", "displacement", "background", "perspective"),
    *("camera", "zoom", "shake", "rand_augment"),
)


class Filmed(Section):
    """Settings of all augmentations that imitate filming."""

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
    tint: Tint | None = Field(
        default=None, exclude_if=is_none, description="colours for grey clips; `tint: {}` adds them"
    )
    curriculum_epochs: Epochs = Field(default=5.0, description="over which magnitudes grow")

    @model_validator(mode="before")
    @classmethod
    def _some(cls, data: Any) -> Any:
        """Expand ``only: [zoom]`` and ``without: [zoom]``: all other effects, or these, are switched off."""
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
            if not (
                all(0 <= speed <= 100 for speed in effect.speed)
                and all(0 <= share <= 1 for share in effect.share)
            ):
                raise ValueError(f"{name}: wants speeds from 0 to 100 and shares from 0 to 1")
        if not all(
            0 <= low <= high <= 100 for low, high in zip(self.shake.least, self.shake.most, strict=True)
        ):
            raise ValueError("shake: wants 0 <= least <= most <= 100, at start and end")
        return self

    def progress(self, epochs: float) -> float:
        """Return the progress of the curriculum after ``epochs`` epochs, from 0 to 1."""
        return 1.0 if self.curriculum_epochs == 0 else min(1.0, epochs / self.curriculum_epochs)

    def of_the_key(self) -> Self:
        """Return the settings for keys of self-supervised training: scale, background, RandAugment alone."""
        off = {name: getattr(self, name).model_copy(update={"p": 0.0}) for name in NOT_OF_THE_KEY}
        return self.model_copy(update=off | {"background": self.background.model_copy(update={"moved": 0.0})})


NOT_OF_THE_KEY = ("group", "displacement", "perspective", "camera", "zoom", "shake")


def scheduled(curriculum: tuple[float, float], progress: float) -> float:
    """Return the value of a pair [start, end] at ``progress`` (0 to 1) of the curriculum."""
    start, end = curriculum
    return start + progress * (end - start)

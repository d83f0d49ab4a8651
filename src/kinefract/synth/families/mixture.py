"""The mixture: a dataset of clips from other datasets, each with its share of the classes.

Every class has as many clips as any other, so the share of a part's classes is its share of the clips. The
classes of the parts follow one after the other: the first classes of the first part, then the first of the
second. The clips of a part are those of its own dataset.
"""

from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from kinefract.common.schema import Section, short
from kinefract.synth.dataset_recipe import FAMILIES, AnyDataset, DatasetRecipe

AGREEING = ("size", "frames", "fps")  # settings that parts and mixture have in common
TAKEN_OVER = ("classes", "clips_per_class", *AGREEING, "seed")  # by a part that does not give them


class Part(Section):
    """A part of a mixture: whose clips it takes, and how many."""

    share: float = Field(gt=0, le=1e6, description="its share of the classes, relative to the sum of shares")
    recipe: AnyDataset = Field(description="the dataset; what it does not give is taken from the mixture")


@FAMILIES.register
class MixtureRecipe(DatasetRecipe):
    """Settings of a dataset that is made of parts of other datasets, in given shares.

    Under ``datasets:`` a mapping of names to shares stands for the parts.
    """

    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {
        "Shapes and Perlin noise, half and half.": {
            "parts": [
                {"share": 1, "recipe": {"family": "shapes"}},
                {"share": 1, "recipe": {"family": "perlin", "frequencies": [2, 3, 5, 8]}},
            ]
        },
    }

    family: Literal["mixture"] = "mixture"
    parts: Annotated[tuple[Part, ...], Field(strict=False, min_length=1, max_length=100)] = Field(
        description="`{name: share}` by names of datasets, or a list of `{share: ..., recipe: {...}}`"
    )

    @model_validator(mode="before")
    @classmethod
    def _completed(cls, settings: Any) -> Any:
        """Give parts that are written out what the mixture has in common with them."""
        if not isinstance(settings, dict) or "parts" not in settings:
            return settings
        parts = settings["parts"]
        if isinstance(parts, dict):
            raise ValueError(
                f"parts: names of datasets have a meaning under `datasets:` only, got {short(parts)}"
            )
        if not isinstance(parts, list | tuple):
            return settings
        common = {key: settings[key] for key in TAKEN_OVER if key in settings}
        return settings | {"parts": [_with(part, common) for part in parts]}

    @model_validator(mode="after")
    def _agree(self) -> Self:
        counts = class_counts(self)
        for place, (part, count) in enumerate(zip(self.parts, counts, strict=True)):
            recipe, at = part.recipe, f"parts: {part.recipe.family} (part {place + 1})"
            if isinstance(recipe, MixtureRecipe):
                raise ValueError(f"{at} is a mixture itself; name the parts of that one")
            for key in AGREEING:
                if (own := getattr(recipe, key)) != (wanted := getattr(self, key)):
                    raise ValueError(
                        f"{at} has {key} {short(own)}, the mixture {short(wanted)}; they must agree"
                    )
            if not 0 < count <= recipe.classes:
                raise ValueError(
                    f"{at} has {recipe.classes:,} classes, its share of {self.classes:,} is {count:,}; "
                    "change the shares or the number of classes"
                )
        return self

    def draw(self, index: int) -> tuple[np.ndarray, int]:
        recipe, number = self.source(index)
        frames, refused = recipe.draw(number)
        return self._coloured(frames), refused

    def render(self, index: int, attempt: int) -> np.ndarray | None:
        """Render one draw of clip ``index``: uint8 (T, size, size, 3), or as its part's if all are grey."""
        recipe, number = self.source(index)
        frames = recipe.render(number, attempt)
        return None if frames is None else self._coloured(frames)

    def source(self, index: int) -> tuple[DatasetRecipe, int]:
        """Return the dataset that clip ``index`` is from, and the clip's index there."""
        instance, label = divmod(index, self.classes)
        ends = np.cumsum(class_counts(self))
        place = int(np.searchsorted(ends, label, side="right"))
        recipe = self.parts[place].recipe
        first = int(ends[place - 1]) if place else 0
        return recipe, instance * recipe.classes + label - first

    def _coloured(self, frames: np.ndarray) -> np.ndarray:
        """Return grey clips with three channels if those of another part have three."""
        if frames.ndim == 4 or all(part.recipe.CHANNELS == 1 for part in self.parts):
            return frames
        return np.repeat(frames[..., None], 3, axis=3)


@lru_cache(maxsize=64)
def class_counts(recipe: MixtureRecipe) -> tuple[int, ...]:
    """Return how many classes each part has: by its share, rounded such that the sum is right."""
    shares = np.array([part.share for part in recipe.parts])
    exact = recipe.classes * shares / shares.sum()
    counts = np.floor(exact + 1e-9).astype(int)
    missing = recipe.classes - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:missing]] += 1
    return tuple(counts.tolist())


def _with(part: Any, common: dict[str, Any]) -> Any:
    if isinstance(part, dict) and isinstance(own := part.get("recipe"), dict):
        return part | {"recipe": common | own}
    return part

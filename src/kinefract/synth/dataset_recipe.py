"""The base class of every family's dataset recipe, and the registry of families."""

from abc import abstractmethod
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import Field, SerializeAsAny, model_validator

from kinefract.common.errors import UserError
from kinefract.common.ranges import Count, Seed, Small
from kinefract.common.registry import RecipeRegistry
from kinefract.common.schema import Section
from kinefract.synth.filter import is_worth_seeing

FAMILIES: RecipeRegistry["DatasetRecipe"] = RecipeRegistry("family", "kinefract.families")
MOST_SHARDS = 100_000  # names of shards have five digits
ATTEMPTS = 100  # draws of a clip until one passes the filter


class Points(Section):
    """Settings of the points of a chaos game (method, section 2)."""

    chains: int = Field(default=128, ge=16, le=4096, multiple_of=16, description="points that move at once")
    steps: int = Field(default=7500, ge=2, le=1_000_000, description="steps of every chain, per frame")
    discard: int = Field(default=200, ge=0, le=1_000_000, description="first steps, which are not drawn")
    window_steps: int = Field(
        default=3000, ge=2, le=1_000_000, description="steps of the search for the window"
    )

    @model_validator(mode="after")
    def _some_drawn(self) -> Self:
        if self.discard >= min(self.steps, self.window_steps):
            raise ValueError("discard: wants fewer steps than steps and window_steps")
        return self


class DatasetRecipe(Section):
    """Settings of a dataset of formula-made clips; a family adds its own.

    Clips are dealt round-robin over the classes: clip ``i`` belongs to class ``i % classes``. ``EXAMPLES``
    maps captions of the gallery to the settings that it shows. ``CHANNELS`` is 1 if all clips are grey; with
    it the memory that the frames take is known before any clip is rendered.
    """

    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {"As it is by default.": {}}
    CHANNELS: ClassVar[int] = 3

    family: str
    classes: Count = Field(description="stored parameter sets, which are the labels")
    clips_per_class: Count = Field(description="instances of each class")
    size: int = Field(default=256, ge=16, le=1024, multiple_of=2, description="height and width in pixels")
    frames: Annotated[tuple[int, int], Field(strict=False)] = Field(
        default=(18, 20), description="fewest and most frames of a clip, drawn uniformly"
    )
    fps: Small = Field(default=12, description="frames per second written into the files")
    crf: int = Field(default=23, ge=0, le=51, description="H.264 quality, 0 (best) to 51")
    clips_per_shard: Count = Field(default=500, description="clips in one tar file, made by one job")
    seed: Seed = Field(default=1, description="of all that is drawn; another one is another dataset")

    @model_validator(mode="after")
    def _frames_and_shards(self) -> Self:
        low, high = self.frames
        if not 2 <= low <= high <= 1000:
            raise ValueError("frames: wants [fewest, most] with 2 <= fewest <= most <= 1000")
        if self.shards > MOST_SHARDS:
            raise ValueError(
                f"clips_per_shard: makes {self.shards:,} shards, at most {MOST_SHARDS:,} are made"
            )
        return self

    @property
    def clips(self) -> int:
        """Number of clips in the dataset."""
        return self.classes * self.clips_per_class

    @property
    def shards(self) -> int:
        """Number of shards, the last of which may be smaller."""
        return -(-self.clips // self.clips_per_shard)

    def label(self, index: int) -> int:
        """Return the class of clip ``index``."""
        return index % self.classes

    @property
    def moves(self) -> bool:
        """Whether clips are meant to move; if so, the filter rejects clips without change."""
        return True

    def clip(self, index: int) -> np.ndarray:
        """Render clip ``index``, a function of the recipe and the index alone.

        Args:
            index: At least 0. An index from ``clips`` on gives a further instance, outside the dataset.

        Returns:
            uint8 frames, (T, size, size) if grey or (T, size, size, 3) if coloured.
        """
        return self.draw(index)[0]

    def draw(self, index: int) -> tuple[np.ndarray, int]:
        """Render clip ``index`` and return it with the number of draws that were rejected before it.

        Raises:
            UserError: none of 100 draws passes the filter, so the recipe's ranges leave no clip.
        """
        for attempt in range(ATTEMPTS):
            frames = self.render(index, attempt)
            if frames is not None and is_worth_seeing(frames, self.moves):
                return frames, attempt
        raise UserError(
            f"clip {index} of family {self.family}: nothing to see in {ATTEMPTS} draws; widen the ranges of "
            "its recipe, or choose another seed"
        )

    @abstractmethod
    def render(self, index: int, attempt: int) -> np.ndarray | None:
        """Render one draw of a clip, a function of the recipe, the index and the attempt alone.

        Args:
            index: At least 0.
            attempt: The number of draws that were rejected before this one.

        Returns:
            Frames as for ``clip``, or ``None`` if this draw cannot be rendered.
        """


AnyDataset = Annotated[SerializeAsAny[DatasetRecipe], FAMILIES.validator()]

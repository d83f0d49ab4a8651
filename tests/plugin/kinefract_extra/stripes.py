"""The stripes family: a stripe that crosses the frame, at a speed that is the class."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from kinefract.common.streams import stream
from kinefract.synth.dataset_recipe import FAMILIES, DatasetRecipe


@FAMILIES.register
class StripesRecipe(DatasetRecipe):
    """Settings of a dataset of stripes."""

    CHANNELS: ClassVar[int] = 1

    family: Literal["stripes"] = "stripes"
    width: int = Field(default=6, ge=1, description="width of the stripe in pixels")

    def render(self, index: int, attempt: int) -> np.ndarray | None:
        """Render one draw of clip ``index``: uint8 (T, size, size)."""
        rng = stream(self.seed, "stripes", index, attempt)
        frames = np.zeros((int(rng.integers(*self.frames, endpoint=True)), self.size, self.size), np.uint8)
        start, speed = int(rng.integers(self.size)), 2 + 3 * self.label(index)
        for t, image in enumerate(frames):
            image[:, (start + t * speed + np.arange(self.width)) % self.size] = 255
        return frames

"""The recipe of VideoMAE."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from kinefract.common.ranges import Small
from kinefract.models import BACKBONES
from kinefract.objectives import OBJECTIVES, ObjectiveRecipe

if TYPE_CHECKING:
    from kinefract.models.base import Backbone
    from kinefract.objectives.base import Objective


@OBJECTIVES.register
class VideomaeRecipe(ObjectiveRecipe):
    """Settings of VideoMAE; the defaults are those of its paper."""

    NAME: ClassVar[str] = "videomae"

    mask_ratio: float = Field(default=0.9, gt=0, lt=1, description="share of the places that are masked")
    decoder_depth: Small = Field(default=4, description="blocks of the decoder")

    def masked(self, places: int) -> int:
        """Return how many of the places of a frame are masked."""
        return int(self.mask_ratio * places)

    def check(self, pretraining: Any) -> None:
        entry = BACKBONES[pretraining.backbone]
        if entry.PATCHES is None:
            wanted = ", ".join(name for name, known in BACKBONES.items() if known.PATCHES)
            raise ValueError(f"mask_ratio: {pretraining.backbone} has no patches to mask; use {wanted}")
        side, _ = entry.patches(pretraining.patch, pretraining.tubelet)
        places = (pretraining.size // side) ** 2
        if not 0 < self.masked(places) < places:
            raise ValueError(f"mask_ratio: {self.mask_ratio} masks {self.masked(places)} of {places} places")

    def build(self, network: "Backbone") -> "Objective":
        from kinefract.objectives.videomae import Videomae

        return Videomae(network, self)

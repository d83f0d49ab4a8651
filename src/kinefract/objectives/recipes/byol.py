"""The recipe of BYOL."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from kinefract.common.ranges import Layer
from kinefract.objectives import OBJECTIVES, ObjectiveRecipe

if TYPE_CHECKING:
    from kinefract.models.base import Backbone
    from kinefract.objectives.base import Objective


@OBJECTIVES.register
class ByolRecipe(ObjectiveRecipe):
    """Settings of BYOL."""

    NAME: ClassVar[str] = "byol"
    LEAST_BATCH: ClassVar[int] = 2

    dim: Layer = Field(default=256, description="size of a projection")
    hidden: Layer = Field(default=1024, description="hidden layer of projector and predictor")
    momentum: float = Field(default=0.997, ge=0, lt=1, description="of the target, rising to 1")

    def build(self, network: "Backbone") -> "Objective":
        from kinefract.objectives.byol import Byol

        return Byol(network, self)

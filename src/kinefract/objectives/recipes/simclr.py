"""The recipe of SimCLR."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from kinefract.common.ranges import Layer, Temperature
from kinefract.objectives import OBJECTIVES, ObjectiveRecipe

if TYPE_CHECKING:
    from kinefract.models.base import Backbone
    from kinefract.objectives.base import Objective


@OBJECTIVES.register
class SimclrRecipe(ObjectiveRecipe):
    """Settings of SimCLR."""

    NAME: ClassVar[str] = "simclr"
    LEAST_BATCH: ClassVar[int] = 2

    dim: Layer = Field(default=128, description="size of an embedding")
    temperature: Temperature = Field(default=0.1, description="what similarities are divided by")

    def build(self, network: "Backbone") -> "Objective":
        from kinefract.objectives.simclr import Simclr

        return Simclr(network, self)

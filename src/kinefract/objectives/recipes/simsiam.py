"""The recipe of SimSiam."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from kinefract.common.ranges import Layer
from kinefract.objectives import OBJECTIVES, ObjectiveRecipe

if TYPE_CHECKING:
    from kinefract.models.base import Backbone
    from kinefract.objectives.base import Objective


@OBJECTIVES.register
class SimsiamRecipe(ObjectiveRecipe):
    """Settings of SimSiam; the defaults are those of its paper."""

    NAME: ClassVar[str] = "simsiam"
    LEAST_BATCH: ClassVar[int] = 2

    dim: Layer = Field(default=2048, description="size of a projection, and of the projector's hidden layers")
    hidden: Layer = Field(default=512, description="hidden layer of the predictor")

    def build(self, network: "Backbone") -> "Objective":
        from kinefract.objectives.simsiam import Simsiam

        return Simsiam(network, self)

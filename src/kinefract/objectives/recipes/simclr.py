"""The recipe of SimCLR."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from kinefract.objectives import OBJECTIVES, ObjectiveRecipe

if TYPE_CHECKING:
    from kinefract.models.base import Backbone
    from kinefract.objectives.base import Objective


@OBJECTIVES.register
class SimclrRecipe(ObjectiveRecipe):
    """Settings of SimCLR."""

    NAME: ClassVar[str] = "simclr"

    dim: int = Field(default=128, ge=2, description="size of an embedding")
    temperature: float = Field(default=0.1, gt=0, description="what similarities are divided by")

    def build(self, network: "Backbone") -> "Objective":
        from kinefract.objectives.simclr import Simclr

        return Simclr(network, self)

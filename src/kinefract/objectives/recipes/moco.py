"""The recipe of MoCo."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from kinefract.common.ranges import Layer, Temperature
from kinefract.objectives import OBJECTIVES, ObjectiveRecipe

if TYPE_CHECKING:
    from kinefract.models.base import Backbone
    from kinefract.objectives.base import Objective


@OBJECTIVES.register
class MocoRecipe(ObjectiveRecipe):
    """Settings of MoCo."""

    NAME: ClassVar[str] = "moco"

    dim: Layer = Field(default=128, description="size of an embedding")
    queue: int = Field(
        default=16_384, ge=2, le=10_000_000, description="keys of earlier clips; a multiple of the batch"
    )
    momentum: float = Field(default=0.999, ge=0, lt=1, description="of the key network")
    temperature: Temperature = Field(default=0.07, description="what similarities are divided by")

    def build(self, network: "Backbone") -> "Objective":
        from kinefract.objectives.moco import Moco

        return Moco(network, self)

    def check(self, pretraining: Any) -> None:
        if self.queue % pretraining.batch_size:
            raise ValueError(f"queue: {self.queue} is no multiple of batch_size {pretraining.batch_size}")

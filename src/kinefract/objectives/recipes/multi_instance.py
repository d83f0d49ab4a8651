"""The recipe of multi-instance prediction."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from kinefract.objectives import OBJECTIVES, ObjectiveRecipe

if TYPE_CHECKING:
    from kinefract.models.base import Backbone
    from kinefract.objectives.base import Objective


@OBJECTIVES.register
class MultiInstanceRecipe(ObjectiveRecipe):
    """Settings of multi-instance prediction; the default is that of its authors' code."""

    NAME: ClassVar[str] = "multi_instance"
    LEAST_BATCH: ClassVar[int] = 2
    LABELLED: ClassVar[bool] = True

    most: int = Field(default=5, ge=2, le=100, description="most clips that are seen at once")

    def check(self, pretraining: Any) -> None:
        if pretraining.batch_size < 2 * pretraining.accumulate:
            raise ValueError(
                f"accumulate: {pretraining.accumulate} leaves parts of one clip, and several are "
                "seen at once; lower it"
            )

    def build(self, network: "Backbone") -> "Objective":
        from kinefract.objectives.multi_instance import MultiInstance

        return MultiInstance(network, self)

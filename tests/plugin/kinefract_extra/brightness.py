"""The brightness objective: a network's features tell the mean of each colour of a clip."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from kinefract.objectives import OBJECTIVES, ObjectiveRecipe

if TYPE_CHECKING:
    from kinefract.models.base import Backbone
    from kinefract.objectives.base import Objective


@OBJECTIVES.register
class BrightnessRecipe(ObjectiveRecipe):
    """Settings of the brightness objective."""

    NAME: ClassVar[str] = "brightness"

    weight: float = Field(default=1.0, gt=0, description="what the squared error is multiplied by")

    def build(self, network: "Backbone") -> "Objective":
        from torch import Tensor, nn

        from kinefract.objectives.base import Gather, Objective, Outcome, Outputs, without_classifier

        weight = self.weight

        class Brightness(Objective):
            VIEWS: ClassVar[int] = 1
            PER_CLIP: ClassVar[bool] = True

            def __init__(self) -> None:
                super().__init__(without_classifier(network))
                self.head = nn.Linear(network.feature_size, 3)

            def forward(self, views: list[Tensor]) -> Outputs:
                return (self.head(self.network.features(views[0])) - views[0].mean((1, 3, 4)),)

            def outcome(self, outputs: Outputs, labels: Tensor, clips: Tensor, gather: Gather) -> Outcome:
                error = outputs[0].abs()
                return Outcome(weight * (error**2).mean(), (error < 0.1).all(1).sum())

        return Brightness()

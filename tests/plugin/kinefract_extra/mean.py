"""The mean: a backbone whose features are a linear map of a clip's mean colour."""

from typing import TYPE_CHECKING, ClassVar

from kinefract.models import BACKBONES, BackboneEntry, Wanted

if TYPE_CHECKING:
    from kinefract.models.base import Backbone


@BACKBONES.register
class Mean(BackboneEntry):
    """The mean colour, mapped to ``width`` features."""

    NAME: ClassVar[str] = "mean"

    @staticmethod
    def build(wanted: Wanted) -> "Backbone":
        from torch import Tensor, nn

        from kinefract.models.base import Backbone

        class MeanColour(Backbone):
            def __init__(self) -> None:
                super().__init__()
                self.feature_size, self.classifier = wanted.width, "last"
                self.first, self.last = nn.Linear(3, wanted.width), nn.Linear(wanted.width, wanted.classes)

            def features(self, clips: Tensor) -> Tensor:
                return self.first(clips.mean((1, 3, 4)))

            def forward(self, clips: Tensor) -> Tensor:
                return self.last(self.features(clips))

        return MeanColour()

"""TSM MobileNetV2: 2.7 million parameters with 400 classes, a ninth of the ResNet-50's."""

from typing import TYPE_CHECKING, ClassVar

from kinefract.models import BACKBONES, BackboneEntry, Wanted

if TYPE_CHECKING:
    from kinefract.models.base import Backbone


@BACKBONES.register
class TsmMobileNetV2(BackboneEntry):
    """A MobileNetV2 whose channels are shifted in time."""

    NAME: ClassVar[str] = "tsm_mobilenetv2"

    @staticmethod
    def build(wanted: Wanted) -> "Backbone":
        from kinefract.models.mobilenet import MobileNetV2
        from kinefract.models.tsm import TSM

        return TSM(MobileNetV2(wanted.width, wanted.frames), wanted.frames, wanted.classes, wanted.dropout)

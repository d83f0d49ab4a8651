"""TSM ResNet-50: the network of most of the paper's experiments (method, section 5)."""

from typing import TYPE_CHECKING, ClassVar

from kinefract.models import BACKBONES, BackboneEntry, Wanted

if TYPE_CHECKING:
    from kinefract.models.base import Backbone


@BACKBONES.register
class TsmResNet50(BackboneEntry):
    """A ResNet-50 whose channels are shifted in time."""

    NAME: ClassVar[str] = "tsm_resnet50"

    @staticmethod
    def build(wanted: Wanted) -> "Backbone":
        from kinefract.models.resnet import Bottleneck, ResNet
        from kinefract.models.tsm import TSM

        frames = ResNet(Bottleneck, (3, 4, 6, 3), wanted.width, wanted.frames)
        return TSM(frames, wanted.frames, wanted.classes, wanted.dropout)

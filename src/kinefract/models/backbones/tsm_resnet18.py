"""TSM ResNet-18: the smallest of the ResNets, for machines without a GPU."""

from typing import TYPE_CHECKING, ClassVar

from kinefract.models import BACKBONES, BackboneEntry, Wanted

if TYPE_CHECKING:
    from kinefract.models.base import Backbone


@BACKBONES.register
class TsmResNet18(BackboneEntry):
    """A ResNet-18 whose channels are shifted in time."""

    NAME: ClassVar[str] = "tsm_resnet18"

    @staticmethod
    def build(wanted: Wanted) -> "Backbone":
        from kinefract.models.resnet import BasicBlock, ResNet
        from kinefract.models.tsm import TSM

        frames = ResNet(BasicBlock, (2, 2, 2, 2), wanted.width, wanted.frames)
        return TSM(frames, wanted.frames, wanted.classes, wanted.dropout)

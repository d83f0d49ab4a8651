"""TSM ResNet-18: the smallest of the ResNets, for machines without a GPU."""

from kinefract.models.resnet import BasicBlock, ResNet
from kinefract.models.tsm import TSM


def build(width: int, frames: int, classes: int, dropout: float) -> TSM:
    """Build the network; arguments as for ``kinefract.models.build``."""
    return TSM(ResNet(BasicBlock, (2, 2, 2, 2), width, frames), frames, classes, dropout)

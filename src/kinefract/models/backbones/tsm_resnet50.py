"""TSM ResNet-50: the network of most of the paper's experiments (method, section 5)."""

from kinefract.models.resnet import Bottleneck, ResNet
from kinefract.models.tsm import TSM


def build(width: int, frames: int, classes: int, dropout: float) -> TSM:
    """Build the network; arguments as for ``kinefract.models.build``."""
    return TSM(ResNet(Bottleneck, (3, 4, 6, 3), width, frames), frames, classes, dropout)

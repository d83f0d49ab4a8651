"""TSM MobileNetV2: 2.7 million parameters with 400 classes, a ninth of the ResNet-50's."""

from kinefract.models.mobilenet import MobileNetV2
from kinefract.models.tsm import TSM


def build(width: int, frames: int, classes: int, dropout: float) -> TSM:
    """Build the network; arguments as for ``kinefract.models.build``."""
    return TSM(MobileNetV2(width, frames), frames, classes, dropout)

"""The registry of backbones. Importing it loads no torch: that is imported when a backbone is built."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from kinefract.common.registry import Registry

if TYPE_CHECKING:
    from kinefract.models.base import Backbone


class BackboneEntry(ABC):
    """A backbone as the registry holds it: a name, and how the network is built."""

    NAME: ClassVar[str]

    @staticmethod
    @abstractmethod
    def build(width: int, frames: int, classes: int, dropout: float) -> "Backbone":
        """Build the network; arguments and result are those of ``kinefract.models.build``."""


BACKBONES: Registry[BackboneEntry] = Registry("kinefract.backbones")
BACKBONES.fill(f"{__name__}.backbones")


def build(name: str, width: int, frames: int, classes: int, dropout: float) -> "Backbone":
    """Build a backbone with a classifier, its weights drawn from torch's current generator.

    Args:
        name: A key of ``BACKBONES``.
        width: Channels of a ResNet's first stage. The other networks scale all their layers by width / 64, so
            that 64 makes the published form of each.
        frames: Frames of a clip.
        classes: Outputs of the classifier.
        dropout: Probability of dropping a feature before the classifier.

    Returns:
        A module that maps clips (B, T, 3, H, W) to logits (B, classes).
    """
    return BACKBONES[name].build(width, frames, classes, dropout)

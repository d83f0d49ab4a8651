"""Backbones by name. Their modules import torch, so they are loaded when one is built."""

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from kinefract.models import backbones

if TYPE_CHECKING:
    from kinefract.models.base import Backbone

BACKBONES = {
    module.name: f"{backbones.__name__}.{module.name}" for module in iter_modules(backbones.__path__)
}


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
    return import_module(BACKBONES[name]).build(width, frames, classes, dropout)

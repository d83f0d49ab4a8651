"""Backbones by name. Their modules import torch, so they are loaded when one is built."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

BACKBONES = {
    "tsm_resnet18": "kinefract.models.tsm",
    "tsm_resnet50": "kinefract.models.tsm",
}


def build(name: str, width: int, frames: int, classes: int, dropout: float) -> "nn.Module":
    """Build a backbone with a classifier, its weights drawn from torch's current generator.

    Args:
        name: A key of ``BACKBONES``.
        width: Channels of the first stage (64 in the published networks).
        frames: Frames of a clip.
        classes: Outputs of the classifier.
        dropout: Probability of dropping a feature before the classifier.

    Returns:
        A module that maps clips (B, T, 3, H, W) to logits (B, classes).
    """
    return import_module(BACKBONES[name]).build(name, width, frames, classes, dropout)

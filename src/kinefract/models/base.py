"""The interface of all backbones, whatever their architecture."""

import torch
from torch import nn

PUBLISHED_WIDTH = 64  # the ``width`` at which a backbone has the channels of its publication


class Backbone(nn.Module):
    """A network that maps clips to features, and features to logits.

    Attributes:
        feature_size: F, the length of a clip's features.
        depth: Number of a transformer's blocks.
        classifier: Name of the last layer, a linear one; its parameters alone depend on the classes.
    """

    feature_size: int
    classifier: str
    depth: int = 0

    def depth_of(self, parameter: str) -> int:
        """Return a parameter's place in a transformer: 0 before the blocks, 1 to ``depth``, then the head."""
        raise NotImplementedError

    def features(self, clips: torch.Tensor) -> torch.Tensor:
        """Map clips to the classifier's input before dropout, which contrastive objectives use.

        Args:
            clips: Float (B, T, 3, H, W), normalised.

        Returns:
            Float (B, F).
        """
        raise NotImplementedError

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Map clips, as for ``features``, to logits (B, classes)."""
        raise NotImplementedError


def round_channels(channels: float) -> int:
    """Return the multiple of 8 nearest to a number of channels, at least 8 and never below 90 % of it.

    MobileNetV2 and X3D both round the layers they scale like this, in their public code.
    """
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded

"""The MobileNetV2 of TSM: inverted residual blocks, shifted where they have a residual connection.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (CVPR 2018), table 2. Parameters are
named as in TSM's public code, so that its Kinetics-400 weights fit.
"""

import torch
from torch import nn

from kinefract.models.base import PUBLISHED_WIDTH, round_channels
from kinefract.models.tsm import FrameNetwork, ShiftedConv

# expansion, channels, blocks, stride of the first block
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
STEM, FEATURES = 32, 1280


def _conv(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)


def _normed(conv: nn.Conv2d) -> list[nn.Module]:
    return [conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU6(inplace=True)]


class InvertedResidual(nn.Module):
    """Widen by 1 x 1, filter channels by 3 x 3, narrow by 1 x 1; a residual connection where shapes allow.

    Where there is a residual connection the first convolution is shifted, as in TSM's public code: the
    connection carries what the shift takes away.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int, frames: int) -> None:
        super().__init__()
        self.residual = stride == 1 and inputs == outputs
        hidden = inputs * expansion
        layers: list[nn.Module] = []
        if expansion > 1:
            widen = _conv(inputs, hidden)
            layers += _normed(widen)
            if self.residual:
                layers[0] = ShiftedConv(widen, frames)
        layers += _normed(_conv(hidden, hidden, 3, stride, groups=hidden))
        self.conv = nn.Sequential(*layers, _conv(hidden, outputs), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(FrameNetwork):
    """A MobileNetV2 without classifier: images (N, 3, H, W) to features (N, 1280)."""

    def __init__(self, width: int, frames: int) -> None:
        """Build a MobileNetV2.

        Args:
            width: 64 times the paper's width multiplier, which scales all but the last convolution
                (section 4, "Trade-off hyper parameters").
            frames: Frames of a clip; images come clip by clip.
        """
        super().__init__()
        inputs = round_channels(STEM * width / PUBLISHED_WIDTH)
        layers: list[nn.Module] = [nn.Sequential(*_normed(_conv(3, inputs, 3, 2)))]
        for expansion, channels, blocks, stride in STAGES:
            outputs = round_channels(channels * width / PUBLISHED_WIDTH)
            for place in range(blocks):
                layers.append(InvertedResidual(inputs, outputs, 1 if place else stride, expansion, frames))
                inputs = outputs
        self.features = nn.Sequential(*layers, nn.Sequential(*_normed(_conv(inputs, FEATURES))))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.feature_size = FEATURES

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.avgpool(self.features(x)).flatten(1)

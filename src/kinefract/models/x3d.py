"""X3D: narrow 3-D networks of channel-wise convolutions, expanded along one axis at a time.

Feichtenhofer, "X3D: Expanding Architectures for Efficient Video Recognition" (CVPR 2020), table 1 and section
3.3. Parameters are named as in pytorchvideo, so that its published weights fit. There the names of the stem's
convolutions are exchanged: ``conv_t`` is the spatial one and comes first.
"""

import math
from collections import OrderedDict
from typing import cast

import torch
from torch import nn

from kinefract.models.base import PUBLISHED_WIDTH, Backbone, round_channels
from kinefract.models.seeded import SeededDropout

STEM = 24  # channels of the stem and the first stage; they double at every further stage
DEPTHS = (1, 2, 5, 3)  # blocks of the stages, before the depth factor
BOTTLENECK = 2.25  # channels inside a block over those outside
SE_RATIO = 1 / 16
FEATURES = 2048


def _named(**modules: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(modules))


def _pointwise(inputs: int, outputs: int, stride: int = 1, bias: bool = False) -> nn.Conv3d:
    return nn.Conv3d(inputs, outputs, 1, stride=(1, stride, stride), bias=bias)


class SqueezeExcitation(nn.Module):
    """Scale each channel by a gate in (0, 1), computed from all channels' means (Hu et al., CVPR 2018)."""

    def __init__(self, channels: int, reduced: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            _pointwise(channels, reduced, bias=True),
            nn.ReLU(inplace=True),
            _pointwise(reduced, channels, bias=True),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.block(x.mean((2, 3, 4), keepdim=True))


def bottleneck(inputs: int, inner: int, outputs: int, stride: int, squeeze: bool) -> nn.Sequential:
    """Return a block's main branch: (B, inputs, T, H, W) to (B, outputs, T, H / stride, W / stride).

    1 x 1 x 1, channel-wise 3 x 3 x 3, 1 x 1 x 1, all normed; ReLU after the first, Swish after the second,
    and squeeze-and-excitation, where ``squeeze`` asks for it, between the second's norm and its Swish.
    """
    gate = SqueezeExcitation(inner, round_channels(inner * SE_RATIO)) if squeeze else nn.Identity()
    return _named(
        conv_a=_pointwise(inputs, inner),
        norm_a=nn.BatchNorm3d(inner),
        act_a=nn.ReLU(inplace=True),
        conv_b=nn.Conv3d(inner, inner, 3, stride=(1, stride, stride), padding=1, groups=inner, bias=False),
        norm_b=nn.Sequential(nn.BatchNorm3d(inner), gate),
        act_b=nn.SiLU(),
        conv_c=_pointwise(inner, outputs),
        norm_c=nn.BatchNorm3d(outputs),
    )


class ResidualBlock(nn.Module):
    """A bottleneck and a residual connection, which is a convolution where the shape changes.

    A connection that changes the size but not the channels has no norm, as in the first stage.
    """

    def __init__(self, inputs: int, inner: int, outputs: int, stride: int, squeeze: bool) -> None:
        super().__init__()
        widens = inputs != outputs
        changes = widens or stride > 1
        self.branch1_conv = _pointwise(inputs, outputs, stride) if changes else nn.Identity()
        self.branch1_norm = nn.BatchNorm3d(outputs) if widens else nn.Identity()
        self.branch2 = bottleneck(inputs, inner, outputs, stride, squeeze)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.branch1_norm(self.branch1_conv(x)) + self.branch2(x))


class Head(nn.Module):
    """Features by a pool between two convolutions, and the classifier."""

    def __init__(self, inputs: int, inner: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.pool = _named(
            pre_conv=_pointwise(inputs, inner),
            pre_norm=nn.BatchNorm3d(inner),
            pre_act=nn.ReLU(inplace=True),
            # Over whole clips: pytorchvideo's pool has the size that clips were published for.
            pool=nn.AdaptiveAvgPool3d(1),
            post_conv=_pointwise(inner, FEATURES),
            post_act=nn.ReLU(inplace=True),
            flat=nn.Flatten(),
        )
        self.dropout = SeededDropout(dropout)
        self.proj = nn.Linear(FEATURES, classes)


class X3D(Backbone):
    """An X3D network for clips of any length and size; time is never strided, and pooled at the very end.

    Weights start as in pytorchvideo: He et al.'s normal distribution for convolutions, zero for the last norm
    of every block, N(0, 0.01) for the last layer; all are drawn from torch's current generator.
    """

    classifier = "blocks.5.proj"
    feature_size = FEATURES

    def __init__(self, depth: float, width: int, classes: int, dropout: float) -> None:
        """Build an X3D network.

        Args:
            depth: The paper's depth factor: 2.2 for M, 5 for L.
            width: 32 times the paper's width factor, so that 64 is the published 2.0.
            classes: Outputs of the classifier.
            dropout: Probability of dropping a feature before the classifier.
        """
        super().__init__()
        inputs = round_channels(STEM * width / PUBLISHED_WIDTH)
        blocks: list[nn.Module] = [
            _named(
                conv=_named(
                    conv_t=nn.Conv3d(3, inputs, (1, 3, 3), (1, 2, 2), padding=(0, 1, 1), bias=False),
                    conv_xy=nn.Conv3d(
                        inputs, inputs, (5, 1, 1), padding=(2, 0, 0), groups=inputs, bias=False
                    ),
                ),
                norm=nn.BatchNorm3d(inputs),
                act=nn.ReLU(inplace=True),
            )
        ]
        for stage, stage_depth in enumerate(DEPTHS):
            outputs = round_channels(STEM * 2**stage * width / PUBLISHED_WIDTH)
            inner, residuals = int(BOTTLENECK * outputs), []
            for place in range(math.ceil(depth * stage_depth)):
                stride, squeeze = 1 if place else 2, place % 2 == 0
                residuals.append(ResidualBlock(inputs, inner, outputs, stride, squeeze))
                inputs = outputs
            blocks.append(_named(res_blocks=nn.Sequential(*residuals)))
        blocks.append(Head(inputs, inner, classes, dropout))
        self.blocks = nn.ModuleList(blocks)
        self.apply(_initialise)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Map clips (B, T, 3, H, W), normalised, to logits (B, classes)."""
        head = cast("Head", self.blocks[-1])
        return head.proj(head.dropout(self.features(clips)))

    def features(self, clips: torch.Tensor) -> torch.Tensor:
        """Map clips (B, T, 3, H, W), normalised, to features (B, 2048)."""
        x = clips.transpose(1, 2)  # (B, 3, T, H, W)
        if x.device.type == "cpu":
            # A step takes 1.7 times as long there where channels lie one after the other.
            x = x.contiguous(memory_format=torch.channels_last_3d)
        for block in self.blocks[:-1]:
            x = block(x)
        return cast("Head", self.blocks[-1]).pool(x)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv3d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0, 0.01)
        nn.init.zeros_(module.bias)
    elif isinstance(module, ResidualBlock):
        nn.init.zeros_(module.branch2.get_parameter("norm_c.weight"))

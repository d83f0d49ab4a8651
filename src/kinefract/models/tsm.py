"""Temporal shift networks: a 2-D ResNet whose residual blocks exchange channels between neighbouring frames.

Lin, Gan, Han, "TSM: Temporal Shift Module for Efficient Video Understanding" (ICCV 2019), over the ResNet of
He et al. (CVPR 2016). Parameters are named as in the published checkpoints: torchvision's ResNet inside TSM's
``base_model``, a shifted convolution under ``net``, the classifier ``new_fc``.
"""

import torch
from torch import nn

from kinefract.models.dropout import SeededDropout

SHIFT_DIV = 8  # 1/8 of the channels come from the next frame, 1/8 from the one before
BLOCKS = {"tsm_resnet18": ("basic", (2, 2, 2, 2)), "tsm_resnet50": ("bottleneck", (3, 4, 6, 3))}


def shift(x: torch.Tensor, frames: int) -> torch.Tensor:
    """Exchange channels between neighbouring frames.

    Args:
        x: (B * frames, C, H, W), the frames of a clip one after the other.
        frames: Frames of a clip.

    Returns:
        The same shape: the first C // 8 channels hold those of the next frame, the second C // 8 those of
        the frame before, zeros past the clip's ends; the rest are unchanged.
    """
    fold = x.shape[1] // SHIFT_DIV
    clips = x.unflatten(0, (-1, frames))  # (B, T, C, H, W)
    out = clips.clone(memory_format=torch.preserve_format)
    out[:, :-1, :fold] = clips[:, 1:, :fold]
    out[:, -1, :fold] = 0
    out[:, 1:, fold : 2 * fold] = clips[:, :-1, fold : 2 * fold]
    out[:, 0, fold : 2 * fold] = 0
    return out.flatten(0, 1)


class ShiftedConv(nn.Module):
    """A convolution that sees shifted channels."""

    def __init__(self, net: nn.Conv2d, frames: int) -> None:
        super().__init__()
        self.net = net
        self.frames = frames

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(shift(x, self.frames))


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and a residual connection."""

    expansion = 1

    def __init__(self, inputs: int, planes: int, stride: int, frames: int) -> None:
        super().__init__()
        self.conv1 = ShiftedConv(_conv(inputs, planes, 3, stride), frames)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = _conv(planes, planes, 3)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = _downsample(inputs, planes * self.expansion, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + self.downsample(x))


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions and a residual connection; the stride is in the 3 x 3."""

    expansion = 4

    def __init__(self, inputs: int, planes: int, stride: int, frames: int) -> None:
        super().__init__()
        self.conv1 = ShiftedConv(_conv(inputs, planes, 1), frames)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = _conv(planes, planes, 3, stride)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = _conv(planes, planes * self.expansion, 1)
        self.bn3 = nn.BatchNorm2d(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _downsample(inputs, planes * self.expansion, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return self.relu(out + self.downsample(x))


def _downsample(inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(_conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))


class ResNet(nn.Module):
    """A ResNet without classifier: images (N, 3, H, W) to features (N, 8 * width * expansion)."""

    def __init__(self, block: type, depths: tuple[int, ...], width: int, frames: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        inputs = width
        for stage, depth in enumerate(depths):
            planes, blocks = width * 2**stage, []
            for place in range(depth):
                blocks.append(block(inputs, planes, 2 if stage and not place else 1, frames))
                inputs = planes * block.expansion
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.features = inputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
        return self.avgpool(x).flatten(1)


class TSM(nn.Module):
    """A temporal shift network: frame features, a classifier per frame, logits averaged over the clip."""

    def __init__(self, base_model: ResNet, frames: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.base_model = base_model
        self.frames = frames
        self.dropout = SeededDropout(dropout)
        self.new_fc = nn.Linear(base_model.features, classes)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Map clips (B, T, 3, H, W), normalised, to logits (B, classes).

        Raises:
            ValueError: the clips have another number of frames than the network was built for.
        """
        if clips.shape[1] != self.frames:
            raise ValueError(f"clips of {clips.shape[1]} frames for a network of {self.frames}")
        images = clips.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        features = self.dropout(self.base_model(images))  # (B * T, F)
        return self.new_fc(features).unflatten(0, (-1, self.frames)).mean(1)


def build(name: str, width: int, frames: int, classes: int, dropout: float) -> TSM:
    """Build a TSM network; the last layer starts from N(0, 0.001) as in TSM's public settings."""
    kind, depths = BLOCKS[name]
    base = ResNet(BasicBlock if kind == "basic" else Bottleneck, depths, width, frames)
    for module in base.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    model = TSM(base, frames, classes, dropout)
    nn.init.normal_(model.new_fc.weight, 0, 0.001)
    nn.init.zeros_(model.new_fc.bias)
    return model.to(memory_format=torch.channels_last)

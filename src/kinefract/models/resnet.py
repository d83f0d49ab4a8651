"""The ResNet of TSM: residual blocks whose first convolution sees the neighbouring frames.

He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016), with parameters named as in
torchvision, so that weights trained on ImageNet fit; the shift is TSM's, "blockres" in its public code.
"""

import torch
from torch import nn

from kinefract.models.tsm import FrameNetwork, ShiftedConv


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


class ResNet(FrameNetwork):
    """A ResNet without classifier: images (N, 3, H, W) to features (N, 8 * width * expansion)."""

    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential

    def __init__(
        self, block: type[BasicBlock] | type[Bottleneck], depths: tuple[int, ...], width: int, frames: int
    ) -> None:
        """Build a ResNet.

        Args:
            block: ``BasicBlock`` or ``Bottleneck``.
            depths: Blocks of each of the four stages.
            width: Channels of the first stage's 3 x 3 convolutions; they double at every stage.
            frames: Frames of a clip; images come clip by clip.
        """
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
        self.feature_size = inputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
        return self.avgpool(x).flatten(1)

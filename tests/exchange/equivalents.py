"""Networks of torchvision and mmaction2 as their public source builds them, at any width.

They have the modules, names and order of computation of ``torchvision/models/resnet.py`` and of mmaction2's
``ResNetTSM`` with ``TSMHead``, written anew, since neither library is installed.
"""

import torch
from torch import nn


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


class Torchvision18(nn.Module):
    """``torchvision.models.resnet18(num_classes=classes)``, 64 / ``width`` times as narrow."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(3, width, 7, 2), nn.BatchNorm2d(width)
        self.relu, self.maxpool = nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(Basic(width, width, 1), Basic(width, width, 1))
        self.layer2 = nn.Sequential(Basic(width, 2 * width, 2), Basic(2 * width, 2 * width, 1))
        self.layer3 = nn.Sequential(Basic(2 * width, 4 * width, 2), Basic(4 * width, 4 * width, 1))
        self.layer4 = nn.Sequential(Basic(4 * width, 8 * width, 2), Basic(8 * width, 8 * width, 1))
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(8 * width, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


class Basic(nn.Module):
    """torchvision's ``BasicBlock``."""

    def __init__(self, inputs: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(inputs, planes, 3, stride), nn.BatchNorm2d(planes)
        self.conv2, self.bn2 = conv(planes, planes, 3), nn.BatchNorm2d(planes)
        self.relu = nn.ReLU()
        self.downsample = None
        if stride > 1 or inputs != planes:
            self.downsample = nn.Sequential(conv(inputs, planes, 1, stride), nn.BatchNorm2d(planes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class ConvModule(nn.Module):
    """mmcv's ``ConvModule``: a convolution, its norm, and ReLU or nothing."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, act: bool = True) -> None:
        super().__init__()
        self.conv, self.bn = conv(inputs, outputs, kernel, stride), nn.BatchNorm2d(outputs)
        self.activate = nn.ReLU() if act else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.activate(self.bn(self.conv(x)))


class TemporalShift(nn.Module):
    """mmaction2's ``TemporalShift`` with ``shift_div=8``."""

    def __init__(self, net: nn.Module, segments: int) -> None:
        super().__init__()
        self.net, self.segments = net, segments

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        clips = x.reshape(-1, self.segments, *x.shape[1:])
        fold = x.shape[1] // 8
        left, mid, right = clips[:, :, :fold], clips[:, :, fold : 2 * fold], clips[:, :, 2 * fold :]
        left = torch.cat([left[:, 1:], torch.zeros_like(left[:, :1])], 1)
        mid = torch.cat([torch.zeros_like(mid[:, :1]), mid[:, :-1]], 1)
        return self.net(torch.cat([left, mid, right], 2).reshape(x.shape))


class ShiftedBasic(nn.Module):
    """mmaction2's ``BasicBlock`` after ``make_temporal_shift`` with ``shift_place="blockres"``."""

    def __init__(self, inputs: int, planes: int, stride: int, segments: int) -> None:
        super().__init__()
        self.conv1 = ConvModule(inputs, planes, 3, stride)
        self.conv1.conv = TemporalShift(self.conv1.conv, segments)
        self.conv2 = ConvModule(planes, planes, 3, act=False)
        self.downsample = None
        if stride > 1 or inputs != planes:
            self.downsample = ConvModule(inputs, planes, 1, stride, act=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.conv2(self.conv1(x))
        return torch.relu(out + (x if self.downsample is None else self.downsample(x)))


class Mmaction18(nn.Module):
    """A ``Recognizer2D`` of ``ResNetTSM(depth=18)`` and ``TSMHead``, 64 / ``width`` times as narrow."""

    def __init__(self, width: int, segments: int, classes: int) -> None:
        super().__init__()
        self.segments = segments
        self.backbone = nn.Module()
        self.backbone.conv1 = ConvModule(3, width, 7, 2)
        self.backbone.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs = width
        for stage in range(4):
            planes = width * 2**stage
            blocks = [
                ShiftedBasic(inputs, planes, 2 if stage else 1, segments),
                ShiftedBasic(planes, planes, 1, segments),
            ]
            setattr(self.backbone, f"layer{stage + 1}", nn.Sequential(*blocks))
            inputs = planes
        self.cls_head = nn.Module()
        self.cls_head.fc_cls = nn.Linear(inputs, classes)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        x = self.backbone.maxpool(self.backbone.conv1(clips.flatten(0, 1)))
        for stage in range(4):
            x = getattr(self.backbone, f"layer{stage + 1}")(x)
        return self.cls_head.fc_cls(x.mean((2, 3))).unflatten(0, (-1, self.segments)).mean(1)

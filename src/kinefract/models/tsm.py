"""Temporal shift networks: a 2-D network whose residual blocks exchange channels between neighbouring frames.

Lin, Gan, Han, "TSM: Temporal Shift Module for Efficient Video Understanding" (ICCV 2019). Parameters are
named as in the published checkpoints: the 2-D network is ``base_model``, a shifted convolution lies under
``net``, the classifier is ``new_fc``.
"""

import torch
from torch import nn
from torch.nn.functional import pad
from torch.nn.utils import convert_conv2d_weight_memory_format

from kinefract.models.base import Backbone
from kinefract.models.seeded import SeededDropout

SHIFT_DIV = 8  # 1/8 of the channels come from the next frame, 1/8 from the one before


class _Shift(torch.autograd.Function):
    """The shift, which writes each value once; its gradient is the shift the other way."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, frames: int) -> torch.Tensor:
        ctx.frames = frames
        return _exchanged(x, frames, back=False)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _exchanged(gradient, ctx.frames, back=True), None


def shift(x: torch.Tensor, frames: int) -> torch.Tensor:
    """Exchange channels between neighbouring frames.

    Args:
        x: (B * frames, C, H, W), the frames of a clip one after the other.
        frames: Frames of a clip.

    Returns:
        The same shape: the first C // 8 channels hold those of the next frame, the second C // 8 those of
        the frame before, zeros past the clip's ends; the rest are unchanged.
    """
    if torch.jit.is_tracing() or torch.compiler.is_exporting():
        return _joined(x, frames)  # an exported graph holds no function with a gradient of its own
    return _Shift.apply(x, frames)


def _exchanged(x: torch.Tensor, frames: int, back: bool) -> torch.Tensor:
    """Return ``x`` shifted; ``back`` reverses the shift, with zeros for values shifted past the ends."""
    fold = x.shape[1] // SHIFT_DIV
    from_next, from_before = slice(fold), slice(fold, 2 * fold)
    if back:
        from_next, from_before = from_before, from_next
    out = torch.empty_like(x)  # which keeps the memory format
    clips, shifted = x.unflatten(0, (-1, frames)), out.unflatten(0, (-1, frames))  # (B, T, C, H, W)
    shifted[:, :, 2 * fold :] = clips[:, :, 2 * fold :]
    shifted[:, :-1, from_next] = clips[:, 1:, from_next]
    shifted[:, -1, from_next] = 0
    shifted[:, 1:, from_before] = clips[:, :-1, from_before]
    shifted[:, 0, from_before] = 0
    return out


def _joined(x: torch.Tensor, frames: int) -> torch.Tensor:
    """Return ``x`` shifted, the same values, by operations that all formats of networks have."""
    fold = x.shape[1] // SHIFT_DIV
    clips = x.unflatten(0, (-1, frames))  # (B, T, C, H, W)
    from_next, from_before, rest = clips.split([fold, fold, x.shape[1] - 2 * fold], 2)
    from_next = pad(from_next[:, 1:], (0, 0) * 3 + (0, 1))
    from_before = pad(from_before[:, :-1], (0, 0) * 3 + (1, 0))
    return torch.cat([from_next, from_before, rest], 2).flatten(0, 1)


class ShiftedConv(nn.Module):
    """A convolution that sees shifted channels."""

    def __init__(self, net: nn.Conv2d, frames: int) -> None:
        super().__init__()
        self.net = net
        self.frames = frames

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(shift(x, self.frames))


class FrameNetwork(nn.Module):
    """A network that maps images (N, 3, H, W) to features (N, ``feature_size``)."""

    feature_size: int


class TSM(Backbone):
    """A temporal shift network: frame features, a classifier per frame, logits averaged over the clip.

    Convolutions start from He et al.'s normal distribution, the last layer from N(0, 0.001) as in TSM's
    public settings; all are drawn from torch's current generator.
    """

    classifier = "new_fc"

    def __init__(self, base_model: FrameNetwork, frames: int, classes: int, dropout: float) -> None:
        """Put a head on a 2-D network.

        Args:
            base_model: Maps images to features of length F.
            frames: Frames of a clip, with which its shifted convolutions were built, too.
            classes: Outputs of the classifier.
            dropout: Probability of dropping a frame's feature before the classifier.
        """
        super().__init__()
        for module in base_model.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        self.base_model = base_model
        self.frames = frames
        self.feature_size = base_model.feature_size
        self.dropout = SeededDropout(dropout)
        self.new_fc = nn.Linear(self.feature_size, classes)
        nn.init.normal_(self.new_fc.weight, 0, 0.001)
        nn.init.zeros_(self.new_fc.bias)
        convert_conv2d_weight_memory_format(self, torch.channels_last)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Map clips (B, T, 3, H, W), normalised, to logits (B, classes).

        Raises:
            ValueError: the clips have another number of frames than the network was built for.
        """
        return self._consensus(self.new_fc(self.dropout(self._frame_features(clips))))

    def features(self, clips: torch.Tensor) -> torch.Tensor:
        """Map clips (B, T, 3, H, W), normalised, to features (B, F), the mean of their frames'.

        Raises:
            ValueError: as for ``forward``.
        """
        return self._consensus(self._frame_features(clips))

    def _frame_features(self, clips: torch.Tensor) -> torch.Tensor:
        if clips.shape[1] != self.frames:
            raise ValueError(f"clips of {clips.shape[1]} frames for a network of {self.frames}")
        images = clips.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        return self.base_model(images)  # (B * T, F)

    def _consensus(self, of_frames: torch.Tensor) -> torch.Tensor:
        return of_frames.unflatten(0, (-1, self.frames)).mean(1)

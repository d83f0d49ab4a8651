"""The base class of all objectives, which the training loop calls, and parts that several of them use."""

import copy
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from kinefract.models.base import Backbone

# Gathers (B, ...) of every process into (processes * B, ...), in their order, gradients included.
Gather = Callable[[Tensor], Tensor]
Outputs = tuple[Tensor, ...]  # what a network says of each clip: tensors (B, ...)


class Outcome(NamedTuple):
    """The result of one batch: the loss (a scalar with gradient) and the number of correct clips."""

    loss: Tensor
    correct: Tensor


class Objective(nn.Module):
    """A pre-training objective. It holds the network, and other modules and buffers that it needs.

    A step has two halves, so that a batch can pass through the network in parts (``accumulate``): ``forward``
    of each part, then ``outcome`` of all of them.

    ``VIEWS`` is the number of windows that a step takes from each clip. ``PER_CLIP`` says that the loss is
    the mean of what the outputs of each part alone decide; then no part has to wait for the others.
    """

    VIEWS: ClassVar[int] = 2
    PER_CLIP: ClassVar[bool] = False

    def __init__(self, network: Backbone) -> None:
        super().__init__()
        self.network = network

    def forward(self, views: list[Tensor]) -> Outputs:
        """Return the outputs of clips, each (B, ...).

        Args:
            views: ``VIEWS`` tensors (B, T, 3, H, W), normalised; the second one, if any, is the key.
        """
        raise NotImplementedError

    def outcome(self, outputs: Outputs, labels: Tensor, clips: Tensor, gather: Gather) -> Outcome:
        """Compute the loss of one batch.

        Args:
            outputs: What ``forward`` returned for its clips.
            labels: int64 (B,), classes.
            clips: int64 (B,), the index of each clip in the dataset.
            gather: Collects a tensor from all processes.
        """
        raise NotImplementedError

    def pictures(self, views: list[Tensor]) -> list[Tensor]:
        """Return what people look at after an epoch, as normalised clips (B, T, 3, H, W); mostly nothing."""
        return []

    def after_step(self, done: float) -> None:
        """Update after an optimiser step. ``done`` is the share of all steps that are done, in (0, 1]."""


class Embedding(nn.Module):
    """Features projected by a perceptron of one hidden layer: clips (B, T, 3, H, W) to (B, size)."""

    def __init__(self, network: Backbone, hidden: int, size: int, norm: bool) -> None:
        super().__init__()
        self.network = network
        self.head = perceptron(network.feature_size, hidden, size, norm)

    def forward(self, clips: Tensor) -> Tensor:
        return self.head(self.network.features(clips))


class MomentumCopy(nn.Module):
    """A copy of a module that follows it as a moving average and gets no gradient.

    It normalises by statistics that are moving averages too, rather than by those of its batch. Therefore no
    clip can be recognised by the other clips of its batch, and keys need no shuffling across processes (Cai
    et al., "Exponential Moving Average Normalization for Self-supervised and Semi-supervised Learning", CVPR
    2021).
    """

    def __init__(self, source: nn.Module) -> None:
        super().__init__()
        self.module = copy.deepcopy(source).requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "MomentumCopy":
        return super().train(False)

    @torch.no_grad()
    def forward(self, clips: Tensor) -> Tensor:
        return self.module(clips)

    @torch.no_grad()
    def follow(self, source: nn.Module, momentum: float) -> None:
        """Move to ``momentum * own + (1 - momentum) * source``, weights and statistics alike."""
        own, other = self.module.state_dict(), source.state_dict()
        for name, value in own.items():
            if value.is_floating_point():
                value.lerp_(other[name].to(value.dtype), 1 - momentum)
            else:
                value.copy_(other[name])


def perceptron(inputs: int, hidden: int, outputs: int, norm: bool) -> nn.Sequential:
    """Return linear, (batch norm,) ReLU, linear."""
    layers: list[nn.Module] = [nn.Linear(inputs, hidden)]
    if norm:
        layers.append(nn.BatchNorm1d(hidden))
    return nn.Sequential(*layers, nn.ReLU(inplace=True), nn.Linear(hidden, outputs))


def unit(vectors: Tensor) -> Tensor:
    """Scale vectors (..., D) to length 1, in single precision."""
    return normalize(vectors.float(), dim=-1)


def without_classifier(network: Backbone) -> Backbone:
    """Freeze the classifier of a network whose features alone are trained; returns the network."""
    network.get_submodule(network.classifier).requires_grad_(False)
    return network


def first_place(clips: Tensor, gather: Gather) -> int:
    """Return the position of this process's first clip among those of all; clips of a batch are distinct."""
    return int((gather(clips) == clips[0]).nonzero()[0, 0])


def pairs(batch: int, count: int, place: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the positions of windows among those of all processes: all first ones, then all second ones.

    Args:
        batch: B, the number of clips of this process.
        count: N, the number of clips of all processes.
        place: Position of this process's first clip among the N.
        device: The device of the result.

    Returns:
        int64 (2 B,) each, for this process's first windows and then its second ones: the position of the
        window itself, and that of the other window of its clip.
    """
    own = place + torch.arange(batch, device=device)
    return torch.cat([own, own + count]), torch.cat([own + count, own])


def both_found(predicted: Tensor, targets: Tensor, place: int) -> Tensor:
    """Return for each clip whether both its predictions are nearer to their targets than to other windows'.

    Args:
        predicted: (2 B, D), of length 1: of the first windows of this process's clips, then of the second.
        targets: (2 N, D), of length 1: of all first windows, then of all second ones.
        place: Position of this process's first clip among the N.

    Returns:
        bool (B,).
    """
    itself, other = pairs(len(predicted) // 2, len(targets) // 2, place, predicted.device)
    alike = (predicted @ targets.T).scatter(1, itself[:, None], -torch.inf)
    return (alike.argmax(1) == other).view(2, -1).all(0)

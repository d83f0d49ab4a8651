"""A network small enough to compute by hand, and processes that share a batch without being processes."""

import torch
from torch import nn

PIXELS = 2 * 3 * 2 * 2  # of a clip (T, 3, H, W)


class Flat(nn.Module):
    """A linear map of a clip's pixels to features; no batch norm, so that clips do not see each other."""

    feature_size, classifier = 6, "last"

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.body = nn.Linear(PIXELS, self.feature_size)
        self.last = nn.Linear(self.feature_size, classes)

    def features(self, clips):
        return self.body(clips.flatten(1)).relu()

    def forward(self, clips):
        return self.last(self.features(clips))


def clips(count: int, seed: int) -> torch.Tensor:
    """Return random clips, float (count, 2, 3, 2, 2)."""
    return torch.randn(count, 2, 3, 2, 2, generator=torch.Generator().manual_seed(seed))


def alone(tensor):
    """Gather from one process."""
    return tensor


def outcome(objective, views, labels, numbers):
    """Return the outcome of a batch of one process."""
    return objective.outcome(objective(views), labels, numbers, alone)

"""The supervised objective: cross-entropy over classes (the paper, section 3)."""

from typing import NamedTuple

import torch
from torch.nn.functional import cross_entropy


class Outcome(NamedTuple):
    """Of one batch: the loss (a scalar with gradient) and how many clips were classed right."""

    loss: torch.Tensor
    correct: torch.Tensor


def supervised(logits: torch.Tensor, labels: torch.Tensor) -> Outcome:
    """Score logits (B, classes) against labels (B,), int64."""
    return Outcome(cross_entropy(logits, labels), (logits.argmax(1) == labels).sum())

"""Mixup: fine-tuning on mixtures of two clips and of their labels.

Zhang et al., "mixup: Beyond Empirical Risk Minimization" (ICLR 2018). One weight is drawn for each step, and
each clip is mixed with its mirror place in the batch, as VideoMAE's fine-tuning does. Of a batch that passes
through the network in parts, it is the mirror place in the part.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from kinefract.common.share import Share
from kinefract.models.base import Backbone
from kinefract.models.seeded import Seeded
from kinefract.objectives.base import Gather, Outcome, Outputs
from kinefract.objectives.supervised import Supervised


class MixingWeight(Seeded):
    """Draws the weight of a step by the Beta distribution (alpha, alpha)."""

    def __init__(self, alpha: float) -> None:
        super().__init__()
        self.alpha = alpha
        self.value = 1.0

    def reseed(self, seed: int, device: torch.device, share: Share | None = None) -> None:
        self.value = float(np.random.default_rng(seed).beta(self.alpha, self.alpha))


class Mixup(Supervised):
    """Classify mixtures of clips; a clip counts as correct if its own class is the best one."""

    def __init__(self, network: Backbone, alpha: float) -> None:
        super().__init__(network)
        self.weight = MixingWeight(alpha)

    def forward(self, views: list[Tensor]) -> Outputs:
        (clips,) = views
        weight = self.weight.value
        logits = self.network(weight * clips + (1 - weight) * clips.flip(0))
        return logits, logits.new_full((len(logits),), weight)

    def outcome(self, outputs: Outputs, labels: Tensor, clips: Tensor, gather: Gather) -> Outcome:
        logits, weight = outputs
        own, other = (cross_entropy(logits, of, reduction="none") for of in (labels, labels.flip(0)))
        loss = (weight * own + (1 - weight) * other).mean()
        return Outcome(loss, (logits.argmax(1) == labels).sum())

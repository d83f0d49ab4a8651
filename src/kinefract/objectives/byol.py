"""BYOL: predict the projection that a moving-average network gives a clip's other window, without negatives.

Grill et al., "Bootstrap Your Own Latent" (NeurIPS 2020); settings of arXiv 2411.17584, section 4.
"""

import math

import torch
from torch import Tensor

from kinefract.models.base import Backbone
from kinefract.objectives.base import (
    Embedding,
    Gather,
    MomentumCopy,
    Objective,
    Outcome,
    Outputs,
    both_found,
    first_place,
    perceptron,
    unit,
    without_classifier,
)
from kinefract.objectives.recipes.byol import ByolRecipe


class Byol(Objective):
    """BYOL: each window predicts the target's projection of the other; the target moves by momentum only."""

    def __init__(self, network: Backbone, recipe: ByolRecipe) -> None:
        super().__init__(without_classifier(network))
        self.recipe = recipe
        self.online = Embedding(network, recipe.hidden, recipe.dim, norm=True)
        self.predictor = perceptron(recipe.dim, recipe.hidden, recipe.dim, norm=True)
        self.target = MomentumCopy(self.online)

    def forward(self, views: list[Tensor]) -> Outputs:
        windows = torch.cat(views)
        predicted = unit(self.predictor(self.online(windows)))
        return (*predicted.chunk(2), *unit(self.target(windows)).chunk(2))

    def outcome(self, outputs: Outputs, labels: Tensor, clips: Tensor, gather: Gather) -> Outcome:
        predicted, (first, second) = torch.cat(outputs[:2]), outputs[2:]
        loss = distance(predicted, torch.cat([second, first]))  # each window's other one
        of_all = torch.cat([gather(first), gather(second)])
        right = both_found(predicted.detach(), of_all, first_place(clips, gather))
        return Outcome(loss, right.sum())

    def after_step(self, done: float) -> None:
        self.target.follow(self.online, momentum_at(done, self.recipe.momentum))


def distance(predicted: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared distance of vectors (N, D) of length 1: 2 - 2 cos."""
    return (2 - 2 * (predicted * target).sum(1)).mean()


def momentum_at(done: float, start: float) -> float:
    """Return the momentum after a share of all steps; it rises from ``start`` to 1 on a cosine."""
    return 1 - (1 - start) * (math.cos(math.pi * done) + 1) / 2

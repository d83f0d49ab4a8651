"""SimSiam: predict the projection of a clip's other window, without negatives and without a second network.

Chen and He, "Exploring Simple Siamese Representation Learning" (CVPR 2021), section 3. What keeps the
projections of all clips from becoming one is that the target gets no gradient.
"""

import torch
from torch import Tensor, nn

from kinefract.models.base import Backbone
from kinefract.objectives.base import (
    Gather,
    Objective,
    Outcome,
    Outputs,
    both_found,
    first_place,
    perceptron,
    unit,
    without_classifier,
)
from kinefract.objectives.recipes.simsiam import SimsiamRecipe


class Simsiam(Objective):
    """SimSiam: each window predicts the projection of the other, which gets no gradient."""

    def __init__(self, network: Backbone, recipe: SimsiamRecipe) -> None:
        super().__init__(without_classifier(network))
        self.projector = nn.Sequential(
            *perceptron(network.feature_size, recipe.dim, recipe.dim, norm=True),
            nn.BatchNorm1d(recipe.dim),
            nn.ReLU(inplace=True),
            nn.Linear(recipe.dim, recipe.dim),
            nn.BatchNorm1d(recipe.dim),
        )
        self.predictor = perceptron(recipe.dim, recipe.hidden, recipe.dim, norm=True)

    def forward(self, views: list[Tensor]) -> Outputs:
        projected = self.projector(self.network.features(torch.cat(views)))
        return (*unit(self.predictor(projected)).chunk(2), *unit(projected.detach()).chunk(2))

    def outcome(self, outputs: Outputs, labels: Tensor, clips: Tensor, gather: Gather) -> Outcome:
        predicted, (first, second) = torch.cat(outputs[:2]), outputs[2:]
        loss = -(predicted * torch.cat([second, first])).sum(1).mean()  # each window's other one
        of_all = torch.cat([gather(first), gather(second)])
        right = both_found(predicted.detach(), of_all, first_place(clips, gather))
        return Outcome(loss, right.sum())

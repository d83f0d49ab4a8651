"""SimCLR: identify a clip's other window among all other windows of the batch.

Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations" (ICML 2020); settings of
arXiv 2411.17584, section 4.
"""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from kinefract.models.base import Backbone
from kinefract.objectives.base import (
    Embedding,
    Gather,
    Objective,
    Outcome,
    Outputs,
    first_place,
    pairs,
    unit,
    without_classifier,
)
from kinefract.objectives.recipes.simclr import SimclrRecipe


class Simclr(Objective):
    """SimCLR: the normalised, temperature-scaled cross-entropy over the batches of all processes."""

    def __init__(self, network: Backbone, recipe: SimclrRecipe) -> None:
        super().__init__(without_classifier(network))
        self.recipe = recipe
        self.embedding = Embedding(network, network.feature_size, recipe.dim, norm=True)

    def forward(self, views: list[Tensor]) -> Outputs:
        return unit(self.embedding(torch.cat(views))).chunk(2)

    def outcome(self, outputs: Outputs, labels: Tensor, clips: Tensor, gather: Gather) -> Outcome:
        first, second = outputs
        place = first_place(clips, gather)
        return nt_xent(first, second, gather(first), gather(second), place, self.recipe.temperature)


def nt_xent(
    first: Tensor, second: Tensor, all_first: Tensor, all_second: Tensor, place: int, temperature: float
) -> Outcome:
    """Compute the loss of each window's other window against all windows of other clips.

    Args:
        first, second: (B, D), of length 1, the two windows of each clip of this process.
        all_first, all_second: (N, D), those of all processes.
        place: Position of this process's first clip among the N.
        temperature: The divisor of similarities.

    Returns:
        The mean loss over 2 B windows, and the number of clips whose windows are nearest to each other.
    """
    everything = torch.cat([all_first, all_second])  # (2 N, D)
    batch = len(first)
    itself, target = pairs(batch, len(all_first), place, first.device)
    logits = torch.cat([first, second]) @ everything.T / temperature
    logits = logits.scatter(1, itself[:, None], -torch.inf)
    right = (logits.argmax(1) == target).view(2, batch).all(0)
    return Outcome(cross_entropy(logits, target), right.sum())

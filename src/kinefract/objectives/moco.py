"""MoCo: identify a clip's other window among those of a long queue of earlier clips.

He et al., "Momentum Contrast for Unsupervised Visual Representation Learning" (CVPR 2020), with the
perceptron head of Chen et al., arXiv 2003.04297; settings of arXiv 2411.17584, section 4. The leak through
batch norm is avoided by a key network that normalises by statistics of its own (see ``MomentumCopy``), not by
shuffling.
"""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from kinefract.models.base import Backbone
from kinefract.objectives.base import (
    Embedding,
    Gather,
    MomentumCopy,
    Objective,
    Outcome,
    Outputs,
    unit,
    without_classifier,
)
from kinefract.objectives.recipes.moco import MocoRecipe


class Moco(Objective):
    """Momentum contrast. The queue holds the keys of all processes, the same in each of them."""

    queue: Tensor
    queued: Tensor
    place: Tensor

    def __init__(self, network: Backbone, recipe: MocoRecipe) -> None:
        super().__init__(without_classifier(network))
        self.recipe = recipe
        self.query = Embedding(network, network.feature_size, recipe.dim, norm=False)
        self.key = MomentumCopy(self.query)
        self.register_buffer("queue", unit(torch.randn(recipe.queue, recipe.dim)))
        self.register_buffer("queued", torch.full((recipe.queue,), -1))  # the clip of each key
        self.register_buffer("place", torch.zeros((), dtype=torch.int64))

    def forward(self, views: list[Tensor]) -> Outputs:
        return unit(self.query(views[0])), unit(self.key(views[1]))

    def outcome(self, outputs: Outputs, labels: Tensor, clips: Tensor, gather: Gather) -> Outcome:
        queries, keys = outputs
        loss, correct = contrast(queries, keys, clips, self.queue, self.queued, self.recipe.temperature)
        self._enqueue(gather(keys), gather(clips))
        return Outcome(loss, correct)

    def after_step(self, done: float) -> None:
        self.key.follow(self.query, self.recipe.momentum)

    @torch.no_grad()
    def _enqueue(self, keys: Tensor, clips: Tensor) -> None:
        """Replace the oldest keys by new ones.

        The queue is copied, since the gradient of the loss still needs the old one.
        """
        places = (self.place + torch.arange(len(keys), device=keys.device)) % self.recipe.queue
        self.queue = self.queue.index_copy(0, places, keys)
        self.queued = self.queued.index_copy(0, places, clips)
        self.place.add_(len(keys)).remainder_(self.recipe.queue)


def contrast(
    queries: Tensor, keys: Tensor, clips: Tensor, queue: Tensor, queued: Tensor, temperature: float
) -> Outcome:
    """Compute the InfoNCE loss of each query's own key against the queue, without keys of the same clip.

    Args:
        queries: (B, D), of length 1.
        keys: (B, D), of length 1, the positive of each query.
        clips: int64 (B,), the index of each clip.
        queue: (K, D), of length 1, the negatives.
        queued: int64 (K,), the index of the clip of each negative; -1 for none.
        temperature: The divisor of similarities.

    Returns:
        The mean loss, and the number of queries that are nearer to their key than to any negative.
    """
    positive = (queries * keys).sum(1, keepdim=True)
    negative = (queries @ queue.T).masked_fill(clips[:, None] == queued[None, :], -torch.inf)
    logits = torch.cat([positive, negative], dim=1) / temperature
    target = torch.zeros(len(logits), dtype=torch.int64, device=logits.device)
    return Outcome(cross_entropy(logits, target), (logits.argmax(1) == 0).sum())

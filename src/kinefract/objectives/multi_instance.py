"""Multi-instance prediction: name every class of several clips that are seen at once.

Anderson and Farrell, "Improving Fractal Pre-training" (WACV 2022), for pictures. Here a clip is laid over
others of its batch, and the brightest is seen at each pixel, since fractals are light on black. Effects of
filming come before; ``foreground`` shrinks and places each clip, so that they do not hide each other. Of a
batch that passes through the network in parts, or is shared by processes, the others are of the same part.
"""

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from kinefract.models.base import Backbone
from kinefract.models.seeded import Seeded
from kinefract.objectives.base import Gather, Objective, Outcome, Outputs
from kinefract.objectives.recipes.multi_instance import MultiInstanceRecipe


class Company(Seeded):
    """Draws which clips are seen together: the clip itself and 0 to ``most`` - 1 others, each as often."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def forward(self, clips: int) -> Tensor:
        """Return bool (clips, clips): row by row, the clips that are seen together."""
        others = (self.drawn(clips, 1) * min(self.most, clips)).long()
        rank = self.drawn(clips, clips).fill_diagonal_(-1.0).argsort(dim=1).argsort(dim=1)  # its own is 0
        return rank <= others


class MultiInstance(Objective):
    """The network says of each class whether it is among those seen."""

    VIEWS: ClassVar[int] = 1
    PER_CLIP: ClassVar[bool] = True

    def __init__(self, network: Backbone, recipe: MultiInstanceRecipe) -> None:
        super().__init__(network)
        self.company = Company(recipe.most)

    def forward(self, views: list[Tensor]) -> Outputs:
        (clips,) = views
        together = self.company(len(clips)).to(clips.device)
        seen = torch.stack([clips[row].amax(0) for row in together])
        return self.network(seen), together

    def outcome(self, outputs: Outputs, labels: Tensor, clips: Tensor, gather: Gather) -> Outcome:
        """Compute the loss; a clip counts as correct if the class that is scored best is among those seen."""
        logits, together = outputs
        classes = one_hot(labels, logits.shape[1])
        present = (together.to(classes.dtype) @ classes).clamp(max=1).to(logits.dtype)
        # Few classes are present: each present one weighs as much as all classes, shared among them.
        weight = logits.shape[1] / present.sum(1, keepdim=True)
        loss = binary_cross_entropy_with_logits(logits, present, pos_weight=weight)
        return Outcome(loss, present.gather(1, logits.argmax(1, keepdim=True)).sum().long())

"""The supervised objective: cross-entropy over classes (the paper, section 3)."""

from typing import ClassVar

from torch import Tensor
from torch.nn.functional import cross_entropy

from kinefract.objectives.base import Gather, Objective, Outcome, Outputs


class Supervised(Objective):
    """The supervised objective: the network predicts the class of a clip."""

    VIEWS: ClassVar[int] = 1
    PER_CLIP: ClassVar[bool] = True

    def forward(self, views: list[Tensor]) -> Outputs:
        return (self.network(views[0]),)

    def outcome(self, outputs: Outputs, labels: Tensor, clips: Tensor, gather: Gather) -> Outcome:
        (logits,) = outputs
        return Outcome(cross_entropy(logits, labels), (logits.argmax(1) == labels).sum())

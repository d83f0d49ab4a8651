"""The linear probe, which measures how well the features of a frozen network separate classes."""

from typing import Self

import torch
from torch import Tensor

from kinefract.models.base import Backbone
from kinefract.objectives.base import Outputs
from kinefract.objectives.supervised import Supervised


class LinearProbe(Supervised):
    """Train the classifier alone, without dropout. Weights and statistics of the network do not change."""

    def __init__(self, network: Backbone) -> None:
        super().__init__(network.requires_grad_(False))
        self._classifier.requires_grad_(True)

    @property
    def _classifier(self) -> torch.nn.Module:
        return self.network.get_submodule(self.network.classifier)

    def train(self, mode: bool = True) -> Self:
        """Keep the network in evaluation mode, in which its norms do not change their statistics."""
        super().train(mode)
        self.network.eval()
        return self

    def forward(self, views: list[Tensor]) -> Outputs:
        with torch.no_grad():
            features = self.network.features(views[0])
        return (self._classifier(features),)

"""Dropout with a seeded generator of its own, so that a resumed run drops the same features."""

import torch
from torch import nn


class SeededDropout(nn.Module):
    """Dropout whose draws are set by the last call of ``reseed`` rather than by torch's global state."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self._generator: torch.Generator | None = None

    def reseed(self, seed: int, device: torch.device) -> None:
        """Start the draws of one step."""
        if self._generator is None or self._generator.device != device:
            self._generator = torch.Generator(device)
        self._generator.manual_seed(seed)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0:
            return x
        if self._generator is None:
            raise RuntimeError("SeededDropout: reseed() comes before the first training step")
        kept = torch.rand(x.shape, generator=self._generator, device=x.device) >= self.p
        return x * kept.to(x.dtype) / (1 - self.p)


def reseed(model: nn.Module, seed: int, device: torch.device) -> None:
    """Reseed every dropout of a model, each with draws of its own."""
    for place, module in enumerate(m for m in model.modules() if isinstance(m, SeededDropout)):
        module.reseed(seed + place, device)

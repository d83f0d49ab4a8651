"""Dropout with a seeded generator of its own, so that a resumed run drops the same features."""

import torch
from torch import nn

from kinefract.common.share import Share


class SeededDropout(nn.Module):
    """Dropout whose draws are set by the last call of ``reseed`` rather than by torch's global state.

    Rows are drawn for the whole batch. If the clips are a share of it, theirs are used.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self._generator: torch.Generator | None = None
        self._share: Share | None = None

    def reseed(self, seed: int, device: torch.device, share: Share | None = None) -> None:
        """Start the draws of one step, or of a share of its clips."""
        if self._generator is None or self._generator.device != device:
            self._generator = torch.Generator(device)
        self._generator.manual_seed(seed)
        self._share = share

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0:
            return x
        if self._generator is None:
            raise RuntimeError("SeededDropout: reseed() comes before the first training step")
        kept = self._drawn(x) >= self.p
        return x * kept.to(x.dtype) / (1 - self.p)

    def _drawn(self, x: torch.Tensor) -> torch.Tensor:
        """Draw U[0, 1) for the rows of ``x``, of which each clip has as many."""
        share = self._share or Share.whole(len(x))
        rows = len(x) // len(share.places)
        shape = (share.total, rows, *x.shape[1:])
        drawn = torch.rand(shape, generator=self._generator, device=x.device)
        return drawn[share.places.to(x.device)].flatten(0, 1)


def reseed(model: nn.Module, seed: int, device: torch.device, share: Share | None = None) -> None:
    """Reseed every dropout of a model, each with draws of its own, for a batch or a share of its clips."""
    for place, module in enumerate(m for m in model.modules() if isinstance(m, SeededDropout)):
        module.reseed(seed + place, device, share)

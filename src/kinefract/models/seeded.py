"""Layers that draw, each with a seeded generator of its own, so that a resumed run draws the same."""

import torch
from torch import nn

from kinefract.common.share import Share


class Seeded(nn.Module):
    """A layer whose draws are set by the last call of ``reseed`` rather than by torch's global state.

    It draws for the whole batch. If the clips are a share of it, their draws are used.
    """

    def __init__(self) -> None:
        super().__init__()
        self._generator: torch.Generator | None = None
        self._share: Share | None = None

    def reseed(self, seed: int, device: torch.device, share: Share | None = None) -> None:
        """Start the draws of one step, or of a share of its clips."""
        if self._generator is None or self._generator.device != device:
            self._generator = torch.Generator(device)
        self._generator.manual_seed(seed)
        self._share = share

    def drawn(self, clips: int, *shape: int) -> torch.Tensor:
        """Draw U[0, 1) for each clip, on the device of the last ``reseed``: float32 (clips, *shape)."""
        if self._generator is None:
            raise RuntimeError(f"{type(self).__name__}: reseed() comes before the first training step")
        share = self._share or Share.whole(clips)
        every = torch.rand((share.total, *shape), generator=self._generator, device=self._generator.device)
        return every[share.places.to(every.device)]


class SeededDropout(Seeded):
    """Dropout. A clip may have several rows; each value is dropped by itself."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0:
            return x
        kept = self._uniform(x) >= self.p
        return x * kept.to(x.dtype) / (1 - self.p)

    def _uniform(self, x: torch.Tensor) -> torch.Tensor:
        clips = len(self._share.places) if self._share else len(x)
        return self.drawn(clips, len(x) // clips, *x.shape[1:]).flatten(0, 1)


class DropPath(SeededDropout):
    """Stochastic depth: what a residual branch adds is dropped as a whole, clip by clip.

    Huang et al., "Deep Networks with Stochastic Depth" (ECCV 2016).
    """

    def _uniform(self, x: torch.Tensor) -> torch.Tensor:
        return self.drawn(len(x), *(1 for _ in x.shape[1:]))


def reseed(model: nn.Module, seed: int, device: torch.device, share: Share | None = None) -> None:
    """Reseed every such layer of a model, each with draws of its own, for a batch or a share of its clips."""
    for place, module in enumerate(m for m in model.modules() if isinstance(m, Seeded)):
        module.reseed(seed + place, device, share)

"""The clips of a batch that are augmented together, where a batch is shared out or taken in parts."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Share:
    """Some of a batch's clips.

    Random draws are made for all clips of the batch, and those of these clips are used. So a clip's draws do
    not depend on how many processes share the batch, nor on how many parts a process takes it in.

    Attributes:
        total: N, the number of clips of the batch.
        places: int64 (B,), on the CPU, the places of these clips among the N.
    """

    total: int
    places: Tensor

    @classmethod
    def whole(cls, count: int) -> Self:
        """Return the share that has all clips of a batch of ``count``."""
        return cls(count, torch.arange(count))

    def of(self, drawn: Tensor, axis: int = 0) -> Tensor:
        """Return what was drawn for these clips, from draws for all clips along ``axis``."""
        return drawn if len(self.places) == self.total else drawn.index_select(axis, self.places)

"""The division of a batch among the processes that train together, and into the parts that each takes."""

from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

from kinefract.common.errors import UserError
from kinefract.common.share import Share
from kinefract.common.words import counted


@dataclass(frozen=True)
class Division:
    """The clips of a batch that one process takes, part after part.

    A batch has ``parts``, which follow each other. Every process takes its share of each part. So the clips
    of a part are the same ones however many processes there are.

    Attributes:
        batch: Number of clips of the batch.
        parts: Number of parts.
        processes: Number of processes.
        rank: The number of this process, from 0.

    Raises:
        UserError: the clips cannot be divided evenly.
    """

    batch: int
    parts: int = 1
    processes: int = 1
    rank: int = 0

    def __post_init__(self) -> None:
        if self.batch % (self.parts * self.processes):
            shares = counted(self.processes, "process") + f" in {self.parts} parts" * (self.parts > 1)
            raise UserError(f"batch_size: {counted(self.batch, 'clip')} cannot be shared by {shares}")

    @property
    def size(self) -> int:
        """Number of clips that this process takes of each part."""
        return self.batch // (self.parts * self.processes)

    @property
    def places(self) -> list[int]:
        """The places in the batch of all clips of this process, part after part."""
        return list(chain.from_iterable(self._places(part) for part in range(self.parts)))

    @property
    def share(self) -> Share:
        """All clips of this process."""
        return Share(self.batch, torch.tensor(self.places))

    @property
    def shares(self) -> list[Share]:
        """The clips of this process, a share for each part."""
        return [Share(self.batch, torch.tensor(self._places(part))) for part in range(self.parts)]

    def in_order(self, gathered: Tensor) -> Tensor:
        """Return (N, ...) in the order of the batch, from the clips of each process one after the other."""
        by_process = gathered.unflatten(0, (self.processes, self.parts, self.size))
        return by_process.transpose(0, 1).flatten(0, 2)

    def _places(self, part: int) -> range:
        first = (part * self.processes + self.rank) * self.size
        return range(first, first + self.size)

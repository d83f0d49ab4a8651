"""Formula-made clips as PyTorch data sets, for training loops outside kinefract.

``ShardClips`` reads a dataset on disk. ``RenderedClips`` renders clips as they are read, without end if
wanted. Both give uint8 clips (T, C, H, W) from 0 to 255 and integer labels, with any number of workers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from kinefract.augment.crop import resize
from kinefract.common.errors import UserError
from kinefract.common.streams import stream
from kinefract.synth.dataset_recipe import DatasetRecipe
from kinefract.synth.store.shards import Shards
from kinefract.video.windows import random_start, window


@dataclass(frozen=True)
class Window:
    """The window that is taken from a clip: its frames and its size.

    Attributes:
        frames: Frames of a window, at a random place in the clip; ``None``: the whole clip.
        stride: Step from one frame of the window to the next; past the clip's end its last frame is repeated.
        size: Height and width in pixels; ``None``: those of the clip.
        fit: How the size is reached: ``resize`` the whole frame (bicubic), or ``crop`` at a random place.
    """

    frames: int | None = None
    stride: int = 1
    size: int | None = None
    fit: Literal["resize", "crop"] = "resize"

    def __post_init__(self) -> None:
        for name in ("frames", "stride", "size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"{name}: wants at least 1, got {value}")
        if self.fit not in ("resize", "crop"):
            raise UserError(f"fit: wants 'resize' or 'crop', got {self.fit!r}")

    def numbers(self, length: int, rng: np.random.Generator) -> np.ndarray:
        """Draw a place and return the numbers of its frames: int64 (T,), each from 0 to ``length - 1``."""
        frames = -(-length // self.stride) if self.frames is None else self.frames
        return window(random_start(length, frames, self.stride, rng), frames, self.stride, length)

    def fitted(self, frames: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
        """Return frames (T, H, W[, C]) as uint8 (T, C, size, size).

        Raises:
            UserError: the crop is larger than the frames.
        """
        height, width = frames.shape[1:3]
        size = self.size
        if size is None:
            return resize(frames, height, width)
        if self.fit == "resize":
            return resize(frames, size, size)
        if size > min(height, width):
            raise UserError(f"size: a crop of {size} pixels does not fit into frames of {width} x {height}")
        top, left = int(rng.integers(height - size + 1)), int(rng.integers(width - size + 1))
        return resize(frames[:, top : top + size, left : left + size], size, size)


class _Epoch:
    """The number of the epoch in shared memory, where workers that outlive an epoch see its changes."""

    def __init__(self) -> None:
        self._number = torch.zeros((), dtype=torch.int64).share_memory_()

    def set(self, number: int) -> None:
        if number < 0:
            raise UserError(f"epoch: counted from 0, got {number}")
        self._number.fill_(number)

    def get(self) -> int:
        return int(self._number)


class ShardClips(Dataset):
    """Random access to the clips of a dataset folder: of each a window, whose place changes with the epoch.

    An item is a function of (seed, epoch, index) alone, whatever the workers.

    >>> clips = ShardClips(folder, frames=8, stride=2, size=24)
    >>> clip, label = clips[3]
    >>> clip.shape, clip.dtype, label
    (torch.Size([8, 1, 24, 24]), torch.uint8, 3)
    """

    def __init__(
        self,
        folder: Path | str,
        frames: int | None = None,
        stride: int = 1,
        size: int | None = None,
        fit: Literal["resize", "crop"] = "resize",
        seed: int = 0,
    ) -> None:
        """Open a dataset.

        Args:
            folder: ``data/synthetic/<id>``, with its ``manifest.csv``.
            frames: Frames of a window; ``None``: whole clips, which differ in length and so do not collate.
            stride: From one frame of the window to the next; past a clip's end its last frame is repeated.
            size: Height and width in pixels; ``None``: as stored.
            fit: ``resize`` the whole frame to ``size``, or ``crop`` it at a random place.
            seed: Of places and crops, at least 0.

        Raises:
            UserError: the dataset is missing or damaged, or an argument is out of range.
        """
        self.shards = Shards(folder)
        self.window = Window(frames, stride, size, fit)
        self.seed = _checked_seed(seed)
        self._epoch = _Epoch()

    @property
    def labels(self) -> np.ndarray:
        """int64 (N,), the class of each clip."""
        return self.shards.labels

    def set_epoch(self, epoch: int) -> None:
        """Choose the windows of an epoch, counted from 0; call this before a loader is iterated over."""
        self._epoch.set(epoch)

    def __len__(self) -> int:
        return len(self.shards)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        """Return a clip, uint8 (T, C, H, W), C 1 if grey or 3 if RGB, and its label.

        Raises:
            IndexError: there is no such clip.
            UserError: the clip is damaged, or smaller than the crop.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"clip {index}: the dataset has clips 0 to {len(self) - 1}")
        rng = stream(self.seed, "window", self._epoch.get(), index)
        numbers = self.window.numbers(int(self.shards.frames[index]), rng)
        return self.window.fitted(self.shards.read(index, numbers.tolist()), rng), int(self.labels[index])


class RenderedClips(IterableDataset):
    """Clips that are rendered as they are read, without end or for some epochs, and never one twice.

    An epoch has as many clips as the recipe, in an order of its own. Every epoch has new instances of the
    same classes: clip ``i`` of epoch ``e`` is clip ``e * recipe.clips + i`` of the recipe, whose indices have
    no end. The clips are divided among ranks and workers; the clips of a rank do not depend on its workers.
    If the number of clips cannot be divided evenly, ranks differ by one clip.

    >>> clips = RenderedClips(recipe, frames=4, epochs=1)
    >>> len([label for clip, label in clips]) == recipe.clips
    True
    """

    def __init__(
        self,
        recipe: DatasetRecipe,
        frames: int | None = None,
        stride: int = 1,
        size: int | None = None,
        fit: Literal["resize", "crop"] = "resize",
        epochs: int | None = None,
        seed: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        """Prepare to render.

        Args:
            recipe: What to render.
            frames: Frames of a window; ``None``: whole clips, which differ in length and so do not collate.
            stride: From one frame of the window to the next; past a clip's end its last frame is repeated.
            size: Height and width in pixels; ``None``: as rendered.
            fit: ``resize`` the whole frame to ``size``, or ``crop`` it at a random place.
            epochs: Number of epochs after which the clips end; ``None``: they never end.
            seed: Seed of order, places and crops, at least 0. The seed of the clips is the recipe's.
            rank: Number of this training process.
            world_size: Number of training processes. Without both arguments ``torch.distributed`` gives the
                values if it was initialised before this object is created.

        Raises:
            UserError: an argument is out of range.
        """
        self.recipe, self.epochs, self.seed = recipe, epochs, _checked_seed(seed)
        self.window = Window(frames, stride, size, fit)
        if size is not None and fit == "crop" and size > recipe.size:
            raise UserError(f"size: a crop of {size} pixels does not fit into clips of {recipe.size}")
        if epochs is not None and epochs < 1:
            raise UserError(f"epochs: wants at least 1, or None for no end, got {epochs}")
        self.rank, self.world_size = _place(rank, world_size)
        self._epoch = _Epoch()

    def set_epoch(self, epoch: int) -> None:
        """Start from an epoch, counted from 0: to continue after a stop, or to read one epoch at a time."""
        self._epoch.set(epoch)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, int]]:
        """Yield clips, uint8 (T, C, H, W), C 1 if grey or 3 if RGB, and their labels.

        Raises:
            UserError: the recipe's ranges leave no clip that passes the filter.
        """
        for index in self.indices():
            rng = stream(self.seed, "window", index)
            frames = self.recipe.clip(index)
            yield (
                self.window.fitted(frames[self.window.numbers(len(frames), rng)], rng),
                self.recipe.label(index),
            )

    def indices(self) -> Iterator[int]:
        """Yield the indices of the clips of this rank and worker, in order."""
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        share, shares = self.rank + self.world_size * worker, self.world_size * workers
        first, clips = self._epoch.get(), self.recipe.clips
        epoch = first
        while self.epochs is None or epoch < first + self.epochs:
            order = stream(self.seed, "order", epoch).permutation(clips)
            # Positions count on from the epoch before; otherwise the same ranks would always get one more.
            begin = (share - (epoch - first) * clips) % shares
            yield from (epoch * clips + order[begin::shares]).tolist()
            epoch += 1


def _place(rank: int | None, world_size: int | None) -> tuple[int, int]:
    """Return rank and number of ranks, from the arguments or from ``torch.distributed``."""
    if rank is None and world_size is None:
        distributed = torch.distributed
        if distributed.is_available() and distributed.is_initialized():
            return distributed.get_rank(), distributed.get_world_size()
        return 0, 1
    if rank is None or world_size is None or not 0 <= rank < world_size:
        raise UserError(
            f"rank, world_size: want both, 0 <= rank < world_size, got rank {rank} of world_size {world_size}"
        )
    return rank, world_size


def _checked_seed(seed: int) -> int:
    if seed < 0:
        raise UserError(f"seed: wants at least 0, got {seed}")
    return seed

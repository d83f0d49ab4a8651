"""Clips for training: cropped windows of videos, in an order that depends on seed and epoch alone."""

from collections.abc import Iterator, Sequence
from typing import Protocol, cast

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from kinefract import video
from kinefract.augment.crop import centre_crop, random_resized_crop, resize
from kinefract.benchmarks.base import Video
from kinefract.common.errors import UserError
from kinefract.common.streams import stream
from kinefract.common.words import counted
from kinefract.config.phases import FinetuneRecipe, TrainRecipe
from kinefract.training.division import Division
from kinefract.training.workers import loader_of
from kinefract.video.windows import random_start, spread_starts, window

ORDER, SAMPLE = 1, 2  # purposes that keep random streams of one seed apart


class ClipSource(Protocol):
    """Labelled videos: shards of a dataset, or the files of a benchmark."""

    labels: np.ndarray  # int64, (N,)
    frames: np.ndarray  # int64, (N,): frames of each video
    fresh: bool  # whether every epoch has new clips: clip i of epoch e is number i + e * N

    def read(self, index: int, frames: Sequence[int]) -> np.ndarray | torch.Tensor:
        """Return the given frames of a video: uint8, (T, H, W) or (T, H, W, 3)."""


class DeviceSource(ClipSource, Protocol):
    """A source whose frames are tensors on the training device, read in the training process."""

    on_device: bool

    def prepare(self, numbers: Sequence[int]) -> None:
        """Prepare the clips of a batch, all at once."""


class Videos:
    """The videos of one split of a benchmark, as a source of clips."""

    def __init__(self, videos: list[Video]) -> None:
        self.videos = videos
        self.labels = np.array([entry.label for entry in videos], np.int64)
        self.frames = np.array([entry.length for entry in videos], np.int64)
        self.fresh = False

    def read(self, index: int, frames: Sequence[int]) -> np.ndarray:
        entry = self.videos[index]
        return video.decode(entry.path, [entry.start + frame for frame in frames])


class TrainingClips(Dataset):
    """Random windows and crops of each video, a function of (seed, epoch, index) alone."""

    def __init__(self, source: ClipSource, recipe: TrainRecipe, seed: int, views: int = 1) -> None:
        self.source, self.recipe, self.seed, self.views = source, recipe, seed, views
        self.on_device = getattr(source, "on_device", False)

    def __getitems__(self, keys: list[tuple[int, int]]) -> list[tuple[torch.Tensor, int, int]]:
        """Return a batch: a list of items as ``__getitem__`` returns them."""
        if self.on_device:
            cast(DeviceSource, self.source).prepare([self._number(*key) for key in keys])
        return [self[key] for key in keys]

    def __getitem__(self, key: tuple[int, int]) -> tuple[torch.Tensor, int, int]:
        """Return (uint8 (views, T, C, size, size), label, index) for key (epoch, index)."""
        epoch, index = key
        recipe, source = self.recipe, self.source
        length = int(source.frames[index])
        views = ([view] if view else [] for view in range(self.views))
        streams = [stream(self.seed, SAMPLE, epoch, index, *view) for view in views]
        starts = [random_start(length, recipe.frames, recipe.stride, rng) for rng in streams]
        numbers = [window(start, recipe.frames, recipe.stride, length) for start in starts]
        # All views come from one read, since decoding or rendering a clip takes most of the time.
        frames = source.read(self._number(epoch, index), np.concatenate(numbers).tolist())
        frames = frames.reshape(self.views, recipe.frames, *frames.shape[1:])
        crops = [
            random_resized_crop(clip, recipe.size, recipe.crop_area, recipe.crop_aspect, rng, recipe.resizing)
            for clip, rng in zip(frames, streams, strict=True)
        ]
        return torch.stack(crops), int(source.labels[index]), index

    def _number(self, epoch: int, index: int) -> int:
        return index + epoch * len(self.source.labels) if self.source.fresh else index


class EpochBatches:
    """Batches of (epoch, index) for the remaining steps; each epoch is shuffled by (seed, epoch) alone.

    A last batch that is not full is left out.

    Args:
        clips: Number of clips.
        batch_size: Clips of a batch, of all processes together.
        seed: Seed of the order.
        first_step: Steps that are done.
        epochs: Number of epochs in all.
        division: The clips of each batch that this process takes; by default all.

    Raises:
        UserError: there are fewer clips than a batch holds.
    """

    def __init__(
        self,
        clips: int,
        batch_size: int,
        seed: int,
        first_step: int,
        epochs: int,
        division: Division | None = None,
    ) -> None:
        if clips < batch_size:
            raise UserError(
                f"batch_size: {batch_size} is more than {counted(clips, 'clip')}, all there is to "
                "train on; lower it"
            )
        self.places = (division or Division(batch_size)).places
        self.clips, self.batch_size, self.seed = clips, batch_size, seed
        self.first_step, self.epochs = first_step, epochs
        self.per_epoch = clips // self.batch_size

    def __len__(self) -> int:
        return self.per_epoch * self.epochs - self.first_step

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        first_epoch, skipped = divmod(self.first_step, self.per_epoch)
        for epoch in range(first_epoch, self.epochs):
            order = stream(self.seed, ORDER, epoch).permutation(self.clips)
            order = order[: self.per_epoch * self.batch_size]
            for batch in order.reshape(self.per_epoch, self.batch_size)[skipped:].tolist():
                yield [(epoch, batch[place]) for place in self.places]
            skipped = 0


class EvaluationWindows(Dataset):
    """All windows of a test video, with its frames whole or cropped to the centre (method, section 5).

    Args:
        source: The videos, by index.
        recipe: The recipe with windows, sizes and kind of evaluation.
        middle: Take the middle one of each video's windows alone.
    """

    def __init__(self, source: ClipSource, recipe: FinetuneRecipe, middle: bool = False) -> None:
        self.source, self.recipe, self.middle = source, recipe, middle

    def __len__(self) -> int:
        return len(self.source.labels)

    def __getitem__(self, index: int) -> torch.Tensor:
        """Return uint8 (windows, T, C, size, size)."""
        recipe, length = self.recipe, int(self.source.frames[index])
        starts = spread_starts(length, recipe.frames, recipe.stride, recipe.windows)
        if self.middle:
            starts = [starts[len(starts) // 2]]
        numbers = np.concatenate([window(start, recipe.frames, recipe.stride, length) for start in starts])
        frames = np.asarray(self.source.read(index, numbers.tolist()))
        if recipe.evaluation == "whole_frame":
            seen = resize(frames, recipe.size, recipe.size, recipe.resizing)
        else:
            seen = centre_crop(frames, recipe.resize, recipe.size, recipe.resizing)
        return seen.unflatten(0, (len(starts), recipe.frames))


def training_loader(clips: TrainingClips, batches: EpochBatches, workers: int) -> DataLoader:
    """Load batches of (uint8 (B, views, T, C, size, size), labels, indices); 0 workers: in this process."""
    # Tensors on the device can neither pass through a worker nor be pinned.
    workers, pinned = (0, False) if clips.on_device else (workers, torch.cuda.is_available())
    return loader_of(clips, workers, batch_sampler=batches, pin_memory=pinned)


def evaluation_loader(windows: EvaluationWindows, workers: int) -> DataLoader:
    """Load the windows of one video at a time, in the order of the source."""
    return loader_of(windows, workers, batch_size=None)

"""Clips for training: windows of videos, cropped, in an order that seed and epoch alone decide."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from kinefract import video
from kinefract.augment.crop import centre_crop, random_resized_crop
from kinefract.benchmarks.recipes import Video
from kinefract.recipes import FinetuneRecipe, TrainRecipe

ORDER, SAMPLE = 1, 2  # purposes that keep random streams of one seed apart


class ClipSource(Protocol):
    """Labelled videos: shards of a dataset, or the files of a benchmark."""

    labels: np.ndarray  # int64, (N,)
    frames: np.ndarray  # int64, (N,): frames of each video

    def read(self, index: int, frames: Sequence[int]) -> np.ndarray:
        """Return the frames asked for: uint8, (T, H, W) or (T, H, W, 3)."""


class Videos:
    """The videos of one split of a benchmark, as a source of clips."""

    def __init__(self, videos: list[Video]) -> None:
        self.videos = videos
        self.labels = np.array([entry.label for entry in videos], np.int64)
        self.frames = np.array([entry.frames for entry in videos], np.int64)

    def read(self, index: int, frames: Sequence[int]) -> np.ndarray:
        return video.decode(self.videos[index].path, frames)


def window(start: int, frames: int, stride: int, length: int) -> np.ndarray:
    """Return the frame numbers of a window; past the video's end its last frame is repeated."""
    return np.minimum(start + stride * np.arange(frames), length - 1)


def spread_starts(length: int, frames: int, stride: int, windows: int) -> list[int]:
    """Return where up to ``windows`` windows begin, evenly spread from the first to the last that fits."""
    room = max(0, length - ((frames - 1) * stride + 1))
    return sorted({round(start) for start in np.linspace(0, room, min(windows, room + 1))})


class TrainingClips(Dataset):
    """One random window and crop per video, a function of (seed, epoch, index) alone."""

    def __init__(self, source: ClipSource, recipe: TrainRecipe, seed: int) -> None:
        self.source, self.recipe, self.seed = source, recipe, seed

    def __getitem__(self, key: tuple[int, int]) -> tuple[torch.Tensor, int]:
        """Return (uint8 (T, C, size, size), label) for key (epoch, index)."""
        epoch, index = key
        recipe = self.recipe
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, SAMPLE, epoch, index])))
        length = int(self.source.frames[index])
        room = max(0, length - ((recipe.frames - 1) * recipe.stride + 1))
        numbers = window(int(rng.integers(room + 1)), recipe.frames, recipe.stride, length)
        frames = self.source.read(index, numbers)
        clip = random_resized_crop(frames, recipe.size, recipe.crop_area, recipe.crop_aspect, rng)
        return clip, int(self.source.labels[index])


class EpochBatches:
    """Batches of (epoch, index) for the epochs that are left; each epoch shuffled by (seed, epoch) alone.

    A last batch that is not full is left out, unless it is the only one.
    """

    def __init__(self, clips: int, batch_size: int, seed: int, first_epoch: int, epochs: int) -> None:
        self.clips, self.batch_size, self.seed = clips, min(batch_size, clips), seed
        self.first_epoch, self.epochs = first_epoch, epochs
        self.per_epoch = clips // self.batch_size

    def __len__(self) -> int:
        return self.per_epoch * (self.epochs - self.first_epoch)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for epoch in range(self.first_epoch, self.epochs):
            rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, ORDER, epoch])))
            order = rng.permutation(self.clips)[: self.per_epoch * self.batch_size]
            for batch in order.reshape(self.per_epoch, self.batch_size).tolist():
                yield [(epoch, index) for index in batch]


class EvaluationWindows(Dataset):
    """All windows of a test video, centre-cropped (method, section 5)."""

    def __init__(self, source: ClipSource, recipe: FinetuneRecipe) -> None:
        self.source, self.recipe = source, recipe

    def __len__(self) -> int:
        return len(self.source.labels)

    def __getitem__(self, index: int) -> torch.Tensor:
        """Return uint8 (windows, T, C, size, size)."""
        recipe, length = self.recipe, int(self.source.frames[index])
        starts = spread_starts(length, recipe.frames, recipe.stride, recipe.windows)
        numbers = np.concatenate([window(start, recipe.frames, recipe.stride, length) for start in starts])
        frames = centre_crop(self.source.read(index, numbers.tolist()), recipe.resize, recipe.size)
        return frames.unflatten(0, (len(starts), recipe.frames))


def training_loader(clips: TrainingClips, batches: EpochBatches, workers: int) -> DataLoader:
    """Load batches of (uint8 (B, T, C, size, size), labels (B,)) in worker processes (0: in this one)."""
    return DataLoader(clips, batch_sampler=batches, num_workers=workers, pin_memory=torch.cuda.is_available())


def evaluation_loader(windows: EvaluationWindows, workers: int) -> DataLoader:
    """Load the windows of one video at a time, in the order of the source."""
    return DataLoader(windows, batch_size=None, num_workers=workers)

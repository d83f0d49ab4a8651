"""The sources of clips for pre-training: shards, a cache of their decoded frames, or the formulas.

On a GPU the cache is held in the GPU's memory if it fits, and fractals are rendered on the GPU.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from kinefract.common.files import locked
from kinefract.common.layout import CACHED_FRAMES, CACHES, LOCK
from kinefract.common.progress import log_line
from kinefract.config.specs import PretrainSpec
from kinefract.synth.dataset_recipe import DatasetRecipe
from kinefract.synth.families.fractal import FractalRecipe
from kinefract.synth.render.gpu_clips import draw_clips
from kinefract.synth.store.shards import Shards
from kinefract.training.cached import MAKES, fill
from kinefract.training.caching import uses_cache
from kinefract.training.data import ClipSource
from kinefract.training.devices import own_gpu

SHARE_OF_GPU = 0.5  # share of a GPU's memory that a cache may take, beside the network


def open_source(spec: PretrainSpec, root: Path, accelerator: str = "auto") -> ClipSource:
    """Open the source of a pre-training run that its recipe names, and log which one it is.

    ``uses_cache`` decides between shards and cache. Both give the same clips, so the choice changes no
    result on a CPU.

    Raises:
        UserError: the dataset is missing or damaged, the cache cannot be written, or as for ``own_gpu``.
    """
    recipe, dataset = spec.recipe, spec.dataset.recipe
    gpu = own_gpu(accelerator)
    device = None if gpu is None else torch.device("cuda", gpu)
    if recipe.source == "online":
        source: OnlineClips
        if device and isinstance(dataset, FractalRecipe):
            place, source = "the GPU", DeviceRenderedClips(dataset, device)
        else:
            place, source = "CPUs", OnlineClips(dataset)
        log_line(f"{spec.name}: clips are rendered on {place}, new ones each epoch")
        return source
    shards = Shards(root / spec.dataset.folder)
    if not uses_cache(spec):
        log_line(f"{spec.name}: clips are decoded from shards")
        return shards
    cached = CachedClips.of(shards, root / CACHES / spec.dataset.id)
    what = f"{spec.name}: clips come from a cache of decoded frames, {cached.bytes / 1e9:.2f} GB"
    if device and cached.bytes <= SHARE_OF_GPU * torch.cuda.mem_get_info(device)[0]:
        log_line(f"{what}, in the GPU's memory")
        return ResidentClips(cached, device)
    log_line(f"{what}, mapped into memory")
    return cached


class CachedClips:
    """All decoded frames of a dataset, in one file that is mapped into memory.

    Attributes:
        labels: int64 (N,), the class of each clip.
        frames: int64 (N,), its number of frames.
    """

    def __init__(self, shards: Shards, path: Path, size: int) -> None:
        self.labels, self.frames, self.fresh = shards.labels, shards.frames, False
        self._channels, self._path, self._size = shards.channels, path, size
        self._starts = np.concatenate([[0], np.cumsum(self.frames * self._channels * size * size)])
        self._bytes: np.memmap | None = None

    @property
    def bytes(self) -> int:
        """The size of the file."""
        return int(self._starts[-1])

    @classmethod
    def of(cls, shards: Shards, folder: Path) -> "CachedClips":
        """Open the cache in a folder; make it first if it does not exist or is of other shards.

        Raises:
            UserError: the cache cannot be written, or a shard cannot be read.
        """
        size = shards.read(0, [0]).shape[1]
        cached = cls(shards, folder / CACHED_FRAMES, size)
        if not cached._is_made():
            cached._make(shards)
        return cached

    def read(self, index: int, frames: Sequence[int]) -> np.ndarray:
        """Return frames of a clip: uint8 (T, H, W) if grey, else (T, H, W, 3)."""
        if self._bytes is None:  # opened by each process for itself
            self._bytes = np.memmap(self._path, np.uint8, "r")
        start, shape = self.place(index)
        return self._bytes[start : start + math.prod(shape)].reshape(shape)[np.asarray(frames)]

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_bytes": None}

    def everything(self) -> np.ndarray:
        """Return all bytes of all clips, one after the other."""
        return np.fromfile(self._path, np.uint8)

    def place(self, index: int) -> tuple[int, tuple[int, ...]]:
        """Return the offset of a clip and its shape."""
        shape = (int(self.frames[index]), self._size, self._size)
        return int(self._starts[index]), shape + ((3,) if self._channels[index] == 3 else ())

    def _is_made(self) -> bool:
        return self._path.exists() and self._path.stat().st_size == self.bytes

    def _make(self, shards: Shards) -> None:
        with locked(self._path.with_name(LOCK), MAKES):
            if not self._is_made():  # by another process, while this one waited
                fill(self._path, self._starts, lambda clip: [shards.read(clip)], "decoding", "clips")


class ResidentClips:
    """A cache held in the memory of a device, where reading a clip is only indexing."""

    def __init__(self, cached: CachedClips, device: torch.device) -> None:
        self.labels, self.frames, self.fresh, self.on_device = cached.labels, cached.frames, False, True
        self._cached = cached
        self._bytes = torch.from_numpy(cached.everything()).to(device)

    def prepare(self, numbers: Sequence[int]) -> None:
        """Do nothing, since all clips are in memory."""

    def read(self, index: int, frames: Sequence[int]) -> torch.Tensor:
        """Return frames of a clip: uint8 (T, H, W) if grey, else (T, H, W, 3), on the device."""
        start, shape = self._cached.place(index)
        clip = self._bytes[start : start + math.prod(shape)].view(shape)
        return clip[torch.as_tensor(frames, device=clip.device)]


class OnlineClips:
    """Clips that are rendered as they are read: every epoch has other instances of the same classes."""

    def __init__(self, recipe: DatasetRecipe) -> None:
        self.fresh = True
        self._recipe = recipe
        self.labels = np.arange(recipe.clips) % recipe.classes
        # A clip's length is unknown before rendering, so windows are drawn from the fewest frames.
        self.frames = np.full(recipe.clips, recipe.frames[0])

    def read(self, index: int, frames: Sequence[int]) -> np.ndarray | torch.Tensor:
        """Render clip ``index``, which may be outside the dataset, and return frames of it."""
        return self._recipe.clip(index)[np.asarray(frames)]


class DeviceRenderedClips(OnlineClips):
    """Fractals that are rendered on a device, a batch at a time."""

    def __init__(self, recipe: FractalRecipe, device: torch.device) -> None:
        super().__init__(recipe)
        self.on_device = True
        self._fractals, self._device = recipe, device
        self._ready: dict[int, torch.Tensor] = {}

    def prepare(self, numbers: Sequence[int]) -> None:
        """Render these clips and drop the earlier ones."""
        clips = draw_clips(self._fractals, numbers, self._device)
        self._ready = {number: frames for number, (frames, _) in zip(numbers, clips, strict=True)}

    def read(self, index: int, frames: Sequence[int]) -> torch.Tensor:
        """Return frames of a clip of the prepared batch: uint8 (T, H, W) on the device."""
        return self._ready[index][torch.as_tensor(frames, device=self._device)]

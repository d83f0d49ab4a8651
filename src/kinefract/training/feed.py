"""The sources of clips for pre-training: shards, a cache of their decoded frames, or the formulas.

On a GPU the cache is held in the GPU's memory if it fits, and fractals are rendered on the GPU.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from kinefract.common.files import in_bytes, locked
from kinefract.common.layout import CACHES, LOCK
from kinefract.common.progress import log_line
from kinefract.common.streams import stream
from kinefract.config.locate import title_of
from kinefract.config.specs import PretrainSpec
from kinefract.synth.dataset_recipe import DatasetRecipe
from kinefract.synth.families.fractal import FractalRecipe
from kinefract.synth.render.gpu_clips import draw_clips
from kinefract.synth.store.shards import Shards
from kinefract.training.cached import MAKES
from kinefract.training.caching import uses_cache
from kinefract.training.data import ClipSource
from kinefract.training.devices import own_gpu
from kinefract.training.frame_store import FrameStore

SHARE_OF_GPU = 0.5  # share of a GPU's memory that a cache may take, beside the network


def open_source(spec: PretrainSpec, root: Path, accelerator: str = "auto") -> ClipSource:
    """Open the source of a pre-training run that its recipe names, and log which one it is.

    ``uses_cache`` decides between shards and cache. Both give the same clips, so the choice changes no
    result on a CPU. ``shuffled_labels`` deals the labels out anew, by the recipe's seed.

    Raises:
        UserError: the dataset is missing or damaged, the cache cannot be written, or as for ``own_gpu``.
    """
    source = _opened(spec, root, accelerator)
    if spec.recipe.shuffled_labels:
        source.labels = stream(spec.recipe.seed, "labels").permutation(source.labels)
    return source


def _opened(spec: PretrainSpec, root: Path, accelerator: str) -> ClipSource:
    recipe, dataset, title = spec.recipe, spec.dataset.recipe, title_of(spec, root)
    gpu = own_gpu(accelerator)
    device = None if gpu is None else torch.device("cuda", gpu)
    if recipe.source == "online":
        source: OnlineClips
        if device and isinstance(dataset, FractalRecipe):
            place, source = "the GPU", DeviceRenderedClips(dataset, device)
        else:
            place, source = "CPUs", OnlineClips(dataset)
        log_line(f"{title}: clips are rendered on {place}, new ones each epoch")
        return source
    shards = Shards(root / spec.dataset.folder)
    if not uses_cache(spec):
        log_line(f"{title}: clips are decoded from shards")
        return shards
    cached = CachedClips.of(shards, root / CACHES / spec.dataset.id)
    what = f"{title}: clips come from a cache of decoded frames, {in_bytes(cached.store.bytes)}"
    if device and cached.store.bytes <= SHARE_OF_GPU * torch.cuda.mem_get_info(device)[0]:
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

    def __init__(self, shards: Shards, folder: Path) -> None:
        self.labels, self.frames, self.fresh = shards.labels, shards.frames, False
        side = shards.read(0, [0]).shape[1]
        grey, colour = (side, side), (side, side, 3)
        shapes = [colour if channels == 3 else grey for channels in shards.channels]
        self.store = FrameStore(folder, self.frames, shapes)

    @classmethod
    def of(cls, shards: Shards, folder: Path) -> "CachedClips":
        """Open the cache in a folder; make it first if it does not exist or has another size.

        Raises:
            UserError: the cache cannot be written, or a shard cannot be read.
        """
        cached = cls(shards, folder)
        if not cached.store.is_made():
            with locked(folder / LOCK, MAKES):
                if not cached.store.is_made():  # by another process, while this one waited
                    cached.store.make(lambda clip: [shards.read(clip)], "decoding", "clips")
        return cached

    def read(self, index: int, frames: Sequence[int]) -> np.ndarray:
        """Return frames of a clip: uint8 (T, H, W) if grey, else (T, H, W, 3)."""
        return self.store.read(index, frames)


class ResidentClips:
    """A cache held in the memory of a device, where reading a clip is only indexing."""

    def __init__(self, cached: CachedClips, device: torch.device) -> None:
        self.labels, self.frames, self.fresh, self.on_device = cached.labels, cached.frames, False, True
        self._store = cached.store
        self._bytes = torch.from_numpy(cached.store.everything()).to(device)

    def prepare(self, numbers: Sequence[int]) -> None:
        """Do nothing, since all clips are in memory."""

    def read(self, index: int, frames: Sequence[int]) -> torch.Tensor:
        """Return frames of a clip: uint8 (T, H, W) if grey, else (T, H, W, 3), on the device."""
        start, shape = self._store.place(index)
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

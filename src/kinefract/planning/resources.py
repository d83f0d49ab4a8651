"""What each kind of job asks a scheduler for: memory, run time, disk and GPUs, from its spec alone.

The numbers hold on any machine, so they do not depend on the machine that submits a job. They are upper
bounds. Memory is about twice what was measured (``docs/clusters.md``); a job that is killed for lack of it
asks for more at the next attempt. A training that reaches the end of its run time goes on in the next one.
"""

from typing import NamedTuple

from kinefract.config.phases import PretrainRecipe, TrainRecipe
from kinefract.config.specs import DatasetSpec, FinetuneSpec, PretrainSpec, Spec
from kinefract.synth.dataset_recipe import DatasetRecipe
from kinefract.training.caching import cache_bytes

READERS = 8  # cores of a job with a GPU, which decodes and augments faster than one core reads clips
MOST_MEMORY = 3.0  # times that of the first attempt
SHORTEST, LONGEST = 0.5, 5.0  # minutes before the end of a run time in which a training stops

# Of a training on a CPU: MB of its libraries, of each process that reads clips, and of what a network keeps
# for the gradient, for each million pixels of a batch at width 64.
LIBRARIES_MB, READER_MB, BATCH_MB = 1500, 300, 5000
# Of a training on a GPU, whose batch lies in the memory of the GPU.
GPU_LIBRARIES_MB, GPU_READER_MB = 4000, 500
VIEWS = 2  # most views of a clip that an objective compares
PACKED = 20  # times that a clip is smaller in its shard than its frames
MOST_CACHED_MB = 32_000  # by `source: auto`, which takes a quarter of a node's memory at most


class Resources(NamedTuple):
    """What one job asks for: cores, MB of memory, minutes and MB of disk of each node; GPUs of all; nodes."""

    threads: int
    mem_mb: int
    runtime: int
    disk_mb: int
    gpu: int
    nodes: int = 1


# Jobs that make no clips and train nothing, by the name of their rule.
OTHERS = {
    "dataset": Resources(1, 2000, 240, 1000, 0),
    "index": Resources(1, 2000, 480, 1000, 0),
    "pool_folds": Resources(1, 2000, 60, 1000, 0),
    "study": Resources(1, 3000, 60, 1000, 0),
}


def of(rule: str, spec: Spec, gpu: int | None = None) -> Resources:
    """Return what the job of a rule of the workflow asks for at its first attempt.

    A training in mixed precision asks a cluster for a GPU for each of its processes, any other for none.

    Args:
        rule: ``shard``, ``dataset``, ``index``, ``pretrain_run``, ``finetune_run``, ``pool_folds`` or
            ``study``.
        spec: The spec of what it makes.
        gpu: The GPUs that each process of a training takes where it runs, 0 or 1; None for what its recipe
            asks for.
    """
    if isinstance(spec, DatasetSpec) and rule == "shard":
        return _shard(spec.recipe)
    if isinstance(spec, PretrainSpec | FinetuneSpec) and rule not in OTHERS:
        each = int(spec.recipe.precision != "32-true") if gpu is None else gpu
        return _together(spec.recipe, _training(spec, each))
    return OTHERS[rule]


def _together(recipe: TrainRecipe, one: Resources) -> Resources:
    """Return what the processes of a training ask for: of all nodes the GPUs, of each node the rest."""
    if not isinstance(recipe, PretrainRecipe):
        return one
    devices = 1 if recipe.devices == "auto" else recipe.devices
    gpu, nodes = recipe.nodes * devices * one.gpu, recipe.nodes
    return Resources(devices * one.threads, devices * one.mem_mb, one.runtime, one.disk_mb, gpu, nodes)


def memory(first: int, attempt: int) -> int:
    """Return the MB of memory that an attempt asks for: half as much again each time, up to three times."""
    return round(first * min(MOST_MEMORY, 1 + (attempt - 1) / 2))


def time_limit(runtime: float) -> float:
    """Return the minutes after which a training stops, so that its checkpoint is written before it is killed.

    Args:
        runtime: The minutes after which the scheduler kills it, at least 1.
    """
    return round(runtime - min(LONGEST, max(SHORTEST, 0.05 * runtime)), 2)


def _shard(recipe: DatasetRecipe) -> Resources:
    clips = min(recipe.clips, recipe.clips_per_shard)
    seconds = 0.5 * max(1.0, (recipe.size / 256) ** 2)  # a clip takes up to 0.1 s on one core
    frames = sum(recipe.frames) / 2 * recipe.size**2 * recipe.CHANNELS
    return Resources(1, 1500, 10 + round(clips * seconds / 60), 200 + round(clips * frames / PACKED / 1e6), 0)


def _training(spec: PretrainSpec | FinetuneSpec, gpu: int) -> Resources:
    recipe, network = spec.recipe, spec.recipe if isinstance(spec, PretrainSpec) else spec.network
    threads = max(recipe.threads, READERS) if gpu else recipe.threads
    disk = 2000
    if isinstance(spec, PretrainSpec) and recipe.source in ("auto", "cache"):
        cache = round(cache_bytes(spec.dataset.recipe) / 1e6)
        disk += cache if recipe.source == "cache" else min(cache, MOST_CACHED_MB)
    if gpu:
        return Resources(threads, GPU_LIBRARIES_MB + threads * GPU_READER_MB, 720, disk, gpu)
    views = VIEWS if isinstance(spec, PretrainSpec) else 1
    pixels = views * recipe.batch_size / recipe.accumulate * recipe.frames * recipe.size**2 / 1e6
    batch = round(BATCH_MB * pixels * network.width / 64)
    return Resources(threads, LIBRARIES_MB + threads * READER_MB + batch, 120, disk, 0)

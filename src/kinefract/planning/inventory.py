"""The inventory of a project: its finished datasets and runs, and their measured cost on this machine."""

import math
import os
import shutil
from collections import defaultdict
from collections.abc import Hashable, Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeVar

from kinefract.benchmarks import summary
from kinefract.benchmarks.base import TEST, TRAIN
from kinefract.benchmarks.listed import ChosenRecipe
from kinefract.common import job_times
from kinefract.common.errors import UserError
from kinefract.common.layout import CACHES, MANIFEST, MODEL, SHARD_TIMES, SHARDS, SPEC_FILE
from kinefract.common.provenance import processor
from kinefract.config.plan import Plan
from kinefract.config.run_files import Result, read_result, weights_removed
from kinefract.config.specs import BenchmarkSpec, DatasetSpec, FinetuneSpec, PretrainSpec, Spec
from kinefract.planning.rates import START
from kinefract.synth.store.shards import shard_clips, shard_files

S = TypeVar("S", bound=Spec)

MEASURED, SIMILAR, DECLARED, COMPUTED, UNKNOWN = "measured", "similar", "declared", "computed", "unknown"
SHARDS_TIMED = 5  # of a dataset
LONG_ENOUGH = 500  # clips of a shard whose time holds for other datasets drawn alike
OTHERS = 10  # of each kind, the newest that no study makes any more; they are measurements too
# Settings of a dataset that do not change what a clip costs.
NOT_DRAWN = {"classes", "clips_per_class", "clips_per_shard", "seed", "fps"}


class Machine(NamedTuple):
    """The machine of jobs: processor and cores as results name them, and whether training uses a GPU."""

    processor: str
    cores: int
    gpu: bool

    @classmethod
    def here(cls) -> "Machine":
        """Return this machine as Snakemake uses it: all cores, and a GPU where its driver's tool is found."""
        return cls(processor(), os.cpu_count() or 1, shutil.which("nvidia-smi") is not None)

    def made(self, result: Result) -> bool:
        """Return whether a run's ``result.json`` comes from a machine like this one."""
        name = result["made_with"].get("machine", "")
        return name.endswith(self.processor) and (";" in name) == self.gpu

    def share(self, threads: int) -> float:
        """Return the share of the machine that a training uses, 0 to 1."""
        return 1.0 if self.gpu else min(threads, self.cores) / self.cores


class Setting(NamedTuple):
    """The settings on which the speed of a training depends, besides the machine.

    ``method`` is an objective or a way of fine-tuning. ``clips`` holds the family or kind of benchmark of the
    clips and their source.
    """

    method: str
    backbone: str
    width: int
    patch: int | None
    tubelet: int | None
    size: int
    frames: int
    precision: str
    compile: bool
    threads: int
    clips: str

    @classmethod
    def of(cls, spec: PretrainSpec | FinetuneSpec) -> "Setting":
        """Return the setting of a run."""
        recipe, network = spec.recipe, spec.recipe if isinstance(spec, PretrainSpec) else spec.network
        if isinstance(spec, PretrainSpec):
            method, clips = spec.recipe.objective, spec.dataset.name
        else:
            method, clips = spec.recipe.method, spec.benchmark.name
        shape = (network.backbone, network.width, network.patch, network.tubelet)
        view = (recipe.size, recipe.frames, recipe.precision, recipe.compile, recipe.threads)
        return cls._make((method, *shape, *view, f"{clips} ({recipe.source})"))

    @property
    def keys(self) -> tuple[Hashable, ...]:
        """The setting itself, then the same with any clips."""
        return self, self[:-1]

    @property
    def network(self) -> tuple[str, int]:
        """The settings that decide the size of the weights, but for a transformer's patches."""
        return self.backbone, self.width


class Estimate(NamedTuple):
    """An amount for one item, None if unknown; how it was estimated, and its source or why it is unknown."""

    amount: float | None
    how: str
    source: str = ""


class Measurements:
    """Measured amounts, indexed by the settings on which they depend."""

    def __init__(self, unknown: str) -> None:
        """Create an empty collection.

        Args:
            unknown: The text if nothing comparable was measured.
        """
        self._found: dict[Hashable, list[tuple[float, str]]] = defaultdict(list)
        self._unknown = unknown

    def add(self, amount: float, source: str, *keys: Hashable) -> None:
        """Add an amount from ``source`` under each key; values that are no positive number are left out."""
        if math.isfinite(amount) and amount > 0:
            for key in keys:
                self._found[key].append((amount, source))

    def find(self, *keys: Hashable) -> Estimate:
        """Return the median under the first key with amounts: "measured" for the first, else "similar"."""
        for key in keys:
            if found := self._found.get(key):
                how, source = (MEASURED, "") if key == keys[0] else (SIMILAR, found[0][1])
                return Estimate(median(amount for amount, _ in found), how, source)
        return Estimate(None, UNKNOWN, self._unknown)


class Inventory:
    """The contents of a project, looked up once for all studies.

    Each parent folder is listed once, and only small files of finished results are read.

    Attributes:
        done: Ids of the runs of the plan whose weights are there.
        clips_left: Dataset's id -> clips still to make.
        cached: Names of the folders with caches.
        videos: Benchmark's id -> training and test videos; None where it has not been indexed. Tested is all
            that is not trained on, as in a fine-tuning.
        official: The same by the official lists; None for a part of a benchmark, and without such lists.
        clip_bytes: Of a clip in its shard, by ``clip_keys``.
        clip_seconds: Of making a clip on one core, by ``clip_keys``.
        training_seconds: Of a clip in training, by ``Setting.keys``.
        window_seconds: Of a window of a test video in evaluation, by ``Setting.keys``.
        weights_bytes: Of a run's weights, by ``Setting.network``.
    """

    def __init__(self, root: Path, plan: Plan, machine: Machine) -> None:
        self.done = finished(root, plan)
        self.cached = _names(root / CACHES)
        self.videos = {key: _videos(root / spec.folder) for key, spec in plan.benchmarks.items()}
        self.official = {key: _official(spec) for key, spec in plan.benchmarks.items()}
        self.clip_bytes = Measurements("no such clips were made yet")
        self.clip_seconds = Measurements("no such clips were timed yet; `snakemake` times those it makes")
        self.training_seconds = Measurements("no run with this network and these settings was finished here")
        self.window_seconds = Measurements("no run with this network and these settings was finished here")
        self.weights_bytes = Measurements("no run with this network was finished yet")
        self.clips_left = {key: spec.recipe.clips for key, spec in plan.datasets.items()}
        self._read_datasets(root, plan)
        pretrains = _made(root, PretrainSpec, plan.pretrains)
        finetunes = _made(root, FinetuneSpec, plan.finetunes)
        runs: list[PretrainSpec | FinetuneSpec] = [*pretrains, *finetunes]
        for run in runs:
            self._read_run(root / run.folder, run, machine)

    def _read_datasets(self, root: Path, plan: Plan) -> None:
        times = defaultdict(list)
        for name in sorted(_names(root / SHARD_TIMES)):
            dataset, _, number = name.removesuffix(".tsv").rpartition("-")
            times[dataset].append((number, root / SHARD_TIMES / name))
        for spec in _made(root, DatasetSpec, plan.datasets):
            folder, keys = root / spec.folder, clip_keys(spec)
            shards = _names(folder / SHARDS)
            if spec.id in plan.datasets:
                rows = [int(name[:5]) for name in shards if name[:5].isdecimal() and name.endswith(".csv")]
                whole = (folder / MANIFEST).exists()
                made = spec.recipe.clips if whole else sum(len(shard_clips(spec.recipe, n)) for n in rows)
                self.clips_left[spec.id] -= made
            tar, table = shard_files(folder, 0)
            if {tar.name, table.name} <= shards:
                size = tar.stat().st_size
                self.clip_bytes.add(size / len(shard_clips(spec.recipe, 0)), spec.id, *keys)
            for number, path in times[spec.id][:SHARDS_TIMED]:
                with suppress(OSError, ValueError, IndexError, ZeroDivisionError):
                    seconds = job_times.read(path)[0].wall
                    clips = len(shard_clips(spec.recipe, int(number)))
                    rendered = max(seconds - START, seconds / 10)
                    # A short job may have compiled the renderer, which says nothing of other datasets.
                    known_by = keys if clips >= LONG_ENOUGH else keys[:1]
                    self.clip_seconds.add(rendered / clips, spec.id, *known_by)

    def _read_run(self, folder: Path, spec: PretrainSpec | FinetuneSpec, machine: Machine) -> None:
        setting = Setting.of(spec)
        with suppress(UserError, OSError, KeyError, ZeroDivisionError):
            if not weights_removed(folder / MODEL):
                self.weights_bytes.add((folder / MODEL).stat().st_size, spec.id, setting.network)
            result = read_result(folder)
            if not machine.made(result):
                return
            # Of one of its processes, for a clip: that of one GPU, or of as many cores as threads.
            seconds = result.get("processes", 1) / result["clips_per_second"]
            self.training_seconds.add(seconds, spec.id, *setting.keys)
            if isinstance(spec, FinetuneSpec):
                windows = result["videos"] * spec.recipe.windows
                self.window_seconds.add(result["evaluation_seconds"] / windows, spec.id, *setting.keys)


def clip_keys(spec: DatasetSpec) -> tuple[Hashable, ...]:
    """Return what the cost of a clip is known by: its dataset, then all settings of how clips are drawn."""
    return spec.id, spec.recipe.model_dump_json(exclude=NOT_DRAWN)


def finished(root: Path, plan: Plan) -> set[str]:
    """Return the ids of the runs of a plan whose weights are there."""
    found = set()
    for specs, kind in ((plan.pretrains, PretrainSpec), (plan.finetunes, FinetuneSpec)):
        there = _names(root / kind.PARENT)
        found |= {key for key in specs if key in there and (root / kind.PARENT / key / MODEL).exists()}
    return found


def _made(root: Path, kind: type[S], planned: dict[str, S]) -> Iterator[S]:
    """Yield the specs of a kind that have a folder: those of a plan, then the newest others."""
    there = _names(root / kind.PARENT)
    yield from (spec for key, spec in planned.items() if key in there)
    others = [root / kind.PARENT / name / SPEC_FILE for name in there - planned.keys()]
    newest = sorted((-path.stat().st_mtime, path) for path in others if path.is_file())
    for _, path in newest[:OTHERS]:
        with suppress(UserError):
            yield kind.read(path)


def _videos(folder: Path) -> tuple[int, int] | None:
    with suppress(UserError):
        if found := summary.read(folder):
            videos = found["videos"]
            return videos.get(TRAIN, 0), sum(count for split, count in videos.items() if split != TRAIN)
    return None


def _official(spec: BenchmarkSpec) -> tuple[int, int] | None:
    recipe = spec.recipe
    if not isinstance(recipe, ChosenRecipe) or not recipe.official:
        return None
    if recipe.classes or recipe.clips_per_class or recipe.validation or recipe.folds:
        return None
    return recipe.official.get(TRAIN, 0), recipe.official.get(TEST, 0)


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()

"""What making clips and training networks costs: models of it, and the rates that finished jobs measured.

A rate is that of a finished job with the same settings where there is one, else scaled from the closest: the
network's part by multiply-adds, the rest (reading, augmenting) by pixels.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

from kinefract.benchmarks.listed import ListedRecipe
from kinefract.benchmarks.motions import CLASSES as MOTIONS
from kinefract.benchmarks.motions import MotionsRecipe
from kinefract.benchmarks.recipes import TEST, TRAIN, VALIDATION, BenchmarkRecipe
from kinefract.files import read_json_lines
from kinefract.planning.cost_tables import (
    BYTES_POWER,
    CLASSES,
    CLIP_SECONDS,
    FAMILIES,
    NETWORK_SHARE,
    NETWORKS,
    PASSES,
    PIXELS,
    POINTS,
    STILL,
    TAR_BYTES,
    VIEWS,
    Network,
)
from kinefract.specs import FinetuneSpec, PretrainSpec
from kinefract.synth.recipes import DatasetRecipe

MEASURED, SCALED, UNKNOWN = "measured", "scaled", "unknown"
PERFORMANCE = "the table in docs/performance.md"


@dataclass(frozen=True)
class Setting:
    """What the speed of a training depends on.

    ``data`` is a dataset's family or a benchmark's kind, ``method`` an objective or a way of fine-tuning.
    """

    phase: str
    data: str
    method: str
    backbone: str
    width: int
    size: int
    frames: int
    precision: str
    compile: bool
    threads: int

    @classmethod
    def of(cls, spec: PretrainSpec | FinetuneSpec) -> "Setting":
        """Return the setting of a run."""
        recipe = spec.recipe
        if isinstance(spec, PretrainSpec):
            head, network = ("pretrain", spec.dataset.name, recipe.objective), recipe
        else:
            head, network = ("finetune", spec.benchmark.name, recipe.method), spec.network
        machine = (recipe.precision, recipe.compile, recipe.threads)
        return cls(*head, network.backbone, network.width, recipe.size, recipe.frames, *machine)

    @property
    def work(self) -> float:
        """Multiply-adds of a clip in training, in 1e9; of a backbone not in ``NETWORKS`` only to compare."""
        network = NETWORKS.get(self.backbone, Network(1.0, 1.0, 2.0, 2.0))
        forward = network.multiply_adds * (self.width / 64) ** network.work_power * self.frames / 8
        return forward * (self.size / 112) ** 2 * PASSES.get(self.method, 3)

    @property
    def pixels(self) -> int:
        """Pixels of a clip in training, in all of its views."""
        return self.frames * self.size**2 * VIEWS.get(self.method, 1)

    @property
    def weights_bytes(self) -> int:
        """The size of the weights' file."""
        network = NETWORKS.get(self.backbone, NETWORKS["tsm_resnet50"])
        return round(4e6 * network.parameters * (self.width / 64) ** network.parameters_power)


@dataclass(frozen=True)
class Machine:
    """Where jobs run: the number of cores, and whether training is done on a GPU."""

    cores: int
    gpu: bool

    @classmethod
    def named(cls, text: str) -> "Machine":
        """Read the machine of a result's ``made_with``: ``<GPU>; <processor>, <n> cores``."""
        words = text.split()
        known = len(words) > 1 and words[-1] == "cores" and words[-2].isdecimal()
        return cls(max(1, int(words[-2])) if known else 1, ";" in text)

    def unlike(self, other: "Machine") -> int:
        """Return 0 for a machine like this one, 1 with other cores, 2 where only one of them has a GPU."""
        return 2 if self.gpu != other.gpu else int(self.cores != other.cores)

    def side_by_side(self, threads: int) -> float:
        """Return the part of the machine that a training takes up."""
        return 1.0 if self.gpu else min(threads, self.cores) / self.cores


@dataclass(frozen=True)
class Measured:
    """What a finished run measured.

    Attributes:
        run: Its id.
        clips_per_second: Of training.
        network_share: The network's part of that time, 0 to 1.
        window_seconds: Of evaluation, per window of a test video; None where there was none.
        machine: As ``made_with`` has it.
    """

    run: str
    setting: Setting
    clips_per_second: float
    network_share: float
    window_seconds: float | None
    machine: str


class Estimate(NamedTuple):
    """Seconds of one thing (a clip, a window), and where they come from; ``seconds`` is None if unknown."""

    seconds: float | None
    how: str
    source: str = ""


def read_run(folder: Path, spec: PretrainSpec | FinetuneSpec) -> Measured | None:
    """Return what a run's ``result.json`` and ``metrics.jsonl`` say; None where they cannot be used."""
    try:
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        shares = [line.get("network_share") for line in read_json_lines(folder / "metrics.jsonl")]
        rate, machine = float(result["clips_per_second"]), str(result["made_with"]["machine"])
        seconds, videos = result.get("evaluation_seconds"), result.get("videos")
        share = median([float(share) for share in shares if share is not None] or [NETWORK_SHARE])
        windows = videos * spec.recipe.windows if isinstance(spec, FinetuneSpec) and videos else 0
        window_seconds = float(seconds) / windows if seconds and windows else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if not (math.isfinite(rate) and rate > 0):
        return None
    return Measured(folder.name, Setting.of(spec), rate, share, window_seconds, machine)


class Rates:
    """How fast this machine trains and evaluates, by finished runs."""

    def __init__(self, runs: Iterable[Measured], here: Machine) -> None:
        """Take the runs of machines that are most like this one: GPU or none, then the number of cores."""
        ranked = [(here.unlike(Machine.named(run.machine)), run) for run in runs]
        self._nearest = min((rank for rank, _ in ranked), default=0)
        self._runs = [run for rank, run in ranked if rank == self._nearest]
        self._here = here

    def training(self, setting: Setting) -> Estimate:
        """Return the seconds that a clip takes in training."""
        same = [run for run in self._runs if run.setting == setting]
        if same and not self._nearest:
            return Estimate(median(1 / run.clips_per_second for run in same), MEASURED, same[0].run)
        closest = self._closest(setting, self._runs)
        if closest is None:
            return Estimate(None, UNKNOWN)
        network = closest.network_share / closest.clips_per_second * self._harder(setting, closest)
        rest = (
            (1 - closest.network_share) / closest.clips_per_second * setting.pixels / closest.setting.pixels
        )
        return Estimate(network + rest, SCALED, self._source(closest))

    def evaluation(self, setting: Setting) -> Estimate:
        """Return the seconds that a window of a test video takes, by training where none was timed."""
        timed = [run for run in self._runs if run.window_seconds]
        same = [run for run in timed if run.setting == setting]
        if same and not self._nearest:
            return Estimate(median(run.window_seconds for run in same), MEASURED, same[0].run)
        forward = replace(setting, method="linear_probe")
        closest = self._closest(setting, timed)
        if closest is None:
            return self.training(forward)
        shown = replace(closest, setting=replace(closest.setting, method="linear_probe"))
        return Estimate(closest.window_seconds * self._harder(forward, shown), SCALED, self._source(closest))

    def _closest(self, setting: Setting, runs: list[Measured]) -> Measured | None:
        usable = [run for run in runs if self._comparable(run.setting, setting)]
        return min(usable, key=lambda run: (self._distance(run.setting, setting), run.run), default=None)

    def _harder(self, setting: Setting, run: Measured) -> float:
        """Return how many times as long a clip takes in the network as it did in a run."""
        there = Machine.named(run.machine)
        factor = setting.work / run.setting.work
        if not (there.gpu or self._here.gpu):
            factor *= min(run.setting.threads, there.cores) / min(setting.threads, self._here.cores)
        return factor

    def _source(self, run: Measured) -> str:
        return f"{run.run} on {run.machine}" if self._nearest else run.run

    @staticmethod
    def _comparable(there: Setting, here: Setting) -> bool:
        return there.backbone == here.backbone or {there.backbone, here.backbone} <= NETWORKS.keys()

    @staticmethod
    def _distance(there: Setting, here: Setting) -> float:
        """Return how unlike two settings are: differences that scaling knows less about count more."""
        weights = {"backbone": 4, "precision": 3, "phase": 2, "compile": 1, "method": 1, "data": 1}
        unlike = sum(w for key, w in weights.items() if getattr(there, key) != getattr(here, key))
        return unlike + abs(math.log2(there.work / here.work))


def clip_seconds(recipe: DatasetRecipe) -> float | None:
    """Return about how long a clip takes on one core of the machine of docs/performance.md."""
    family = FAMILIES.get(recipe.family)
    if family is None:
        return None
    share = _pixels(recipe) / PIXELS
    if recipe.family != "fractal":
        return CLIP_SECONDS + (family.seconds - CLIP_SECONDS) * share
    points = recipe.points.chains * recipe.points.steps
    if not recipe.moves:
        rate, clips, _ = STILL
        return CLIP_SECONDS + points / rate + (1 / clips - CLIP_SECONDS - 960_000 / rate) * share
    curved, frames = recipe.nonlinear_shapes, sum(recipe.frames) / 2
    point = curved / POINTS["nonlinear"] + (1 - curved) / POINTS["linear"]
    drawn = 19 * 960_000 * 0.5 * (1 / POINTS["nonlinear"] + 1 / POINTS["linear"])  # of the table's mix
    return CLIP_SECONDS + frames * points * point + (family.seconds - CLIP_SECONDS - drawn) * share


def clip_bytes(recipe: DatasetRecipe) -> float | None:
    """Return about how many bytes of a shard a clip takes."""
    family = FAMILIES.get(recipe.family)
    if family is None:
        return None
    kilobytes = family.kilobytes if recipe.moves else STILL[2]
    return TAR_BYTES + 1000 * kilobytes * (_pixels(recipe) / PIXELS) ** BYTES_POWER


def cache_bytes(recipe: DatasetRecipe) -> int:
    """Return about how large the cache of a dataset's decoded frames is."""
    family = FAMILIES.get(recipe.family)
    return round(recipe.clips * _pixels(recipe) * (family.channels if family else 3))


def videos(folder: Path, recipe: BenchmarkRecipe) -> tuple[int, int] | None:
    """Return how many training and test videos a benchmark has: of its index, else as its recipe says.

    None where neither tells. Test videos are all that are not trained on, as in ``runs.finetune``.
    """
    try:
        found = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["videos"]
        return int(found[TRAIN]), sum(int(count) for split, count in found.items() if split != TRAIN)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return _stated(recipe)


def _stated(recipe: BenchmarkRecipe) -> tuple[int, int] | None:
    if isinstance(recipe, MotionsRecipe):
        classes = len(recipe.classes or MOTIONS)
        return classes * recipe.train_per_class, classes * recipe.test_per_class
    if not (isinstance(recipe, ListedRecipe) and recipe.official):
        return None
    official = recipe.official
    every = CLASSES.get(recipe.kind)
    part = len(recipe.classes) / every if recipe.classes and every else 1
    train, test = official[TRAIN] * part, (official.get(VALIDATION, 0) + official[TEST]) * part
    if recipe.validation:
        train, test = train * (1 - recipe.validation), train * recipe.validation
    if recipe.clips_per_class and (recipe.classes or every):
        train = min(train, recipe.clips_per_class * (len(recipe.classes) if recipe.classes else every))
    return round(train), round(test)


class Formulas:
    """What clips of datasets take (seconds on a core, or bytes), by what was measured of some."""

    def __init__(self, model, measured: dict[str, tuple[DatasetRecipe, float]]) -> None:
        """Compare what was measured with a model.

        Args:
            model: ``clip_seconds`` or ``clip_bytes``.
            measured: Dataset's id -> its recipe, and what one clip took.
        """
        self._model = model
        self._measured = {key: value for key, (_, value) in measured.items()}
        self._factors = {
            key: (recipe.family, value / model(recipe))
            for key, (recipe, value) in measured.items()
            if model(recipe)
        }

    def clip(self, dataset: str, recipe: DatasetRecipe) -> Estimate:
        """Return what a clip takes: measured, else scaled from its family, any family or the table."""
        if dataset in self._measured:
            return Estimate(self._measured[dataset], MEASURED, dataset)
        expected = self._model(recipe)
        if expected is None:
            return Estimate(None, UNKNOWN)
        family = {key: factor for key, (name, factor) in self._factors.items() if name == recipe.family}
        factors = family or {key: factor for key, (_, factor) in self._factors.items()}
        if not factors:
            return Estimate(expected, SCALED, PERFORMANCE)
        middle = sorted(factors, key=factors.__getitem__)[len(factors) // 2]
        return Estimate(expected * factors[middle], SCALED, middle)


def _pixels(recipe: DatasetRecipe) -> float:
    """Return the pixels of a clip of mean length."""
    return sum(recipe.frames) / 2 * recipe.size**2

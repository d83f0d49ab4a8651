"""What there is of datasets and runs, what is still to be done, and how long that takes.

Nothing is read that takes long: each parent folder is listed once, and of finished runs the small files.
"""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinefract.benchmarks.motions import MotionsRecipe
from kinefract.errors import UserError
from kinefract.plan import Plan
from kinefract.planning import costs
from kinefract.planning.costs import UNKNOWN, Estimate, Machine, Measured, Setting
from kinefract.recipes import PretrainRecipe
from kinefract.specs import (
    MODEL,
    SPEC_FILE,
    BenchmarkSpec,
    DatasetSpec,
    FinetuneSpec,
    PretrainSpec,
    StudySpec,
)

CACHES, INDEX, SHARD_TIMES = "data/cache", "index.csv", "results/benchmarks/shard"
RENDERING, PRETRAINING, FINETUNING, EVALUATION = KINDS = (
    "rendering",
    "pretraining",
    "finetuning",
    "evaluation",
)
OTHER_RUNS = 20  # finished runs that params.yaml no longer makes, read where it has none finished
SHARDS_TIMED = 5  # of a dataset
SHARE_OF_MEMORY = 0.25  # as in ``feed``, here of all memory


@dataclass(frozen=True)
class Job:
    """Work still to be done. ``seconds`` are of the whole machine, which others share; None if unknown."""

    kind: str
    seconds: float | None
    how: str
    source: str


class Outlook:
    """What is there and what is still to be done, looked up once for all studies."""

    def __init__(self, root: Path, plan: Plan, here: Machine) -> None:
        self.here, self._root, self._plan = here, root, plan
        self._done = done(root, plan)
        self._videos = {
            key: costs.videos(root / BenchmarkSpec.PARENT / key, spec.recipe)
            for key, spec in plan.benchmarks.items()
        }
        self._cached = _names(root / CACHES)
        self._clips_left, measured_bytes = self._datasets()
        self._bytes = costs.Formulas(costs.clip_bytes, measured_bytes)
        self._seconds = costs.Formulas(costs.clip_seconds, self._shard_times())
        runs = self._finished()
        self._rates = costs.Rates(runs, here)
        self._first = "" if runs else f"no run measured yet; a run of {_cheapest(root, plan)} would tell"
        self._jobs: dict[str, list[Job]] = {}

    def needs(self, studies: list[StudySpec], users: Counter[str]) -> dict[str, Any]:
        """Return what studies need together; see ``figures``."""
        runs = list(dict.fromkeys(run for study in studies for run in run_ids(study)))
        ours = Counter(run for study in studies for run in set(run_ids(study)))
        pretrains = [run for run in runs if run in self._plan.pretrains]
        finetunes = [run for run in runs if run in self._plan.finetunes]
        todo = [run for run in runs if run not in self._done]
        trained = [self._plan.pretrains[run] for run in pretrains if run not in self._done]
        datasets = {spec.dataset.id: spec.dataset for spec in trained if spec.recipe.stored}
        caches = {spec.dataset.id: spec.dataset for spec in trained if self._caches(spec)}
        jobs = [job for item in [*datasets, *todo] for job in self._jobs_of(item)]
        basis = Counter((job.kind, job.how, job.source) for job in jobs)
        return {
            "variants": sum(len(study.variants) for study in studies),
            "pretraining": {"runs": len(pretrains), "done": len(self._done.intersection(pretrains))},
            "finetuning": {"runs": len(finetunes), "done": len(self._done.intersection(finetunes))},
            "shared": sum(users[run] > ours[run] for run in runs),
            "clips": sum(self._clips_left[key] for key in datasets),
            "bytes": {
                "datasets": round(sum(map(self._dataset_bytes, datasets.values()))),
                "caches": sum(costs.cache_bytes(spec.recipe) for spec in caches.values()),
                "weights": sum(Setting.of(self._plan.find(run)).weights_bytes for run in todo),
            },
            "hours": {
                kind: sum(job.seconds or 0.0 for job in jobs if job.kind == kind) / 3600 for kind in KINDS
            },
            "basis": [
                {"kind": kind, "how": how, "source": source, "jobs": count}
                for (kind, how, source), count in sorted(basis.items())
            ],
        }

    def _jobs_of(self, item: str) -> list[Job]:
        if item not in self._jobs:
            spec = self._plan.find(item)
            self._jobs[item] = (
                self._rendering(spec) if isinstance(spec, DatasetSpec) else self._training(spec)
            )
        return self._jobs[item]

    def _rendering(self, spec: DatasetSpec) -> list[Job]:
        clips = self._clips_left[spec.id]
        if not clips:
            return []
        clip = self._seconds.clip(spec.id, spec.recipe)
        if clip.seconds is None:
            source = f"no clips of {spec.recipe.family} were timed yet; `snakemake` times those it makes"
            return [Job(RENDERING, None, UNKNOWN, source)]
        return [Job(RENDERING, clips * clip.seconds / self.here.cores, clip.how, clip.source)]

    def _training(self, spec: PretrainSpec | FinetuneSpec) -> list[Job]:
        setting, recipe = Setting.of(spec), spec.recipe
        share = self.here.side_by_side(recipe.threads)
        if isinstance(spec, PretrainSpec):
            trained, windows, kind = spec.dataset.recipe.clips, 0, PRETRAINING
        else:
            found, kind = self._videos[spec.benchmark.id], FINETUNING
            if found is None:
                source = f"how many videos {spec.benchmark.name} has is known once it is indexed"
                return [Job(FINETUNING, None, UNKNOWN, source), Job(EVALUATION, None, UNKNOWN, source)]
            trained, windows = found[0], found[1] * recipe.windows
        clips = recipe.epochs * (trained // recipe.batch_size * recipe.batch_size)
        jobs = [self._job(kind, clips * share, self._rates.training(setting), setting)]
        if windows:
            jobs.append(self._job(EVALUATION, windows * share, self._rates.evaluation(setting), setting))
        return jobs

    def _job(self, kind: str, times: float, each: Estimate, setting: Setting) -> Job:
        if each.seconds is not None:
            return Job(kind, times * each.seconds, each.how, each.source)
        told = self._first or f"no run of {setting.backbone} measured yet; one would tell"
        return Job(kind, None, UNKNOWN, told)

    def _caches(self, spec: PretrainSpec) -> bool:
        """Return whether a run will write a cache, as ``feed.open_source`` decides it."""
        recipe: PretrainRecipe = spec.recipe
        if spec.dataset.id in self._cached or recipe.source not in ("auto", "cache"):
            return False
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        fits = costs.cache_bytes(spec.dataset.recipe) <= SHARE_OF_MEMORY * memory
        return recipe.source == "cache" or (recipe.epochs > 1 and fits)

    def _dataset_bytes(self, spec: DatasetSpec) -> float:
        return self._clips_left[spec.id] * (self._bytes.clip(spec.id, spec.recipe).seconds or 0.0)

    def _datasets(self) -> tuple[dict[str, int], dict[str, tuple]]:
        """Return the clips still to make of each dataset, and the bytes a clip of those that are on disk."""
        there, left, measured = _names(self._root / DatasetSpec.PARENT), {}, {}
        for key, spec in self._plan.datasets.items():
            recipe, folder = spec.recipe, self._root / spec.folder
            left[key] = recipe.clips
            if key not in there:
                continue
            shards = _names(folder / "shards")
            if (folder / "manifest.csv").exists():
                left[key] = 0
            else:
                numbers = [
                    int(name[:-4]) for name in shards if name.endswith(".csv") and name[:-4].isdecimal()
                ]
                left[key] -= sum(_clips_of(spec, number) for number in numbers)
            if {"00000.tar", "00000.csv"} <= shards:
                measured[key] = (recipe, (folder / "shards/00000.tar").stat().st_size / _clips_of(spec, 0))
        return left, measured

    def _shard_times(self) -> dict[str, tuple]:
        """Return the seconds a clip of the datasets whose shards Snakemake timed, on one core."""
        times: dict[str, list[float]] = {}
        for name in sorted(_names(self._root / SHARD_TIMES)):
            key, _, number = name.removesuffix(".tsv").rpartition("-")
            spec = self._plan.datasets.get(key)
            if spec is None or not number.isdecimal() or len(times.setdefault(key, [])) == SHARDS_TIMED:
                continue
            clips = _clips_of(spec, int(number))
            try:
                line = (self._root / SHARD_TIMES / name).read_text(encoding="utf-8").splitlines()[1]
                times[key].append(float(line.split("\t")[0]) / clips)
            except (OSError, ValueError, IndexError, ZeroDivisionError):
                continue
        return {
            key: (self._plan.datasets[key].recipe, sum(found) / len(found))
            for key, found in times.items()
            if found
        }

    def _finished(self) -> list[Measured]:
        """Return what finished runs measured: those of the plan, or else the newest others."""
        specs = {**self._plan.pretrains, **self._plan.finetunes}
        mine = [(self._root / specs[run].folder, specs[run]) for run in sorted(self._done)]
        found = [costs.read_run(folder, spec) for folder, spec in mine] or list(self._others())
        return [run for run in found if run]

    def _others(self) -> Iterable[Measured | None]:
        for kind in (PretrainSpec, FinetuneSpec):
            parent = self._root / kind.PARENT
            models = [parent / name / MODEL for name in _names(parent)]
            newest = sorted((-path.stat().st_mtime, path) for path in models if path.exists())
            for _, path in newest[:OTHER_RUNS]:
                try:
                    yield costs.read_run(path.parent, kind.read(path.with_name(SPEC_FILE)))
                except UserError:
                    continue


def done(root: Path, plan: Plan) -> set[str]:
    """Return the ids of the runs whose weights are there."""
    found = set()
    for specs, parent in ((plan.pretrains, PretrainSpec.PARENT), (plan.finetunes, FinetuneSpec.PARENT)):
        there = _names(root / parent)
        found |= {key for key in specs if key in there and (root / parent / key / MODEL).exists()}
    return found


def _cheapest(root: Path, plan: Plan) -> str:
    """Return the study whose runs are the least work, clips being equal, of those whose videos are at hand.

    They are where the pipeline makes them, or has indexed them. Where no study is so, all are looked at.
    """

    def at_hand(benchmark: str) -> bool:
        spec = plan.benchmarks[benchmark]
        return isinstance(spec.recipe, MotionsRecipe) or (root / spec.folder / INDEX).exists()

    def work(study: StudySpec) -> float:
        return sum(Setting.of(spec).work * spec.recipe.epochs for spec in map(plan.find, run_ids(study)))

    ready = [study for study in plan.studies.values() if all(map(at_hand, study.benchmarks.values()))]
    return min(ready or plan.studies.values(), key=work).study


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def _clips_of(spec: DatasetSpec, shard: int) -> int:
    recipe = spec.recipe
    return max(0, min(recipe.clips_per_shard, recipe.clips - shard * recipe.clips_per_shard))


def run_ids(study: StudySpec) -> list[str]:
    """Return the ids of the runs of a study, pre-training first."""
    pretrains = [run for variant in study.variants for run in variant.pretrains.values()]
    runs = [
        run for variant in study.variants for by_seed in variant.runs.values() for run in by_seed.values()
    ]
    return list(dict.fromkeys([*pretrains, *runs]))

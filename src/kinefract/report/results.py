"""Reading of a study's finished runs into rows: variants, their benchmarks, and scores over seeds.

``compare.compared`` adds comparisons and means over benchmarks to the same rows, ``cost.with_costs`` costs.
"""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kinefract.benchmarks.index import matches_fingerprint
from kinefract.common import checksums
from kinefract.common.errors import UserError
from kinefract.common.layout import CHECKPOINT, SPEC_FILE
from kinefract.common.remedies import make_again
from kinefract.common.words import counted
from kinefract.config.baselines import baseline_of
from kinefract.config.run_files import read_epochs, read_result
from kinefract.config.specs import FinetuneSpec, PretrainSpec, StudySpec
from kinefract.evaluation import predictions
from kinefract.report.statistics import Difference, Interval, interval


@dataclass(frozen=True)
class Run:
    """A finished run of either phase: its folder, ``result.json`` and epochs.

    In a half-finished study an unfinished pre-training is a run without result and epochs.
    """

    id: str
    phase: str
    folder: Path
    result: Mapping[str, Any]
    epochs: list[dict[str, Any]]

    @property
    def seconds(self) -> float:
        """Time of the run in seconds, with its evaluation, without measurements on the validation part."""
        return float(self.result.get("seconds", 0) + self.result.get("evaluation_seconds", 0))


Seen = dict[str, tuple[Run | None, str]]  # id -> the run if it is finished, and what is missing


@dataclass(frozen=True)
class Score:
    """A number measured once per seed, as a share from 0 to 1."""

    by_seed: dict[int, float]

    @property
    def n(self) -> int:
        """Number of seeds."""
        return len(self.by_seed)

    @property
    def mean(self) -> float:
        """Mean over seeds."""
        return statistics.fmean(self.by_seed.values())

    @property
    def std(self) -> float | None:
        """Sample standard deviation over seeds (divided by n - 1); None for one seed."""
        return statistics.stdev(self.by_seed.values()) if self.n > 1 else None

    @property
    def interval(self) -> Interval | None:
        """The 95 % interval of the mean over seeds; None for one seed."""
        return interval(list(self.by_seed.values()))


@dataclass(frozen=True)
class Comparison:
    """A variant compared with its baseline on one benchmark.

    ``points`` is the difference of the mean top-1 (a share). ``difference`` holds its test, and ``adjusted``
    the p-value after Holm's correction over the study's comparisons on this benchmark. Both are None if
    nothing can be tested; ``verdict`` then begins with ``not tested`` and states the reason.
    """

    points: float
    difference: Difference | None
    adjusted: float | None
    verdict: str


@dataclass(frozen=True)
class Cell:
    """The results of one variant on one benchmark, by seed; empty if a half-finished study has none.

    ``comparison`` is that with the variant's baseline; it is None for a baseline, and if either has no run.
    ``steps`` is the number of steps of one fine-tuning, and ``steps_factor`` its multiple of the steps of the
    pre-trained variant with the fewest. Both are None if unknown.
    """

    runs: dict[int, Run]
    comparison: Comparison | None = None
    steps: int | None = None
    steps_factor: float | None = None

    @property
    def top1(self) -> Score:
        """Share of test videos whose first prediction is right."""
        return self._score("top1")

    @property
    def top5(self) -> Score:
        """Share of test videos whose label is among the first five predictions."""
        return self._score("top5")

    @property
    def class_mean(self) -> Score | None:
        """Mean over classes of the share of right predictions; None if a run did not measure it."""
        key = "mean_class_accuracy"
        return self._score(key) if all(key in run.result for run in self.runs.values()) else None

    def _score(self, key: str) -> Score:
        return Score({seed: float(run.result[key]) for seed, run in self.runs.items()})


@dataclass(frozen=True)
class Overall:
    """A variant's mean top-1 over the benchmarks of a study, which count alike, and its comparison."""

    top1: Score
    comparison: Comparison | None = None


@dataclass(frozen=True)
class Row:
    """One variant of a study.

    ``pretrains`` holds its pre-training by seed and is empty without one of ours. All seeds have the same
    pre-training unless the study gives each its own.

    ``weights`` is the file of published weights from which it starts, if any. ``baseline`` is the label of
    the variant with which it is compared, if its settings alone do not decide that.

    ``overall`` is its mean over benchmarks; it is None if there is one benchmark or a run is not finished.

    ``clips`` is the number of clips seen in one pre-training, clips times epochs; it is 0 from scratch.
    ``clips_factor`` is its multiple of the clips of the pre-trained variant with the fewest. Both are None if
    unknown, as for published weights.
    """

    label: str
    values: dict[str, Any]
    pretrains: dict[int, Run]
    cells: dict[str, Cell]
    clips: int | None = None
    clips_factor: float | None = None
    weights: str | None = None
    baseline: str | None = None
    overall: Overall | None = None

    @property
    def scratch(self) -> bool:
        """Whether it is trained on the benchmark alone."""
        return not self.pretrains and self.weights is None

    @property
    def pretrainings(self) -> list[Run]:
        """Its pre-trainings, each once."""
        return list({run.id: run for run in self.pretrains.values()}.values())

    @property
    def begun(self) -> bool:
        """Whether any fine-tuning of the variant has finished."""
        return any(cell.runs for cell in self.cells.values())


@dataclass(frozen=True)
class Found:
    """The available results of a study: a row per variant, a line per missing run, ids of the others."""

    rows: list[Row]
    missing: list[str]
    done: list[str]

    @property
    def runs(self) -> int:
        """Number of its runs."""
        return len(self.done) + len(self.missing)

    @property
    def finished(self) -> int:
        """Number of finished runs among ``runs``."""
        return len(self.done)


def read(root: Path | str, spec: StudySpec) -> Found:
    """Read the runs of a finished study; ``Found.missing`` is empty.

    Args:
        root: The project's folder.
        spec: The study.

    Returns:
        The rows, benchmarks and seeds in the study's order.

    Raises:
        UserError: runs are missing, unfinished or unreadable; the message names each, and the command that
            makes them.
    """
    found = read_available(root, spec)
    if found.missing:
        lines = "".join(f"\n  {line}" for line in found.missing)
        raise UserError(
            f"study {spec.study}: {len(found.missing)} of {counted(found.runs, 'run')} are missing:{lines}\n"
            f"make them with `snakemake {spec.study}`"
        )
    return found


def read_available(root: Path | str, spec: StudySpec, seen: Seen | None = None) -> Found:
    """Read the available runs of a study; other arguments and the order are as for ``read``.

    Args:
        root: The project's folder.
        spec: The study.
        seen: Runs that have been read, by id; those read here are added. Studies that share runs share this.
    """
    root = Path(root)
    known: Seen = {} if seen is None else seen
    used: Seen = {}

    def run_of(parent: str, run_id: str) -> Run | None:
        if run_id not in known:
            run, problem = _read_run(root / parent / run_id)
            known[run_id] = run, f"{parent}/{run_id}: {problem}"
        used[run_id] = known[run_id]
        return used[run_id][0]

    rows = []
    for variant in spec.variants:
        pretrains = {}
        for seed, run_id in variant.pretrains.items():
            folder = root / PretrainSpec.PARENT / run_id
            pretrains[seed] = run_of(PretrainSpec.PARENT, run_id) or Run(
                run_id, folder.parent.name, folder, {}, []
            )
        cells = {}
        for benchmark, seeds in variant.runs.items():
            runs = {seed: run_of(FinetuneSpec.PARENT, run_id) for seed, run_id in seeds.items()}
            cells[benchmark] = Cell({seed: run for seed, run in runs.items() if run})
        row = Row(variant.label, dict(variant.values), pretrains, cells, weights=variant.weights)
        rows.append(replace(row, baseline=variant.baseline))
    missing = [problem for run, problem in used.values() if run is None]
    return Found(rows, missing, [run_id for run_id, (run, _) in used.items() if run])


def baselines(rows: list[Row]) -> list[Row]:
    """Return the variants that are baselines, in the study's order; none if there is a single variant."""
    used = {id(baseline_of(row, rows)) for row in rows}
    return [row for row in rows if id(row) in used]


def baseline_name(row: Row, rows: list[Row]) -> str:
    """Return the name of a variant's baseline beside a score.

    The name is the baseline's label if there are several baselines, ``scratch`` if it is the only variant
    trained from scratch, and ``the baseline`` otherwise.
    """
    base = baseline_of(row, rows)
    if base and len(baselines(rows)) > 1:
        return base.label
    return "scratch" if len(rows) > 1 and sum(other.scratch for other in rows) == 1 else "the baseline"


def baseline_heading(rows: list[Row]) -> str:
    """Return the baseline's name above a column: as beside a score, or ``its baseline`` if several."""
    return "its baseline" if len(baselines(rows)) > 1 else baseline_name(rows[0], rows)


def benchmarks(rows: list[Row]) -> list[str]:
    """Return the names of the benchmarks with a finished run of any variant, in the study's order."""
    return [name for name in rows[0].cells if any(row.cells[name].runs for row in rows)]


def _read_run(folder: Path) -> tuple[Run | None, str]:
    """Return the run, or None and a description of the problem."""
    try:
        epochs, result = read_epochs(folder), read_result(folder)
        checksums.check(folder / SPEC_FILE)
    except FileNotFoundError:
        return None, "stopped before its end" if (folder / CHECKPOINT).exists() else "not begun"
    except UserError as error:
        return None, str(error)
    if not (folder / SPEC_FILE).exists():
        return None, f"without {SPEC_FILE}"
    if "index" in result and not matches_fingerprint(result["index"], folder.parents[2]):
        return None, f"the benchmark was indexed again since and is another; {make_again(folder)}"
    if folder.parent.name == Path(FinetuneSpec.PARENT).name:
        try:
            problem = predictions.contradiction(folder, result)
        except UserError as error:
            return None, str(error)
        if problem:
            return None, problem
    return Run(folder.name, folder.parent.name, folder, result, epochs), ""

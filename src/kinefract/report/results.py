"""Reading a study's finished runs into rows: variants, their benchmarks, and scores over seeds."""

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinefract.errors import UserError
from kinefract.files import read_json_lines
from kinefract.specs import SPEC_FILE, FinetuneSpec, PretrainSpec, StudySpec

RESULT_FILE = "result.json"
METRICS_FILE = "metrics.jsonl"
CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Run:
    """A finished run of either phase: its folder, ``result.json`` and epochs."""

    id: str
    phase: str
    folder: Path
    result: dict[str, Any]
    epochs: list[dict[str, Any]]

    @property
    def seconds(self) -> float:
        """Time the run took, evaluation included."""
        return float(self.result.get("seconds") or 0) + float(self.result.get("evaluation_seconds") or 0)


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


@dataclass(frozen=True)
class Cell:
    """What one variant reached on one benchmark."""

    runs: dict[int, Run]

    @property
    def top1(self) -> Score:
        """Share of test videos whose first guess is right."""
        return self._score("top1")

    @property
    def top5(self) -> Score:
        """Share of test videos whose label is among the first five guesses."""
        return self._score("top5")

    def _score(self, key: str) -> Score:
        return Score({seed: float(run.result[key]) for seed, run in self.runs.items()})


@dataclass(frozen=True)
class Row:
    """One variant of a study; ``pretrain`` is None from scratch."""

    label: str
    values: dict[str, Any]
    pretrain: Run | None
    cells: dict[str, Cell]


def read(root: Path | str, spec: StudySpec) -> list[Row]:
    """Read the runs of a study.

    Args:
        root: The project's folder.
        spec: The study.

    Returns:
        A row per variant, in the study's order; benchmarks and seeds in its order too.

    Raises:
        UserError: runs are missing, unfinished or unreadable; the message names each, and the command that
            makes them.
    """
    root = Path(root)
    found: dict[str, Run] = {}
    missing: dict[str, str] = {}

    def look(parent: str, run_id: str, needed: tuple[str, ...]) -> Run | None:
        if run_id not in found and run_id not in missing:
            run, problem = _read_run(root / parent / run_id, needed)
            if run:
                found[run_id] = run
            else:
                missing[run_id] = f"{parent}/{run_id}: {problem}"
        return found.get(run_id)

    rows = []
    for variant in spec.variants:
        pretrain = look(PretrainSpec.PARENT, variant.pretrain, ("loss",)) if variant.pretrain else None
        cells = {}
        for benchmark, seeds in variant.runs.items():
            runs = {
                seed: look(FinetuneSpec.PARENT, run_id, ("top1", "top5")) for seed, run_id in seeds.items()
            }
            cells[benchmark] = Cell({seed: run for seed, run in runs.items() if run})
        rows.append(Row(variant.label, dict(variant.values), pretrain, cells))
    if missing:
        lines = "".join(f"\n  {line}" for line in missing.values())
        raise UserError(
            f"study {spec.study}: {len(missing)} of {len(missing) + len(found)} runs are missing:{lines}\n"
            f"make them with: snakemake {spec.study}"
        )
    return rows


def _read_run(folder: Path, needed: tuple[str, ...]) -> tuple[Run | None, str]:
    """Return the run, or None and what is wrong with it."""
    try:
        epochs = read_json_lines(folder / METRICS_FILE)
        if not (folder / RESULT_FILE).exists():
            return None, "stopped before its end" if (folder / CHECKPOINT).exists() else "not begun"
        result = json.loads((folder / RESULT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return None, f"unreadable, delete its folder to make it again ({error})"
    if not (folder / SPEC_FILE).exists():
        return None, f"without {SPEC_FILE}"
    absent = [key for key in needed if not isinstance(result.get(key), int | float)]
    if absent:
        return None, f"{RESULT_FILE} lacks {', '.join(absent)}, delete its folder to make it again"
    return Run(folder.name, folder.parent.name, folder, result, epochs), ""

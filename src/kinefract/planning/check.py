"""What `kinefract check` finds beyond the settings: files that benchmarks name, their splits, equal files."""

import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kinefract.benchmarks import summary
from kinefract.benchmarks.base import BenchmarkRecipe, Contents
from kinefract.benchmarks.kinds.own import OwnRecipe
from kinefract.common.errors import UserError
from kinefract.common.words import counted
from kinefract.config.params import Params
from kinefract.config.plan import Plan
from kinefract.config.specs import BenchmarkSpec


@dataclass
class Findings:
    """What was found.

    Attributes:
        problems: A line for each benchmark that cannot be indexed.
        warnings: A line for each that can, but will give wrong or fewer results.
        absent: File or folder that is not there yet -> the benchmarks that name it.
    """

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    absent: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def find(root: Path | str, params: Params) -> Findings:
    """Look at the videos of a configuration's benchmarks, as far as that is quick.

    A benchmark that is indexed is known by its index. Otherwise a user's own videos are listed, and files of
    equal size are compared. Official files are left to the index.

    Args:
        root: The project's folder.
        params: The whole configuration.
    """
    root, found = Path(root), Findings()
    asked = {name for study in params.run for name in params.studies[study].benchmarks}
    for name, recipe in params.benchmarks.items():
        folder = root / BenchmarkSpec(recipe=recipe).folder
        try:
            apart = _straddling(name, recipe, root, folder, name in asked, found)
        except UserError as error:
            found.problems.append(params.files.line(f"benchmarks.{name}: {error}"))
            continue
        if told := summary.told(apart):
            found.warnings.append(params.files.line(f"benchmarks.{name}: {told}"))
    return found


def as_json(found: Findings, params: Params, plan: Plan) -> dict[str, Any]:
    """Return the findings and the counts of a configuration as JSON values."""
    return {
        "in_order": not found.problems,
        "problems": found.problems,
        "warnings": found.warnings,
        "absent": [{"file": file, "benchmarks": names} for file, names in found.absent.items()],
        "studies": [
            {"study": spec.study, "variants": len(spec.variants), "finetuning_runs": len(spec.runs)}
            for spec in map(plan.study, params.studies)
        ],
        "datasets": len(plan.datasets),
        "benchmarks": len(plan.benchmarks),
        "pretraining_runs": len(plan.pretrains),
        "finetuning_runs": len(plan.finetunes),
    }


def in_one_line(found: Findings, plan: Plan) -> str:
    """Return the counts of a configuration in order, and what is not there yet."""
    counts = {
        "study": len(plan.studies),
        "dataset": len(plan.datasets),
        "benchmark": len(plan.benchmarks),
        "pre-training": len(plan.pretrains),
        "fine-tuning": len(plan.finetunes),
    }
    line = ", ".join(counted(count, what) for what, count in counts.items())
    if found.absent:
        files = "; ".join(f"{file} ({', '.join(names)})" for file, names in found.absent.items())
        line += f"; not there yet: {files}"
    return line


def listed(plan: Plan) -> str:
    """Return each study with its question and its numbers of variants and runs, a line each."""
    return "\n".join(
        f"{study.study}: {study.question}\n    "
        f"{counted(len(study.variants), 'variant')}, {counted(len(study.runs), 'fine-tuning run')}"
        for study in plan.studies.values()
    )


def _straddling(
    name: str, recipe: BenchmarkRecipe, root: Path, folder: Path, asked: bool, found: Findings
) -> list[list[Any]]:
    """Return the groups of equal files on several sides of a benchmark's split, as far as they are known."""
    if indexed := summary.read(folder):
        return list(indexed.get("straddling", []))
    if not isinstance(recipe, OwnRecipe):
        return []
    given: str = getattr(recipe, "file", "") or getattr(recipe, "root", "")
    if not (root / given).exists():
        if asked:
            raise UserError(f"{given}: no such file or folder, and a study under `run:` needs it")
        found.absent[given].append(name)
        return []
    contents = recipe.contents(root, folder)
    if contents.missing and not recipe.tolerant:
        listed = counted(len(contents.missing) + len(contents.entries), "listed video")
        first = ", ".join(contents.missing[:3])
        raise UserError(f"{len(contents.missing)} of {listed} are not there: {first}")
    return _apart(contents, folder)


def _apart(contents: Contents, folder: Path) -> list[list[Any]]:
    videos = [(Path(os.path.normpath(folder.resolve() / item.path)), item.split) for item in contents.entries]
    apart = summary.straddling(videos, summary.duplicates([path for path, _ in videos]))
    return [[os.path.relpath(path) for path in group] for group in apart]

"""The jobs that studies still need, by rule of the workflow, and what each asks a scheduler for at most."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from kinefract.common.files import in_bytes
from kinefract.common.layout import PAGE, RESULT
from kinefract.config.plan import Plan
from kinefract.config.specs import Spec, StudySpec
from kinefract.planning import resources
from kinefract.planning.inventory import Inventory
from kinefract.planning.resources import Resources


def needed(root: Path, studies: Sequence[StudySpec], plan: Plan, there: Inventory) -> list[dict[str, Any]]:
    """Return the jobs still to run for studies, as JSON values: a mapping for each rule that has some.

    Args:
        root: The project's folder.
        studies: The studies; what they share is counted once.
        plan: All studies, resolved.
        there: What the project contains.

    Returns:
        Mappings with ``job`` (the rule), ``count``, and the most that one of them asks for: ``threads``,
        ``mem_mb``, ``runtime`` in minutes, ``disk_mb``, ``gpu``, ``nodes``.
    """
    runs = dict.fromkeys(run for study in studies for run in plan.trained(study) if run not in there.done)
    trained = [plan.pretrains[run] for run in runs if run in plan.pretrains]
    stored = {spec.dataset.id: spec.dataset for spec in trained if spec.recipe.stored}
    unmade = [spec for key, spec in stored.items() if there.clips_left[key]]
    shards = [
        spec for spec in unmade for _ in range(0, there.clips_left[spec.id], spec.recipe.clips_per_shard)
    ]
    tuned = [plan.finetunes[run] for run in runs if run in plan.finetunes]
    results = (plan.finetunes[run] for run in dict.fromkeys(run for study in studies for run in study.runs))
    pooled = [spec for spec in results if spec.folds and not (root / spec.folder / RESULT).exists()]
    read = {spec.benchmark.id: spec.benchmark for spec in [*tuned, *pooled]}
    wanted: dict[str, Iterable[Spec]] = {
        "shard": shards,
        "dataset": unmade,
        "index": [spec for key, spec in read.items() if there.videos[key] is None],
        "pretrain_run": trained,
        "finetune_run": tuned,
        "pool_folds": pooled,
        "study": [study for study in studies if not (root / study.folder / PAGE).exists()],
    }
    found = []
    for rule, specs in wanted.items():
        if asked := [resources.of(rule, spec) for spec in specs]:
            most = Resources(*map(max, zip(*asked, strict=True)))
            found.append({"job": rule, "count": len(asked), **most._asdict()})
    return found


def render(jobs: list[dict[str, Any]]) -> str:
    """Return the result of ``needed`` as a table."""
    head = ["job", "jobs", "cores", "memory", "minutes", "disk", "GPUs", "nodes"]
    rows = [
        [
            job["job"],
            f"{job['count']:,}",
            job["threads"],
            in_bytes(1e6 * job["mem_mb"]),
            job["runtime"],
            in_bytes(1e6 * job["disk_mb"]),
            job["gpu"],
            job["nodes"],
        ]
        for job in jobs
    ]
    return tabulate(rows, head, "plain", disable_numparse=True, colalign=["left", *["right"] * 7])

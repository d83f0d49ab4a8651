"""What studies need before they are run: runs, clips, disk and hours, and how far each study is.

Nothing is read that takes long: each parent folder is listed once, and of finished runs the small files.
"""

import os
import shutil
import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kinefract.errors import UserError
from kinefract.files import in_bytes
from kinefract.params import Params
from kinefract.plan import Plan
from kinefract.planning import costs
from kinefract.planning.costs import UNKNOWN, Machine
from kinefract.planning.outlook import FINETUNING, PRETRAINING, RENDERING, Outlook, done, run_ids
from kinefract.schema import not_one_of

PAGE = "index.html"


def this_machine() -> Machine:
    """Return this machine as Snakemake uses it: all cores, and a GPU where its driver's tool is found."""
    return Machine(os.cpu_count() or 1, shutil.which("nvidia-smi") is not None)


def figures(
    root: Path | str, params: Params, plan: Plan, names: Sequence[str], here: Machine | None = None
) -> dict[str, Any]:
    """Return what studies need, as JSON has it.

    Args:
        root: The project's folder.
        params: The whole of params.yaml.
        plan: All its studies, resolved.
        names: Studies; what they share is counted once in the total.
        here: The machine that hours are meant for; this one where None.

    Returns:
        ``machine``, ``free_bytes``, and ``studies``, a list, and ``total`` of mappings with

        - ``study`` (not in ``total``), ``variants``;
        - ``pretraining``, ``finetuning``: ``runs`` and how many are ``done``;
        - ``shared``: runs that other studies of params.yaml need too;
        - ``clips``: formula-made clips still to make;
        - ``bytes`` still to be written: ``datasets``, ``caches``, ``weights``;
        - ``hours`` still to compute, all cores busy, without what is unknown: ``rendering``, ``pretraining``,
          ``finetuning``, ``evaluation``;
        - ``basis`` of the hours: ``kind``, ``how`` (measured, scaled, unknown), ``source``, ``jobs``.

    Raises:
        UserError: no such study.
    """
    for name in names:
        if name not in params.studies:
            raise UserError(f"{not_one_of(name, params.studies)} (studies of params.yaml)")
    root, names = Path(root), list(dict.fromkeys(names))
    outlook = Outlook(root, plan, here or this_machine())
    studies = [plan.study(name) for name in names]
    users = Counter(run for study in plan.studies.values() for run in set(run_ids(study)))
    return {
        "machine": {"cores": outlook.here.cores, "gpu": outlook.here.gpu},
        "free_bytes": shutil.disk_usage(root).free,
        "studies": [{"study": study.study, **outlook.needs([study], users)} for study in studies],
        "total": outlook.needs(studies, users),
    }


def render(found: dict[str, Any]) -> str:
    """Return what ``figures`` found as a table, with where the hours come from."""
    head = ["study", "variants", "pre-training", "fine-tuning", "shared", "clips to make", "disk", "hours"]
    rows = [head, *([study["study"], *_cells(study)] for study in found["studies"])]
    if len(found["studies"]) > 1:
        rows.append(["all of them", *_cells(found["total"])])
    total, machine = found["total"], found["machine"]
    cores = f"{machine['cores']} core{'s' * (machine['cores'] != 1)}"
    parts = ", ".join(f"{what} {in_bytes(count)}" for what, count in total["bytes"].items())
    hours = ", ".join(f"{kind} {_number(value)}" for kind, value in total["hours"].items())
    return "\n".join(
        [
            *_aligned(rows),
            "",
            "Runs: done/all. Shared: with other studies of params.yaml. The rest is what is still to come.",
            f"Disk: {parts}; {in_bytes(found['free_bytes'])} are free.",
            f"Hours of this machine ({cores}{' and a GPU' * machine['gpu']}), all of it busy: {hours}.",
            "~ scaled from other settings; ? without what is unknown",
            *(_line(basis) for basis in total["basis"]),
        ]
    )


def studies(root: Path | str, params: Params, plan: Plan) -> str:
    """Return a line per study: ``*`` if it is under ``run:``, its name, how far it is, and its question."""
    root = Path(root)
    there = done(root, plan)
    rows = []
    for study in map(plan.study, params.studies):
        runs = set(run_ids(study))
        finished = len(runs & there)
        if (root / study.folder / PAGE).exists():
            state = "done"
        elif finished:
            state = f"{finished} of {len(runs)} runs done"
        else:
            state = f"not begun, {len(runs)} runs"
        rows.append(
            (" *"[study.study in params.run], study.study, state, textwrap.shorten(study.question, 64))
        )
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["  ".join([*(f"{c:<{w}}" for c, w in zip(row, widths, strict=False)), row[3]]) for row in rows]
    return "\n".join([*lines, "", "* under `run:`, what `snakemake` builds; `snakemake <study>` builds one"])


def _cells(needs: dict[str, Any]) -> list[str]:
    hows = {basis["how"] for basis in needs["basis"]}
    hours = sum(needs["hours"].values())
    known = hows != {UNKNOWN}
    marks = "~" * (costs.SCALED in hows), " ?" * (UNKNOWN in hows)
    return [
        f"{needs['variants']:,}",
        *(f"{needs[phase]['done']:,}/{needs[phase]['runs']:,}" for phase in (PRETRAINING, FINETUNING)),
        f"{needs['shared']:,}",
        f"{needs['clips']:,}",
        in_bytes(sum(needs["bytes"].values())),
        f"{marks[0]}{_number(hours)}{marks[1]}" if known else "?",
    ]


def _line(basis: dict[str, Any]) -> str:
    what = {PRETRAINING: "pre-training", FINETUNING: "fine-tuning"}.get(basis["kind"], basis["kind"])
    told = {costs.MEASURED: "", costs.SCALED: f" from {basis['source']}", UNKNOWN: f": {basis['source']}"}
    unit = "dataset" if basis["kind"] == RENDERING else "run"
    count = f"{basis['jobs']:,} {unit}{'s' * (basis['jobs'] != 1)}"
    return f"  {what} of {count}: {basis['how']}{told[basis['how']]}"


def _number(hours: float) -> str:
    if 0 < hours < 0.01:
        return "<0.01"
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.2g}"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            [f"{row[0]:<{widths[0]}}", *(f"{c:>{w}}" for c, w in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]

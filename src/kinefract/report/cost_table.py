"""What each variant of a study cost, as a table: clips, seconds, parameters, and where it was measured."""

import math
from typing import Any

from kinefract.report import cost, latex
from kinefract.report.html import duration
from kinefract.report.results import Row
from kinefract.report.table import to_csv


def costs(rows: list[Row]) -> list[dict[str, Any]]:
    """Return what each variant took: a dict per row.

    Keys: ``variant``; ``clips`` (seen in pre-training) and ``clips_factor``, as in ``Row``;
    ``pretrain_seconds``; ``finetune_seconds``, of all its runs, evaluation included, and ``finetunes``, their
    number; ``parameters`` of the fine-tuned networks, in order of size; ``machines``.
    """
    lines = []
    for row in rows:
        finetunes = [run for cell in row.cells.values() for run in cell.runs.values()]
        runs = [*row.pretrainings, *finetunes]
        machines = [run.result.get("made_with", {}).get("machine") for run in runs]
        lines.append(
            {
                "variant": row.label,
                "clips": row.clips,
                "clips_factor": row.clips_factor,
                "pretrain_seconds": math.fsum(run.seconds for run in row.pretrainings),
                "finetune_seconds": sum(run.seconds for run in finetunes),
                "finetunes": len(finetunes),
                "parameters": sorted({int(run.result.get("parameters") or 0) for run in finetunes} - {0}),
                "machines": list(dict.fromkeys(str(machine) for machine in machines if machine)),
            }
        )
    return lines


def in_words(rows: list[Row]) -> list[dict[str, str]]:
    """Return the same as people read it, with the keys ``variant``, ``compute``, ``clips``, ``pretraining``,
    ``finetuning``, ``parameters`` and ``machine``."""
    lines = []
    for row, line in zip(rows, costs(rows), strict=True):
        clips = "unknown" if line["clips"] is None else f"{line['clips']:,}" if line["clips"] else "none"
        runs = f"{line['finetunes']} run{'s' * (line['finetunes'] != 1)}"
        lines.append(
            {
                "variant": line["variant"],
                "compute": cost.pretraining(row),
                "clips": clips,
                "pretraining": _pretraining(row, line["pretrain_seconds"]),
                "finetuning": f"{duration(line['finetune_seconds'])}, {runs}",
                "parameters": ", ".join(f"{size / 1e6:.2f} M" for size in line["parameters"]) or "unknown",
                "machine": "; ".join(line["machines"]) or "unknown",
            }
        )
    return lines


def _pretraining(row: Row, seconds: float) -> str:
    if not row.pretrains:
        return cost.pretraining(row)
    runs = len(row.pretrainings)
    return f"{duration(seconds)}, {runs} runs" if runs > 1 else duration(seconds)


def costs_csv(rows: list[Row]) -> str:
    """Return the table as CSV, a line per variant; several values of a cell are apart by semicolons."""
    lines = costs(rows)
    joined = [
        ["; ".join(map(str, v)) if isinstance(v, list) else "" if v is None else v for v in line.values()]
        for line in lines
    ]
    return to_csv([list(lines[0]), *joined])


def costs_tex(rows: list[Row]) -> str:
    """Return the table for LaTeX with booktabs."""
    lines = in_words(rows)
    note = "Clips seen in pre-training (clips times epochs); compute is relative to the fewest."
    return latex.tabular(list(lines[0]), [list(line.values()) for line in lines], note)

"""The table of what each variant of a study cost: clips, seconds, parameters and machines."""

import math
from typing import Any

import pandas as pd

from kinefract.common.words import counted, duration
from kinefract.report import cost
from kinefract.report.formats import frame_of, to_csv, to_latex
from kinefract.report.results import Row


def costs(rows: list[Row]) -> list[dict[str, Any]]:
    """Return the cost of each variant: a dict per row.

    The keys are ``variant``; ``clips`` (seen in pre-training) and ``clips_factor``, as in ``Row``;
    ``pretrain_seconds``, of a snapshot until it was kept; ``finetune_seconds`` of all its runs, evaluation
    included, and ``finetunes``, their number; ``parameters`` of the fine-tuned networks, in order of size;
    and ``machines``.
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
                "pretrain_seconds": math.fsum(cost.seconds(run, row) for run in row.pretrainings),
                "finetune_seconds": sum(run.seconds for run in finetunes),
                "finetunes": len(finetunes),
                "parameters": sorted({int(run.result.get("parameters") or 0) for run in finetunes} - {0}),
                "machines": list(dict.fromkeys(str(machine) for machine in machines if machine)),
            }
        )
    return lines


def in_words(rows: list[Row]) -> pd.DataFrame:
    """Return the same as texts for readers, with the columns ``variant``, ``compute``, ``clips``,
    ``pretraining``, ``finetuning``, ``parameters`` and ``machine``."""
    lines = []
    for row, line in zip(rows, costs(rows), strict=True):
        clips = "unknown" if line["clips"] is None else f"{line['clips']:,}" if line["clips"] else "none"
        runs = counted(line["finetunes"], "run")
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
    return frame_of(lines)


def _pretraining(row: Row, seconds: float) -> str:
    if not row.pretrains:
        return cost.pretraining(row)
    runs = len(row.pretrainings)
    return f"{duration(seconds)}, {runs} runs" if runs > 1 else duration(seconds)


def costs_csv(rows: list[Row]) -> str:
    """Return the table as CSV, a line per variant; several values of a cell are separated by semicolons."""
    frame = frame_of(costs(rows))
    for column in ("parameters", "machines"):
        frame[column] = frame[column].map(lambda values: "; ".join(map(str, values)))
    return to_csv(frame)


def costs_tex(rows: list[Row]) -> str:
    """Return the table for LaTeX with booktabs."""
    note = "Clips seen in pre-training (clips times epochs); compute is relative to the fewest."
    return to_latex(in_words(rows), note)

"""A study's page: one HTML file that contains everything it shows and refers to nothing outside itself."""

from pathlib import Path
from typing import Any

from kinefract.common.pages import rendered
from kinefract.config.specs import StudySpec
from kinefract.report import appearance, confusions, cost, cost_table, figures, making, scaling
from kinefract.report.answer import answer, name_of
from kinefract.report.classes import Changes
from kinefract.report.compare import Comparison
from kinefract.report.html import inlined
from kinefract.report.results import Cell, Found, Row, baseline_heading, baseline_name, baselines, benchmarks
from kinefract.report.samples import dataset_of, samples
from kinefract.report.words import (
    p_in_words,
    percent,
    range_in_words,
    seeds_in_words,
    verdict_in_words,
)

TEMPLATE = "study.html.jinja"
PUBLISHED = "; of published weights, of fine-tuning alone"
LARGEST = 3_000_000  # approximate bytes of a page; confusion matrices beyond it are left out


def render(root: Path, spec: StudySpec, found: Found, changes: list[Changes], paper: str = "") -> str:
    """Return the page's HTML.

    The same study, runs and previews give the same bytes. The page of a half-finished study names the
    missing runs and shows the others.

    Args:
        root: The project's folder.
        spec: The study.
        found: Its runs, compared (``compare.compared``) and counted (``cost.counted``).
        changes: Changes by class.
        paper: A sentence about the corresponding experiment of the paper; empty if none is known.
    """
    rows = found.rows
    names = benchmarks(rows)
    pretrains = [run.id for row in rows for run in row.pretrainings]
    values = {
        "spec": spec,
        "paper": paper,
        "answers": answers(rows),
        "missing": found.missing,
        "planned": found.runs,
        "not_begun": [name_of(row) for row in rows if not row.begun],
        "baseline": baseline_heading(rows),
        "several": len(baselines(rows)) > 1,
        "benchmarks": names,
        "varied": list(dict.fromkeys(key for row in rows for key in row.values)),
        "table": _table(rows, names),
        "one_seed": [
            f"{name_of(row)} on {name}" for row in rows for name in names if len(row.cells[name].runs) == 1
        ],
        "top1": inlined(figures.top1_svg(rows), "top1", _chart_in_words(rows, names)) if names else None,
        "curves": [
            (
                panel.title,
                inlined(figures.panel_svg(panel, number), f"curve{number}", _curves_in_words(panel)),
            )
            for number, panel in enumerate(figures.panels(rows))
        ],
        "scaling": _scaling(rows),
        "looks": appearance.table(appearance.appearances(root, rows), rows),
        "shared": len(set(pretrains)) < len(pretrains),
        "seeds_of": _seeds_of(rows),
        "changes": _best_first(changes, rows),
        "samples": samples(root, spec, rows),
        "costs": cost_table.in_words(rows).to_dict("records"),
        "phases": making.phases(root, spec, rows),
        "runs": making.runs(rows),
        "versions": making.versions(rows),
        "specs": making.specs(root, spec, rows),
    }
    without = rendered(TEMPLATE, **values, confusions=[], left_out=0)
    matrices, left_out = confusions.chosen(rows, LARGEST - len(without.encode()))
    return rendered(TEMPLATE, **values, confusions=matrices, left_out=left_out)


def _seeds_of(rows: list[Row]) -> str:
    """Return a sentence on the meaning of the study's seeds, if any variant is pre-trained."""
    most = max(len(row.pretrainings) for row in rows)
    if most > 1:
        published = any(row.weights for row in rows)
        return f"Each seed is a pre-training and a fine-tuning of its own{PUBLISHED if published else ''}."
    return "Seeds are of fine-tuning; each pre-trained variant has one pre-training." if most else ""


def _scaling(rows: list[Row]) -> tuple[str, str] | None:
    found = scaling.scaling(rows)
    if found is None:
        return None
    words = scaling.in_words(found, rows)
    return found.key, inlined(scaling.scaling_svg(found, rows), "scaling", words)


def answers(rows: list[Row]) -> list[str]:
    """Return the study's answer, its variants named by the family of clips they were pre-trained on."""
    used = {row.label: dataset_of(row) for row in rows}
    return answer(rows, {label: name.rpartition("-")[0] for label, name in used.items() if name})


def _table(rows: list[Row], names: list[str]) -> list[dict[str, Any]]:
    """Return the values of each row for the template; the best mean of a column is marked."""
    scored = {name: [row.cells[name].top1.mean for row in rows if row.cells[name].runs] for name in names}
    lines = []
    for row, colour in zip(rows, figures.colours(rows), strict=True):
        cells = [
            _cell(row, row.cells[name], max(scored[name]) if len(scored[name]) > 1 else None, rows)
            for name in names
        ]
        lines.append({"label": row.label, "colour": colour, "cells": cells})
    return lines


def _cell(row: Row, cell: Cell, best: float | None, rows: list[Row]) -> dict[str, Any] | None:
    """Return the values of a cell for the template; None if no run has finished."""
    if not cell.runs:
        return None
    ends = cell.top1.interval
    return {
        "top1": percent(cell.top1.mean, cell.top1.std),
        "interval": f"95 % interval {range_in_words(ends)}" if ends else "one seed, so no interval",
        "top5": percent(cell.top5.mean, cell.top5.std),
        "class_mean": percent(cell.class_mean.mean, cell.class_mean.std) if cell.class_mean else None,
        "seeds": f"{seeds_in_words(cell.top1.n)}, compute {cost.in_words(row, cell)}",
        "best": cell.top1.mean == best,
        "verdict": _verdict(cell.comparison, baseline_name(row, rows)) if cell.comparison else [],
    }


def _verdict(comparison: Comparison, name: str) -> list[str]:
    words = verdict_in_words(comparison, name)
    change = f"{100 * comparison.points:+.1f} points"
    if comparison.difference is None or comparison.adjusted is None:
        return [words, change]
    ends = range_in_words(comparison.difference.interval)
    return [words, f"{change} ({ends}), {p_in_words(comparison.adjusted)}"]


def _chart_in_words(rows: list[Row], names: list[str]) -> str:
    parts = [
        f"{row.label} on {name} {percent(row.cells[name].top1.mean, row.cells[name].top1.std)} %"
        for row in rows
        for name in names
        if row.cells[name].runs
    ]
    return "Top-1: " + "; ".join(parts)


def _curves_in_words(panel: figures.Panel) -> str:
    return f"{panel.title}, by epoch, of {'; '.join(label for label, _, _ in panel.groups)}"


def _best_first(changes: list[Changes], rows: list[Row]) -> list[Changes]:
    """Return the changes by benchmark; those of the best variant, which the page expands, come first."""
    means = {
        (name, row.label): cell.top1.mean for row in rows for name, cell in row.cells.items() if cell.runs
    }
    order = {name: place for place, name in enumerate(rows[0].cells)}
    return sorted(changes, key=lambda entry: (order[entry.benchmark], -means[entry.benchmark, entry.label]))

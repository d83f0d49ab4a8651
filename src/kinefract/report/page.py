"""A study's page: one HTML file that contains everything it shows, with links to what it rests on."""

from pathlib import Path
from typing import Any

from markupsafe import Markup

from kinefract.common.layout import (
    CLASS_CHANGES,
    COSTS,
    CURVES,
    OVERVIEW,
    PARAMS_FILE,
    SPEC_FILE,
    TABLE,
    TABLE_MD,
    TABLE_TEX,
    mlflow_page,
)
from kinefract.common.pages import link, rendered
from kinefract.config.specs import StudySpec
from kinefract.report import appearance, confusions, cost, cost_table, figures, making, mistakes, scaling
from kinefract.report.answer import answer, name_of
from kinefract.report.classes import Changes
from kinefract.report.compare import Comparison
from kinefract.report.html import Numbers, inlined
from kinefract.report.results import (
    Cell,
    Found,
    Overall,
    Row,
    baseline_heading,
    baseline_name,
    baselines,
    benchmarks,
)
from kinefract.report.samples import dataset_of, samples
from kinefract.report.words import (
    meaning_in_words,
    p_in_words,
    percent,
    range_in_words,
    seeds_in_words,
    verdict_in_words,
)

TEMPLATE = "study.html.jinja"
PUBLISHED = "; of published weights, of fine-tuning alone"
LARGEST = 3_000_000  # approximate bytes of a page; confusion matrices beyond it are left out
FILES = (TABLE, TABLE_TEX, TABLE_MD, COSTS, CLASS_CHANGES, CURVES)  # that the page offers


def render(
    root: Path,
    spec: StudySpec,
    found: Found,
    changes: list[Changes],
    page: Path,
    top1: str,
    paper: str = "",
) -> str:
    """Return the page's HTML.

    The same study, runs and previews give the same bytes. The page of a half-finished study names the
    missing runs and shows the others. Links are relative, and one to a file that is not there is not drawn.

    Args:
        root: The project's folder.
        spec: The study.
        found: Its runs, compared (``compare.compared``) and counted (``cost.with_costs``).
        changes: Changes by class.
        page: The path of the page, beside the other files of the report, which are there.
        top1: The text of ``top1.svg``.
        paper: A sentence about the corresponding experiment of the paper; empty if none is known.
    """
    rows = found.rows
    names = benchmarks(rows)
    pretrains = [run.id for row in rows for run in row.pretrainings]
    scaled, panels = scaling.scaling(rows), figures.panels(rows)
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
        "columns": [*names, f"mean of {len(names)}"] if _averaged(rows) else names,
        "table": _table(rows, names),
        "by_seed": figures.top1_numbers(rows),
        "overview": _overview(root, page),
        "files": [
            (name, link(place, page))
            for name, place in [
                *((name, page.with_name(name)) for name in FILES),
                (SPEC_FILE, root / spec.folder / SPEC_FILE),
                ("runs in MLflow", root / mlflow_page(spec.study)),
            ]
            if place.exists()
        ],
        "curves_file": link(page.with_name(CURVES), page),
        "classes_file": link(page.with_name(CLASS_CHANGES), page),
        "one_seed": [
            f"{name_of(row)} on {name}" for row in rows for name in names if len(row.cells[name].runs) == 1
        ],
        "top1": inlined(top1, "top1", _chart_in_words(rows, names), figures.top1_titles(rows)),
        "curves": [_curves(panel, number) for number, panel in enumerate(panels)],
        "validated": any(panel.key == "validation_top1" for panel in panels),
        "scaled_by": scaled.key if scaled else "",
        "scaling": _scaling(rows, scaled),
        "looks": appearance.table(appearance.appearances(root, rows), rows),
        "shared": len(set(pretrains)) < len(pretrains),
        "seeds_of": _seeds_of(rows),
        "changes": _best_first(changes, rows),
        "samples": samples(root, spec, rows, page),
        "mistakes": mistakes.sheets(root, spec, rows, page),
        "costs": cost_table.in_words(rows).to_dict("records"),
        "phases": making.phases(root, spec, rows),
        "runs": making.runs(rows, page),
        "versions": making.versions(rows),
        "specs": making.specs(root, spec, rows),
    }
    without = _rendered(values, [], 0)
    matrices, left_out = confusions.chosen(rows, LARGEST - len(without.encode()))
    return _rendered(values, matrices, left_out)


def _rendered(values: dict[str, Any], matrices: list[confusions.Matrix], left_out: int) -> str:
    """Return the page with the headings of the sections that it has; those are its contents."""
    headings = {
        "result": ("Result", values["benchmarks"]),
        "scaling": (f"By {values['scaled_by']}", values["scaling"]),
        "curves": ("Training", values["curves"]),
        "classes": ("Class by class", values["changes"]),
        "confusions": ("What was taken for what", matrices or left_out),
        "mistakes": ("Worst mistakes", values["mistakes"]),
        "samples": ("What the networks saw", True),
        "looks": ("What the clips look like, and what they taught", values["looks"]["lines"]),
        "cost": ("Cost", True),
        "made": ("How it was made", True),
    }
    sections = {name: title for name, (title, there) in headings.items() if there}
    shown = {name: sections.get(name, "") for name in headings}
    more = {"confusions": matrices, "left_out": left_out}
    return rendered(TEMPLATE, **values, **more, sections=shown, contents=list(sections.items()))


def _overview(root: Path, page: Path) -> str | None:
    """Return the address of the page of all studies, which a project with a configuration gets after this."""
    if (root / PARAMS_FILE).exists():
        return f"{link(root, page)}/{OVERVIEW}"
    return link(root / OVERVIEW, page)


def _seeds_of(rows: list[Row]) -> str:
    """Return a sentence on the meaning of the study's seeds, if any variant is pre-trained."""
    most = max(len(row.pretrainings) for row in rows)
    if most > 1:
        published = any(row.weights for row in rows)
        return f"Each seed is a pre-training and a fine-tuning of its own{PUBLISHED if published else ''}."
    return "Seeds are of fine-tuning; each pre-trained variant has one pre-training." if most else ""


def _scaling(rows: list[Row], found: scaling.Scaling | None) -> tuple[Markup, Numbers] | None:
    if found is None:
        return None
    drawing, words = scaling.scaling_svg(found, rows), scaling.in_words(found, rows)
    svg = inlined(drawing, "scaling", words, scaling.titles(found, rows))
    return svg, scaling.numbers(found, rows)


def _curves(panel: figures.Panel, number: int) -> dict[str, Any]:
    """Return a chart of training curves for the template: title, drawing, data for the script, numbers."""
    svg, data = figures.panel_svg(panel, number)
    words = f"{panel.title}, by epoch, of {'; '.join(label for label, _, _ in panel.groups)}"
    drawing = inlined(svg, f"curve{number}", words, figures.panel_titles(panel))
    return {"title": panel.title, "svg": drawing, "data": data, "numbers": figures.panel_numbers(panel)}


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
        if _averaged(rows):
            cells.append(_overall(row, rows))
        lines.append({"label": row.label, "colour": colour, "cells": cells})
    return lines


def _cell(row: Row, cell: Cell, best: float | None, rows: list[Row]) -> dict[str, Any] | None:
    """Return the values of a cell for the template; None if no run has finished."""
    if not cell.runs:
        return None
    return _scored(cell, row, rows) | {
        "top5": percent(cell.top5.mean, cell.top5.std),
        "class_mean": percent(cell.class_mean.mean, cell.class_mean.std) if cell.class_mean else None,
        "seeds": f"{seeds_in_words(cell.top1.n)}, {cost.as_clause(row, cell)}",
        "best": cell.top1.mean == best,
    }


def _averaged(rows: list[Row]) -> bool:
    return any(row.overall for row in rows)


def _overall(row: Row, rows: list[Row]) -> dict[str, Any] | None:
    """Return the values of a row's mean over benchmarks; None if a run has not finished."""
    if not row.overall:
        return None
    means = [other.overall.top1.mean for other in rows if other.overall]
    best = len(means) > 1 and row.overall.top1.mean == max(means)
    seeds = seeds_in_words(row.overall.top1.n)
    return _scored(row.overall, row, rows) | {"seeds": seeds, "best": best, "top5": None, "class_mean": None}


def _scored(scored: Cell | Overall, row: Row, rows: list[Row]) -> dict[str, Any]:
    ends, comparison = scored.top1.interval, scored.comparison
    return {
        "top1": percent(scored.top1.mean, scored.top1.std),
        "interval": f"95 % interval {range_in_words(ends)}" if ends else "one seed, so no interval",
        "verdict": _verdict(comparison, baseline_name(row, rows)) if comparison else [],
        "meaning": meaning_in_words(comparison) if comparison else "",
    }


def _verdict(comparison: Comparison, name: str) -> list[str]:
    words = verdict_in_words(comparison, name)
    change = f"{100 * comparison.points:+.1f} points"
    if comparison.difference is None or comparison.adjusted is None:
        return [words, change]
    ends = range_in_words(comparison.difference.interval)
    return [words, f"{change} ({ends})", p_in_words(comparison.adjusted)]


def _chart_in_words(rows: list[Row], names: list[str]) -> str:
    parts = [
        f"{row.label} on {name} {percent(row.cells[name].top1.mean, row.cells[name].top1.std)} %"
        for row in rows
        for name in names
        if row.cells[name].runs
    ]
    return "Top-1: " + "; ".join(parts)


def _best_first(changes: list[Changes], rows: list[Row]) -> list[Changes]:
    """Return the changes by benchmark; those of the best variant, which the page expands, come first."""
    means = {
        (name, row.label): cell.top1.mean for row in rows for name, cell in row.cells.items() if cell.runs
    }
    order = {name: place for place, name in enumerate(rows[0].cells)}
    return sorted(changes, key=lambda entry: (order[entry.benchmark], -means[entry.benchmark, entry.label]))

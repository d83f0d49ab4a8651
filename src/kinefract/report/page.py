"""A study's page: one HTML file that holds everything it shows and refers to nothing outside itself."""

import base64
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from kinefract.report import figures
from kinefract.report.answer import answer
from kinefract.report.results import Row, Run
from kinefract.report.table import percent, seeds_in_words
from kinefract.specs import SPEC_FILE, BenchmarkSpec, DatasetSpec, StudySpec

LARGEST_EMBEDDED = 4_000_000  # bytes of one file; a larger one is named instead
THEMED = {
    figures.INK: "var(--ink)",
    figures.MUTED: "var(--muted)",
    figures.GRID: "var(--line)",
    figures.PAPER: "none",
}


@dataclass(frozen=True)
class Sample:
    """A moving sheet of clips: what it shows, its folder, and its files as data URIs (None: not there)."""

    title: str
    caption: str
    id: str
    video: str | None
    still: str | None


def render(root: Path, spec: StudySpec, rows: list[Row]) -> str:
    """Return the page's HTML.

    The same study, runs and previews give the same bytes.

    Args:
        root: The project's folder.
        spec: The study.
        rows: Its finished runs.
    """
    families = _families(root, spec, rows)
    environment = Environment(
        loader=PackageLoader("kinefract", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("study.html.jinja").render(
        spec=spec,
        answers=answer(rows, families),
        benchmarks=list(spec.benchmarks),
        varied=list(dict.fromkeys(key for row in rows for key in row.values)),
        table=_table(rows),
        top1=_inlined(figures.top1_svg(rows), "top1", _chart_in_words(rows)),
        curves=[
            (
                panel.title,
                _inlined(figures.panel_svg(panel, number), f"curve{number}", _curves_in_words(panel)),
            )
            for number, panel in enumerate(figures.panels(rows))
        ],
        shared=len({row.pretrain.id for row in rows if row.pretrain})
        < sum(row.pretrain is not None for row in rows),
        samples=_samples(root, spec),
        phases=_phases(root, spec, rows),
        runs=_runs(rows),
        versions=_versions(rows),
        specs=_specs(root, spec, rows),
    )


def _families(root: Path, spec: StudySpec, rows: list[Row]) -> dict[str, str]:
    """Return label -> family, as far as runs and datasets say it by their names."""
    names = {dataset: dataset.rpartition("-")[0] for dataset in spec.datasets}
    if len(set(names.values())) != 1:
        return {}
    (family,) = set(names.values())
    return {row.label: family for row in rows if row.pretrain}


def _table(rows: list[Row]) -> list[dict[str, Any]]:
    """Return what the template needs of each row; the best mean of a column is marked."""
    best = {name: max(row.cells[name].top1.mean for row in rows) for name in rows[0].cells}
    lines = []
    for row, colour in zip(rows, figures.colours(rows), strict=True):
        cells = [
            {
                "top1": percent(cell.top1.mean, cell.top1.std),
                "top5": percent(cell.top5.mean, cell.top5.std),
                "seeds": seeds_in_words(cell.top1.n),
                "best": len(rows) > 1 and cell.top1.mean == best[name],
            }
            for name, cell in row.cells.items()
        ]
        lines.append({"label": row.label, "colour": colour, "cells": cells})
    return lines


def _chart_in_words(rows: list[Row]) -> str:
    parts = [
        f"{row.label} on {name} {percent(cell.top1.mean, cell.top1.std)} %"
        for row in rows
        for name, cell in row.cells.items()
    ]
    return "Top-1: " + "; ".join(parts)


def _curves_in_words(panel: figures.Panel) -> str:
    return f"{panel.title}, by epoch, of {'; '.join(label for label, _, _ in panel.groups)}"


def _inlined(svg: str, prefix: str, description: str) -> Markup:
    """Return an SVG file as an element of the page: described, coloured by the page, its ids its own."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r'(href="|url\()#', rf"\1#{prefix}-", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    for colour, variable in THEMED.items():
        svg = svg.replace(colour, variable)
    return Markup(svg.replace("<svg", Markup('<svg role="img" aria-label="{}"').format(description), 1))


def _samples(root: Path, spec: StudySpec) -> list[Sample]:
    samples = []
    for dataset in spec.datasets:
        folder = root / DatasetSpec.PARENT / dataset
        card = _read_json(folder / "card.json")
        facts = []
        if card.keys() >= {"clips", "classes", "size", "seconds"}:
            facts = [
                f"{card['clips']:,} clips of {card['classes']:,} classes",
                f"{card['size']} x {card['size']} px",
                f"{_duration(card['seconds'])} of video",
            ]
        samples.append(_sample(folder, f"Pre-training clips: {dataset.rpartition('-')[0]}", facts))
    for name, index in spec.benchmarks.items():
        folder = root / BenchmarkSpec.PARENT / index
        summary = _read_json(folder / "summary.json")
        facts = []
        if isinstance(summary.get("videos"), dict):
            facts = [f"{summary['classes']} classes"]
            facts += [f"{count:,} {split} videos" for split, count in summary["videos"].items()]
        samples.append(_sample(folder, f"Benchmark: {name}", facts))
    return samples


def _sample(folder: Path, title: str, facts: list[str]) -> Sample:
    moving = _data_uri(folder / "preview.mp4", "video/mp4")
    still = _data_uri(folder / "preview.png", "image/png")
    return Sample(title, ", ".join(facts), folder.name, moving, still)


def _data_uri(path: Path, kind: str) -> str | None:
    """Return a file as ``data:``, or None where it is missing or too large for a page."""
    if not path.exists() or path.stat().st_size > LARGEST_EMBEDDED:
        return None
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _all_runs(rows: list[Row]) -> dict[str, list[tuple[str, Run]]]:
    """Return phase -> (what it is, run), each run once."""
    pretrains = {row.pretrain.id: (row.label, row.pretrain) for row in reversed(rows) if row.pretrain}
    finetunes = {
        run.id: (f"{row.label} on {benchmark}, seed {seed}", run)
        for row in rows
        for benchmark, cell in row.cells.items()
        for seed, run in cell.runs.items()
    }
    return {"Pre-training": list(pretrains.values())[::-1], "Fine-tuning": list(finetunes.values())}


def _phases(root: Path, spec: StudySpec, rows: list[Row]) -> list[dict[str, str]]:
    """Return what each phase took: jobs, time, clips per second, machine.

    The time to make clips and indexes is what Snakemake wrote down; jobs run by hand have none.
    """
    jobs = [
        ("Datasets", [("shard", f"{dataset}-*") for dataset in spec.datasets]),
        ("Benchmarks", [("index", index) for index in spec.benchmarks.values()]),
    ]
    phases = []
    for name, patterns in jobs:
        seconds = [value for rule, pattern in patterns for value in _seconds_noted(root, rule, pattern)]
        if seconds:
            phases.append(_phase(name, seconds))
    for name, runs in _all_runs(rows).items():
        if not runs:
            continue
        speeds = [
            float(run.result["clips_per_second"]) for _, run in runs if run.result.get("clips_per_second")
        ]
        sizes = {int(run.result["parameters"]) for _, run in runs if run.result.get("parameters")}
        phases.append(
            _phase(name, [run.seconds for _, run in runs])
            | {
                "speed": f"{sum(speeds) / len(speeds):.0f}" if speeds else "unknown",
                "parameters": ", ".join(f"{size / 1e6:.2f} M" for size in sorted(sizes)) or "unknown",
                "machine": "; ".join(_distinct(runs, "machine")) or "unknown",
            }
        )
    return phases


def _phase(name: str, seconds: list[float]) -> dict[str, str]:
    return {
        "name": name,
        "runs": str(len(seconds)),
        "time": _duration(sum(seconds)),
        "each": _duration(sum(seconds) / len(seconds)),
        "speed": "",
        "parameters": "",
        "machine": "",
    }


def _seconds_noted(root: Path, rule: str, pattern: str) -> list[float]:
    """Return the seconds of a rule's jobs, from the files of its ``benchmark:``."""
    noted = []
    for path in sorted((root / "results/benchmarks" / rule).glob(f"{pattern}.tsv")):
        header, *lines = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
        noted += [float(line[header.index("s")]) for line in lines]
    return noted


def _runs(rows: list[Row]) -> list[dict[str, str]]:
    """Return a line per run, for the list that is folded away."""
    lines = []
    for name, runs in _all_runs(rows).items():
        for what, run in runs:
            top1 = run.result.get("top1")
            lines.append(
                {
                    "phase": name,
                    "what": what,
                    "id": run.id,
                    "epochs": str(run.result.get("epochs", "")),
                    "top1": percent(top1) if isinstance(top1, int | float) else "",
                    "time": _duration(run.seconds),
                    "command": f"kinefract {run.phase} results/{run.phase}/{run.id}/{SPEC_FILE}",
                }
            )
    return lines


def _versions(rows: list[Row]) -> list[tuple[str, str]]:
    """Return the distinct values of ``made_with``: more than one where runs were made differently."""
    runs = [entry for entries in _all_runs(rows).values() for entry in entries]
    keys = dict.fromkeys(key for _, run in runs for key in run.result.get("made_with", {}))
    return [(key, ", ".join(_distinct(runs, key))) for key in keys if key != "machine"]


def _distinct(runs: list[tuple[str, Run]], key: str) -> list[str]:
    values = (run.result.get("made_with", {}).get(key) for _, run in runs)
    return list(dict.fromkeys(str(value) for value in values if value is not None))


def _specs(root: Path, spec: StudySpec, rows: list[Row]) -> list[tuple[str, str]]:
    """Return (title, text) of every spec; of fine-tuning runs that differ in the seed alone, the first."""
    shown = [(f"Study: {spec.id}", spec.to_yaml())]
    folders = [("Dataset", root / DatasetSpec.PARENT / dataset) for dataset in spec.datasets]
    folders += [("Benchmark", root / BenchmarkSpec.PARENT / index) for index in spec.benchmarks.values()]
    folders += [("Pre-training", run.folder) for _, run in _all_runs(rows)["Pre-training"]]
    folders += [
        ("Fine-tuning", next(iter(cell.runs.values())).folder) for row in rows for cell in row.cells.values()
    ]
    for kind, folder in dict.fromkeys(folders):
        if (folder / SPEC_FILE).exists():
            shown.append((f"{kind}: {folder.name}", (folder / SPEC_FILE).read_text(encoding="utf-8")))
    return shown


def _duration(seconds: float) -> str:
    """Return ``42 s``, ``3 min 20 s`` or ``5 h 12 min``."""
    total = round(seconds)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60:02d} s"
    return f"{total // 3600} h {total % 3600 // 60:02d} min"

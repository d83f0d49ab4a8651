"""The making of a study: the time of each phase, the runs, and their versions and specs."""

from pathlib import Path
from typing import Any

from kinefract.common import checksums, job_times
from kinefract.common.layout import LOGS, PREDICTIONS, SPEC_FILE, TIMES
from kinefract.common.pages import link
from kinefract.common.words import duration
from kinefract.config.specs import BenchmarkSpec, DatasetSpec, StudySpec
from kinefract.report.results import Row, Run
from kinefract.report.samples import pretraining_of
from kinefract.report.words import percent


def _all_runs(rows: list[Row]) -> dict[str, list[tuple[str, Run]]]:
    """Return phase -> (description, run), each run once."""
    pretrains = {
        run.id: (row.label if len(row.pretrainings) == 1 else f"{row.label}, seed {seed}", run)
        for row in reversed(rows)
        for seed, run in reversed(row.pretrains.items())
        if run.result
    }
    finetunes = {
        run.id: (f"{row.label} on {benchmark}, seed {seed}", run)
        for row in rows
        for benchmark, cell in row.cells.items()
        for seed, run in cell.runs.items()
    }
    return {"Pre-training": list(pretrains.values())[::-1], "Fine-tuning": list(finetunes.values())}


def phases(root: Path, spec: StudySpec, rows: list[Row]) -> list[dict[str, str]]:
    """Return the cost of each phase: jobs, time, clips per second, machine.

    The time to make clips and indexes is that recorded by Snakemake; jobs run by hand have none.
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
        "time": duration(sum(seconds)),
        "each": duration(sum(seconds) / len(seconds)),
        "speed": "",
        "parameters": "",
        "machine": "",
    }


def _seconds_noted(root: Path, rule: str, pattern: str) -> list[float]:
    """Return the seconds of a rule's jobs, from the files of its ``benchmark:``."""
    noted = []
    for path in sorted((root / TIMES / rule).glob(f"{pattern}.tsv")):
        noted += [time.wall for time in job_times.read(path)]
    return noted


def runs(rows: list[Row], page: Path) -> list[dict[str, Any]]:
    """Return a line per run, for the collapsed list of runs.

    ``links`` of a line are names and addresses, relative to the page: the run's folder, its log and its
    predictions, where they are there.
    """
    lines = []
    for name, runs in _all_runs(rows).items():
        for what, run in runs:
            top1 = run.result.get("top1")
            root = run.folder.parents[2]
            folder = run.folder.relative_to(root)
            places = {
                "folder": run.folder,
                "log": root / LOGS / run.phase / f"{run.id}.log",
                "predictions": run.folder / PREDICTIONS,
            }
            lines.append(
                {
                    "phase": name,
                    "what": what,
                    "epochs": str(run.result.get("epochs", "")),
                    "top1": percent(top1) if isinstance(top1, int | float) else "",
                    "time": duration(run.seconds),
                    "links": [(text, link(place, page)) for text, place in places.items()],
                    "command": f"kinefract {run.phase} {folder}/{SPEC_FILE}",
                }
            )
    return lines


def versions(rows: list[Row]) -> list[tuple[str, str]]:
    """Return the distinct values of ``made_with``; there are several if runs were made differently."""
    runs = [entry for entries in _all_runs(rows).values() for entry in entries]
    keys = dict.fromkeys(key for _, run in runs for key in run.result.get("made_with", {}))
    return [(key, ", ".join(_distinct(runs, key))) for key in keys if key != "machine"]


def _distinct(runs: list[tuple[str, Run]], key: str) -> list[str]:
    values = (run.result.get("made_with", {}).get(key) for _, run in runs)
    return list(dict.fromkeys(str(value) for value in values if value is not None))


def specs(root: Path, spec: StudySpec, rows: list[Row]) -> list[tuple[str, str]]:
    """Return (title, text) of every spec; of fine-tuning runs that differ only in the seed, the first.

    A dataset that was never stored has no folder; its spec is taken from the run that rendered it.
    """
    shown = [(f"Study: {spec.id}", spec.to_yaml())]
    datasets = {used.dataset.id: used.dataset for row in rows if (used := pretraining_of(row))}
    folders = [("Dataset", root / DatasetSpec.PARENT / dataset) for dataset in spec.datasets]
    folders += [("Benchmark", root / BenchmarkSpec.PARENT / index) for index in spec.benchmarks.values()]
    folders += [("Pre-training", run.folder) for _, run in _all_runs(rows)["Pre-training"]]
    folders += [
        ("Fine-tuning", next(iter(cell.runs.values())).folder)
        for row in rows
        for cell in row.cells.values()
        if cell.runs
    ]
    for kind, folder in dict.fromkeys(folders):
        title = f"{kind}: {folder.name}"
        if (folder / SPEC_FILE).exists():
            shown.append((title, checksums.read_bytes(folder / SPEC_FILE).decode("utf-8")))
        elif folder.name in datasets:
            shown.append((title, datasets[folder.name].to_yaml()))
    return shown

"""Measure planning: `python speed/plan.py [--runs 1000] [--json plan.json]`.

Seconds of `kinefract plan --all` with this project's params.yaml; then of it and of `snakemake -n` with a
study of many runs: nothing made yet, and all but the last run done. Each is a process from start to end. The
study is in a folder of its own that holds this project's workflow.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from kinefract.common.files import write_json, write_text
from kinefract.common.provenance import machine, made_with
from kinefract.config import params, plan
from kinefract.config.specs import PretrainSpec

PROJECT = Path(__file__).resolve().parents[1]
REACH = {"plan": 3.0, "snakemake": 20.0}  # seconds
PRETRAINS = 10
PLAN = (sys.executable, "-m", "kinefract.cli", "plan")
SNAKEMAKE = (
    sys.executable,
    "-m",
    "snakemake",
    "-n",
    "--quiet",
    "all",
    "--cores",
    "2",
    "--profile",
    "workflow/profiles/default",
)


def many_runs(runs: int) -> dict:
    """Return the content of a params.yaml whose one study has so many runs."""
    content = yaml.safe_load((PROJECT / "params.yaml").read_text(encoding="utf-8"))
    study = {
        **content["studies"]["quickstart"],
        "vary": {"pretraining.epochs": list(range(5, 5 + PRETRAINS))},
        "seeds": list(range(1, runs // PRETRAINS)),
    }
    return {**content, "run": ["many"], "studies": {"many": study}}


def make_project(folder: Path, content: dict) -> plan.Plan:
    """Fill a folder as a clone has it, with these parameters; return its plan."""
    shutil.copytree(PROJECT / "workflow", folder / "workflow")
    shutil.copy(PROJECT / "Snakefile", folder)
    write_text(folder / "params.yaml", yaml.safe_dump(content, sort_keys=False))
    return plan.resolve(params.load(folder / "params.yaml"))


def finish(folder: Path, resolved: plan.Plan) -> None:
    """Put the files of all runs but the last in place, those that ``kinefract plan`` reads with content."""
    facts = {"clips_per_second": 50.0, "top1": 0.5, "made_with": {"machine": machine()}}
    tables = ("metrics.jsonl", "predictions.csv", "per_class.csv", "classes.json")
    empty = ("spec.yaml", *tables, "confusion.svg", "mistakes.png")
    for spec in (*resolved.pretrains.values(), *list(resolved.finetunes.values())[:-1]):
        place = folder / spec.folder
        phase = "pretrain" if isinstance(spec, PretrainSpec) else "finetune"
        result = {"id": spec.id, "phase": phase, "epochs": spec.recipe.epochs, **facts}
        write_json(place / "result.json", result)
        for name in (*empty, "model.safetensors"):
            (place / name).touch()


def seconds(command: tuple[str, ...], folder: Path, repeats: int) -> float:
    """Return the least time that a command takes, from start to end; the machine is shared with others."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
        )
        times.append(time.perf_counter() - start)
        if done.returncode:
            sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return min(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000, help="runs of the made study (default: 1000)")
    parser.add_argument("--repeats", type=int, default=1, help="the fastest of so many counts (default: 1)")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()

    figures = {"plan --all, every study of params.yaml": seconds((*PLAN, "--all"), PROJECT, options.repeats)}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        resolved = make_project(folder, many_runs(options.runs))
        runs = len(resolved.pretrains) + len(resolved.finetunes)
        for state in ("nothing made", "all but one done"):
            if state != "nothing made":
                finish(folder, resolved)
            figures[f"plan, {runs:,} runs, {state}"] = seconds((*PLAN, "--all"), folder, options.repeats)
            figures[f"snakemake -n, {runs:,} runs, {state}"] = seconds(SNAKEMAKE, folder, options.repeats)

    width = max(map(len, figures))
    print(f"{'':<{width}}  {'seconds':>7}  {'reach':>5}")
    for what, value in figures.items():
        print(f"{what:<{width}}  {value:>7.1f}  {REACH[what.split()[0].rstrip(',')]:>5.0f}")
    if options.json:
        write_json(options.json, {"seconds": figures, "made_with": made_with(PROJECT)})


if __name__ == "__main__":
    main()

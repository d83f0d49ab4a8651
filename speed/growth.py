"""Measure how the tools grow: `python speed/growth.py shards|waiting|files|mlflow [--sizes 1000]`.

- shards: `snakemake -n` with a dataset of so many shards, nothing made yet.
- waiting: Snakemake in twenty seconds in which two jobs run and 198 wait, when so many have finished; with
  its own rate of jobs, and with that of the default profile.
- files: `dvc status` with an output folder of so many files of 1 kB, after `dvc commit`, which stores them.
- mlflow: with so many finished fine-tunings in a project and its SQLite store: `kinefract sync`, which finds
  them there, the comparison with MLflow that `kinefract verify` makes, and the log of a study of ten of them.
  All runs of the store but one are copies, made by SQL.

Each other figure is of a process from start to end.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import plan as planning
import psutil
import yaml

from kinefract.common.files import write_json, write_text
from kinefract.common.provenance import made_with
from kinefract.config.specs import FinetuneSpec, StudySpec, Variant
from kinefract.tracking.labels import read_run
from kinefract.tracking.sync import sync

SIZES = {
    "shards": [1_000, 3_000, 10_000],
    "waiting": [100, 300],
    "files": [10_000, 30_000, 100_000],
    "mlflow": [500, 1_500, 5_000],
}
WAITING = """
rule all:
    input: expand("out/{{n}}.long", n=range(200))
rule short:
    output: touch("out/{{n}}.short")
rule middle:
    input: expand("out/{{n}}.short", n=range({size}))
    output: touch("out/middle")
rule long:
    input: "out/middle"
    output: touch("out/{{n}}.long")
    shell: "sleep 60"
"""
EPOCHS = 10
VARIANTS, SEEDS = ("scratch", "wider"), range(1, 6)  # of the study that is logged
LOG_STUDY = """
from pathlib import Path
from kinefract import tracking
from kinefract.config.specs import StudySpec
(spec,) = Path(StudySpec.PARENT).glob("*/spec.yaml")
assert len(tracking.log_study(Path.cwd(), StudySpec.read(spec), {}, [])) == 2
"""
COMPARE = """
from pathlib import Path
from kinefract import tracking
assert tracking.differences(Path.cwd()) == []
"""
Figures = dict[str, float]


def measured(folder: Path, *command: str) -> Figures:
    """Run a module or a program of Python; return seconds, seconds of CPU, and the most memory in MB."""
    start = time.perf_counter()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "true"}
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [sys.executable, *command], cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
        if status:
            output.seek(0)
            sys.exit(f"{' '.join(command)}: status {status}\n{output.read()[-3000:]}")
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "of CPU": used.ru_utime + used.ru_stime, "MB": used.ru_maxrss / 1000}


def shards(folder: Path, size: int) -> Iterator[tuple[str, Figures]]:
    """Measure `snakemake -n` for the study quickstart with a dataset of so many shards."""
    content = yaml.safe_load((planning.PROJECT / "params.yaml").read_text(encoding="utf-8"))
    dataset = content["datasets"]["fractal_quickstart"]
    dataset |= {"classes": 100, "clips_per_class": 10 * size, "clips_per_shard": 1000}
    planning.make_project(folder, content)
    yield "snakemake -n", measured(folder, *planning.SNAKEMAKE[1:])


def waiting(folder: Path, size: int) -> Iterator[tuple[str, Figures]]:
    """Measure Snakemake while jobs wait for others that run, after so many that have finished."""
    profile = yaml.safe_load((planning.PROJECT / "profiles/default/config.yaml").read_text(encoding="utf-8"))
    scheduler, rate = (f"--{key}={profile[key]}" for key in ("scheduler", "max-jobs-per-timespan"))
    for name, options in (("its own rate", []), ("the profile's", [rate])):
        place = folder / name.replace(" ", "_")
        write_text(place / "Snakefile", WAITING.format(size=size))
        command = [sys.executable, "-m", "snakemake", "--cores=2", scheduler, *options]
        process = psutil.Popen(command, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        while not (place / "out/middle").exists():
            if process.poll() is not None:
                sys.exit(f"{' '.join(command)}: status {process.returncode}")
            time.sleep(1)
        time.sleep(5)
        start, before = time.perf_counter(), process.cpu_times()
        time.sleep(20)
        after, seconds = process.cpu_times(), time.perf_counter() - start
        used = after.user + after.system - before.user - before.system
        yield name, {"seconds": seconds, "of CPU": used, "MB": process.memory_info().rss / 1e6}
        for started in [*process.children(recursive=True), process]:
            started.kill()
        process.wait()


def files(folder: Path, size: int) -> Iterator[tuple[str, Figures]]:
    """Measure DVC with one stage whose output is a folder of so many files."""
    for number in range(size):
        if number % 1000 == 0:
            place = folder / "out" / f"{number // 1000:05d}"
            place.mkdir(parents=True)
        (place / f"{number:08d}").write_bytes(number.to_bytes(8, "little") * 128)
    stage = {"cmd": "true", "outs": [{"out": {"cache": True}}]}
    write_text(folder / "dvc.yaml", yaml.safe_dump({"stages": {"all": stage}}))
    measured(folder, "-m", "dvc", "init", "--no-scm", "--quiet")
    yield "dvc commit", measured(folder, "-m", "dvc", "commit", "--force", "--quiet")
    yield "dvc status", measured(folder, "-m", "dvc", "status")


def mlflow(folder: Path, size: int) -> Iterator[tuple[str, Figures]]:
    """Measure what kinefract asks MLflow for, with so many fine-tunings in its store."""
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    write_text(folder / "params.yaml", "{}")
    specs = [finished(folder, seed) for seed in range(1, size + 1)]
    sync(folder, [folder / specs[0].folder])
    copy_run(folder, specs)
    yield "kinefract sync", measured(folder, "-m", "kinefract.cli", "sync")
    yield "comparison", measured(folder, "-c", COMPARE)
    study(specs).write(folder)
    yield "log of a study", measured(folder, "-c", LOG_STUDY)
    with closing(sqlite3.connect(folder / "results/mlflow/mlflow.db")) as connection:
        rows = connection.execute("SELECT count(*) FROM tags WHERE key = 'study.growth'").fetchone()
        assert rows[0] == len(VARIANTS) * len(SEEDS), rows


def finished(folder: Path, seed: int) -> FinetuneSpec:
    """Leave what a finished fine-tuning leaves, as far as it is logged; return its spec."""
    network = {"backbone": "tsm_resnet18", "width": 8}
    parts = {"recipe": {}, "network": network, "benchmark": {"recipe": {"kind": "motions"}}, "init": None}
    spec = FinetuneSpec.model_validate({**parts, "seed": seed})
    place = spec.write(folder).parent
    lines = [{"epoch": n, "loss": 1 / n, "top1": 0.5, "seconds": 1.0 + n} for n in range(1, EPOCHS + 1)]
    (place / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = {"id": spec.id, "phase": "finetune", "epochs": EPOCHS, "loss": 0.1, "top1": 0.5, "top5": 0.9}
    (place / "result.json").write_text(json.dumps({**result, "made_with": {"commit": "0"}}))
    (place / "model.safetensors").write_text("weights")
    return spec


def study(specs: list[FinetuneSpec]) -> StudySpec:
    """Return a study of the last fine-tunings."""
    ids = iter([spec.id for spec in specs[-len(VARIANTS) * len(SEEDS) :]])
    variants = [
        Variant(label=label, values={}, pretrains={}, runs={"motions": {seed: next(ids) for seed in SEEDS}})
        for label in VARIANTS
    ]
    return StudySpec(study="growth", question="How?", variants=variants, benchmarks={}, datasets=[])


def copy_run(folder: Path, specs: list[FinetuneSpec]) -> None:
    """Copy the run of the first spec for all the others, with tags of their own."""
    with closing(sqlite3.connect(folder / "results/mlflow/mlflow.db")) as store, store:
        store.row_factory = sqlite3.Row
        (first,) = (row["run_uuid"] for row in store.execute("SELECT run_uuid FROM runs"))
        tables = ("runs", "params", "tags", "metrics", "latest_metrics")
        rows = {
            table: [dict(row) for row in store.execute(f"SELECT * FROM {table} WHERE run_uuid = ?", (first,))]
            for table in tables
        }
        rows["inputs"] = [
            dict(row) for row in store.execute("SELECT * FROM inputs WHERE destination_id = ?", (first,))
        ]
        for spec in specs[1:]:
            run = uuid.uuid4().hex
            content = read_run(folder / spec.folder).content
            own = {"digest": spec.digest, "name": spec.id, "mlflow.runName": spec.id, "seed": spec.seed}
            own["content"] = content
            for table, found in rows.items():
                for row in found:
                    changed = {key: run if value == first else value for key, value in row.items()}
                    if table == "tags":
                        changed["value"] = str(own.get(row["key"], row["value"]))
                    elif table == "runs":
                        changed |= {"name": spec.id, "artifact_uri": row["artifact_uri"].replace(first, run)}
                    elif table == "inputs":
                        changed["input_uuid"] = uuid.uuid4().hex
                    marks = ", ".join("?" * len(changed))
                    names = ", ".join(changed)
                    store.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(changed.values()))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=list(SIZES))
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of shards, files or runs")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    rows = []
    print(f"| {options.what} | | seconds | of CPU | MB |\n|---|---|---|---|---|")
    for size in options.sizes or SIZES[options.what]:
        with tempfile.TemporaryDirectory() as folder:
            for what, figures in globals()[options.what](Path(folder), size):
                rows.append({options.what: size, "what": what, **figures})
                shown = " | ".join(
                    f"{value:.0f}" if key == "MB" else f"{value:.1f}" for key, value in figures.items()
                )
                print(f"| {size:,} | {what} | {shown} |", flush=True)
    if options.json:
        write_json(options.json, {"rows": rows, "made_with": made_with(planning.PROJECT)})


if __name__ == "__main__":
    main()

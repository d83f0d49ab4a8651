"""What the number of processes changes: a study's pre-training by 1, 2, 4 and 2 x 2 processes, on CPUs.

    python tests/cluster/processes.py [--study quickstart]

Each arrangement pre-trains by the same spec in a project of its own, and one fine-tuning starts from the
weights. The table shows the loss of the last epoch, the greatest difference from one process in the loss of
the first and of any epoch and in weights (of a tensor's greatest value), and the top-1 of the fine-tuning.
Two nodes are two agents on this machine. One process with a thread more says what the order of sums alone
changes: whoever takes several processes for another result has to compare with that row.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import projects

from kinefract.config import params, plan
from kinefract.config.specs import FinetuneSpec, PretrainSpec

ARRANGEMENTS = (
    (1, 1, 0),
    (1, 1, 1),
    (2, 1, 0),
    (4, 1, 0),
    (2, 2, 0),
)  # processes a node, nodes, more threads
RENDEZVOUS = "KINEFRACT_RENDEZVOUS"


def pretrained(project: Path, spec: PretrainSpec, devices: int, nodes: int) -> float:
    """Pre-train with so many processes; return the seconds that it took."""
    path = spec.write(project)
    env = projects.environment(OMP_NUM_THREADS=str(spec.recipe.threads))
    if nodes > 1:
        with socket.create_server(("127.0.0.1", 0)) as server:
            env[RENDEZVOUS] = f"localhost:{server.getsockname()[1]}"
    command = ["kinefract", "pretrain", str(path), f"--devices={devices}", f"--nodes={nodes}", "--workers=1"]
    start = time.monotonic()
    agents = [subprocess.Popen(command, cwd=project, env=env) for _ in range(nodes)]
    if any([agent.wait() for agent in agents]):
        raise SystemExit(f"{devices} x {nodes}: failed")
    return time.monotonic() - start


def measured(project: Path, spec: PretrainSpec, finetune: FinetuneSpec) -> dict:
    """Fine-tune from the weights of a project; return losses, weights and top-1."""
    path = finetune.write(project)
    subprocess.run(["kinefract", "finetune", str(path)], cwd=project, env=projects.environment(), check=True)
    epochs = (project / spec.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return {
        "losses": [json.loads(line)["loss"] for line in epochs],
        "weights": load_file(project / spec.folder / "model.safetensors"),
        "top1": json.loads((path.parent / "result.json").read_text(encoding="utf-8"))["top1"],
    }


def compared(one: dict, other: dict) -> dict:
    """Return the figures of an arrangement beside those of one process."""
    weights = [
        ((value - one["weights"][name]).abs().max() / one["weights"][name].abs().max()).item()
        for name, value in other["weights"].items()
        if value.is_floating_point()
    ]
    losses = [abs(a - b) for a, b in zip(one["losses"], other["losses"], strict=True)]
    return {
        "loss": f"{other['losses'][-1]:.4f}",
        "greatest difference of a loss": f"{max(losses):.1e}",
        "of the first epoch's": f"{losses[0]:.1e}",
        "of a weight": f"{max(weights):.1e}",
        "top-1": f"{100 * other['top1']:.1f} %",
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", default="quickstart")
    options = parser.parse_args()
    resolved = plan.resolve(params.load(projects.REPOSITORY / "params.yaml"))
    finetune = next(
        spec
        for run in resolved.study(options.study).runs
        if isinstance((spec := resolved.find(run)).init, PretrainSpec)
    )
    spec, folder, found = finetune.init, Path(tempfile.mkdtemp(prefix="processes-")), []
    source = folder / "source"
    subprocess.run(["git", "clone", "-q", projects.REPOSITORY, source], check=True)
    wanted = [f"{spec.dataset.folder}/manifest.csv", f"{finetune.benchmark.folder}/index.csv"]
    subprocess.run(
        ["snakemake", "--cores", str(os.cpu_count()), *wanted],
        cwd=source,
        env=projects.environment(),
        check=True,
    )
    print(f"torch {torch.__version__}, {os.cpu_count()} cores, {spec.id}")
    for devices, nodes, more in ARRANGEMENTS:
        project = folder / f"{devices}x{nodes}x{more}"
        project.mkdir()
        (project / "data").symlink_to(source / "data")
        recipe = spec.recipe.model_copy(update={"threads": spec.recipe.threads + more})
        arranged_spec = spec.model_copy(update={"recipe": recipe})
        seconds = pretrained(project, arranged_spec, devices, nodes)
        tuning = finetune.model_copy(update={"init": arranged_spec})
        found.append(measured(project, arranged_spec, tuning))
        figures = compared(found[0], found[-1])
        arranged = {
            "processes": devices * nodes,
            "nodes": nodes,
            "threads": recipe.threads,
            **figures,
            "seconds": f"{seconds:.0f}",
        }
        print("| " + " | ".join(map(str, arranged.values())) + " |", flush=True)
    print("columns: " + " | ".join(arranged))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()

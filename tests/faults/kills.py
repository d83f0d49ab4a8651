"""Random kills over a whole study, again and again, each followed by a start: the end must be the same.

    python tests/faults/kills.py --kills 300

A round makes a project and starts ``snakemake`` in it. At a random moment it kills the whole process
group, one process of a job, Snakemake alone, or sends SIGTERM to the group. Then it starts again, until the
round has had its kills. The last start is left alone. The results then have to be those of a project that
nothing disturbed, byte for byte. MLflow has to hold each of them once, and nothing half-written may be left.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import projects

from kinefract.common import strict_yaml

HANGS = 1800.0  # seconds after which a process is taken to hang
WAYS = ("group", "job", "snakemake", "term")
# What does not depend on times: clips, indexes, weights, predictions, and the study's figures.
COMPARED = (
    "data/synthetic/*/manifest.csv",
    "data/synthetic/*/shards/*",
    "data/benchmarks/*/index.csv",
    "data/benchmarks/*/videos/*/*/*",
    "results/*/*/model.safetensors",
    "results/finetune/*/predictions.csv",
    "results/finetune/*/per_class.csv",
    "results/studies/*/metrics.json",
    "results/studies/*/table.csv",
    "results/studies/*/top1.svg",
)
LEFT = (
    ".*.partial*",
    ".*.lock",
    ".lock",
    "checkpoint.pt",
    "progress.jsonl",
    ".*.removed",
)  # of jobs that did not end


def parameters() -> dict:
    """Return the parameters of the small study, with one seed."""
    content = {"weights": {}, **strict_yaml.read(projects.REPOSITORY / ".test/params.yaml")}
    content["studies"]["tiny"]["seeds"] = [1]
    return content


def contents(project: Path) -> dict[str, bytes]:
    """Return the compared files of a project by their path."""
    paths = [path for pattern in COMPARED for path in project.glob(pattern) if not path.parent.is_symlink()]
    return {str(path.relative_to(project)): path.read_bytes() for path in paths}


def members(session: int) -> list[int]:
    """Return the processes of a session that have not ended, in the order of their numbers."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            state, _, _, of = entry.joinpath("stat").read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue
        if entry.name.isdigit() and int(of) == session and state not in "ZX":
            found.append(int(entry.name))
    return sorted(found)


def kill(process: subprocess.Popen, way: str, rng: random.Random) -> None:
    """Kill in one of the ways; SIGTERM and Snakemake's death leave jobs that end by themselves."""
    others = [member for member in members(process.pid) if member != process.pid]
    if way == "job" and others:
        os.kill(rng.choice(others), signal.SIGKILL)
    elif way == "snakemake":
        os.kill(process.pid, signal.SIGKILL)
    else:
        os.killpg(process.pid, signal.SIGTERM if way == "term" else signal.SIGKILL)


def lasted(process: subprocess.Popen, seconds: float, from_start: bool) -> bool:
    """Wait so long after Snakemake's start, or after that of its first job; return whether it still runs."""
    while not from_start and process.poll() is None and len(members(process.pid)) < 2:
        time.sleep(0.05)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def ended(process: subprocess.Popen, patience: float = HANGS) -> bool:
    """Wait until all processes of a session have ended; return whether they did in time."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        process.poll()
        if not members(process.pid):
            process.wait()
            return True
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    return False


def start(project: Path, log: Path) -> subprocess.Popen:
    """Start ``snakemake`` in a session of its own, as a user would after a kill; its output goes to a log."""
    subprocess.run(["snakemake", "--unlock"], cwd=project, env=projects.environment(), capture_output=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            ["snakemake", "--cores", "1"],
            cwd=project,
            env=projects.environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def one_round(
    folder: Path, expected: dict[str, bytes], kills: int, rng: random.Random, longest: float
) -> Counter:
    """Make a project with so many kills on the way; return counts of kills by way and of all that went wrong.

    Args:
        folder: The folder of the project, which does not exist yet.
        expected: The compared files of an undisturbed project.
        kills: The number of kills.
        rng: Draws ways and moments.
        longest: The latest moment of a kill, in seconds after the start of a job or of Snakemake.
    """
    counts: Counter = Counter()
    project, log = projects.new_project(folder, parameters()), folder.with_suffix(".log")
    for _ in range(kills):
        process = start(project, log)
        way, seconds, from_start = rng.choice(WAYS), rng.uniform(0, longest), rng.random() < 0.2
        if lasted(process, seconds, from_start):
            kill(process, way, rng)
            counts[f"kill {way}"] += 1
        elif process.returncode == 0:
            break  # all is made
        counts["hang"] += not ended(process)
    process = start(project, log)
    counts["hang"] += not ended(process)
    counts["unfinished"] += process.returncode != 0
    for command in (["snakemake", "--unlock"], ["snakemake", "-n"], ["kinefract", "verify"]):
        done = subprocess.run(
            command, cwd=project, env=projects.environment(), capture_output=True, text=True
        )
        with log.open("a") as output:
            output.write(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}")
        if command[-1] == "-n" and projects.NOTHING not in done.stdout:
            counts["not up to date"] += 1
        if command[0] == "kinefract" and done.returncode:
            counts["not as written, or MLflow not whole"] += 1
    found = contents(project)
    counts["other bytes"] += sum(found.get(name) != content for name, content in expected.items())
    counts["other bytes"] += len(found.keys() - expected.keys())
    projects.run(project, "kinefract", "prune", "--yes")
    tops = [project / "data", project / "results"]
    counts["left over"] += sum(len(list(top.rglob(name))) for top in tops for name in LEFT)
    texts = [log.read_text(errors="replace")]
    texts += [path.read_text(errors="replace") for path in (project / "results/logs").rglob("*.log")]
    counts["traceback"] += sum(text.count("Traceback (most recent call last)") for text in texts)
    counts["rounds"] += 1
    return +counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=300, help="in all  [default: 300]")
    parser.add_argument("--each", type=int, default=12, help="of a round  [default: 12]")
    parser.add_argument("--latest", type=float, default=6, help="moment of a kill in seconds  [default: 6]")
    parser.add_argument("--seed", type=int, default=0, help="of ways and moments  [default: 0]")
    parser.add_argument("--keep", type=Path, help="where projects that went wrong are kept")
    options = parser.parse_args()
    rng, counts = random.Random(options.seed), Counter()
    place = options.keep or Path(tempfile.mkdtemp(prefix="kills-"))
    place.mkdir(parents=True, exist_ok=True)
    alone = projects.new_project(place / "alone", parameters())
    projects.run(alone, "snakemake", "--cores", "1")
    expected, began = contents(alone), time.monotonic()
    while (done := sum(count for key, count in counts.items() if key.startswith("kill"))) < options.kills:
        folder = place / f"round{counts['rounds']:03d}"
        found = one_round(folder, expected, min(options.each, options.kills - done), rng, options.latest)
        counts += found
        wrong = {key: count for key, count in found.items() if not key.startswith("kill") and key != "rounds"}
        print(json.dumps({"kills": done, "seconds": round(time.monotonic() - began), **wrong}), flush=True)
        if not wrong:
            shutil.rmtree(folder)
            folder.with_suffix(".log").unlink()
    print(json.dumps(counts, indent=2))
    return int(any(not key.startswith("kill") and key != "rounds" for key in counts))


if __name__ == "__main__":
    sys.exit(main())

"""Projects in folders of their own, and the real tools run in them as separate processes."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import yaml

from kinefract import video
from kinefract.config import params, plan

REPOSITORY = Path(__file__).resolve().parents[1]
PROJECT_FILES = (
    *("Snakefile", "workflow", "profiles", "dvc.yaml", ".dvc", ".dvcignore", ".gitignore"),
    "config/README.md",
    "results/README.md",
)
PROGRAMS = Path(sys.executable).parent
PATIENCE = 900  # seconds until a process is taken to hang
NOTHING = "Nothing to be done"


def write_noise(folder: Path, lengths: Iterable[int]) -> list[str]:
    """Write a video of noise of 40 px for each number of frames; return ``<name>,<a or b>`` of each."""
    rng, listed = np.random.Generator(np.random.Philox(1)), []
    for number, length in enumerate(lengths):
        frames = rng.integers(0, 256, (length, 40, 40), dtype=np.uint8)
        (folder / f"{number}.mp4").write_bytes(video.encode(frames, 12, 20))
        listed.append(f"{number}.mp4,{'ab'[number % 2]}")
    return listed


def environment(**changes: str) -> dict[str, str]:
    """Return what processes see: this Python's programs first, one thread, no GPU, nothing of the user's."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "DVC", "GIT"))
    }
    return {
        **kept,
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",  # equal bytes are promised on a CPU
        "DVC_NO_ANALYTICS": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "user.name",
        "GIT_CONFIG_VALUE_0": "Test",
        "GIT_CONFIG_KEY_1": "user.email",
        "GIT_CONFIG_VALUE_1": "test@example.org",
        **changes,
    }


def without_mlflow(folder: Path) -> dict[str, str]:
    """Return an environment in which MLflow is not installed, which saves each process its import."""
    folder.mkdir(exist_ok=True)
    (folder / "mlflow.py").write_text("raise ImportError\n")
    searched = os.environ.get("PYTHONPATH")
    return environment(PYTHONPATH=f"{folder}{os.pathsep}{searched}" if searched else str(folder))


def run(
    folder: Path, *command: str, code: int = 0, env: dict[str, str] | None = None, **options
) -> subprocess.CompletedProcess[str]:
    """Run a command in a project, its output as text; fail with that output unless it exits with ``code``."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=env or environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        **options,
    )
    assert done.returncode == code, f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}"
    return done


def refused(folder: Path, *command: str, env: dict[str, str] | None = None, **options) -> str:
    """Run a command that must end with exit code 1 and one error for people; return what it printed."""
    text = run(folder, *command, code=1, env=env, **options).stdout
    assert "Traceback" not in text
    assert text.count("WorkflowError" if command[0] == "snakemake" else "error:") == 1, text
    return text


def start(folder: Path, *command: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """Start a command in a process group of its own, so that it can be killed with all its children."""
    return subprocess.Popen(
        [str(word) for word in command],
        cwd=folder,
        env=env or environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kill_when(process: subprocess.Popen[str], there: Callable[[], bool]) -> None:
    """Send SIGKILL to a whole process group as soon as ``there()``; the process must still be running."""
    end = time.monotonic() + PATIENCE
    while not there():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < end, "waited too long for the moment to kill"
        time.sleep(0.01)
    kill(process)


def kill_at(process: subprocess.Popen[str], text: str) -> None:
    """Send SIGKILL to a whole process group as soon as it prints a line that holds ``text``."""
    seen = []
    for line in process.stdout:
        seen.append(line)
        if text in line:
            return kill(process)
    raise AssertionError("".join(seen))


def kill(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.stdout.close()
    process.wait()


def new_project(folder: Path, content: dict) -> Path:
    """Make a project folder as a clone has it, with these parameters and nothing made yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in PROJECT_FILES:
        source = REPOSITORY / name
        (folder / name).parent.mkdir(exist_ok=True)
        if source.is_symlink():
            (folder / name).symlink_to(source.readlink())
        elif source.is_dir():
            ignored = shutil.ignore_patterns("cache", "tmp", "config.local")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)
    write(folder, content)
    return folder


def write(project: Path, content: dict, name: str = "params.yaml") -> None:
    path = project / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def edit(project: Path, section: str, name: str, key: str, value: object) -> str:
    """Change one setting in params.yaml; return the file's former text."""
    path = project / "params.yaml"
    before = path.read_text(encoding="utf-8")
    content = yaml.safe_load(before)
    content[section][name][key] = value
    write(project, content)
    return before


def commit(project: Path) -> None:
    run(project, "git", "add", "-A")
    run(project, "git", "commit", "-qm", "state")


def resolved(project: Path) -> plan.Plan:
    return plan.resolve(params.load(project / "params.yaml"))


def write_spec(project: Path, phase: str) -> Path:
    """Write the spec of a project's first run of a phase that is not from scratch; return its path."""
    specs = getattr(resolved(project), phase).values()
    return next(spec for spec in specs if getattr(spec, "init", True)).write(project)


def jobs(listing: str) -> dict[str, int]:
    """Return the number of jobs by rule, from the table that `snakemake -n` prints."""
    table = listing.partition("Job stats:")[2].partition("\n\n")[0]
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}


def outputs(listing: str) -> list[str]:
    """Return the files that the jobs listed by `snakemake -n` would make."""
    return [
        path for line in re.findall(r"^ +output: (.*)$", listing, re.MULTILINE) for path in line.split(", ")
    ]

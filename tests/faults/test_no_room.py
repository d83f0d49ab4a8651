"""A full disk in each phase: one line, nothing half-written, and with room the same result.

A limit on the size of files stands in for a full disk: the same failing write, without root.
"""

import resource
import shutil
from pathlib import Path

import pytest
from projects import refused, run, without_mlflow

from kinefract.common.layout import SPEC_FILE

# The job, its folder, what it makes, of which files the first is too large, and the limit in bytes.
JOBS = {
    "shard": ("data/synthetic/*", ["shards/00000.tar", "shards/00000.csv"], 20_000),
    "dataset": ("data/synthetic/*", ["preview.mp4", "card.json", "card.html", "manifest.csv"], 5_000),
    "index": ("data/benchmarks/*", ["preview.mp4", "index.csv"], 20_000),
    "pretrain": ("results/pretrain/*", ["model.safetensors", "result.json"], 100_000),
    "finetune": ("results/finetune/motions-scratch-*", ["model.safetensors", "result.json"], 100_000),
    "study": ("results/studies/tiny-*", ["index.html", "table.csv"], 20_000),
}


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.long
def test_a_full_disk_ends_a_job_with_one_line_and_room_lets_it_go_on(finished, tmp_path, job):
    project = Path(shutil.copytree(finished, tmp_path / "project", symlinks=True))
    place, names, limit = JOBS[job]
    folder = next(path for path in sorted(project.glob(place)) if not path.is_symlink())
    before = {name: (folder / name).read_bytes() for name in names}
    for name in (*names, "SHA256SUMS"):
        (folder / name).unlink(missing_ok=True)
    there = {path for path in folder.rglob("*") if path.is_file()}
    env = without_mlflow(tmp_path / "without")
    command = ["kinefract", job, str(folder / SPEC_FILE), *["0"] * (job == "shard")]

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    text = refused(project, *command, env=env, preexec_fn=full)
    last = text.strip().splitlines()[-1]
    assert "File too large" in last
    assert not (folder / names[-1]).exists() or job in ("pretrain", "finetune", "study")
    assert not list(folder.rglob(".*.partial*")) and not (folder / "SHA256SUMS").exists()

    run(project, *command, env=env)
    compared = [name for name in names if name not in ("result.json", "card.json", "card.html", "index.html")]
    assert [name for name in compared if (folder / name).read_bytes() != before[name]] == []
    gone = {path.name for path in there if not path.exists()}
    assert gone <= {"checkpoint.pt", "progress.jsonl"}

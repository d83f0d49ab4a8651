"""MLflow, the real one on SQLite: each run and each number once, and no harm where it cannot be had."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from kinefract import tracking
from kinefract.specs import StudySpec, Variant
from kinefract.tracking import Tracker

DIGEST = "0123456789ab"
JOB = """
import sys
from kinefract.tracking import Tracker
tracker = Tracker.open(sys.argv[1], "pretrain", "run", sys.argv[2], {"seed": 1}, {}, False)
for epoch in range(1, 31):
    tracker.log_epoch({"loss": 1.0, "top1": 0.5}, epoch)
tracker.finish({})
"""


@pytest.fixture(autouse=True)
def default_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No store but the project's, and failures of one test forgotten by the next."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield
    tracking._given_up.clear()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a new store. Not to be changed by a test."""
    root = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        tracking.prepare(root, ["quickstart"])
    return root


@pytest.fixture
def root(prepared: Path, tmp_path: Path) -> Path:
    """A project of the test's own, its store a copy of the prepared one."""
    shutil.copytree(prepared, tmp_path / "project")
    return tmp_path / "project"


def client(root: Path) -> MlflowClient:
    return MlflowClient(tracking_uri=tracking.store_uri(root))


def runs(root: Path, experiment: str) -> list:
    found = client(root).get_experiment_by_name(experiment)
    return list(client(root).search_runs([found.experiment_id]))


def open_run(root: Path, resumed: bool = False, digest: str = DIGEST) -> Tracker:
    params = {"pretraining.lr": 1e-3, "dataset.classes": 24}
    return Tracker.open(root, "pretrain", f"fractal-{digest}", digest, params, {"commit": "abc"}, resumed)


def steps(root: Path, run_id: str, key: str) -> list[tuple[int, float]]:
    return [(metric.step, metric.value) for metric in client(root).get_metric_history(run_id, key)]


def test_prepare_makes_the_experiments_and_again_changes_nothing(
    root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    listings = []
    for _ in range(2):
        tracking.prepare(root, ["quickstart"])
        listings.append({item.name: vars(item) for item in client(root).search_experiments()})
    assert listings[0].keys() == {"Default", "pretrain", "finetune", "study/quickstart"}
    assert listings[0] == listings[1]
    assert capfd.readouterr() == ("", "")


def test_four_first_jobs_at_once_make_one_store_and_lose_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", JOB, str(tmp_path), str(number)], env=environment, stderr=subprocess.PIPE
        )
        for number in range(4)
    ]
    assert [job.communicate(timeout=120)[1] for job in jobs] == [b""] * 4
    assert {path.name for path in (tmp_path / "results/mlflow").iterdir()} == {"mlflow.db", ".lock"}
    found = runs(tmp_path, "pretrain")
    assert sorted(run.data.tags["digest"] for run in found) == ["0", "1", "2", "3"]
    for run in found:
        for key in ("loss", "top1"):
            assert [step for step, _ in steps(tmp_path, run.info.run_id, key)] == list(range(1, 31))


def test_a_making_cut_short_is_begun_anew(tmp_path: Path) -> None:
    folder = tmp_path / "results/mlflow"
    folder.mkdir(parents=True)
    (folder / ".mlflow.partial.db").write_bytes(b"half a database")
    tracking.prepare(tmp_path)
    assert {path.name for path in folder.iterdir()} == {"mlflow.db", ".lock"}
    assert runs(tmp_path, "pretrain") == []


def test_a_run_holds_parameters_tags_curves_and_results(root: Path, tmp_path: Path) -> None:
    tracker = open_run(root)
    tracker.log_epoch({"epoch": 1, "loss": 2.0, "note": "text", "done": True}, 1)
    tracker.log_epoch({"epoch": 2, "loss": 1.5}, 2)
    (tmp_path / "small.txt").write_text("small")
    tracker.log_artifact(tmp_path / "small.txt")
    with (tmp_path / "large.bin").open("wb") as stream:
        stream.truncate(tracking.LARGEST_ARTIFACT + 1)
    tracker.log_artifact(tmp_path / "large.bin")
    tracker.finish(
        {"phase": "pretrain", "top1": 0.5, "epochs": 2, "model": "a/b", "made_with": {"torch": "2.13"}}
    )
    (run,) = runs(root, "pretrain")
    assert run.info.status == "FINISHED"
    assert run.info.run_name == f"fractal-{DIGEST}"
    assert run.data.params == {"pretraining.lr": "0.001", "dataset.classes": "24"}
    assert steps(root, run.info.run_id, "loss") == [(1, 2.0), (2, 1.5)]
    assert run.data.metrics == {"loss": 1.5, "final/top1": 0.5, "final/epochs": 2}
    expected = {
        "phase": "pretrain",
        "digest": DIGEST,
        "commit": "abc",
        "model": "a/b",
        "made_with.torch": "2.13",
    }
    assert expected.items() <= run.data.tags.items()
    assert [item.path for item in client(root).list_artifacts(run.info.run_id)] == ["small.txt"]
    assert list((root / "results/mlflow/artifacts/pretrain").rglob("small.txt"))


def test_results_on_test_videos_do_not_mix_with_training_curves(root: Path) -> None:
    tracker = Tracker.open(root, "finetune", "motions-x", "x", {}, {}, resumed=False)
    tracker.log_epoch({"top1": 0.9}, 1)
    tracker.finish(
        {"phase": "finetune", "top1": 0.6, "top5": 0.8, "videos": 240, "seconds": 9.0, "epochs": 1}
    )
    (run,) = runs(root, "finetune")
    assert run.data.metrics == {
        "top1": 0.9, "test/top1": 0.6, "test/top5": 0.8, "test/videos": 240, "final/seconds": 9.0,
        "final/epochs": 1,
    }  # fmt: skip


def test_a_repeated_job_replaces_its_run(root: Path) -> None:
    open_run(root).finish({})
    other = open_run(root, digest="ffffffffffff")
    tracker = open_run(root)
    tracker.log_epoch({"loss": 7.0}, 1)
    tracker.finish({})
    other.finish({})
    found = {run.data.tags["digest"]: run for run in runs(root, "pretrain")}
    assert len(runs(root, "pretrain")) == 2
    assert found[DIGEST].data.metrics == {"loss": 7.0}


def test_a_resumed_job_goes_on_in_its_run_with_each_epoch_once(root: Path) -> None:
    killed = open_run(root)
    for epoch in (1, 2, 3):
        killed.log_epoch({"loss": 10.0 - epoch, "speed": 1.0}, epoch)
    # The checkpoint is of epoch 2, and epoch 4 once was in metrics.jsonl alone.
    for _ in range(2):
        tracker = open_run(root, resumed=True)
        for epoch in (1, 2, 3, 4, 5):
            tracker.log_epoch({"loss": 10.0 - epoch, "speed": 99.0}, epoch)
            tracker.log_epoch({"loss": 10.0 - epoch, "speed": 99.0}, epoch)
        tracker.finish({"loss": 5.0, "epochs": 5})
    (run,) = runs(root, "pretrain")
    assert run.info.status == "FINISHED"
    assert steps(root, run.info.run_id, "loss") == [(epoch, 10.0 - epoch) for epoch in (1, 2, 3, 4, 5)]
    assert [step for step, _ in steps(root, run.info.run_id, "speed")] == [1, 2, 3, 4, 5]
    assert steps(root, run.info.run_id, "final/loss") == [(5, 5.0)]


def test_a_failed_run_says_so_and_can_be_resumed(root: Path) -> None:
    open_run(root).fail()
    assert [run.info.status for run in runs(root, "pretrain")] == ["FAILED"]
    open_run(root, resumed=True)
    assert [run.info.status for run in runs(root, "pretrain")] == ["RUNNING"]


def test_a_resumed_job_without_a_run_begins_one(root: Path) -> None:
    open_run(root, resumed=True)
    assert len(runs(root, "pretrain")) == 1


def study(question: str = "Does it help?", seed: int = 1) -> StudySpec:
    variants = [
        Variant(
            label=label,
            values={"pretraining.objective": label},
            pretrain=pretrain,
            runs={"motions": {seed: f"motions-{label}-{seed}"}},
        )
        for label, pretrain in (("scratch", None), ("supervised", "fractal-1"))
    ]
    return StudySpec(
        study="quickstart", question=question, variants=variants, benchmarks={"motions": "m-1"}, datasets=[]
    )


METRICS = {
    "scratch": {"motions": {"top1": 0.4, "top5": 0.7, "n": 1}},
    "supervised": {"motions": {"top1": 0.6, "top1_std": 0.02, "top5": 0.8, "n": 3}},
}


def test_a_study_is_one_run_per_variant_with_varied_parameters_only(root: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("a,b\n")
    for question in ("Does it help?", "Does it help?", "Asked otherwise?"):
        tracking.log_study(root, study(question), METRICS, [table])
    found = {run.info.run_name: run for run in runs(root, "study/quickstart")}
    assert len(runs(root, "study/quickstart")) == 2
    assert found["scratch"].data.params == {"pretraining.objective": "scratch"}
    assert found["scratch"].data.metrics == {"motions/top1": 0.4, "motions/top5": 0.7, "motions/top1_n": 1}
    assert found["supervised"].data.metrics["motions/top1_std"] == 0.02
    assert found["supervised"].data.tags["study_digest"] == study("Asked otherwise?").digest
    files = client(root).list_artifacts(found["supervised"].info.run_id)
    assert [item.path for item in files] == ["table.csv"]


def test_variants_of_other_runs_are_other_runs(root: Path) -> None:
    tracking.log_study(root, study(seed=1), METRICS, [])
    tracking.log_study(root, study(seed=2), METRICS, [])
    assert len(runs(root, "study/quickstart")) == 4


def test_a_moved_project_keeps_its_artifacts_with_it(root: Path, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("note")
    open_run(root).log_artifact(tmp_path / "note.txt")
    moved = root.rename(tmp_path / "moved to here")
    tracking.prepare(moved)
    (run,) = runs(moved, "pretrain")
    assert [item.path for item in client(moved).list_artifacts(run.info.run_id)] == ["note.txt"]
    open_run(moved, digest="ffffffffffff").log_artifact(tmp_path / "note.txt")
    assert not root.exists()


def test_an_unreachable_server_costs_one_line_and_little_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    start = time.monotonic()
    tracking.prepare(tmp_path, ["quickstart"])
    tracker = open_run(tmp_path)
    for epoch in range(1, 101):
        tracker.log_epoch({"loss": 1.0}, epoch)
    tracker.finish({})
    tracking.log_study(tmp_path, study(), METRICS, [])
    assert time.monotonic() - start < 5
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "http://127.0.0.1:9" in lines[0]


def test_a_broken_store_costs_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "results/mlflow"
    folder.mkdir(parents=True)
    (folder / "mlflow.db").write_bytes(b"no database" * 1000)
    tracker = open_run(tmp_path)
    tracker.log_epoch({"loss": 1.0}, 1)
    tracker.finish({})
    assert len(capfd.readouterr().err.splitlines()) == 1
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(folder / "mlflow.db").execute("SELECT 1 FROM runs")


def test_without_mlflow_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    tracker = open_run(tmp_path)
    tracker.log_epoch({"loss": 1.0}, 1)
    tracker.finish({})
    assert capfd.readouterr().err.splitlines() == [
        "nothing more is logged to MLflow: it is not installed; the results do not depend on it"
    ]

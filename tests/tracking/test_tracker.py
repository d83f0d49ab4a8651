"""MLflow, the real one on SQLite: each run and each number once, and no harm where it cannot be had."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from mlflow import MlflowClient

from kinefract import cli, tracking
from kinefract.specs import StudySpec, Variant
from kinefract.tracking import Tracker, store

DIGEST = "0123456789ab"
JOB = """
import os, signal, sys
from pathlib import Path
from kinefract.specs import DatasetSpec
from kinefract.tracking import Tracker
root, digest, resumed, killed_after = sys.argv[1:]
recipe = {"family": "fractal", "classes": 2, "clips_per_class": 2}
data = DatasetSpec.model_validate({"recipe": recipe})
picture = Path(root, f"{digest}.txt")
picture.write_text("first batch")
tracker = Tracker.open(root, "pretrain", "run", digest, {"seed": 1}, {}, resumed == "resumed", data)
tracker.log_artifact(picture)
for epoch in range(1, 31):
    tracker.log_epoch({"loss": 1.0, "top1": 0.5}, epoch)
    if epoch == int(killed_after):
        os.kill(os.getpid(), signal.SIGKILL)
tracker.finish({})
"""


@pytest.fixture(autouse=True)
def default_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No store but the project's, and failures of one test forgotten by the next."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield
    store._given_up.clear()


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


def at_once(root: Path, jobs: dict[str, tuple[str, int]]) -> list[int]:
    """Run jobs, digest -> (new or resumed, the epoch it is killed after or 0); return their statuses."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", JOB, str(root), digest, begun, str(killed_after)],
            env=environment,
            stderr=subprocess.PIPE,
        )
        for digest, (begun, killed_after) in jobs.items()
    ]
    assert [job.communicate(timeout=240)[1] for job in running] == [b""] * len(jobs)
    return [job.returncode for job in running]


def test_six_first_jobs_at_once_some_killed_and_made_again_lose_and_double_nothing(tmp_path: Path) -> None:
    first = {digest: ("new", 0) for digest in ("0", "1", "2")}
    killed = {digest: ("new", epoch) for digest, epoch in (("3", 1), ("4", 15), ("5", 29))}
    assert at_once(tmp_path, first | killed) == [0, 0, 0, *[-signal.SIGKILL] * 3]
    assert {path.name for path in (tmp_path / "results/mlflow").iterdir()} == {"mlflow.db", "artifacts"}
    before = {run.data.tags["digest"]: run.info for run in runs(tmp_path, "pretrain")}
    assert sorted(before) == ["0", "1", "2", "3", "4", "5"]
    assert [before[digest].status for digest in "012345"] == [*["FINISHED"] * 3, *["RUNNING"] * 3]
    again = {"0": ("new", 0), "3": ("resumed", 0), "4": ("resumed", 0), "5": ("new", 0)}
    assert at_once(tmp_path, again) == [0] * 4
    found = {run.data.tags["digest"]: run for run in runs(tmp_path, "pretrain")}
    assert len(runs(tmp_path, "pretrain")) == 6
    kept = [digest for digest in "012345" if found[digest].info.run_id == before[digest].run_id]
    assert kept == ["1", "2", "3", "4"]
    for digest, run in found.items():
        assert run.info.status == "FINISHED"
        for key in ("loss", "top1"):
            assert [step for step, _ in steps(tmp_path, run.info.run_id, key)] == list(range(1, 31))
        assert [item.dataset.name for item in run.inputs.dataset_inputs] == ["fractal"]
        files = client(tmp_path).list_artifacts(run.info.run_id)
        assert [item.path for item in files] == [f"{digest}.txt"]


def test_jobs_that_log_the_same_new_data_at_the_same_moment_all_do(root: Path) -> None:
    (experiment,) = store.experiments(client(root), root, ["pretrain"])
    moment = threading.Barrier(6)

    def job() -> int:
        mine = client(root)
        run_id = mine.create_run(experiment).info.run_id
        for number in range(20):
            moment.wait(timeout=60)
            store.log_input(mine, run_id, "fractal", f"digest{number}", "data/synthetic/fractal")
        return len(mine.get_run(run_id).inputs.dataset_inputs)

    with ThreadPoolExecutor(6) as pool:
        assert [done.result() for done in [pool.submit(job) for _ in range(6)]] == [20] * 6


def test_a_making_cut_short_is_begun_anew(tmp_path: Path) -> None:
    folder = tmp_path / "results/mlflow"
    folder.mkdir(parents=True)
    (folder / ".mlflow.partial.db").write_bytes(b"half a database")
    tracking.prepare(tmp_path)
    assert [path.name for path in folder.iterdir()] == ["mlflow.db"]
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
            pretrains=pretrains,
            runs={"motions": {seed: f"motions-{label}-{seed}"}},
        )
        for label, pretrains in (("scratch", {}), ("supervised", {seed: "fractal-1"}))
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


def test_a_variant_that_is_held_as_it_is_stays_and_one_that_changed_is_replaced(root: Path) -> None:
    assert tracking.log_study(root, study(), METRICS, []) == ["scratch", "supervised"]
    before = {run.info.run_name: run.info.run_id for run in runs(root, "study/quickstart")}
    assert tracking.log_study(root, study(), METRICS, []) == []
    changed = {**METRICS, "scratch": {"motions": {"top1": 0.5, "n": 1}}}
    assert tracking.log_study(root, study(), changed, []) == ["scratch"]
    after = {run.info.run_name: run.info.run_id for run in runs(root, "study/quickstart")}
    assert after.keys() == before.keys()
    assert [name for name in before if after[name] == before[name]] == ["supervised"]


def test_a_study_tags_the_runs_that_variants_share_with_all_their_labels(root: Path) -> None:
    open_run(root)  # fractal-0123456789ab
    other = Tracker.open(root, "finetune", "motions-supervised-1", "x", {}, {}, resumed=False)
    other.finish({})
    both = [
        variant.model_copy(update={"pretrains": {1: f"fractal-{DIGEST}"}}) for variant in study().variants
    ]
    tracking.log_study(root, study().model_copy(update={"variants": both}), METRICS, [])
    (shared,), (alone,) = runs(root, "pretrain"), runs(root, "finetune")
    assert shared.data.tags["study.quickstart"] == "scratch, supervised"
    assert alone.data.tags["study.quickstart"] == "supervised"


def test_more_parameters_and_longer_curves_than_one_request_takes_are_all_logged(root: Path) -> None:
    begun = open_run(root)
    (run,) = runs(root, "pretrain")
    points = [(f"m{number % 3}", float(number), number // 3) for number in range(2400)]
    params = {f"p{number}": number for number in range(205)}
    store.log(client(root), run.info.run_id, params, points, {f"t{number}": 1 for number in range(101)})
    begun.finish({})
    (run,) = runs(root, "pretrain")
    assert run.data.params.items() >= {f"p{number}": str(number) for number in range(205)}.items()
    assert run.data.tags.keys() >= {f"t{number}" for number in range(101)}
    for key, first in (("m0", 0), ("m1", 1), ("m2", 2)):
        expected = [(step, float(3 * step + first)) for step in range(800)]
        assert sorted(steps(root, run.info.run_id, key)) == expected


def test_a_moved_project_keeps_its_artifacts_with_it(root: Path, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("note")
    open_run(root).log_artifact(tmp_path / "note.txt")
    moved = root.rename(tmp_path / "moved to here")
    tracking.prepare(moved)
    (run,) = runs(moved, "pretrain")
    assert [item.path for item in client(moved).list_artifacts(run.info.run_id)] == ["note.txt"]
    open_run(moved, digest="ffffffffffff").log_artifact(tmp_path / "note.txt")
    assert not root.exists()


def log_everything(root: Path) -> float:
    """Log as one process after another does; return the seconds it took."""
    start = time.monotonic()
    tracking.prepare(root, ["quickstart"])
    tracker = open_run(root)
    for epoch in range(1, 101):
        tracker.log_epoch({"loss": 1.0}, epoch)
    tracker.finish({})
    tracking.log_study(root, study(), METRICS, [])
    return time.monotonic() - start


def test_an_unreachable_server_costs_one_line_and_little_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://someone:secret@127.0.0.1:9")
    assert log_everything(tmp_path) < 3
    (line,) = capfd.readouterr().err.splitlines()
    assert "http://127.0.0.1:9 does not answer" in line
    assert "`kinefract sync` does it later" in line


def test_a_server_that_takes_connections_and_says_nothing_costs_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert log_everything(tmp_path) < 5
    assert len(capfd.readouterr().err.splitlines()) == 1


def test_the_list_of_experiments_names_a_server_without_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://someone:secret@127.0.0.1:9/mlflow")
    assert cli.main(["tracking", "quickstart"]) == 0
    listed = capfd.readouterr().out.splitlines()
    assert listed == ["http://127.0.0.1:9/mlflow", "pretrain", "finetune", "study/quickstart"]


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("", "mlflow ui --host 127.0.0.1 --port 5000 --backend-store-uri sqlite:///results/mlflow/mlflow.db"),
        (
            "sqlite:///my.db",
            "mlflow ui --host 127.0.0.1 --port 5000 --backend-store-uri sqlite:///my.db",
        ),
        (
            "https://someone:sec@ret@example.org:5000/a",
            "Every run is logged to a server; open it there: https://example.org:5000/a",
        ),
        ("http://example.org", "Every run is logged to a server; open it there: http://example.org"),
    ],
)
def test_make_ui_starts_a_viewer_of_files_and_names_a_server(tmp_path: Path, uri: str, told: str) -> None:
    shutil.copy(Path(__file__).parents[2] / "Makefile", tmp_path)
    programs = tmp_path / ".venv/bin"  # which the Makefile puts first
    programs.mkdir(parents=True)
    (programs / "mlflow").write_text('#!/bin/sh\necho mlflow "$@"\n')
    (programs / "mlflow").chmod(0o755)
    done = subprocess.run(
        ["make", "--silent", "--old-file=setup", "ui"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "MLFLOW_TRACKING_URI": uri},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.strip(), done.stderr) == (told, "")


def test_a_server_that_refuses_says_why_without_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(403, "not for you")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://someone:secret@127.0.0.1:{server.server_port}")
        log_everything(tmp_path)
        server.shutdown()
    (line,) = capfd.readouterr().err.splitlines()
    assert "cannot be used" in line
    assert "403" in line
    assert "secret" not in line


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
        "nothing more is logged to MLflow: it is not installed; `kinefract sync` does it later, "
        "results are not lost"
    ]

"""Logging afterwards: the same as live, once, in the project's SQLite store and in a real server."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from mlflow import MlflowClient

from kinefract import tracking
from kinefract.common.errors import UserError
from kinefract.common.files import write_json, write_text
from kinefract.config import params, plan
from kinefract.config.specs import FinetuneSpec, PretrainSpec, StudySpec
from kinefract.tracking import RunExport, store
from kinefract.tracking.sync import sync

EPOCHS = 3
COMMIT = "0123456789ab"
SETTINGS = {
    "run": ["little"],
    "datasets": {"fractal": {"family": "fractal", "classes": 4, "clips_per_class": 5, "size": 32}},
    "pretraining": {"small": {"dataset": "fractal", "epochs": 4, "width": 8}},
    "weights": {},
    "finetuning": {"small": {"epochs": 12}},
    "benchmarks": {"motions": {"kind": "motions"}},
    "studies": {
        "little": {
            "question": "Does it help?",
            "pretraining": "small",
            "finetuning": "small",
            "vary": {"pretraining.objective": ["scratch", "supervised"]},
            "benchmarks": ["motions"],
            "seeds": [1],
        }
    },
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a finished study and an empty store. Not to be changed by a test."""
    root = tmp_path_factory.mktemp("made")
    resolved = plan.resolve(params.parse(SETTINGS))
    for spec in (*resolved.pretrains.values(), *resolved.finetunes.values()):
        finish_run(root, spec)
    write_study(root, resolved.study("little"))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        tracking.prepare(root)
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """A project of the test's own."""
    return Path(shutil.copytree(made, tmp_path / "project", symlinks=True))


def finish_run(root: Path, spec: PretrainSpec | FinetuneSpec, top1: float = 0.5) -> None:
    """Leave what a finished run leaves."""
    folder = spec.write(root).parent
    phase = folder.parent.name
    lines = [
        {"epoch": epoch, "loss": 1 / epoch, "top1": 0.9, "seconds": 1 + epoch / 3}
        for epoch in range(1, EPOCHS + 1)
    ]
    write_text(folder / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    result = {"id": spec.id, "phase": phase, "epochs": EPOCHS, "loss": 1 / EPOCHS, "top1": top1}
    if phase == "finetune":
        result |= {"top5": 0.8, "mean_class_accuracy": 0.45, "videos": 200}
        write_text(folder / "confusion.svg", "<svg/>")
    write_json(folder / "result.json", {**result, "made_with": {"commit": COMMIT, "torch": "2.13.0"}})
    write_text(folder / "first_batch.png", "a picture")
    write_text(folder / "model.safetensors", f"weights of {spec.id}")


def write_study(root: Path, spec: StudySpec, top1: float = 0.5) -> Path:
    """Leave what a study's report leaves, as far as it is logged."""
    folder = spec.write(root).parent
    numbers = {"top1": top1, "top1_std": 0.1, "top1_low": 0.4, "top1_high": 0.6, "top5": 0.8, "n": 3}
    numbers["mean_class_accuracy"] = 0.45
    write_json(folder / "metrics.json", {row.label: {"motions": numbers} for row in spec.variants})
    write_text(folder / "top1.svg", "<svg/>")
    write_text(folder / "table.csv", "a,b\n")
    write_text(folder / "index.html", "the page")
    return folder


def client(root: Path) -> MlflowClient:
    return MlflowClient(tracking_uri=tracking.store_uri(root))


def held(root: Path) -> dict[tuple[str, str], dict]:
    """Return (experiment, name of the run) -> everything MLflow holds of it but times and ids."""
    found = {}
    store = client(root)
    names = {item.experiment_id: item.name for item in store.search_experiments()}
    for run in store.search_runs(list(names)):
        key = names[run.info.experiment_id], run.info.run_name
        assert key not in found
        points = {
            metric: [(point.step, point.value) for point in store.get_metric_history(run.info.run_id, metric)]
            for metric in run.data.metrics
        }
        found[key] = {
            "status": run.info.status,
            "params": run.data.params,
            "tags": run.data.tags,
            "points": points,
            "files": [item.path for item in store.list_artifacts(run.info.run_id)],
            "inputs": [
                (item.dataset.name, item.dataset.digest, item.dataset.source, vars(item.tags[0]))
                for item in run.inputs.dataset_inputs
            ],
        }
    return found


def ids(root: Path) -> set[str]:
    store = client(root)
    everywhere = [item.experiment_id for item in store.search_experiments()]
    return {run.info.run_id for run in store.search_runs(everywhere)}


def specs(root: Path) -> list[PretrainSpec | FinetuneSpec]:
    return [
        kind.read(path)
        for kind in (PretrainSpec, FinetuneSpec)
        for path in sorted((root / kind.PARENT).glob("*/spec.yaml"))
    ]


def train(root: Path, spec: PretrainSpec | FinetuneSpec, epochs: int) -> RunExport:
    """Log as a job does while it trains, as far as some epoch."""
    folder = root / spec.folder
    export = RunExport(root, spec)
    lines = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    for epoch in range(epochs + 1):
        write_text(folder / "progress.jsonl", "".join(lines[:epoch]))
        export.update()
    return export


def end(root: Path, spec: PretrainSpec | FinetuneSpec, export: RunExport) -> None:
    (root / spec.folder / "progress.jsonl").unlink()
    export.update()


def test_what_is_logged_afterwards_is_what_is_logged_live_and_only_once(
    root: Path, made: Path, tmp_path: Path
) -> None:
    live = Path(shutil.copytree(made, tmp_path / "live", symlinks=True))
    for spec in specs(live):
        end(live, spec, train(live, spec, EPOCHS))
    (study,) = (live / "results/studies").iterdir()
    metrics = json.loads((study / "metrics.json").read_text())
    tracking.log_study(live, StudySpec.read(study / "spec.yaml"), metrics, tracking.study_files(study))
    summary = sync(root)
    assert sorted(summary.runs) == sorted(spec.id for spec in specs(root))
    assert summary.studies == [study.name]
    assert (summary.held, summary.unfinished, summary.problems) == (0, 0, [])
    assert held(root) == held(live)
    assert {run["status"] for run in held(root).values()} == {"FINISHED"}
    before = ids(root)
    for project in (root, live):
        again = sync(project)
        assert (again.runs, again.studies, again.held) == ([], [], 4)
    assert ids(root) == before
    assert held(root) == held(live)


def test_runs_hold_what_their_specs_and_folders_say(root: Path) -> None:
    sync(root)
    found = held(root)
    (pretrain,) = (run for (experiment, _), run in found.items() if experiment == "pretrain")
    (tuned,) = (
        run
        for (experiment, _), run in found.items()
        if experiment == "finetune" and run["tags"]["pretrain_run"] != "scratch"
    )
    (scratch,) = (
        run for run in found.values() if run["tags"].get("pretrain_run") == "scratch" and run["inputs"]
    )
    (spec,) = (spec for spec in specs(root) if isinstance(spec, PretrainSpec))
    shared = {"family": "fractal", "objective": "supervised", "backbone": "tsm_resnet50", "commit": COMMIT}
    expected = {**shared, "phase": "pretrain", "seed": "1", "name": spec.id, "made_with.torch": "2.13.0"}
    assert expected.items() <= pretrain["tags"].items()
    assert pretrain["tags"]["model"] == f"{spec.folder}/model.safetensors"
    assert pretrain["params"]["pretraining.width"] == "8"
    assert pretrain["params"]["dataset.points.steps"] == str(spec.dataset.recipe.points.steps)
    context = {"_key": "mlflow.data.context", "_value": "training"}
    source = json.dumps({"uri": spec.dataset.folder})
    assert pretrain["inputs"] == [("fractal", spec.dataset.digest, source, context)]
    assert pretrain["points"]["loss"] == [(epoch, 1 / epoch) for epoch in (1, 2, 3)]
    assert pretrain["points"]["final/top1"] == [(3, 0.5)]
    assert pretrain["files"] == ["first_batch.png"]
    expected = {**shared, "phase": "finetune", "benchmark": "motions", "pretrain_run": spec.id}
    assert {**expected, "study.little": "supervised"}.items() <= tuned["tags"].items()
    assert tuned["params"]["pretraining.width"] == "8"
    assert tuned["points"]["test/mean_class_accuracy"] == [(3, 0.45)]
    assert tuned["files"] == ["confusion.svg", "first_batch.png"]
    assert [name for name, *_ in tuned["inputs"]] == ["motions"]
    assert scratch["tags"]["study.little"] == "scratch"
    assert not {"family", "objective"} & scratch["tags"].keys()
    variant = found["study/little", "supervised"]
    expected = {
        **shared,
        "phase": "study",
        "study": "little",
        "benchmark": "motions",
        "pretrain_run": spec.id,
    }
    assert {**expected, "seed": "1"}.items() <= variant["tags"].items()
    assert variant["params"] == {"pretraining.objective": "supervised"}
    assert variant["files"] == ["table.csv", "top1.svg"]
    assert variant["points"].keys() == {
        f"motions/{name}"
        for name in ("top1", "top1_std", "top1_ci95_low", "top1_ci95_high", "top1_n", "top5")
    } | {"motions/mean_class_accuracy"}


def test_a_run_that_is_half_there_is_completed_and_not_doubled(root: Path) -> None:
    spec = specs(root)[0]
    train(root, spec, 2)
    (root / spec.folder / "progress.jsonl").unlink()
    (before,) = ids(root)
    sync(root, [root / spec.folder])
    assert ids(root) == {before}
    (run,) = held(root).values()
    assert run["status"] == "FINISHED"
    assert run["points"]["loss"] == [(epoch, 1 / epoch) for epoch in (1, 2, 3)]


def test_a_run_made_again_with_another_result_replaces_the_one_held(root: Path) -> None:
    spec = specs(root)[0]
    sync(root, [root / spec.folder])
    finish_run(root, spec, top1=0.75)
    assert sync(root, [root / spec.folder]).runs == [spec.id]
    (run,) = held(root).values()
    assert run["points"]["final/top1"] == [(3, 0.75)]


def test_what_another_clone_logged_is_held_if_but_the_times_differ(root: Path) -> None:
    spec = specs(root)[0]
    folder = root / spec.folder
    result = json.loads((folder / "result.json").read_text())
    sync(root)
    for seconds, top1, logged in ((7.5, 0.5, []), (8.5, 0.75, [spec.id])):
        write_json(folder / "result.json", {**result, "seconds": seconds, "top1": top1})
        told = [f"{spec.id}: MLflow holds another final/top1" in line for line in tracking.differences(root)]
        assert told == [True] * len(logged)
        assert sync(root, [folder]).runs == logged
    assert tracking.differences(root) == []


def test_unfinished_and_unreadable_folders_are_counted_and_left_out(root: Path) -> None:
    first, second, third = specs(root)
    shutil.rmtree(root / "results/studies")
    (root / first.folder / "model.safetensors").unlink()
    (root / second.folder / "result.json").write_text("{half")
    again = root / third.folder / "progress.jsonl"
    again.write_text("")  # of a job that makes it again
    summary = sync(root)
    assert (summary.runs, summary.unfinished, len(summary.problems)) == ([], 2, 1)
    assert second.id in summary.problems[0]
    assert "not finished: 2" in summary.text
    assert held(root) == {}
    again.unlink()
    assert sync(root).runs == [third.id]


def test_of_studies_of_a_name_the_last_reported_is_logged(root: Path) -> None:
    (old,) = (root / "results/studies").iterdir()
    study = StudySpec.read(old / "spec.yaml").model_copy(update={"question": "Asked otherwise?"})
    new = write_study(root, study, top1=0.75)
    (root / "results/studies/little").symlink_to(old.name)
    os.utime(old / "metrics.json", (1, 1))
    assert sync(root).studies == [new.name]
    assert sync(root).studies == []
    assert held(root)["study/little", "scratch"]["points"]["motions/top1"] == [(0, 0.75)]


def test_a_folder_of_nothing_is_refused(root: Path) -> None:
    with pytest.raises(UserError, match="not the folder of a run or a study"):
        sync(root, [root / "results"])


def test_a_store_that_cannot_be_used_is_an_error(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(UserError, match="run `kinefract sync` again"):
        sync(root)


@contextmanager
def served(folder: Path, port: int) -> Iterator[subprocess.Popen]:
    """Run a real server on 127.0.0.1 until the block ends."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/results/mlflow/mlflow.db"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        for _ in range(600):
            assert server.poll() is None, (folder / "server.log").read_text()
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                break
            time.sleep(0.2)
        yield server
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@pytest.mark.long
def test_a_server_lost_in_training_delays_nothing_and_is_told_later(
    root: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    backend = Path(shutil.copytree(made / "results/mlflow", tmp_path / "server/results/mlflow")).parents[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    spec = specs(root)[0]
    with served(backend, port) as server:
        export = train(root, spec, 1)
        (before,) = ids(root)
        os.killpg(server.pid, signal.SIGSTOP)  # it takes connections and says nothing
        begun = time.monotonic()
        with (root / spec.folder / "progress.jsonl").open("a") as stream:
            for epoch in range(2, 50):
                stream.write(json.dumps({"epoch": epoch, "loss": 1 / epoch, "seconds": 1.0}) + "\n")
                stream.flush()
                export.update()
        end(root, spec, export)
        assert time.monotonic() - begun < 5
        (line,) = [line for line in capfd.readouterr().err.splitlines() if "MLflow" in line]
        assert "does not answer; `kinefract sync` does it later" in line
        os.killpg(server.pid, signal.SIGCONT)
        store._given_up.clear()  # as in a new process
        summary = sync(root)
        assert len(summary.runs) == 3
        assert len(summary.studies) == 1
        assert before in ids(root)
        run = held(root)["pretrain", spec.id]
        assert run["points"]["loss"] == [(epoch, 1 / epoch) for epoch in (1, 2, 3)]
        assert run["files"] == ["first_batch.png"]
        again = sync(root)
        assert (again.runs, again.studies, again.held) == ([], [], 4)
        through_server = held(root)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    sync(root)
    assert held(root) == through_server

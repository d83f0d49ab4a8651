"""MLflow, the real one on SQLite: each run and each number once, and no harm where it cannot be had."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import sqlalchemy
from mlflow import MlflowClient
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from kinefract import cli, tracking
from kinefract.common import mounts
from kinefract.common.files import write_json, write_text
from kinefract.config.run_files import read_epochs
from kinefract.config.specs import FinetuneSpec, PretrainSpec, StudySpec, Variant
from kinefract.tracking import RunExport, database, store

EPOCHS = 12
JOB = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
import test_run_export as made
_, _, root, classes, killed_after = sys.argv
spec = made.spec_of(int(classes))
export, done = made.begin(root, spec), len(made.lines(root, spec))
for epoch in range(done + 1, made.EPOCHS + 1):
    made.add_epoch(root, spec, epoch)
    export.update()
    if epoch == int(killed_after):
        os.kill(os.getpid(), signal.SIGKILL)
made.finish(root, spec)
export.update()
"""


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


def spec_of(classes: int = 4) -> PretrainSpec:
    dataset = {"recipe": {"family": "fractal", "classes": classes, "clips_per_class": 5}}
    return PretrainSpec.model_validate({"recipe": {"width": 8}, "dataset": dataset})


def finetune_spec() -> FinetuneSpec:
    network = {"backbone": "tsm_resnet18", "width": 8}
    benchmark = {"recipe": {"kind": "motions"}}
    return FinetuneSpec.model_validate(
        {"recipe": {}, "network": network, "benchmark": benchmark, "init": None, "seed": 1}
    )


def lines(root: Path | str, spec: PretrainSpec | FinetuneSpec) -> list[dict]:
    return read_epochs(Path(root, spec.folder), "progress.jsonl")


def begin(root: Path | str, spec: PretrainSpec | FinetuneSpec) -> RunExport:
    """Begin or resume a job: what it left before is still there, if anything."""
    folder = Path(root, spec.folder)
    write_text(folder / "progress.jsonl", "".join(json.dumps(line) + "\n" for line in lines(root, spec)))
    export = RunExport(root, spec)
    export.update()
    return export


def add_epoch(root: Path | str, spec: PretrainSpec | FinetuneSpec, epoch: int, **metrics: object) -> None:
    folder = Path(root, spec.folder)
    (folder / "first_batch.png").write_text("a picture")
    line = {"epoch": epoch, "loss": 10.0 - epoch, "seconds": round(time.perf_counter(), 6), **metrics}
    with (folder / "progress.jsonl").open("a") as stream:
        stream.write(json.dumps(line) + "\n")


def finish(root: Path | str, spec: PretrainSpec | FinetuneSpec, **result: object) -> None:
    folder = Path(root, spec.folder)
    epochs = len(lines(root, spec))
    (folder / "progress.jsonl").replace(folder / "metrics.jsonl")
    facts = {"id": spec.id, "phase": folder.parent.name, "epochs": epochs, "top1": 0.5, "made_with": {}}
    facts |= {"top5": 1.0} if isinstance(spec, FinetuneSpec) else {}
    write_json(folder / "result.json", {**facts, **result})
    (folder / "model.safetensors").write_text("weights")


def make(root: Path, spec: PretrainSpec | FinetuneSpec, epochs: int = 1, **result: object) -> None:
    """Make a run from its start to its end, as a job does."""
    export = begin(root, spec)
    for epoch in range(1, epochs + 1):
        add_epoch(root, spec, epoch)
        export.update()
    finish(root, spec, **result)
    export.update()


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


def at_once(jobs: list[tuple[Path, int, int]]) -> list[int]:
    """Run jobs, (project, classes, the epoch it is killed after or 0), together; return their statuses.

    A job may say that another one of the same run is finished, and nothing else.
    """
    running = [
        subprocess.Popen(
            [sys.executable, "-c", JOB, str(Path(__file__).parent), *map(str, job)],
            env={**os.environ, **store.SETTINGS, "PYTHONPATH": os.pathsep.join(sys.path)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for job in jobs
    ]
    told = [line for job in running for line in job.communicate(timeout=240)[1].splitlines()]
    assert [line for line in told if "another job of this run is finished" not in line] == []
    return [job.returncode for job in running]


@pytest.mark.long
def test_six_first_jobs_at_once_some_killed_and_made_again_lose_and_double_nothing(tmp_path: Path) -> None:
    names = {classes: spec_of(classes).id for classes in range(2, 8)}
    killed_after = {2: 0, 3: 0, 4: 0, 5: 1, 6: 6, 7: 11}
    assert at_once([(tmp_path, *job) for job in killed_after.items()]) == [0, 0, 0, *[-signal.SIGKILL] * 3]
    assert {path.name for path in (tmp_path / "results/mlflow").iterdir()} == {"mlflow.db", "artifacts"}
    before = {run.info.run_name: run.info for run in runs(tmp_path, "pretrain")}
    assert before.keys() == set(names.values())
    statuses = [before[name].status for name in names.values()]
    assert statuses == [*["FINISHED"] * 3, *["RUNNING"] * 3]
    for classes in (2, 7):  # made again from the start
        shutil.rmtree(tmp_path / spec_of(classes).folder)
    assert at_once([(tmp_path, classes, 0) for classes in (2, 5, 6, 7)]) == [0] * 4
    found = {run.info.run_name: run for run in runs(tmp_path, "pretrain")}
    assert len(runs(tmp_path, "pretrain")) == 6
    kept = [classes for classes, name in names.items() if found[name].info.run_id == before[name].run_id]
    assert kept == [3, 4, 5, 6]
    for run in found.values():
        assert run.info.status == "FINISHED"
        for key in ("loss", "seconds"):
            held = [step for step, _ in steps(tmp_path, run.info.run_id, key)]
            assert held == list(range(1, EPOCHS + 1))
        assert [item.dataset.name for item in run.inputs.dataset_inputs] == ["fractal"]
        files = client(tmp_path).list_artifacts(run.info.run_id)
        assert [item.path for item in files] == ["first_batch.png"]


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


def test_a_run_holds_parameters_tags_curves_and_results(root: Path) -> None:
    spec = spec_of()
    export = begin(root, spec)
    add_epoch(root, spec, 1, note="text", done=True)
    add_epoch(root, spec, 2)
    export.update()
    (running,) = runs(root, "pretrain")
    assert (running.info.status, running.data.metrics["loss"]) == ("RUNNING", 8.0)
    made = {"commit": "abc", "torch": "2.13"}
    with Path(root, spec.folder, "mistakes.png").open("wb") as stream:
        stream.truncate(store.LARGEST_FILE + 1)
    finish(root, spec, phase="pretrain", top1=0.5, made_with=made)
    export.update()
    (run,) = runs(root, "pretrain")
    assert run.info.run_id == running.info.run_id
    assert (run.info.status, run.info.run_name) == ("FINISHED", spec.id)
    assert run.data.params.items() >= {"pretraining.width": "8", "dataset.classes": "4"}.items()
    assert steps(root, run.info.run_id, "loss") == [(1, 9.0), (2, 8.0)]
    assert run.data.metrics.keys() == {"loss", "seconds", "final/top1", "final/epochs"}
    expected = {
        "phase": "pretrain",
        "digest": spec.digest,
        "commit": "abc",
        "model": f"{spec.folder}/model.safetensors",
        "made_with.torch": "2.13",
    }
    assert expected.items() <= run.data.tags.items()
    assert [item.path for item in client(root).list_artifacts(run.info.run_id)] == ["first_batch.png"]
    assert list((root / "results/mlflow/artifacts/pretrain").rglob("first_batch.png"))


def test_results_on_test_videos_do_not_mix_with_training_curves(root: Path) -> None:
    spec = finetune_spec()
    export = begin(root, spec)
    add_epoch(root, spec, 1, top1=0.9, seconds=9.0)
    finish(root, spec, top1=0.6, top5=0.8, videos=240, seconds=9.0)
    export.update()
    (run,) = runs(root, "finetune")
    assert run.data.metrics == {
        "loss": 9.0, "top1": 0.9, "seconds": 9.0, "test/top1": 0.6, "test/top5": 0.8, "test/videos": 240,
        "final/seconds": 9.0, "final/epochs": 1,
    }  # fmt: skip


def test_top1_on_the_validation_part_is_a_curve_with_a_point_where_it_was_measured(root: Path) -> None:
    spec = finetune_spec()
    export = begin(root, spec)
    for epoch, measured in enumerate([{}, {"validation_top1": 0.25}, {}, {"validation_top1": 0.5}], start=1):
        add_epoch(root, spec, epoch, **measured)
        export.update()
    (run,) = runs(root, "finetune")
    assert steps(root, run.info.run_id, "validation_top1") == [(2, 0.25), (4, 0.5)]


def test_a_repeated_job_replaces_its_run(root: Path) -> None:
    spec = spec_of()
    make(root, spec, epochs=2)
    make(root, spec_of(classes=5))
    (before,) = (run.info.run_id for run in runs(root, "pretrain") if run.info.run_name == spec.id)
    shutil.rmtree(root / spec.folder)
    make(root, spec, epochs=1)
    found = {run.info.run_name: run for run in runs(root, "pretrain")}
    assert len(runs(root, "pretrain")) == 2
    assert found[spec.id].info.run_id != before
    assert steps(root, found[spec.id].info.run_id, "loss") == [(1, 9.0)]


def test_a_resumed_job_goes_on_in_its_run_with_each_epoch_once(root: Path) -> None:
    spec = spec_of()
    killed = begin(root, spec)
    (before,) = runs(root, "pretrain")
    for epoch in (1, 2, 3):
        add_epoch(root, spec, epoch)
        killed.update()
    add_epoch(root, spec, 4)  # killed before it was logged
    resumed = begin(root, spec)
    add_epoch(root, spec, 5)
    for _ in range(2):
        resumed.update()
    finish(root, spec, loss=5.0)
    for _ in range(2):
        resumed.update()
    RunExport(root, spec).update()
    (run,) = runs(root, "pretrain")
    assert (run.info.run_id, run.info.status) == (before.info.run_id, "FINISHED")
    assert steps(root, run.info.run_id, "loss") == [(epoch, 10.0 - epoch) for epoch in (1, 2, 3, 4, 5)]
    assert steps(root, run.info.run_id, "final/loss") == [(5, 5.0)]


@pytest.mark.parametrize("last", ["older", "newer"])
def test_of_two_jobs_of_a_run_at_once_the_one_that_began_last_stays(
    root: Path, last: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Two projects share a store, as two clones with one server do."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "results").symlink_to(tmp_path / "others")
    (tmp_path / "others").mkdir()
    (tmp_path / "others/mlflow").symlink_to(root / "results/mlflow")
    spec = spec_of()
    jobs = {"older": (root, begin(root, spec)), "newer": (other, begin(other, spec))}
    newest = max(run.info.start_time for run in runs(root, "pretrain"))
    for who in sorted(jobs, key=lambda who: who == last):
        place, export = jobs[who]
        add_epoch(place, spec, 1)
        export.update()
        finish(place, spec)
        export.update()
    (run,) = runs(root, "pretrain")
    assert (run.info.status, run.info.start_time) == ("FINISHED", newest)
    assert steps(root, run.info.run_id, "loss") == [(1, 9.0)]
    lines = capfd.readouterr().err.splitlines()
    told = f"{spec.id}: another job of this run is finished, and MLflow holds that one"
    assert lines == ([told] if last == "older" else [])


def test_a_job_made_again_leaves_the_finished_run_until_it_is_finished_itself(root: Path) -> None:
    spec = spec_of()
    make(root, spec)
    shutil.rmtree(root / spec.folder)
    begin(root, spec)
    assert sorted(run.info.status for run in runs(root, "pretrain")) == ["FINISHED", "RUNNING"]


def test_a_failed_run_says_so_and_can_be_resumed(root: Path) -> None:
    export = begin(root, spec_of())
    add_epoch(root, spec_of(), 1)
    export.update()
    export.fail()
    assert [run.info.status for run in runs(root, "pretrain")] == ["FAILED"]
    begin(root, spec_of())
    assert [run.info.status for run in runs(root, "pretrain")] == ["RUNNING"]


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
    pretrained, finetuned = spec_of(), finetune_spec()
    make(root, pretrained)
    make(root, finetuned)
    both = [variant.model_copy(update={"pretrains": {1: pretrained.id}}) for variant in study().variants]
    both[1] = both[1].model_copy(update={"runs": {"motions": {1: finetuned.id}}})
    tracking.log_study(root, study().model_copy(update={"variants": both}), METRICS, [])
    (shared,), (alone,) = runs(root, "pretrain"), runs(root, "finetune")
    assert shared.data.tags["study.quickstart"] == "scratch, supervised"
    assert alone.data.tags["study.quickstart"] == "supervised"


def test_more_epochs_parameters_and_tags_than_one_request_takes_are_all_logged(root: Path) -> None:
    spec = spec_of()
    begin(root, spec)
    for epoch in range(1, 202):
        add_epoch(root, spec, epoch, **{f"m{number}": 0.5 for number in range(9)})
    finish(root, spec, **{f"t{number}": "x" for number in range(205)})
    RunExport(root, spec).update()
    (run,) = runs(root, "pretrain")
    for key in ("loss", "m8"):
        assert [step for step, _ in steps(root, run.info.run_id, key)] == list(range(1, 202))
    assert run.data.tags.keys() >= {f"t{number}" for number in range(205)}
    params = {f"p{number}": str(number) for number in range(205)}
    store.log(client(root), run.info.run_id, params)
    assert client(root).get_run(run.info.run_id).data.params.items() >= params.items()


def test_a_moved_project_keeps_its_artifacts_with_it(root: Path, tmp_path: Path) -> None:
    make(root, spec_of())
    (run,) = runs(root, "pretrain")
    model = client(root).create_logged_model(run.info.experiment_id, "model", run.info.run_id)
    registry = MlflowClient(tracking.store_uri(root), tracking.store_uri(root))
    registry.create_registered_model("little")
    version = registry.create_model_version("little", model.artifact_location, run.info.run_id)
    moved = root.rename(tmp_path / "moved to 'here'? #1, 100%41 {ü}")
    tracking.prepare(moved)
    (run,) = runs(moved, "pretrain")
    assert [item.path for item in client(moved).list_artifacts(run.info.run_id)] == ["first_batch.png"]
    place = (moved / "results/mlflow/artifacts").as_uri()
    assert client(moved).get_logged_model(model.model_id).artifact_location.startswith(f"{place}/")
    registry = MlflowClient(tracking.store_uri(moved), tracking.store_uri(moved))
    assert registry.get_model_version("little", version.version).source.startswith(f"{place}/")
    make(moved, spec_of(classes=5))
    assert not root.exists() and list(tmp_path.iterdir()) == [moved]


def log_everything(root: Path) -> float:
    """Log as one process after another does; return the seconds it took."""
    start = time.monotonic()
    tracking.prepare(root, ["quickstart"])
    make(root, spec_of(), epochs=100)
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


def test_the_list_of_addresses_names_a_server_without_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://someone:secret@127.0.0.1:9/mlflow")
    assert cli.main(["tracking", "quickstart"]) == 0
    listed = capfd.readouterr().out.splitlines()
    assert listed == ["http://127.0.0.1:9/mlflow", "quickstart: not in MLflow yet"]


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
def test_make_ui_prints_addresses_and_starts_a_viewer_or_names_a_server(
    tmp_path: Path, uri: str, told: str
) -> None:
    shutil.copy(Path(__file__).parents[2] / "Makefile", tmp_path)
    programs = tmp_path / ".venv/bin"  # which the Makefile puts first
    programs.mkdir(parents=True)
    for name in ("mlflow", "kinefract"):
        (programs / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (programs / name).chmod(0o755)
    done = subprocess.run(
        ["make", "--silent", "--old-file=setup", "ui"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "MLFLOW_TRACKING_URI": uri},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.splitlines(), done.stderr) == (["kinefract tracking", told], "")


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


def unreachable(uri: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> str:
    """Prepare a store that cannot be had; return the one line that says so, after two seconds at most."""
    sqlalchemy.create_engine("sqlite://").connect().close()  # what is imported is not what is measured
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    start = time.monotonic()
    tracking.prepare("", ["quickstart"])
    assert time.monotonic() - start < database.PATIENCE + 1
    (line,) = capfd.readouterr().err.splitlines()
    assert "secret" not in line
    return line


def test_databases_that_cannot_be_opened_cost_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    for place, reason in (
        ("/proc/x.db", "unable to open database file"),
        (f"{tmp_path}/file/x.db", "File ex"),
    ):
        line = unreachable(f"sqlite:///{place}", monkeypatch, capfd)
        assert f"sqlite:///{place} cannot be used (" in line and reason in line


def test_a_database_whose_driver_is_missing_names_the_driver(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    line = unreachable("postgresql://someone:secret@127.0.0.1/runs", monkeypatch, capfd)
    assert "the Python package psycopg2, which postgresql://127.0.0.1/runs needs, is not installed" in line
    assert "(pip install psycopg2-binary)" in line


class SilentDialect(SQLiteDialect_pysqlite):
    """A database on a host that takes connections and says nothing, as one that is not routable."""

    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls):
        return sqlite3

    def create_connect_args(self, url):
        return [], {}

    def connect(self, *about, **more):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            socket.create_connection(silent.getsockname()).recv(1)


def test_a_database_whose_host_says_nothing_costs_two_seconds(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    registry.register("postgresql.silent", __name__, "SilentDialect")
    line = unreachable("postgresql+silent://someone:secret@host/runs", monkeypatch, capfd)
    assert "postgresql+silent://host/runs does not answer" in line


def test_a_database_in_a_folder_that_is_not_there_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/deep/down.db")
    make(tmp_path, spec_of())
    assert len(runs(tmp_path, "pretrain")) == 1


def test_a_store_in_a_shared_folder_without_common_locks_is_refused_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mountinfo").write_text(f"1 0 0:33 / {tmp_path} rw - nfs server:/ rw,nolock,local_lock=all\n")
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "mountinfo")
    make(tmp_path / "project", spec_of())
    (line,) = capfd.readouterr().err.splitlines()
    assert "results/mlflow is on nfs mounted with local_lock=all" in line
    assert "set MLFLOW_TRACKING_URI to a server" in line
    assert not (tmp_path / "project/results/mlflow").exists()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mine.db")  # asked for by name
    store._given_up.clear()
    make(tmp_path / "project", spec_of(5))
    assert len(runs(tmp_path / "project", "pretrain")) == 1


def test_a_broken_store_costs_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "results/mlflow"
    folder.mkdir(parents=True)
    (folder / "mlflow.db").write_bytes(b"no database" * 1000)
    make(tmp_path, spec_of())
    assert len(capfd.readouterr().err.splitlines()) == 1
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(folder / "mlflow.db").execute("SELECT 1 FROM runs")


def test_without_mlflow_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    make(tmp_path, spec_of())
    assert capfd.readouterr().err.splitlines() == [
        "nothing more is logged to MLflow: it is not installed; `kinefract sync` does it later, "
        "results are not lost"
    ]

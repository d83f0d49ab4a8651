"""Where a study's runs are seen in MLflow: addresses, the page that leads there, and what it opens with."""

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from kinefract import tracking
from kinefract.config.specs import StudySpec, Variant
from kinefract.tracking import labels, store
from kinefract.tracking.addresses import runs_address

FACTS = {"benchmarks": {"motions": "motions-0"}, "datasets": []}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a study that has begun."""
    root = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        tracking.prepare(root, ["little"])
    return root


def experiment(root: Path):
    return MlflowClient(tracking.store_uri(root)).get_experiment_by_name("study/little")


@pytest.mark.parametrize(
    ("uri", "port", "server"),
    [
        ("", "", "http://127.0.0.1:5000/"),
        ("", "5001", "http://127.0.0.1:5001/"),
        ("postgresql://user:secret@host/mlflow", "", "http://127.0.0.1:5000/"),
        ("https://user:secret@host:8080/", "5001", "https://host:8080/"),
    ],
)
def test_an_address_names_the_server_that_shows_the_store(
    uri: str, port: str, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_PORT", port)
    rest = "#/experiments/7/runs?workflowType=machine_learning&viewStateShareKey=kinefract"
    assert runs_address(tmp_path, "7") == server + rest


def test_a_study_that_begins_has_an_experiment_and_a_page_that_leads_to_its_runs(prepared: Path) -> None:
    assert tracking.begun(prepared) == ["little"]
    wanted = runs_address(prepared, experiment(prepared).experiment_id)
    assert tracking.address_of(prepared, "little") == wanted
    # MLflow leaves an address that names a view which is not there.
    assert "mlflow.sharedViewState.kinefract" in experiment(prepared).tags


def test_without_mlflow_the_page_says_so_but_keeps_an_address_it_knows(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tracking.address_of(prepared, "little")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    for root in (prepared, tmp_path):
        tracking.prepare(root, ["little"])
    assert tracking.address_of(prepared, "little") == before
    assert tracking.address_of(tmp_path, "little") is None
    assert "kinefract sync" in (tmp_path / "results/mlflow/studies/little.html").read_text()
    assert tracking.address_of(tmp_path, "other") is None


def test_the_runs_of_a_study_open_with_what_it_varies_and_measures(tmp_path: Path) -> None:
    values = [{"pretraining.epochs": 5}, {"pretraining.epochs": 10, "dataset.classes": 4}]
    variants = [
        Variant(label=str(number), values=found, pretrains={}, runs={"motions": {1: f"run{number}"}})
        for number, found in enumerate(values)
    ]
    spec = StudySpec(study="little", question="Does it help?", variants=variants, **FACTS)
    tracking.log_study(tmp_path, spec, {}, [])
    state = json.loads(experiment(tmp_path).tags["mlflow.sharedViewState.kinefract"])
    assert state["selectedColumns"] == [
        "params.`pretraining.epochs`",
        "params.`dataset.classes`",
        "metrics.`motions/top1`",
    ]
    (chart,) = state["compareRunCharts"]
    assert chart["type"] == "PARALLEL"
    assert chart["selectedParams"] == ["pretraining.epochs", "dataset.classes"]
    assert chart["selectedMetrics"] == ["motions/top1"]
    assert chart["metricSectionId"] == state["compareRunSections"][0]["uuid"]
    tracking.prepare(tmp_path, ["little"])
    assert json.loads(experiment(tmp_path).tags["mlflow.sharedViewState.kinefract"]) == state
    assert tracking.address_of(tmp_path, "little")


def test_a_run_says_where_its_folder_and_the_pages_of_its_studies_are() -> None:
    tags = {labels.NOTE: labels.note("results/finetune/one", ())}
    for study in ("b", "a"):
        tags |= {**labels.noted(tags, "results/finetune/one", study), f"study.{study}": "variant"}
    assert tags[labels.NOTE].splitlines()[::2] == [
        "Folder: `results/finetune/one`",
        "Page of the study a: `results/studies/a/index.html`",
        "Page of the study b: `results/studies/b/index.html`",
    ]
    assert labels.noted({labels.NOTE: "Mine."}, "results/finetune/one", "a") == {}


def test_the_description_of_a_run_of_many_studies_is_stored_whole():
    folder, tags = "results/finetune/ucf101-scratch-s3-53407f37e8de", {}
    for number in range(20):
        study = f"a_study_with_a_long_name_{number}"
        tags |= {**labels.noted(tags, folder, study), f"study.{study}": "variant"}
        tags = store.tag_texts(tags)
    assert tags[labels.NOTE].count("Page of the study") == 20

"""A fine-tuned network as a model of MLflow: logged and registered once, and run by MLflow itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from mlflow import MlflowClient

from kinefract import models, tracking, video
from kinefract.benchmarks.kinds.motions import MotionsRecipe
from kinefract.common.errors import UserError
from kinefract.common.files import write_json, write_text
from kinefract.config.networks import NetworkRecipe
from kinefract.config.phases import FinetuneRecipe
from kinefract.config.specs import BenchmarkSpec, FinetuneSpec, StudySpec, Variant
from kinefract.evaluation.predict import predict_videos
from kinefract.models import weights
from kinefract.tracking import store
from kinefract.tracking.model import Logged, log_model

FACTS = {"benchmarks": {"motions": "motions-0"}, "datasets": []}
CLASSES = ["left", "right", "up"]
SPEC = FinetuneSpec(
    recipe=FinetuneRecipe(
        size=32, resize=32, stride=2, frames=4, windows=2, epochs=1, warmup_epochs=0, threads=1
    ),
    network=NetworkRecipe(backbone="tsm_resnet18", width=8),
    benchmark=BenchmarkSpec(recipe=MotionsRecipe(kind="motions")),
    init=None,
    seed=1,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a video and a finished run, which is of the study `little`."""
    root = tmp_path_factory.mktemp("project")
    folder = SPEC.write(root).parent
    write_json(folder / "classes.json", CLASSES)
    write_text(folder / "metrics.jsonl", json.dumps({"epoch": 1, "loss": 1.0, "seconds": 1.0}) + "\n")
    facts = {"id": SPEC.id, "phase": "finetune", "epochs": 1, "top1": 0.5, "top5": 1.0, "made_with": {}}
    write_json(folder / "result.json", facts)
    network = weights.seeded(1, models.build, "tsm_resnet18", 8, 4, len(CLASSES), 0.8)
    weights.save(network, folder / "model.safetensors", SPEC.id)
    clip = np.random.Generator(np.random.Philox(3)).integers(0, 256, (9, 32, 40, 3)).astype(np.uint8)
    (root / "clip.mp4").write_bytes(video.encode(clip, 12, 10))
    return root


@pytest.fixture(scope="module")
def logged(root: Path) -> Logged:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        tracking.RunExport(root, SPEC).update()
        variant = Variant(label="scratch", values={}, pretrains={}, runs={"motions": {1: SPEC.id}})
        spec = StudySpec(study="little", question="Does it help?", variants=[variant], **FACTS)
        tracking.log_study(root, spec, {}, [])
        return log_model(root, SPEC.id, "little")


def client(root: Path) -> MlflowClient:
    return MlflowClient(tracking.store_uri(root), tracking.store_uri(root))


@pytest.mark.long
def test_mlflow_names_the_action_of_a_clip_as_kinefract_does(root: Path, logged: Logged) -> None:
    write_json(root / "one_clip.json", {"dataframe_records": [{"video": "clip.mp4"}]})
    command = [sys.executable, "-m", "mlflow", "models", "predict", "-m", logged.uri, "-i", "one_clip.json"]
    done = subprocess.run(
        [*command, "-o", "predictions.json", "--env-manager", "local"],
        cwd=root,
        env={**os.environ, "MLFLOW_TRACKING_URI": logged.store, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    (found,) = json.loads((root / "predictions.json").read_text())["predictions"]
    ((best, probability), *others) = predict_videos(root / SPEC.folder, [root / "clip.mp4"])[0]
    assert found["action"] == best
    assert found["probability"] == pytest.approx(probability, abs=1e-6)
    assert found["classes"] == [best, *(name for name, _ in others)]


def test_a_model_has_signature_and_example_and_no_pickle(root: Path, logged: Logged) -> None:
    (experiment,) = store.experiments(client(root), root, ["finetune"])
    (model,) = client(root).search_logged_models([experiment])
    folder = Path(model.artifact_location.removeprefix("file://"))
    held = {path.name for path in folder.rglob("*") if path.is_file()}
    assert {"served.py", "model.safetensors", "classes.json", "spec.yaml", "input_example.json"} <= held
    assert not [name for name in held if name.endswith((".pkl", ".pickle", ".pth", ".pt"))]
    signature = yaml.safe_load((folder / "MLmodel").read_text())["signature"]
    assert [column["name"] for column in json.loads(signature["inputs"])] == ["video"]
    assert [column["name"] for column in json.loads(signature["outputs"])][:1] == ["action"]


def test_a_second_call_changes_nothing(root: Path, logged: Logged) -> None:
    assert logged.version == "1"
    assert log_model(root, SPEC.folder, "little") == logged
    (experiment,) = store.experiments(client(root), root, ["finetune"])
    assert len(client(root).search_logged_models([experiment])) == 1
    (version,) = client(root).search_model_versions("name = 'little'")
    assert version.tags == {"variant": "scratch", "run": SPEC.id, "benchmark": "motions", "seed": "1"}
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_a_study_that_the_run_is_not_of_is_refused(root: Path, logged: Logged) -> None:
    with pytest.raises(UserError, match=r"--register: .*littel.*little"):
        log_model(root, SPEC.id, "littel")


def test_a_store_that_cannot_be_used_is_an_error(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(UserError, match="cannot be used"):
        log_model(root, SPEC.id)

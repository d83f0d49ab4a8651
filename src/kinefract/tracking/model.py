"""Fine-tuned networks as models of MLflow, which its commands predict with and serve."""

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kinefract import __version__
from kinefract.benchmarks import index
from kinefract.benchmarks.base import TRAIN
from kinefract.common.errors import UserError
from kinefract.common.layout import CHECKSUMS, CLASSES, INDEX, MODEL, SPEC_FILE
from kinefract.common.schema import not_one_of
from kinefract.config.specs import FinetuneSpec
from kinefract.evaluation import predict
from kinefract.tracking import labels, store
from kinefract.tracking.database import shown_uri, store_uri
from kinefract.tracking.export import RunExport

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

NAME = "model"  # of the model of a run: runs:/<id>/model
FILES = (SPEC_FILE, MODEL, CLASSES, CHECKSUMS)  # of the run's folder, that the model needs
CODE = Path(__file__).with_name("served.py")


@dataclass(frozen=True)
class Logged:
    """A model in MLflow: its address, and the version under which it is registered, if it is."""

    uri: str
    study: str | None
    version: str | None
    store: str

    @property
    def text(self) -> str:
        """Return what was done, and how to predict with the model."""
        registered = f", version {self.version} of the registered model {self.study}" if self.version else ""
        uri = (
            "" if os.environ.get("MLFLOW_TRACKING_URI") else f"MLFLOW_TRACKING_URI={shlex.quote(self.store)} "
        )
        return (
            f"logged as {self.uri}{registered}; to predict:\n"
            '  echo \'{"dataframe_records": [{"video": "a.mp4"}]}\' > one_clip.json\n'
            f"  {uri}mlflow models predict -m {self.uri} -i one_clip.json --env-manager local"
        )


def log_model(root: Path | str, run: Path | str, study: str | None = None) -> Logged:
    """Log the network of a finished fine-tuning run as a model of its run in MLflow.

    The run itself is logged first if MLflow does not hold it. A second call changes nothing.

    Args:
        root: The project's folder.
        run: The run's folder, or its id.
        study: The study under whose name the model is registered; the run must be part of it, and the study
            finished. None to register nothing.

    Raises:
        UserError: there is no such run, it is not finished, the study is not one of its studies, or MLflow
            cannot be used.
    """
    root = Path(root).resolve()
    network = predict.load(run, root)
    spec = FinetuneSpec.read(root / FinetuneSpec.PARENT / network.id / SPEC_FILE)
    example = _example(root, spec)
    RunExport(root, spec).update()

    def write(client: "MlflowClient") -> Logged | str:
        (experiment,) = store.experiments(client, root, [Path(spec.PARENT).name])
        found = store.runs(client, experiment, digest=spec.digest)
        held = next((item for item in found if item.info.status == "FINISHED"), None)
        if held is None:
            return f"{spec.id}: MLflow does not hold the finished run"
        studies = [key.removeprefix(labels.STUDY) for key in held.data.tags if key.startswith(labels.STUDY)]
        if study is not None and study not in studies:
            return f"--register: {not_one_of(study, studies)} (finished studies of {spec.id})"
        with _used(store_uri(root)):
            model = _held(client, held) or _log(client, root, spec, held, example)
            version = _register(client, model, held, study) if study else None
        return Logged(f"runs:/{held.info.run_id}/{NAME}", study, version, shown_uri(root))

    logged = store.attempt(root, write)
    if not isinstance(logged, Logged):
        raise UserError(logged or "MLflow's store cannot be used")
    return logged


def _held(client: "MlflowClient", run: "Run") -> str | None:
    """Return the id of the model that a run has already; None if it has none."""
    wanted = f"source_run_id = '{run.info.run_id}' AND name = '{NAME}'"
    found = client.search_logged_models([run.info.experiment_id], filter_string=wanted)
    return next((str(model.model_id) for model in found if str(model.status) == "READY"), None)


def _log(client: "MlflowClient", root: Path, spec: FinetuneSpec, run: "Run", example: str) -> str:
    """Log the model, with a video as an example, and return its id."""
    import mlflow.pyfunc
    import pandas as pd
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array

    signature = ModelSignature(
        Schema([ColSpec(DataType.string, "video")]),
        Schema(
            [
                ColSpec(DataType.string, "action"),
                ColSpec(DataType.double, "probability"),
                ColSpec(Array(DataType.string), "classes"),
                ColSpec(Array(DataType.double), "probabilities"),
            ]
        ),
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, spec.id)
        folder.mkdir()
        for name in FILES:
            if (root / spec.folder / name).exists():
                shutil.copyfile(root / spec.folder / name, folder / name)
        # Made here, or MLflow would put it into its experiment Default.
        made = client.create_logged_model(run.info.experiment_id, NAME, run.info.run_id)
        Model.log(
            None,
            mlflow.pyfunc,
            name=NAME,
            run_id=run.info.run_id,
            model_id=made.model_id,
            python_model=str(CODE),
            artifacts={"run": str(folder)},
            signature=signature,
            input_example=pd.DataFrame({"video": [example]}),
            pip_requirements=[f"kinefract=={__version__}"],
        )
    return str(client.finalize_logged_model(made.model_id, "READY").model_id)


def _example(root: Path, spec: FinetuneSpec) -> str:
    """Return the path of a video of the benchmark, one for testing if there is one."""
    if not (root / spec.benchmark.folder / INDEX).exists():
        return "video.mp4"
    videos = index.read(root / spec.benchmark.folder)
    return str(next((video for video in videos if video.split != TRAIN), videos[0]).path)


def _register(client: "MlflowClient", model: str, run: "Run", study: str) -> str:
    """Register a model under the name of a study, unless it is; return its version."""
    from mlflow.exceptions import MlflowException

    run_id = run.info.run_id
    try:
        client.create_registered_model(study, description=labels.note("", [study]))
    except MlflowException:  # it is there already
        client.get_registered_model(study)
    held = client.search_model_versions(f"name = '{study}' AND run_id = '{run_id}'")
    if held:
        return str(held[0].version)
    tags = {"variant": run.data.tags[f"{labels.STUDY}{study}"], "run": run.data.tags["name"]}
    tags |= {key: run.data.tags[key] for key in ("benchmark", "seed")}
    made = client.create_model_version(study, f"models:/{model}", run_id, tags=tags, model_id=model)
    return str(made.version)


@contextmanager
def _used(uri: str) -> Iterator[None]:
    """Have what MLflow does without a client use this store while the block runs."""
    import mlflow

    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before or "")
        if before is None:
            os.environ.pop("MLFLOW_TRACKING_URI", None)

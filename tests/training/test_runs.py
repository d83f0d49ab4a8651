"""Fine-tuning from what others published, of the classifier alone, and on a validation part."""

import json
import sys

import pytest
import torch
from safetensors.torch import load_file

from kinefract import models
from kinefract.benchmarks import index
from kinefract.common.errors import UserError
from kinefract.common.files import sha256
from kinefract.config import params, plan
from kinefract.config.specs import FinetuneSpec
from kinefract.objectives.mixup import Mixup
from kinefract.objectives.supervised import Supervised
from kinefract.training import runs
from kinefract.training.checkpoint import Pauses
from kinefract.training.train import Execution


@pytest.fixture
def project(tiny, tmp_path, monkeypatch):
    """Return a function that fine-tunes one variant of the tiny study, and the folder of the project."""
    monkeypatch.setitem(sys.modules, "mlflow", None)
    torch.manual_seed(7)
    published = models.build("tsm_resnet18", 8, 8, 400, 0.5)
    (tmp_path / "data/weights").mkdir(parents=True)
    torch.save({"state_dict": published.state_dict()}, tmp_path / "data/weights/tsm.pth")
    weights = {"file": "data/weights/tsm.pth", "backbone": "tsm_resnet18", "width": 8}
    tiny["weights"] = {"kinetics": {**weights, "sha256": sha256(tmp_path / "data/weights/tsm.pth")}}

    def finetune(variant, execution=None, **changes):
        tiny["finetuning"]["small"] |= changes
        tiny["studies"]["tiny"] |= {"vary": {"init": [variant]}, "seeds": [1]}
        (spec,) = plan.resolve(params.parse(tiny)).finetunes.values()
        spec.write(tmp_path)
        index_folder = tmp_path / spec.benchmark.folder
        if not (index_folder / "index.csv").exists():
            index.build(spec.benchmark.recipe, tmp_path, index_folder)
        runs.finetune(tmp_path / spec.folder / "spec.yaml", execution or Execution(accelerator="cpu"))
        return tmp_path / spec.folder

    finetune.params, finetune.published = tiny, published
    return finetune


def test_a_linear_probe_of_published_weights_keeps_all_but_the_classifier(project):
    folder = project("kinetics", method="linear_probe")
    trained = load_file(folder / "model.safetensors")
    for name, value in project.published.state_dict().items():
        if name.startswith("new_fc"):
            assert trained[name].shape != value.shape
        else:
            assert torch.equal(trained[name], value), name
    names = json.loads((folder / "classes.json").read_text())
    assert len(names) == 12 and names[0] == "right"
    for made in ("predictions.csv", "per_class.csv", "confusion.svg", "mistakes.png", "result.json"):
        assert (folder / made).stat().st_size > 0
    assert 0 <= json.loads((folder / "result.json").read_text())["mean_class_accuracy"] <= 1


def test_full_fine_tuning_starts_from_the_published_weights(project):
    folder = project("kinetics", lr=1e-12, warmup_lr=0.0, min_lr=0.0, weight_decay=0.0)
    trained = load_file(folder / "model.safetensors")
    name = "base_model.layer1.0.conv2.weight"
    assert torch.allclose(trained[name], project.published.state_dict()[name], atol=1e-8)


@pytest.mark.parametrize(
    ("stated", "told"),
    [(None, "add `sha256: "), ("0" * 64, "the configuration wants 000"), ("gone", "no such file")],
)
def test_published_weights_are_those_that_are_meant(project, tmp_path, stated, told):
    if stated == "gone":
        (tmp_path / "data/weights/tsm.pth").unlink()
    else:
        project.params["weights"]["kinetics"]["sha256"] = stated
    with pytest.raises(UserError, match=told):
        project("kinetics")


def test_a_cache_of_the_same_size_gives_the_same_run(project):
    scores = [
        (project("kinetics", source=source, epochs=2) / "predictions.csv").read_text()
        for source in ("files", "cache")
    ]
    assert scores[0] == scores[1]  # the videos of `motions` are 32 px, as `resize` wants


def test_a_run_whose_outputs_a_scheduler_had_deleted_is_finished_from_its_checkpoint(project, capsys):
    """As of a job that ends in the last second of its run time."""
    limited = Execution(accelerator="cpu", pauses=Pauses(limit=1e6))
    folder = project("scratch", limited)
    made = {name: (folder / name).read_bytes() for name in ("model.safetensors", "predictions.csv")}
    for name in (*made, "metrics.jsonl", "result.json"):
        (folder / name).unlink()
    capsys.readouterr()
    runs.finetune(folder / "spec.yaml", limited)
    assert "going on after step" in "".join(capsys.readouterr())
    assert {name: (folder / name).read_bytes() for name in made} == made
    assert not (project("scratch") / "checkpoint.pt").exists()


@pytest.fixture
def begun(project, tmp_path, monkeypatch):
    """Return a function from settings and a seed to the objective of a fine-tuning, which is not trained."""
    found = []
    monkeypatch.setattr(runs, "_run", lambda spec, *given: found.append(given[3]) or {})

    def one(variant, seed=1, **changes):
        folder = project(variant, **changes)
        spec = FinetuneSpec.read(folder / "spec.yaml").model_copy(update={"seed": seed})
        runs.finetune(spec.write(tmp_path), Execution(accelerator="cpu"))
        return found[-1]

    return one


def test_first_weights_are_those_of_the_seed(begun):
    first, again, second = (begun("scratch", seed).network.base_model.conv1.weight for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, second)
    assert begun("scratch", dropout=0.3).network.dropout.p == 0.3


def test_mixup_and_drop_path_are_those_of_the_recipe(begun, project):
    assert type(begun("scratch")) is Supervised
    project.params["pretraining"]["small"]["backbone"] = "vit_tiny"
    objective = begun("scratch", mixup=0.8, drop_path=0.5)
    assert type(objective) is Mixup and objective.weight.alpha == 0.8
    assert objective.network.videomae.encoder.layer[-1].output.dropout.p == 0.5

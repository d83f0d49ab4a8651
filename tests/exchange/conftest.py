"""Networks small enough to be exported in seconds, and the stand-in for the Hub."""

from pathlib import Path

import huggingface_hub
import pytest
import torch
from hub import Hub, hub

from kinefract import models
from kinefract.benchmarks.kinds.motions import MotionsRecipe
from kinefract.common.files import write_json
from kinefract.config import params, plan
from kinefract.config.networks import NetworkRecipe
from kinefract.config.phases import FinetuneRecipe
from kinefract.config.specs import BenchmarkSpec, FinetuneSpec, PretrainSpec
from kinefract.models import weights

CLASSES = ["left", "right", "up", "down"]
SPEC = FinetuneSpec(
    recipe=FinetuneRecipe(
        size=32, resize=32, stride=2, frames=4, windows=3, epochs=1, warmup_epochs=0, threads=1
    ),
    network=NetworkRecipe(backbone="tsm_resnet18", width=8),
    benchmark=BenchmarkSpec(recipe=MotionsRecipe(kind="motions")),
    init=None,
    seed=1,
)


@pytest.fixture(autouse=True)
def one_thread():
    """Run torch on one thread, since networks this small are faster there."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def randomised(model):
    """Return a model whose norms have means, variances and factors of their own, and whose outputs differ."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if ".running_" in name or (value.ndim == 1 and value.is_floating_point()):
                value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
    return model.eval()


@pytest.fixture
def finetuned(tmp_path) -> Path:
    """Return the folder of a finished fine-tuning run of four classes."""
    folder = SPEC.write(tmp_path / "project").parent
    network = weights.seeded(1, models.build, "tsm_resnet18", 8, 4, len(CLASSES), 0.8)
    weights.save(randomised(network), folder / "model.safetensors", SPEC.id)
    write_json(folder / "classes.json", CLASSES)
    result = {"top1": 0.5, "top5": 1.0, "mean_class_accuracy": 0.5, "videos": 8, "epochs": 1, "made_with": {}}
    write_json(folder / "result.json", {"id": SPEC.id, "phase": "finetune", **result})
    return folder


@pytest.fixture
def pretrained(tmp_path, tiny) -> tuple[Path, PretrainSpec]:
    """Return (the folder of a finished pre-training, its spec)."""
    spec = next(iter(plan.resolve(params.parse(tiny)).pretrains.values()))
    folder = spec.write(tmp_path / "project").parent
    recipe = spec.recipe
    network = weights.seeded(5, models.build, recipe.backbone, recipe.width, recipe.frames, 7, 0.0)
    weights.save(randomised(network), folder / "model.safetensors", spec.id)
    return folder, spec


@pytest.fixture
def the_hub(tmp_path, monkeypatch) -> Hub:
    """Return a running, empty stand-in for the Hub, for which this process has a token."""
    constants = huggingface_hub.constants
    with hub() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.address)
        monkeypatch.setattr(
            constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            server.address + "/{repo_id}/resolve/{revision}/{filename}",
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", Hub.TOKEN)
        yield server

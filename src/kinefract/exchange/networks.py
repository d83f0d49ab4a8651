"""The network that a user names: a finished run, one that comes with kinefract, or one on the Hub."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from kinefract import released
from kinefract.common import strict_yaml
from kinefract.common.errors import UserError
from kinefract.common.layout import SPEC_FILE
from kinefract.config.locate import locate_results
from kinefract.config.specs import DatasetSpec, FinetuneSpec, PretrainSpec
from kinefract.evaluation import predict
from kinefract.models import weights
from kinefract.models.base import Backbone
from kinefract.released import hub

Sendable = DatasetSpec | PretrainSpec | FinetuneSpec


@dataclass(frozen=True)
class Network:
    """A trained network, and what others must know to use it.

    Attributes:
        id: The id of the run that trained it last.
        backbone: A key of ``BACKBONES``.
        width: As for ``kinefract.models.build``.
        frames: T, of a clip.
        size: H and W of a clip, in pixels.
        model: The network in evaluation mode, on the CPU.
        classes: The names of its classes in the order of its outputs. Empty for a pre-trained network, whose
            classifier others have no use for: what it gives are features.
    """

    id: str
    backbone: str
    width: int
    frames: int
    size: int
    model: Backbone
    classes: list[str]

    @property
    def output(self) -> str:
        """The name of what it gives: ``logits`` of its classes, or ``features``."""
        return "logits" if self.classes else "features"

    @property
    def function(self) -> nn.Module:
        """The module that maps clips (B, T, 3, H, W), normalised, to ``output``."""
        return self.model if self.classes else _Features(self.model).eval()

    @property
    def state(self) -> dict[str, torch.Tensor]:
        """Its tensors by name, without a classifier that nobody has use for."""
        state = self.model.state_dict()
        if self.classes:
            return state
        return {key: value for key, value in state.items() if not key.startswith(f"{self.model.classifier}.")}


class _Features(nn.Module):
    def __init__(self, model: Backbone) -> None:
        super().__init__()
        self.model = model

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        return self.model.features(clips)


def find(name: str, root: Path | str = "") -> Network:
    """Find and load a network.

    Args:
        name: The folder or the id of a finished run, the name of a network that comes with kinefract, or
            ``hf:owner/name``.
        root: The project's folder.

    Raises:
        UserError: there is no such network, its run is not finished, or its files are damaged.
    """
    if hub.is_name(name) or name in released.names():
        known = released.facts(name)
        if known.names_classes:
            return _finetuned(name, FinetuneSpec.read(released.run_folder(name) / SPEC_FILE))
        return Network(
            known.run, known.backbone, known.width, known.frames, known.size, released.load(name), []
        )
    spec, folder = locate(name, root)
    match spec:
        case FinetuneSpec():
            return _finetuned(folder, spec)
        case PretrainSpec():
            return _pretrained(folder)
    raise UserError(f"{name}: a dataset; name a run, or one of {', '.join(released.names())}")


def locate(name: str, root: Path | str = "") -> tuple[Sendable, Path]:
    """Find a dataset or a run by its folder, its id, or, for a dataset, its name in the configuration.

    Returns:
        Its spec, and its folder.

    Raises:
        UserError: there is none, or it is the folder of something else.
    """
    try:
        folder = locate_results(name, root)[0]
    except UserError as error:
        raise UserError(f"{error}; these come with kinefract: {', '.join(released.names())}") from None
    path = folder / SPEC_FILE
    if not path.is_file():
        raise UserError(f"{folder}: holds no {SPEC_FILE}, so it is neither a run nor a dataset")
    found = strict_yaml.read(path)
    keys = found.keys() if isinstance(found, dict) else ()
    recipe = found.get("recipe") if isinstance(found, dict) else None
    if "benchmark" in keys:
        return FinetuneSpec.read(path), folder
    if "dataset" in keys:
        return PretrainSpec.read(path), folder
    if isinstance(recipe, dict) and "family" in recipe:
        return DatasetSpec.read(path), folder
    raise UserError(f"{folder}: neither a run nor a dataset; a study's page names its runs")


def _finetuned(run: Path | str, spec: FinetuneSpec) -> Network:
    finished = predict.load(run)
    network = spec.network
    return Network(
        spec.id,
        network.backbone,
        network.width,
        spec.recipe.frames,
        spec.recipe.size,
        finished.model.eval(),
        finished.classes,
    )


def _pretrained(run: Path) -> Network:
    spec, state = released.pretrained(run)
    model = spec.recipe.built(0, spec.recipe, 1, 0.0)
    weights.copy_into(model, state, run, classifier=False)
    recipe = spec.recipe
    return Network(spec.id, recipe.backbone, recipe.width, recipe.frames, recipe.size, model.eval(), [])

"""Saving and loading of weights as safetensors files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import nn

from kinefract.common import checksums
from kinefract.common.errors import UserError
from kinefract.common.files import written_whole
from kinefract.common.layout import MODEL
from kinefract.common.words import counted
from kinefract.models.base import Backbone

T = TypeVar("T")


def save(model: nn.Module, path: Path, spec_id: str) -> None:
    """Write a model's state, with the id of its spec as metadata."""
    write(model.state_dict(), path, spec_id)


def write(state: Mapping[str, torch.Tensor], path: Path, spec_id: str) -> None:
    """Write tensors by name, with the id of their spec as metadata."""
    with written_whole(path) as partial:
        partial.write_bytes(encoded(state, spec_id))


def encoded(state: Mapping[str, torch.Tensor], spec_id: str) -> bytes:
    """Return the content of a safetensors file: tensors by name, with the id of their spec as metadata."""
    state = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    # There is one key only: safetensors writes several in random order, and files must be reproducible.
    return to_bytes(state, metadata={"kinefract": spec_id})


def load_backbone(model: Backbone, path: Path) -> None:
    """Copy the weights of a run into ``model``, except the classifier, which has other classes.

    Raises:
        UserError: the file is missing, damaged, or its names or shapes are not the backbone's; the first
            differences are listed.
    """
    if not path.exists():
        raise UserError(f"{path}: no such weights; run the pre-training first")
    copy_into(model, read(path), path, classifier=False)


def read(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a safetensors file by name, on the CPU.

    Raises:
        UserError: the file is missing or damaged, or its weights were removed.
    """
    checksums.check(path)
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: cannot be read as safetensors: {error}") from error
    if not state and made_by(path):  # an empty file of another program is not of a run that can be made again
        last = path.with_name(MODEL)  # the file that the rule makes; snapshots come with it
        target = "/".join(("results", *last.resolve().parts[-3:]))  # .../<phase>/<id>/<file>
        raise UserError(
            f"{path}: these weights were removed (`kinefract prune --weights`); "
            f"to make them again, delete {last} and run `snakemake {target}`"
        )
    return state


def made_by(path: Path) -> str:
    """Return the id of the spec that made a file of weights; empty if the file does not hold it.

    Raises:
        UserError: the file is missing or damaged.
    """
    checksums.check(path)
    try:
        with safe_open(path, "pt") as file:
            return (file.metadata() or {}).get("kinefract", "")
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: cannot be read as safetensors: {error}") from error


def copy_into(model: Backbone, state: dict[str, torch.Tensor], path: Path, classifier: bool) -> None:
    """Copy tensors into the parameters and buffers of their names, all or none.

    Args:
        model: The target of the copy.
        state: Tensors by name; a norm's count of batches may be missing.
        path: The file of the tensors, for messages.
        classifier: Whether the classifier is copied, too; otherwise the model keeps its own.

    Raises:
        UserError: names or shapes differ; the first ten differences are listed.
    """
    own = model.state_dict()
    if not classifier:
        own, state = (_without(f"{model.classifier}.", tensors) for tensors in (own, state))
    # Files from before torch 0.4.1 lack the counts of batches, which a norm with a momentum does not read.
    missing = {name for name in own.keys() - state.keys() if not name.endswith(".num_batches_tracked")}
    differences = [f"{name}: not in the file" for name in missing]
    differences += [f"{name}: not in the backbone" for name in state.keys() - own.keys()]
    differences += [
        f"{name}: {tuple(state[name].shape)} in the file, {tuple(value.shape)} in the backbone"
        for name, value in own.items()
        if name in state and state[name].shape != value.shape
    ]
    if differences:
        listed = "\n".join(f"  {line}" for line in sorted(differences)[:10])
        fits = f"{counted(len(differences), 'parameter')} {'does' if len(differences) == 1 else 'do'} not fit"
        raise UserError(f"{path}: {fits} the backbone:\n{listed}")
    model.load_state_dict(state, strict=False)


def _without(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value for name, value in tensors.items() if not name.startswith(prefix)}


def parameters(model: nn.Module) -> int:
    """Count a model's parameters, frozen ones too."""
    return sum(weight.numel() for weight in model.parameters())


def seeded(seed: int, build: Callable[..., T], *arguments: Any, **more: Any) -> T:
    """Call ``build`` with torch's generator at ``seed``, and leave the generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(*arguments, **more)

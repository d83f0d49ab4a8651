"""Weights as safetensors: saving a model, and starting another from it."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import nn

from kinefract.errors import UserError
from kinefract.files import written_whole

CLASSIFIER = "new_fc."


def save(model: nn.Module, path: Path, spec_id: str) -> None:
    """Write a model's state, with the id of what made it as metadata."""
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    with written_whole(path) as partial:
        # One key only: safetensors writes several in random order, and equal weights are to be equal files.
        partial.write_bytes(to_bytes(state, metadata={"kinefract": spec_id}))


def load_backbone(model: nn.Module, path: Path) -> None:
    """Copy the weights of a run into ``model``, all but the classifier, whose classes are others.

    Raises:
        UserError: the file is missing, damaged, or its names or shapes are not the backbone's; the first
            differences are listed.
    """
    try:
        state = load_file(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such weights; run the pre-training first") from None
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: cannot be read as safetensors: {error}") from error
    state = {name: value for name, value in state.items() if not name.startswith(CLASSIFIER)}
    own = {name: value for name, value in model.state_dict().items() if not name.startswith(CLASSIFIER)}
    differences = [f"{name}: not in the file" for name in own.keys() - state.keys()]
    differences += [f"{name}: not in the backbone" for name in state.keys() - own.keys()]
    differences += [
        f"{name}: {tuple(state[name].shape)} in the file, {tuple(value.shape)} in the backbone"
        for name, value in own.items()
        if name in state and state[name].shape != value.shape
    ]
    if differences:
        listed = "\n".join(f"  {line}" for line in sorted(differences)[:10])
        raise UserError(f"{path}: {len(differences)} parameters do not fit the backbone:\n{listed}")
    model.load_state_dict(state, strict=False)


def parameters(model: nn.Module) -> int:
    """Count a model's trainable parameters."""
    return sum(weight.numel() for weight in model.parameters())


def seeded(seed: int, build, *arguments) -> nn.Module:
    """Call ``build(*arguments)`` with torch's generator at ``seed``, and leave the generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(*arguments)

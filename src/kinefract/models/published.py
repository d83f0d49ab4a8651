"""Loading of published checkpoints, in their published formats, into a backbone.

These are TSM's and pytorchvideo's Kinetics weights, ImageNet weights of the 2-D network inside a TSM
(torchvision's for the ResNets, those of TSM's public code for MobileNetV2), and VideoMAE's weights with the
names of ``transformers``, pre-trained or fine-tuned. The user provides the file.
"""

import pickle
import re
from pathlib import Path
from typing import TypeGuard

import torch

from kinefract.common.errors import UserError, first_line
from kinefract.models import weights
from kinefract.models.base import Backbone
from kinefract.models.tsm import TSM
from kinefract.models.vit import VideoViT

WRAPPERS = ("state_dict", "model_state")  # TSM's, pytorchvideo's
PARALLEL = "module."  # the prefix that torch's DataParallel puts before every name
INSIDE_TSM = "base_model."
# Of VideoMAE's pre-training, beside the encoder: its norm comes before the decoder.
DECODING = ("decoder.", "encoder_to_decoder.", "mask_token", "position_embeddings", "videomae.layernorm.")
IMAGE_CLASSIFIERS = ("fc.", "classifier.")


def load_published(model: Backbone, path: Path) -> bool:
    """Copy published weights into a backbone of the same architecture.

    The classifier is copied if it has the same number of classes as the model's. Otherwise, and if the
    weights are those of an image network, the model keeps its own.

    Args:
        model: The backbone, at the published width.
        path: A safetensors file (by its suffix), or a torch file that holds tensors and plain values.

    Returns:
        Whether the classifier was copied.

    Raises:
        UserError: the file is missing or damaged, holds no weights, cannot be read without running code in
            it, or its names or shapes are not the backbone's; the first ten differences are listed.
    """
    state = _state_dict(path)
    if isinstance(model, TSM) and not any(name.startswith(INSIDE_TSM) for name in state):
        state = _inside_tsm(model, state)
    if isinstance(model, VideoViT):
        state = _of_videomae(model, state)
    name = f"{model.classifier}.weight"
    same_classes = name in state and state[name].shape[:1] == model.get_parameter(name).shape[:1]
    weights.copy_into(model, state, path, classifier=same_classes)
    return same_classes


def _state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Return a file's tensors by their names in the original network."""
    state: object = weights.read(path) if path.suffix == ".safetensors" else _read_torch(path)
    for wrapper in WRAPPERS:
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not _is_state_dict(state):
        found = f"the keys {list(state)[:5]}" if isinstance(state, dict) else f"a {type(state).__name__}"
        raise UserError(f"{path}: no state dict, not under {' or '.join(WRAPPERS)} either; found {found}")
    if all(name.startswith(PARALLEL) for name in state):
        state = {name.removeprefix(PARALLEL): value for name, value in state.items()}
    return state


def _is_state_dict(state: object) -> TypeGuard[dict[str, torch.Tensor]]:
    return (
        isinstance(state, dict)
        and len(state) > 0
        and all(isinstance(name, str) and torch.is_tensor(value) for name, value in state.items())
    )


def _read_torch(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # torch passes on any error of its readers of zip, tar and pickle
        wanted = re.search(r"GLOBAL ([\w.]+)", str(error))
        if isinstance(error, pickle.UnpicklingError) and wanted:
            raise UserError(
                f"{path}: holds {wanted[1]} besides weights; reading that could run any code, so it is "
                "refused. If you trust the file, save its state dict alone, best as safetensors"
            ) from error
        reason = first_line(error)
        raise UserError(f"{path}: damaged, or no torch file: {reason}") from error


def _inside_tsm(model: TSM, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename an image network's tensors to those of the network inside a TSM; its classifier is left out."""
    own = {
        name.removeprefix(INSIDE_TSM).replace(".net.", "."): name
        for name in model.state_dict()
        if name.startswith(INSIDE_TSM)
    }
    return {
        own.get(name, name): value for name, value in state.items() if not name.startswith(IMAGE_CLASSIFIERS)
    }


def _of_videomae(model: VideoViT, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename VideoMAE's tensors as the backbone has them; pre-training lacks the norm of fine-tuning."""
    renamed = {
        re.sub(r"^classifier\.", "head.", name)
        .replace(".q_bias", ".query.bias")  # as transformers before its version 5 had it
        .replace(".v_bias", ".value.bias"): value
        for name, value in state.items()
        if not name.startswith(DECODING)
    }
    norm = {name: value for name, value in model.state_dict().items() if name.startswith("fc_norm.")}
    return norm | renamed

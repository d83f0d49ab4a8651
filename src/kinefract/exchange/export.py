"""A network in the file formats of other programs: ONNX, TorchScript, safetensors, torchvision, mmaction2.

A graph (ONNX, TorchScript) is run before its file gets its name, for one clip and for three, and must give
what the network gives here.
"""

import json
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch

from kinefract import __version__
from kinefract.augment.basic import IMAGENET_MEAN, IMAGENET_STD
from kinefract.common.errors import UserError
from kinefract.common.extras import needed
from kinefract.common.files import in_bytes, written_whole
from kinefract.common.words import counted
from kinefract.exchange import names
from kinefract.exchange.networks import Network
from kinefract.models import weights
from kinefract.models.base import PUBLISHED_WIDTH

Format = Literal["onnx", "torchscript", "torchvision", "mmaction2", "safetensors"]
ENDINGS: dict[Format, tuple[str, ...]] = {
    "onnx": (".onnx",),
    "torchscript": (".pt", ".pth"),
    "torchvision": (".safetensors", ".pth"),
    "mmaction2": (".pth", ".safetensors"),
    "safetensors": (".safetensors",),
}
INPUT = "clips"
FACTS = "kinefract.json"  # in a TorchScript file
TRIED = (1, 3)  # numbers of clips; a graph is made from two
TOLERANCE = 1e-4  # of the largest output


def export(network: Network, to: Format, output: Path) -> str:
    """Write a network to a file.

    Args:
        network: The network.
        to: The format. Names of parameters are those of the library where the format is that of one.
        output: The file; its ending is one of ``ENDINGS``.

    Returns:
        A line about what was written.

    Raises:
        UserError: the file has another ending, the library has no counterpart of the network, a package is
            missing, the exported network gives other outputs, or the file cannot be written.
    """
    if output.suffix not in ENDINGS[to]:
        raise UserError(f"{output}: a file for {to} ends in {' or '.join(ENDINGS[to])}")
    if to in ("onnx", "torchscript"):
        write = _onnx if to == "onnx" else _torchscript
        with written_whole(output) as partial, torch.no_grad():
            difference = write(network, partial)
        what = f"{_shape_in(network)} to {_shape_out(network)}; run for {TRIED[0]} and {TRIED[1]} clips, "
        what += f"largest difference from here {difference:.1e}"
    else:
        state, what = _state(network, to)
        with written_whole(output) as partial:
            if output.suffix == ".safetensors":
                partial.write_bytes(weights.encoded(state, network.id))
            else:
                torch.save({"state_dict": state} if to == "mmaction2" else state, partial)
    return f"{output}: {in_bytes(output.stat().st_size)}, {what}"


def _onnx(network: Network, path: Path) -> float:
    """Write an ONNX file and return the largest difference of its outputs."""
    needed("onnxscript", "onnx")
    runtime = needed("onnxruntime", "onnx")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it tells of operations of torchvision
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network.function,
            (_clips(network, 2),),
            dynamo=True,
            verbose=False,
            input_names=[INPUT],
            output_names=[network.output],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )
    if program is None:
        raise RuntimeError("torch.onnx.export made no program")
    for node in program.model.graph:
        node.metadata_props.clear()  # lines of code, with the paths of this machine
    program.model.metadata_props.update(_facts(network))
    program.save(path)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(clips: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(session.run([network.output], {INPUT: clips.numpy()})[0])

    return _difference(network, run, path)


def _torchscript(network: Network, path: Path) -> float:
    """Write a TorchScript file and return the largest difference of its outputs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a check of the number of frames becomes a constant, as it should
        traced = torch.jit.trace(network.function, _clips(network, 2), check_trace=False)
        torch.jit.save(traced, path, _extra_files={FACTS: json.dumps(_facts(network)).encode()})
        return _difference(network, torch.jit.load(path), path)


def _difference(network: Network, run: Callable[[torch.Tensor], Any], path: Path) -> float:
    """Return the largest difference between the outputs of an exported network and of the network.

    Raises:
        UserError: It is larger than ``TOLERANCE`` times the largest output.
    """
    worst = 0.0
    for count in TRIED:
        clips = _clips(network, count)
        expected = network.function(clips)
        found = run(clips)
        difference = float((found - expected).abs().max())
        if found.shape != expected.shape or not difference <= TOLERANCE * float(expected.abs().max()):
            raise UserError(f"{path.name}: gives other outputs than the network for {count} clips")
        worst = max(worst, difference)
    return worst


def _clips(network: Network, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.randn(count, network.frames, 3, network.size, network.size, generator=generator)


def _facts(network: Network) -> dict[str, str]:
    """Return what a program must know to use a graph, as text."""
    return {
        "kinefract": __version__,
        "run": network.id,
        "input": f"float32 {_shape_in(network)}, RGB in 0 to 1, then (value - mean) / std",
        "mean": json.dumps(IMAGENET_MEAN),
        "std": json.dumps(IMAGENET_STD),
        "output": network.output,
        "classes": json.dumps(network.classes),
    }


def _shape_in(network: Network) -> str:
    return f"clips (batch, {network.frames}, 3, {network.size}, {network.size})"


def _shape_out(network: Network) -> str:
    return f"{network.output} (batch, {len(network.classes) or network.model.feature_size})"


def _state(network: Network, to: Format) -> tuple[dict[str, torch.Tensor], str]:
    """Return the tensors of a network by the names of a library, and a few words about them."""
    state = {key: value.contiguous() for key, value in network.state.items()}
    head = f"a classifier of {counted(len(network.classes), 'class')}" if network.classes else "no classifier"
    if to == "safetensors":
        return (
            state,
            f"{counted(len(state), 'tensor')} of {network.backbone} at width {network.width}, {head}",
        )
    there = names.counterpart(to, network.backbone, network.width)
    new = there.renamed(list(state))
    note = ""
    if network.width != PUBLISHED_WIDTH:
        note = f" at width {network.width}, which {to} does not build by itself: docs/weights.md shows how"
        if there.scaled:
            note = f" with {there.scaled.format(network.width / PUBLISHED_WIDTH)}"
    return (
        {new[key]: value for key, value in state.items()},
        f"{counted(len(state), 'tensor')} named as in {there.network}{note}, {head}",
    )

"""Names of parameters in other libraries, for the backbones that have a counterpart there.

torchvision (``torchvision/models/resnet.py`` and ``mobilenetv2.py`` of https://github.com/pytorch/vision):
the 2-D network inside a TSM. A MobileNetV2's block is a sequence of ``ConvNormActivation``, each itself a
sequence of convolution and norm. torchvision has no temporal shift; ``docs/weights.md`` shows how to add it.

mmaction2 (``mmaction/models/backbones/resnet.py``, ``resnet_tsm.py``, ``mobilenet_v2.py`` and
``mobilenet_v2_tsm.py``, ``mmaction/models/heads/tsm_head.py`` of https://github.com/open-mmlab/mmaction2):
a ``Recognizer2D`` of a TSM backbone and a ``TSMHead``. Convolution and norm lie together in mmcv's
``ConvModule`` as ``conv`` and ``bn``. What is shifted lies under ``net``: a ResNet's convolution, a
MobileNetV2's whole ``ConvModule``.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kinefract.common.errors import UserError
from kinefract.models.base import PUBLISHED_WIDTH
from kinefract.models.mobilenet import STAGES

# Where the layers of a MobileNetV2's block lie in the two libraries, by their place here. In the first block
# nothing is widened, so the last two come earlier.
IN_TORCHVISION = {"0": "0.0", "1": "0.1", "3": "1.0", "4": "1.1", "6": "2", "7": "3"}
FIRST_IN_TORCHVISION = {**IN_TORCHVISION, "3": "1", "4": "2"}
IN_MMACTION2 = {"0": "0.conv", "1": "0.bn", "3": "1.conv", "4": "1.bn", "6": "2.conv", "7": "2.bn"}
BLOCK = re.compile(r"base_model\.features\.(?P<block>\d+)\.conv\.(?P<place>\d)\.(?:net\.)?(?P<rest>\w+)")
ENDS = re.compile(r"base_model\.features\.(?P<block>\d+)\.(?P<place>[01])\.(?P<rest>\w+)")


@dataclass(frozen=True)
class Counterpart:
    """The network of another library that computes what a backbone does.

    Attributes:
        network: How it is built there, at the width for which ``scaled`` gives ``{}``.
        renamed: Maps the names of a backbone's parameters to those of the counterpart.
        scaled: The setting there that makes other widths, with ``{}`` for the width over 64; None if the
            library builds the published width alone.
    """

    network: str
    renamed: Callable[[list[str]], dict[str, str]]
    scaled: str | None = None


def counterpart(library: str, backbone: str, width: int) -> Counterpart:
    """Return the counterpart of a backbone in a library.

    Args:
        library: One of ``LIBRARIES``.
        backbone: A key of ``BACKBONES``.
        width: That of the network.

    Raises:
        UserError: there is none; the message says what can be done.
    """
    there = COUNTERPARTS[library]
    if backbone not in there:
        raise UserError(
            f"{backbone}: {library} has no such network, only counterparts of {', '.join(there)}; "
            "`--to onnx` and `--to torchscript` take every network, `--to safetensors` keeps its names"
        )
    found = there[backbone]
    if found.scaled and width > PUBLISHED_WIDTH:
        raise UserError(
            f"{backbone}: {library} widens the last layer above width {PUBLISHED_WIDTH}, and this network of "
            f"width {width} does not; use `--to onnx`, `--to torchscript` or `--to safetensors`"
        )
    return found


def _by_patterns(patterns: Iterable[tuple[str, str]]) -> Callable[[list[str]], dict[str, str]]:
    """Return a function that renames by regular expressions, one after the other."""
    steps = [(re.compile(pattern), replacement) for pattern, replacement in patterns]

    def renamed(names: list[str]) -> dict[str, str]:
        found = {}
        for name in names:
            new = name
            for pattern, replacement in steps:
                new = pattern.sub(replacement, new)
            found[name] = new
        return found

    return renamed


def _mobilenet_in_torchvision(names: list[str]) -> dict[str, str]:
    found = {}
    for name in names:
        if match := BLOCK.fullmatch(name):
            places = FIRST_IN_TORCHVISION if match["block"] == "1" else IN_TORCHVISION
            found[name] = f"features.{match['block']}.conv.{places[match['place']]}.{match['rest']}"
        else:
            found[name] = name.removeprefix("base_model.").replace("new_fc.", "classifier.1.")
    return found


def _mobilenet_in_mmaction2(names: list[str]) -> dict[str, str]:
    blocks = [
        f"layer{stage + 1}.{place}" for stage, row in enumerate(STAGES) for place in range(row[2])
    ]  # of features 1, 2, ...
    shifted = {match["block"] for name in names if ".net." in name and (match := BLOCK.fullmatch(name))}
    found = {}
    for name in names:
        if match := BLOCK.fullmatch(name):
            place = IN_MMACTION2[match["place"]]
            if match["block"] in shifted:
                place = place.replace("0.", "0.net.")
            block = blocks[int(match["block"]) - 1]
            found[name] = f"backbone.{block}.conv.{place}.{match['rest']}"
        elif match := ENDS.fullmatch(name):
            end, part = ("conv2" if int(match["block"]) else "conv1"), ("conv", "bn")[int(match["place"])]
            found[name] = f"backbone.{end}.{part}.{match['rest']}"
        else:
            found[name] = name.replace("new_fc.", "cls_head.fc_cls.")
    return found


_resnet_in_torchvision = _by_patterns([(r"^base_model\.", ""), (r"\.net\.", "."), (r"^new_fc\.", "fc.")])
_resnet_in_mmaction2 = _by_patterns(
    [
        (r"^base_model\.", "backbone."),
        (r"\.conv(\d)\.", r".conv\1.conv."),
        (r"\.bn(\d)\.", r".conv\1.bn."),
        (r"\.downsample\.0\.", ".downsample.conv."),
        (r"\.downsample\.1\.", ".downsample.bn."),
        (r"^new_fc\.", "cls_head.fc_cls."),
    ]
)
COUNTERPARTS = {
    "torchvision": {
        "tsm_resnet18": Counterpart("torchvision.models.resnet18()", _resnet_in_torchvision),
        "tsm_resnet50": Counterpart("torchvision.models.resnet50()", _resnet_in_torchvision),
        "tsm_mobilenetv2": Counterpart(
            "torchvision.models.mobilenet_v2()", _mobilenet_in_torchvision, "width_mult={}"
        ),
    },
    "mmaction2": {
        "tsm_resnet18": Counterpart("ResNetTSM(depth=18)", _resnet_in_mmaction2),
        "tsm_resnet50": Counterpart("ResNetTSM(depth=50)", _resnet_in_mmaction2),
        "tsm_mobilenetv2": Counterpart("MobileNetV2TSM()", _mobilenet_in_mmaction2, "widen_factor={}"),
    },
}

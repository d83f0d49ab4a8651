"""Names of parameters in torchvision and mmaction2, compared with lists and networks of those libraries."""

import json

import pytest
import torch
from equivalents import Mmaction18, Torchvision18

from kinefract import models
from kinefract.common.errors import UserError
from kinefract.exchange.names import COUNTERPARTS, counterpart
from kinefract.models import weights


def renamed(library, backbone, width, classes=5):
    model = weights.seeded(1, models.build, backbone, width, 4, classes, 0.0)
    state = model.state_dict()
    new = counterpart(library, backbone, width).renamed(list(state))
    assert len(set(new.values())) == len(state)
    return {new[key]: value for key, value in state.items()}


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_the_names_and_shapes_are_those_of_torchvisions_own_weights(shared, name):
    """The list is that of the tensors in the ImageNet weights that torchvision hands out."""
    listed = json.loads((shared / f"checkpoints/{name}_imagenet.json").read_text())
    found = renamed("torchvision", f"tsm_{name}", 64, classes=1000)
    assert {key: list(value.shape) for key, value in found.items()} == listed


@pytest.mark.parametrize("width", [8, 64])
def test_a_torchvision_resnet18_takes_all_tensors(width):
    Torchvision18(width, 5).load_state_dict(renamed("torchvision", "tsm_resnet18", width))


def test_an_mmaction2_tsm_takes_all_tensors():
    found = renamed("mmaction2", "tsm_resnet18", 8)
    assert "backbone.layer1.0.conv1.conv.net.weight" in found
    Mmaction18(8, 4, 5).load_state_dict(found)


# Module by module from the two libraries' source: the stem, a block without and one with a shift, the end.
MOBILENET = {
    "torchvision": {
        "features.0.0.weight": (32, 3, 3, 3),
        "features.1.conv.0.0.weight": (32, 1, 3, 3),
        "features.1.conv.1.weight": (16, 32, 1, 1),
        "features.1.conv.2.bias": (16,),
        "features.2.conv.0.0.weight": (96, 16, 1, 1),
        "features.3.conv.0.0.weight": (144, 24, 1, 1),
        "features.3.conv.0.1.running_mean": (144,),
        "features.3.conv.1.0.weight": (144, 1, 3, 3),
        "features.3.conv.2.weight": (24, 144, 1, 1),
        "features.3.conv.3.weight": (24,),
        "features.18.0.weight": (1280, 320, 1, 1),
        "features.18.1.weight": (1280,),
        "classifier.1.weight": (5, 1280),
    },
    "mmaction2": {
        "backbone.conv1.conv.weight": (32, 3, 3, 3),
        "backbone.conv1.bn.weight": (32,),
        "backbone.layer1.0.conv.0.conv.weight": (32, 1, 3, 3),
        "backbone.layer1.0.conv.1.conv.weight": (16, 32, 1, 1),
        "backbone.layer1.0.conv.1.bn.bias": (16,),
        "backbone.layer2.0.conv.0.conv.weight": (96, 16, 1, 1),
        "backbone.layer2.1.conv.0.net.conv.weight": (144, 24, 1, 1),
        "backbone.layer2.1.conv.0.net.bn.running_mean": (144,),
        "backbone.layer2.1.conv.1.conv.weight": (144, 1, 3, 3),
        "backbone.layer2.1.conv.2.bn.weight": (24,),
        "backbone.layer7.0.conv.2.conv.weight": (320, 960, 1, 1),
        "backbone.conv2.conv.weight": (1280, 320, 1, 1),
        "backbone.conv2.bn.weight": (1280,),
        "cls_head.fc_cls.weight": (5, 1280),
    },
}


@pytest.mark.parametrize("library", MOBILENET)
def test_a_mobilenet_has_the_names_of_the_library(library):
    found = renamed(library, "tsm_mobilenetv2", 64)
    for name, shape in MOBILENET[library].items():
        assert found[name].shape == torch.Size(shape), name
    start = ("features.", "classifier.") if library == "torchvision" else ("backbone.", "cls_head.")
    assert all(name.startswith(start) for name in found)


def test_a_backbone_without_a_counterpart_is_told_what_can_be_done():
    for library in COUNTERPARTS:
        with pytest.raises(UserError) as refused:
            counterpart(library, "x3d_m", 64)
        assert str(refused.value) == (
            f"x3d_m: {library} has no such network, only counterparts of tsm_resnet18, tsm_resnet50, "
            "tsm_mobilenetv2; `--to onnx` and `--to torchscript` take every network, `--to safetensors` "
            "keeps its names"
        )


def test_a_wide_mobilenet_has_none_either_since_there_its_last_layer_is_wider():
    with pytest.raises(UserError, match="widens the last layer above width 64"):
        counterpart("torchvision", "tsm_mobilenetv2", 128)

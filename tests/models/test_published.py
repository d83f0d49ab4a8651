"""Published checkpoints, in the forms they are handed out in."""

import json
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from kinefract import models
from kinefract.common.errors import UserError
from kinefract.models import weights
from kinefract.models.published import load_published


def network(name="tsm_resnet18", width=8, classes=4, seed=1):
    return weights.seeded(seed, models.build, name, width, 4, classes, 0.5)


def random_state(shapes):
    """Return tensors of the given shapes, no two alike; shapes without axes are counts of batches."""
    generator = torch.Generator().manual_seed(5)
    return OrderedDict(
        (name, torch.rand(shape, generator=generator) if shape else torch.tensor(9))
        for name, shape in shapes.items()
    )


def parallel(state):
    return OrderedDict((f"module.{name}", value) for name, value in state.items())


# README of the shapes: entries and parameters of each file
PUBLISHED = [
    ("tsm_resnet50_kinetics400", "tsm_resnet50", "state_dict", 320, 24_327_632),
    ("tsm_mobilenetv2_kinetics400", "tsm_mobilenetv2", None, 314, 2_736_272),
    ("x3d_m_400", "x3d_m", "model_state", 563, 3_794_274),
    ("x3d_l_400", "x3d_l", "model_state", 1141, 6_153_384),
    ("x3d_xl_400", "x3d_xl", "model_state", 1795, 8_760_488),
]


@pytest.mark.parametrize(("file", "name", "wrapper", "entries", "parameters"), PUBLISHED)
def test_every_tensor_of_a_video_checkpoint_has_its_place(
    shared, tmp_path, file, name, wrapper, entries, parameters
):
    state = random_state(json.loads((shared / f"checkpoints/{file}.json").read_text()))
    torch.save({"epoch": 50, wrapper: state} if wrapper else state, tmp_path / "published.pth")
    model = models.build(name, 64, 8, 400, 0.5)
    assert load_published(model, tmp_path / "published.pth")
    own = model.state_dict()
    assert len(own) == len(state) == entries
    for key, value in state.items():
        assert torch.equal(own[key.removeprefix("module.")], value), key
    assert weights.parameters(model) == parameters


@pytest.mark.parametrize(
    ("file", "name", "entries", "parameters"),
    [
        ("resnet18_imagenet", "tsm_resnet18", 122, 11_689_512),
        ("resnet50_imagenet", "tsm_resnet50", 320, 25_557_032),
    ],
)
def test_every_tensor_of_an_image_checkpoint_has_its_place_but_the_classifiers(
    shared, tmp_path, file, name, entries, parameters
):
    state = random_state(json.loads((shared / f"checkpoints/{file}.json").read_text()))
    torch.save(state, tmp_path / "resnet.pth")
    model = models.build(name, 64, 8, 1000, 0.5)
    kept = model.new_fc.weight.clone()
    assert not load_published(model, tmp_path / "resnet.pth")
    assert len(model.state_dict()) == len(state) == entries
    copied = {
        key.removeprefix("base_model.").replace(".net.", "."): value
        for key, value in model.state_dict().items()
        if key.startswith("base_model.")
    }
    assert copied.keys() == state.keys() - {"fc.weight", "fc.bias"}
    assert all(torch.equal(value, state[key]) for key, value in copied.items())
    assert torch.equal(model.new_fc.weight, kept)
    assert weights.parameters(model) == parameters


def test_an_image_network_inside_a_tsm_computes_what_it_did(tmp_path):
    """Frames that are all alike but for the shift: weights copied to the wrong places would show."""
    source, target = network(seed=1), network(seed=2)
    images = {
        key.removeprefix("base_model.").replace(".net.", "."): value.contiguous()
        for key, value in source.state_dict().items()
        if key.startswith("base_model.")
    }
    save_file(images, tmp_path / "resnet18.safetensors")
    load_published(target, tmp_path / "resnet18.safetensors")
    clips = torch.randn(2, 4, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(target.eval().features(clips), source.eval().features(clips))


def test_the_mobilenet_of_tsms_public_code_fits_too(tmp_path):
    model = network("tsm_mobilenetv2")
    images = {
        key.removeprefix("base_model.").replace(".net.", "."): value + 1
        for key, value in model.state_dict().items()
        if key.startswith("base_model.")
    }
    torch.save({**images, "classifier.weight": torch.zeros(1000, 1280)}, tmp_path / "mobilenetv2.pth.tar")
    load_published(model, tmp_path / "mobilenetv2.pth.tar")
    first = "features.3.conv.0.weight"
    assert torch.equal(model.state_dict()["base_model.features.3.conv.0.net.weight"], images[first])


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
@pytest.mark.parametrize("name", ["tsm_resnet18", "x3d_m"])
def test_the_classifier_is_copied_only_where_the_classes_are_as_many(tmp_path, name, suffix):
    source, path = network(name, classes=4, seed=1), tmp_path / f"weights.{suffix}"
    state = parallel(source.state_dict())
    if suffix == "safetensors":
        save_file({key: value.contiguous() for key, value in state.items()}, path)
    else:
        torch.save({"model_state": state}, path)
    for classes, copied in ((4, True), (5, False)):
        target = network(name, classes=classes, seed=2)
        kept = {key: value.clone() for key, value in target.state_dict().items()}
        assert load_published(target, path) is copied
        for key, value in target.state_dict().items():
            own = key.startswith(target.classifier) and not copied
            assert torch.equal(value, kept[key] if own else source.state_dict()[key]), key


def test_files_from_before_norms_counted_batches_are_read(tmp_path):
    source, target = network(seed=1), network(seed=2)
    state = {
        key: value for key, value in source.state_dict().items() if not key.endswith("num_batches_tracked")
    }
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert load_published(target, tmp_path / "old.pth")
    assert torch.equal(target.base_model.layer4[1].conv2.weight, source.base_model.layer4[1].conv2.weight)


def test_another_network_is_refused_whole_with_ten_differences(tmp_path):
    torch.save({"model_state": network("x3d_m").state_dict()}, tmp_path / "x3d.pyth")
    model = network()
    before = model.base_model.conv1.weight.clone()
    with pytest.raises(UserError, match=r"x3d\.pyth: \d+ parameters do not fit the backbone") as refused:
        load_published(model, tmp_path / "x3d.pyth")
    assert str(refused.value).count("\n") == 10
    assert torch.equal(model.base_model.conv1.weight, before)


def test_another_width_is_refused_even_where_the_classes_are_as_many(tmp_path):
    torch.save(network(width=16).state_dict(), tmp_path / "wide.pth")
    with pytest.raises(UserError, match=r"\(16, 3, 7, 7\) in the file, \(8, 3, 7, 7\) in the backbone"):
        load_published(network(), tmp_path / "wide.pth")


class Runs:
    """An object whose unpickling runs code of its choice."""

    def __reduce__(self):
        return (pytest.fail, ("the file's code ran",))


@pytest.mark.parametrize("extra", [Runs(), np.float64(76.2)])
def test_a_pickle_that_needs_more_than_weights_is_refused_and_not_run(tmp_path, extra):
    torch.save({"state_dict": network().state_dict(), "extra": extra}, tmp_path / "best.pth.tar")
    with pytest.raises(UserError, match=r"best\.pth\.tar: holds [\w.]+ besides weights.* is refused"):
        load_published(network(), tmp_path / "best.pth.tar")


@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": {"optimizer": {"lr": 0.1}}},
        {"state_dict": {}},
        {1: torch.zeros(2)},
        [torch.zeros(2)],
        torch.zeros(2),
        {"weights": network().state_dict()},
    ],
)
def test_a_file_without_weights_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"w\.pth: no state dict, not under state_dict or model_state either"):
        load_published(network(), tmp_path / "w.pth")


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_missing_or_damaged_file_is_refused(tmp_path, suffix):
    path = tmp_path / f"w.{suffix}"
    torch.save(network().state_dict(), tmp_path / "whole.pth")
    weights.save(network(), tmp_path / "whole.safetensors", "some-id")
    whole = (tmp_path / f"whole.{suffix}").read_bytes()
    for content in (b"", b"not weights", pickle.dumps({"a": 1}), whole[:-1000], whole[:100]):
        path.write_bytes(content)
        with pytest.raises(UserError, match=rf"w\.{suffix}: (damaged|cannot be read)"):
            load_published(network(), path)
    with pytest.raises(UserError, match="absent"):
        load_published(network(), tmp_path / f"absent.{suffix}")

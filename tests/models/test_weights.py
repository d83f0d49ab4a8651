"""Weights travel as safetensors, and only into a network they fit."""

import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from kinefract import models
from kinefract.common.errors import UserError
from kinefract.models import weights


def network(width=8, classes=4, seed=1):
    return weights.seeded(seed, models.build, "tsm_resnet18", width, 8, classes, 0.5)


def test_an_empty_file_of_another_program_is_not_said_to_have_been_removed(tmp_path):
    path = tmp_path / "empty.safetensors"
    save_file({}, path)
    assert weights.read(path) == {}


def test_equal_weights_are_equal_files(tmp_path):
    """A file's hash says what is in it, to DVC and in MLflow."""
    model, path, written = network(), tmp_path / "model.safetensors", set()
    for _ in range(20):
        weights.save(model, path, "some-id")
        written.add(path.read_bytes())
    assert len(written) == 1


def test_the_backbone_is_copied_and_the_classifier_is_not(tmp_path):
    source, target = network(classes=7, seed=1), network(classes=4, seed=2)
    head = target.new_fc.weight.clone()
    source.base_model.bn1.running_mean += 3
    weights.save(source, tmp_path / "model.safetensors", "some-id")
    weights.load_backbone(target, tmp_path / "model.safetensors")
    for (name, value), own in zip(
        source.base_model.state_dict().items(), target.base_model.state_dict().values(), strict=True
    ):
        assert torch.equal(value, own), name
    assert torch.equal(target.new_fc.weight, head)


def test_another_width_is_refused_with_the_differences(tmp_path):
    weights.save(network(width=16), tmp_path / "m.safetensors", "x")
    with pytest.raises(
        UserError, match=r"(?s)parameters do not fit.*base_model\.bn1\.bias: \(16,\) in the file"
    ):
        weights.load_backbone(network(width=8), tmp_path / "m.safetensors")


def test_a_missing_parameter_is_named(tmp_path):
    weights.save(network(), tmp_path / "m.safetensors", "x")
    state = load_file(tmp_path / "m.safetensors")
    del state["base_model.conv1.weight"]
    save_file(state, tmp_path / "m.safetensors")
    with pytest.raises(UserError, match=r"base_model\.conv1\.weight: not in the file"):
        weights.load_backbone(network(), tmp_path / "m.safetensors")


def test_a_pickle_or_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(UserError, match="cannot be read as safetensors"):
        weights.load_backbone(network(), path)
    weights.save(network(), path, "x")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match="cannot be read as safetensors"):
        weights.load_backbone(network(), path)
    with pytest.raises(UserError, match="no such weights"):
        weights.load_backbone(network(), tmp_path / "absent.safetensors")

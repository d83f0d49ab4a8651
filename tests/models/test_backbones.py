"""Every backbone: found by being there, and the same to the rest of the project."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from kinefract import models
from kinefract.models import weights
from kinefract.models.base import round_channels
from kinefract.models.seeded import reseed

FRAMES, SIZE, CLASSES = 4, 32, 5


def clips(size=SIZE):
    return torch.randn(2, FRAMES, 3, size, size, generator=torch.Generator().manual_seed(3))


def norms(model):
    return [module for module in model.modules() if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d)]


def network(name, dropout=0.0):
    """Return a small backbone in which every part has a say, with norms that have seen ``clips()``."""
    model = weights.seeded(1, models.build, name, 8, FRAMES, CLASSES, dropout, size=SIZE)
    generator = torch.Generator().manual_seed(2)
    nn.init.normal_(model.get_parameter(f"{model.classifier}.weight"), generator=generator)
    for norm in norms(model):
        nn.init.uniform_(norm.weight, 0.5, 1.5, generator=generator)
        norm.momentum = 1.0
    with torch.no_grad():
        model.features(clips())
    return model


every_backbone = pytest.mark.parametrize("name", sorted(models.BACKBONES))


@every_backbone
def test_clips_become_logits_and_features_of_which_the_classifier_makes_the_same_logits(name):
    model = network(name).eval()
    with torch.no_grad():
        logits, features = model(clips()), model.features(clips())
        assert logits.shape == (2, CLASSES) and features.shape == (2, model.feature_size)
        torch.testing.assert_close(model.get_submodule(model.classifier)(features), logits)
    assert logits.std() > 0.1


@every_backbone
def test_another_size_is_accepted_by_all_but_transformers(name):
    if models.BACKBONES[name].PATCHES:
        with pytest.raises(ValueError, match=r"Input image size \(64\*64\)"):
            network(name)(clips(64))
    else:
        with torch.no_grad():
            assert network(name).eval()(clips(64)).shape == (2, CLASSES)


@every_backbone
def test_dropout_touches_logits_in_training_and_never_features(name):
    model = network(name, dropout=0.5)
    for norm in norms(model):
        norm.eval()
    with torch.no_grad():
        drawn = []
        for seed in (4, 4, 5):
            reseed(model, seed, torch.device("cpu"))
            drawn.append((model(clips()), model.features(clips())))
    (logits, features), (again, _), (other, same) = drawn
    assert torch.equal(logits, again) and not torch.allclose(logits, other)
    assert torch.equal(features, same)


@every_backbone
def test_every_parameter_gets_a_gradient(name):
    model = network(name)
    cross_entropy(model(clips()), torch.tensor([0, 1])).backward()
    idle = [key for key, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    assert idle == []


@every_backbone
def test_the_same_seed_builds_the_same_network(name):
    def states(seed):
        built = weights.seeded(seed, models.build, name, 8, FRAMES, CLASSES, 0.5, size=SIZE)
        return built.state_dict().values()

    pairs = list(zip(states(1), states(1), strict=True))
    assert all(torch.equal(first, second) for first, second in pairs)
    drawn = [pair for pair in zip(states(1), states(2), strict=True) if pair[0].ndim > 1]
    assert len(drawn) > 15
    assert not any(torch.equal(first, second) for first, second in drawn)


@every_backbone
def test_the_classifier_alone_depends_on_the_classes(name):
    few, many = (models.build(name, 8, FRAMES, classes, 0.5, size=SIZE).state_dict() for classes in (3, 7))
    differing = {key for key in few if few[key].shape != many[key].shape}
    classifier = network(name).classifier
    assert few.keys() == many.keys()
    assert differing == {f"{classifier}.weight", f"{classifier}.bias"}


@pytest.mark.parametrize(
    ("name", "frames", "size", "published"),
    [
        ("tsm_resnet50", 8, 224, 33e9),  # TSM, table 2
        ("tsm_mobilenetv2", 8, 224, 8 * 0.30e9),  # MobileNetV2, table 4, per image
        ("x3d_m", 16, 224, 4.73e9),  # X3D, table 3
        ("x3d_l", 16, 312, 18.37e9),
    ],
)
def test_multiply_adds_are_those_of_the_papers(name, frames, size, published):
    """No parameter shows where a network is strided; the number of its multiplications does."""
    counted = []

    def count(module, inputs, output):
        counted.append(output.numel() * module.weight[0].numel())

    with torch.device("meta"):
        model = models.build(name, 64, frames, 400, 0.5).eval()
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d | nn.Linear):
                module.register_forward_hook(count)
        model(torch.zeros(1, frames, 3, size, size))
    assert sum(counted) == pytest.approx(published, rel=0.01)


def test_scaled_channels_are_multiples_of_8_and_lose_at_most_a_tenth():
    assert [round_channels(channels) for channels in (1, 8, 11.9, 12, 13.5, 27, 48)] == [
        8,
        8,
        16,
        16,
        16,
        32,
        48,
    ]

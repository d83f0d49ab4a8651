"""TSM networks: names and shapes of the published checkpoints, and the shift itself."""

import json

import pytest
import torch

from kinefract import models
from kinefract.models import weights
from kinefract.models.seeded import SeededDropout, reseed
from kinefract.models.tsm import shift


def test_shift_moves_an_eighth_each_way():
    x = torch.arange(2 * 4 * 16, dtype=torch.float32).view(8, 16, 1, 1)  # 2 clips of 4 frames, 16 channels
    clips, out = x.view(2, 4, 16), shift(x, 4).view(2, 4, 16)
    for clip in range(2):
        for frame in range(4):
            for channel in range(16):
                source = frame + 1 if channel < 2 else frame - 1 if channel < 4 else frame
                expected = clips[clip, source, channel] if 0 <= source < 4 else 0
                assert out[clip, frame, channel] == expected


def plain_shift(x: torch.Tensor, frames: int) -> torch.Tensor:
    """The shift by padding and concatenation, whose gradient is autograd's own."""
    clips = x.unflatten(0, (-1, frames))
    fold = x.shape[1] // 8
    none = torch.zeros_like(clips[:, :1, :fold])
    parts = [
        torch.cat([clips[:, 1:, :fold], none], 1),
        torch.cat([none, clips[:, :-1, fold : 2 * fold]], 1),
        clips[:, :, 2 * fold :],
    ]
    return torch.cat(parts, 2).flatten(0, 1)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_gradient_of_the_shift_is_that_of_a_plain_one(layout):
    draws = torch.Generator().manual_seed(1)
    x = torch.randn(12, 20, 3, 5, generator=draws).contiguous(memory_format=layout).requires_grad_()
    weights_of_outputs = torch.randn(12, 20, 3, 5, generator=draws).contiguous(memory_format=layout)
    found, plain = shift(x, 4), plain_shift(x, 4)
    assert torch.equal(found, plain)
    assert found.is_contiguous(memory_format=layout)
    for_found, for_plain = (torch.autograd.grad(out, x, weights_of_outputs)[0] for out in (found, plain))
    assert torch.equal(for_found, for_plain)


def test_a_shifted_network_sees_the_order_of_frames():
    torch.manual_seed(0)
    model = weights.seeded(1, models.build, "tsm_resnet18", 8, 4, 5, 0.0).eval()
    torch.nn.init.normal_(model.new_fc.weight)
    clips = torch.randn(2, 4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    assert not torch.allclose(model(clips), model(clips.flip(1)), atol=1e-4)


def test_resnet50_has_the_names_and_shapes_of_the_published_kinetics_checkpoint(shared):
    published = json.loads((shared / "checkpoints/tsm_resnet50_kinetics400.json").read_text())
    model = models.build("tsm_resnet50", 64, 8, 400, 0.8)
    own = {f"module.{name}": list(value.shape) for name, value in model.state_dict().items()}
    assert own == published
    assert weights.parameters(model) == 24_327_632


def test_resnet18_is_torchvisions_apart_from_shift_and_classifier(shared):
    published = json.loads((shared / "checkpoints/resnet18_imagenet.json").read_text())
    model = models.build("tsm_resnet18", 64, 8, 400, 0.8)
    own = {
        name.removeprefix("base_model.").replace(".net.", "."): list(value.shape)
        for name, value in model.state_dict().items()
        if not name.startswith("new_fc.")
    }
    assert own == {name: shape for name, shape in published.items() if not name.startswith("fc.")}


def test_the_same_seed_builds_the_same_network_and_leaves_torchs_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = weights.seeded(1, models.build, "tsm_resnet18", 8, 8, 4, 0.5)
    assert torch.equal(torch.rand(3), expected)
    second = weights.seeded(1, models.build, "tsm_resnet18", 8, 8, 4, 0.5)
    other = weights.seeded(2, models.build, "tsm_resnet18", 8, 8, 4, 0.5)
    assert torch.equal(first.base_model.conv1.weight, second.base_model.conv1.weight)
    assert not torch.equal(first.base_model.conv1.weight, other.base_model.conv1.weight)


def test_clips_of_another_length_are_refused():
    model = models.build("tsm_resnet18", 8, 8, 4, 0.5)
    with pytest.raises(ValueError, match="clips of 4 frames for a network of 8"):
        model(torch.zeros(1, 4, 3, 32, 32))


def test_dropout_draws_from_its_seed_and_keeps_the_mean():
    dropout, x = SeededDropout(0.8), torch.ones(200, 500)
    device = torch.device("cpu")
    reseed(dropout, 3, device)
    first = dropout(x)
    reseed(dropout, 3, device)
    assert torch.equal(dropout(x), first)
    reseed(dropout, 4, device)
    assert not torch.equal(dropout(x), first)
    # 100,000 draws of 0 or 5: the mean's standard deviation is 2 / sqrt(100,000) = 0.0063
    assert abs(first.mean().item() - 1) < 0.03
    assert torch.equal(dropout.eval()(x), x)

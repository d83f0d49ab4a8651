"""TSM MobileNetV2: which blocks are shifted, what the shift does, and what a block computes."""

import numpy as np
import pytest
import torch
from torch import nn

from kinefract import models
from kinefract.models import mobilenet, tsm, weights
from kinefract.models.mobilenet import InvertedResidual
from kinefract.models.tsm import ShiftedConv, shift

FRAMES = 4


def network(width=64):
    return weights.seeded(1, models.build, "tsm_mobilenetv2", width, FRAMES, 5, 0.0)


def test_blocks_with_a_residual_connection_are_shifted_and_no_others():
    """Table 2 of MobileNetV2 has stages of 1, 2, 3, 4, 3, 3, 1 blocks; the first of each is no residual."""
    shifted = [
        place
        for place, block in enumerate(network().base_model.features)
        if any(isinstance(module, ShiftedConv) for module in block.modules())
    ]
    assert shifted == [3, 5, 6, 8, 9, 10, 12, 13, 15, 16]


def test_the_order_of_frames_matters_through_the_shift_alone(monkeypatch):
    model = network(width=32)  # in training: norms see the same frames in either order
    clips = torch.randn(2, FRAMES, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    other_order = clips[:, [2, 0, 3, 1]]
    with torch.no_grad():
        assert (model.features(clips) - model.features(other_order)).abs().max() > 0.1
        monkeypatch.setattr(tsm, "shift", lambda x, frames: x)
        same, logits = model.features(clips), model(clips)
        torch.testing.assert_close(same, model.features(other_order), atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(logits, model(other_order), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("outputs", "stride"), [(8, 1), (16, 1), (8, 2)])
def test_a_block_computes_what_the_paper_says(outputs, stride):
    """Linear bottleneck, ReLU6 inside, padded channel-wise filters: against loops over pixels."""
    generator = torch.Generator().manual_seed(4)
    block = InvertedResidual(8, outputs, stride, expansion=6, frames=2).double().eval()
    convolutions = [module for module in block.modules() if isinstance(module, nn.Conv2d)]
    norms = [module for module in block.modules() if isinstance(module, nn.BatchNorm2d)]
    for convolution in convolutions:
        nn.init.normal_(convolution.weight, 0, 0.5, generator=generator)
    for norm in norms:
        nn.init.uniform_(norm.weight, 2, 4, generator=generator)
        nn.init.uniform_(norm.bias, -1, 2, generator=generator)
        norm.running_mean.uniform_(-0.1, 0.1, generator=generator)
    x = torch.randn(2, 8, 5, 5, generator=generator, dtype=torch.float64)
    widen, filters, narrow = (convolution.weight.detach().numpy() for convolution in convolutions)

    def normed(values, norm):
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        moved = norm.bias - norm.running_mean * scale
        return values * scale.detach().numpy()[:, None, None] + moved.detach().numpy()[:, None, None]

    residual = outputs == 8 and stride == 1
    seen = (shift(x, 2) if residual else x).numpy()
    for image, passed, own in zip(seen, x.numpy(), block(x).detach().numpy(), strict=True):
        wide = np.clip(normed(np.einsum("oi,ihw->ohw", widen[:, :, 0, 0], image), norms[0]), 0, 6)
        assert (wide == 6).any() and (wide == 0).any()
        padded = np.pad(wide, ((0, 0), (1, 1), (1, 1)))
        filtered = np.empty((48, -(-5 // stride), -(-5 // stride)))
        for channel, row, column in np.ndindex(filtered.shape):
            window = padded[channel, row * stride :, column * stride :][:3, :3]
            filtered[channel, row, column] = (window * filters[channel, 0]).sum()
        filtered = np.clip(normed(filtered, norms[1]), 0, 6)
        expected = normed(np.einsum("oi,ihw->ohw", narrow[:, :, 0, 0], filtered), norms[2])
        if residual:
            expected = expected + passed
        np.testing.assert_allclose(own, expected)


def test_the_width_scales_all_but_the_last_convolution():
    half, whole = network(32).base_model.features, network(64).base_model.features
    assert half[0][0].weight.shape[0] == 16 and whole[0][0].weight.shape[0] == 32
    assert half[17].conv[-1].num_features == 160 and whole[17].conv[-1].num_features == 320
    assert half[18][0].weight.shape[0] == whole[18][0].weight.shape[0] == mobilenet.FEATURES

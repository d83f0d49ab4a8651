"""X3D: what its parts compute, against loops over voxels, and how it is put together."""

import math

import numpy as np
import pytest
import torch

from kinefract import models
from kinefract.models import weights
from kinefract.models.x3d import Head, ResidualBlock, SqueezeExcitation

DEPTHS = {"x3d_m": (3, 5, 11, 7), "x3d_l": (5, 10, 25, 15), "x3d_xl": (8, 16, 40, 24)}


def filled(module, seed=1):
    """Return a module in double precision for evaluation, with no parameter or statistic left at 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in module.double().eval().state_dict().items():
        if value.is_floating_point():
            value.uniform_(0.5 if "running_var" in name else -1, 1.5, generator=generator)
    return module


def arrays(module):
    return {name: value.numpy() for name, value in module.state_dict().items()}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def pointwise(x, weight):
    """Convolve (C, T, H, W) by 1 x 1 x 1."""
    return np.einsum("oi,ithw->othw", weight[:, :, 0, 0, 0], x)


def normed(x, state, name):
    mean, variance, weight, bias = (
        state[f"{name}.{part}"][:, None, None, None]
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / np.sqrt(variance + 1e-5) * weight + bias


def gate(x, state, name):
    """Return squeeze-and-excitation's factor for every channel of (C, T, H, W)."""
    means = np.array([channel.mean() for channel in x])
    reduced = state[f"{name}.0.weight"][:, :, 0, 0, 0] @ means + state[f"{name}.0.bias"]
    logits = state[f"{name}.2.weight"][:, :, 0, 0, 0] @ np.maximum(reduced, 0) + state[f"{name}.2.bias"]
    return sigmoid(logits)[:, None, None, None]


def channelwise(x, weight, stride):
    """Convolve each channel of (C, T, H, W) by its own 3 x 3 x 3, strided in space alone."""
    channels, frames, height, width = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (1, 1)))
    out = np.empty((channels, frames, math.ceil(height / stride), math.ceil(width / stride)))
    for c, t, h, w in np.ndindex(out.shape):
        out[c, t, h, w] = (padded[c, t:, h * stride :, w * stride :][:3, :3, :3] * weight[c, 0]).sum()
    return out


def test_squeeze_and_excitation_scales_channels_by_what_all_of_them_hold():
    module = filled(SqueezeExcitation(6, 4))
    x = torch.randn(2, 6, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    state, out = arrays(module), module(x).detach().numpy()
    for clip, own in zip(x.numpy(), out, strict=True):
        np.testing.assert_allclose(own, clip * gate(clip, state, "block"))


@pytest.mark.parametrize("squeeze", [True, False])
@pytest.mark.parametrize(("outputs", "stride"), [(8, 1), (8, 2), (12, 2)])
def test_a_block_computes_what_the_paper_says(outputs, stride, squeeze):
    """Swish follows squeeze-and-excitation, which follows the norm; the connection is normed if it widens."""
    block = filled(ResidualBlock(8, 18, outputs, stride, squeeze))
    x = torch.randn(2, 8, 3, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    state, out = arrays(block), block(x).detach().numpy()
    assert ("branch1_conv.weight" in state) == (stride == 2)
    assert ("branch1_norm.weight" in state) == (outputs == 12)
    for clip, own in zip(x.numpy(), out, strict=True):
        inner = np.maximum(
            normed(pointwise(clip, state["branch2.conv_a.weight"]), state, "branch2.norm_a"), 0
        )
        inner = channelwise(inner, state["branch2.conv_b.weight"], stride)
        inner = normed(inner, state, "branch2.norm_b.0")
        if squeeze:
            inner = inner * gate(inner, state, "branch2.norm_b.1.block")
        inner = inner * sigmoid(inner)
        branch = normed(pointwise(inner, state["branch2.conv_c.weight"]), state, "branch2.norm_c")
        if stride == 2:
            clip = pointwise(clip[:, :, ::2, ::2], state["branch1_conv.weight"])
        if outputs == 12:
            clip = normed(clip, state, "branch1_norm")
        np.testing.assert_allclose(own, np.maximum(clip + branch, 0))


def test_the_head_pools_between_its_convolutions():
    head = filled(Head(6, 9, 5, 0.5))
    x = torch.randn(2, 6, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    state, out = arrays(head), head.pool(x).detach().numpy()
    for clip, own in zip(x.numpy(), out, strict=True):
        inner = np.maximum(normed(pointwise(clip, state["pool.pre_conv.weight"]), state, "pool.pre_norm"), 0)
        pooled = state["pool.post_conv.weight"][:, :, 0, 0, 0] @ inner.mean((1, 2, 3))
        np.testing.assert_allclose(own, np.maximum(pooled, 0))


def test_the_stem_is_spatial_then_temporal_whatever_the_names_say():
    stem = filled(models.build("x3d_m", 8, 4, 5, 0.5).blocks[0])
    x = torch.randn(3, 6, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).numpy()
    state, own = arrays(stem), stem(torch.from_numpy(x[None])).detach().numpy()[0]
    spatial, temporal = state["conv.conv_t.weight"][:, :, 0], state["conv.conv_xy.weight"][:, 0, :, 0, 0]
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    images = np.empty((8, 6, 3, 3))
    for c, t, h, w in np.ndindex(images.shape):
        images[c, t, h, w] = (padded[:, t, 2 * h : 2 * h + 3, 2 * w : 2 * w + 3] * spatial[c]).sum()
    padded = np.pad(images, ((0, 0), (2, 2), (0, 0), (0, 0)))
    mixed = sum(padded[:, t : t + 6] * temporal[:, t, None, None, None] for t in range(5))
    np.testing.assert_allclose(own, np.maximum(normed(mixed, state, "norm"), 0))


@pytest.mark.parametrize("name", DEPTHS)
def test_depths_widths_and_where_squeeze_and_excitation_sits(name):
    model = models.build(name, 64, 8, 400, 0.5)
    stages = [stage.res_blocks for stage in model.blocks[1:5]]
    assert tuple(map(len, stages)) == DEPTHS[name]
    for stage, channels in zip(stages, (24, 48, 96, 192), strict=True):
        for place, block in enumerate(stage):
            assert block.branch2.conv_c.out_channels == channels
            assert block.branch2.conv_b.out_channels == int(2.25 * channels)
            assert isinstance(block.branch2.norm_b[1], SqueezeExcitation) == (place % 2 == 0)


def test_the_width_scales_every_stage():
    model = models.build("x3d_m", 32, 8, 5, 0.5)
    widths = [stage.res_blocks[0].branch2.conv_c.out_channels for stage in model.blocks[1:5]]
    assert widths == [16, 24, 48, 96]
    assert model.blocks[0].norm.num_features == 16 and model.feature_size == 2048


def test_time_is_pooled_at_the_very_end():
    model, shapes = models.build("x3d_m", 64, 6, 5, 0.5).eval(), []
    for block in model.blocks[:5]:
        block.register_forward_hook(lambda module, inputs, output: shapes.append(tuple(output.shape[2:])))
    with torch.no_grad():
        model(torch.zeros(1, 6, 3, 64, 64))
    assert shapes == [(6, side, side) for side in (32, 16, 8, 4, 2)]


def test_a_new_block_passes_on_its_connection():
    """The last norm of every block starts at zero (pytorchvideo; Goyal et al. 2017, section 5.1)."""
    model = weights.seeded(1, models.build, "x3d_m", 8, 4, 5, 0.5).eval()
    x = torch.randn(1, 16, 3, 4, 4, generator=torch.Generator().manual_seed(2))
    assert torch.equal(model.blocks[3].res_blocks[4](x), x.relu())


def test_clips_of_any_length_are_accepted():
    model = models.build("x3d_m", 8, 8, 5, 0.5).eval()
    with torch.no_grad():
        for frames in (1, 4, 9):
            assert model(torch.zeros(2, frames, 3, 32, 32)).shape == (2, 5)


def test_the_order_of_frames_matters():
    model = weights.seeded(1, models.build, "x3d_m", 8, 6, 5, 0.0)
    clips = torch.randn(2, 6, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        features, backwards = model.features(clips), model.features(clips.flip(1))
    assert (features - backwards).abs().max() > 0.01 * features.abs().max()

"""Vision transformers: the published configuration, published weights, stochastic depth."""

import pytest
import torch
from safetensors.torch import save_file
from transformers.models.videomae.modeling_videomae import (
    VideoMAEConfig,
    VideoMAEForPreTraining,
    VideoMAEForVideoClassification,
)

from kinefract import models
from kinefract.common.share import Share
from kinefract.models import weights
from kinefract.models.published import load_published
from kinefract.models.seeded import DropPath, reseed

SMALL = {"size": 32, "patch": 8}
CONFIG = {
    **{"image_size": 32, "patch_size": 8, "num_frames": 4, "hidden_size": 24, "intermediate_size": 96},
    **{"num_attention_heads": 3, "num_labels": 5, "decoder_hidden_size": 12, "decoder_intermediate_size": 48},
    **{"decoder_num_attention_heads": 3, "decoder_num_hidden_layers": 2},
}


def small(**more):
    return weights.seeded(1, models.build, "vit_tiny", 8, 4, 5, 0.0, **SMALL, **more).eval()


def clips():
    return torch.randn(2, 4, 3, 32, 32, generator=torch.Generator().manual_seed(3))


def own_name(name):
    return name.replace("classifier.", "head.")


def varied(network):
    """Give norms and biases values of their own, as training does."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for value in network.parameters():
            value.add_(torch.randn(value.shape, generator=generator), alpha=0.1)
    return network.eval()


@pytest.mark.parametrize(
    (
        "name",
        "hidden",
        "parameters",
    ),  # of the encoder, as the papers of ViT and DeiT have them
    [("vit_tiny", 192, 5.7e6), ("vit_small", 384, 22e6), ("vit_base", 768, 86e6)],
)
def test_the_published_sizes(name, hidden, parameters):
    with torch.device("meta"):
        model = models.build(name, 64, 16, 400, 0.0, size=224)
    assert model.feature_size == hidden and model.grid == (8, 14, 14)
    assert weights.parameters(model.videomae) == pytest.approx(parameters, rel=0.06)


def test_the_base_has_names_and_shapes_of_the_published_configuration():
    with torch.device("meta"):
        model = models.build("vit_base", 64, 16, 400, 0.0, size=224)
        published = VideoMAEForVideoClassification(VideoMAEConfig(num_labels=400))
    shapes = {own_name(name): value.shape for name, value in published.state_dict().items()}
    assert {name: value.shape for name, value in model.state_dict().items()} == shapes


def test_a_fine_tuned_network_gives_the_logits_of_transformers_own(tmp_path):
    published = varied(VideoMAEForVideoClassification(VideoMAEConfig(**CONFIG)))
    save_file(published.state_dict(), tmp_path / "tuned.safetensors")
    model = small()
    assert load_published(model, tmp_path / "tuned.safetensors")
    with torch.no_grad():
        torch.testing.assert_close(model(clips()), published(clips()).logits)


def test_a_pre_trained_encoder_is_taken_from_beside_its_decoder(tmp_path):
    published = varied(VideoMAEForPreTraining(VideoMAEConfig(**CONFIG, use_mean_pooling=False)))
    old = {  # transformers had these names before its version 5
        name.replace(".query.bias", ".q_bias").replace(".value.bias", ".v_bias"): value
        for name, value in published.state_dict().items()
    }
    assert any(name.endswith(".q_bias") for name in old)
    torch.save(old, tmp_path / "model.pth")
    model = small()
    norm = model.fc_norm.weight.clone()
    assert not load_published(model, tmp_path / "model.pth")
    published.videomae.layernorm = None  # which comes before the decoder alone
    with torch.no_grad():
        torch.testing.assert_close(model.tokens(clips()), published.videomae(clips()).last_hidden_state)
    assert torch.equal(model.fc_norm.weight, norm)


def test_a_dropped_branch_is_dropped_for_a_whole_clip_and_the_others_make_up_for_it():
    layer, x = DropPath(0.25).train(), torch.ones(4000, 3, 2)
    reseed(layer, 1, torch.device("cpu"))
    out = layer(x)
    assert out.unique().tolist() == [0, pytest.approx(4 / 3)]
    assert torch.equal(out, out[:, :1, :1].expand_as(out))
    assert out.mean() == pytest.approx(1, abs=0.05)
    places = torch.tensor([5, 3999])
    reseed(layer, 1, torch.device("cpu"), Share(4000, places))
    assert torch.equal(layer(x[places]), out[places])


def test_later_blocks_are_dropped_more_often_and_none_in_evaluation():
    model = small(drop_path=0.5)
    probabilities = [block.output.dropout.p for block in model.videomae.encoder.layer]
    assert probabilities[0] == 0 and probabilities[-1] == 0.5 and probabilities == sorted(probabilities)
    with torch.no_grad():
        torch.testing.assert_close(model(clips()), small()(clips()))
        reseed(model.train(), 1, torch.device("cpu"))
        assert not torch.allclose(model(clips()), small()(clips()))


def test_depths_rise_from_the_patches_to_the_head():
    model = small()
    depths = {name: model.depth_of(name) for name in model.state_dict()}
    assert depths["videomae.embeddings.patch_embeddings.projection.weight"] == 0
    assert depths["videomae.encoder.layer.0.layernorm_before.weight"] == 1
    assert depths["videomae.encoder.layer.11.output.dense.bias"] == model.depth == 12
    assert depths["head.weight"] == depths["fc_norm.weight"] == 13


def test_clips_of_another_length_are_refused():
    with pytest.raises(ValueError, match="clips of 6 frames for a network of 4"):
        small()(torch.zeros(1, 6, 3, 32, 32))


@pytest.mark.parametrize(
    ("name", "frames", "size", "patch", "tubelet", "said"),
    [
        ("vit_tiny", 8, 60, None, None, "patch: 16 px does not divide the size of 60 px"),
        ("vit_tiny", 8, 60, 8, None, "patch: 8 px does not divide the size of 60 px"),
        ("vit_tiny", 7, 64, None, None, "tubelet: 2 does not divide 7 frames"),
        ("x3d_m", 8, 64, None, 2, "tubelet: x3d_m is no transformer, and has no patches"),
        ("tsm_resnet18", 8, 64, 8, 2, "patch: tsm_resnet18 is no transformer"),
    ],
)
def test_clips_that_make_no_patches_are_named(name, frames, size, patch, tubelet, said):
    with pytest.raises(ValueError, match=said):
        models.BACKBONES[name].check(frames, size, patch, tubelet)

"""VideoMAE: masks, targets and loss, against a plain formula and against transformers' own."""

import copy

import pytest
import torch
from transformers.models.videomae.modeling_videomae import VideoMAEForPreTraining

from kinefract.common.share import Share
from kinefract.config.phases import PretrainRecipe
from kinefract.models import weights
from kinefract.objectives.videomae import TubeMasks

CPU = torch.device("cpu")
RECIPE = PretrainRecipe.model_validate(
    {
        **{"backbone": "vit_tiny", "width": 8, "frames": 4, "size": 32, "patch": 8, "objective": "videomae"},
        "videomae": {"mask_ratio": 0.6, "decoder_depth": 2},
    }
)


def clips(count=3):
    return torch.randn(count, 4, 3, 32, 32, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def objective():
    network = RECIPE.built(1, RECIPE, 5, 0.0)
    made = weights.seeded(1, RECIPE.objective_recipe.build, network)
    with torch.no_grad():
        made.mask_token.normal_(generator=torch.Generator().manual_seed(2))
    return made


def test_masks_hide_as_many_places_of_each_clip_and_the_same_of_all_its_frames():
    masks = TubeMasks((2, 3, 4), 7)
    masks.reseed(1, CPU)
    hidden = masks(50).unflatten(1, (2, 12))
    assert torch.equal(hidden[:, 0], hidden[:, 1])
    assert hidden[:, 0].sum(1).tolist() == [7] * 50
    assert len({tuple(mask.tolist()) for mask in hidden[:, 0]}) > 40
    # Each place is hidden about equally often.
    assert hidden[:, 0].float().mean(0).sub(7 / 12).abs().max() < 0.25


def test_a_clip_has_the_mask_of_its_place_in_the_batch():
    masks = TubeMasks((2, 3, 4), 7)
    masks.reseed(1, CPU)
    whole = masks(6)
    masks.reseed(1, CPU, Share(6, torch.tensor([4, 1])))
    assert torch.equal(masks(2), whole[[4, 1]])


def test_targets_are_patches_normalised_by_colour(objective):
    x = clips(1)
    pixels = x[0] * torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    pixels += torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    time, row, column = 1, 2, 3
    patch = pixels[2 * time : 2 * time + 2, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
    values = patch.permute(0, 2, 3, 1).reshape(-1, 3)
    wanted = (values - values.mean(0)) / (values.std(0) + 1e-6)
    place = time * 16 + row * 4 + column
    torch.testing.assert_close(objective.targets(x)[0, place], wanted.flatten())


def test_patches_put_together_are_the_clip(objective):
    torch.testing.assert_close(objective.clips_of(objective.patches(clips())), clips())


def test_the_loss_is_that_of_transformers_own(objective):
    network = objective.network
    config = copy.deepcopy(network.config)
    config.use_mean_pooling = False
    config.decoder_hidden_size, config.decoder_num_attention_heads = 12, 1
    config.decoder_intermediate_size, config.decoder_num_hidden_layers = 48, 2
    other = VideoMAEForPreTraining(config)
    other.load_state_dict(
        {
            **{f"videomae.{name}": value for name, value in network.videomae.state_dict().items()},
            **{f"videomae.layernorm.{name}": value for name, value in objective.norm.state_dict().items()},
            **{f"decoder.{name}": value for name, value in objective.decoder.state_dict().items()},
            "encoder_to_decoder.weight": objective.to_decoder.weight,
            "mask_token": objective.mask_token,
        }
    )
    objective.masks.reseed(4, CPU)
    masked = objective.masks(3)
    objective.masks.reseed(4, CPU)
    outcome = objective.outcome(objective([clips()]), torch.zeros(3), torch.arange(3), lambda tensor: tensor)
    torch.testing.assert_close(outcome.loss, other(clips(), bool_masked_pos=masked).loss)


def test_what_is_hidden_decides_nothing_but_the_targets(objective):
    objective.masks.reseed(4, CPU)
    masked = objective.masks(1)
    x = clips(1)
    patches = objective.patches(x)
    patches[masked] = 0.3
    with torch.no_grad():
        same = objective.predicted(objective.clips_of(patches), masked)
        torch.testing.assert_close(same, objective.predicted(x, masked))
        patches[~masked] = 0.3
        assert not torch.allclose(objective.predicted(objective.clips_of(patches), masked), same)


def test_a_clip_is_right_if_it_is_predicted_better_than_by_means(objective):
    errors = torch.tensor([0.9, 1.1, 0.2])
    outcome = objective.outcome((errors,), torch.zeros(3), torch.arange(3), lambda tensor: tensor)
    assert outcome.correct == 2
    assert outcome.loss == pytest.approx(2.2 / 3)


def test_pictures_are_what_is_seen_what_is_made_of_it_and_the_clip(objective):
    seen, made, clip = objective.pictures([clips(2)])
    assert torch.equal(clip, clips(2))
    hidden = (objective.patches(seen) - 0.5).abs().amax((2, 3)) < 1e-5
    assert hidden.sum(1).tolist() == [2 * 9] * 2
    first, kept = objective.patches(made), objective.patches(clip)
    torch.testing.assert_close(first[~hidden], kept[~hidden].clamp(0, 1))
    assert not torch.allclose(first[hidden], kept[hidden].clamp(0, 1))


def test_every_parameter_that_is_trained_gets_a_gradient(objective):
    objective.masks.reseed(1, CPU)
    objective([clips()])[0].mean().backward()
    idle = [name for name, value in objective.named_parameters() if value.grad is None]
    assert sorted(idle) == sorted(
        f"network.{name}" for name in ("fc_norm.weight", "fc_norm.bias", "head.weight", "head.bias")
    )
    assert all(not objective.get_parameter(name).requires_grad for name in idle)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"backbone": "tsm_resnet18", "patch": None}, "tsm_resnet18 has no patches to mask; use vit_base"),
        ({"videomae": {"mask_ratio": 0.99}, "size": 64}, None),
        ({"videomae": {"mask_ratio": 0.05}}, "mask_ratio: 0.05 masks 0 of 16 places"),
        ({"patch": 32}, "mask_ratio: 0.6 masks 0 of 1 places"),
        ({"size": 36}, "patch: 8 px does not divide the size of 36 px"),
    ],
)
def test_settings_that_do_not_fit_are_named(changes, said):
    settings = RECIPE.model_dump() | changes
    if said is None:
        assert PretrainRecipe.model_validate(settings).size == 64
    else:
        with pytest.raises(ValueError, match=said):
            PretrainRecipe.model_validate(settings)

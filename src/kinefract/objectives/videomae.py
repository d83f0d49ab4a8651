"""VideoMAE: predict the pixels of the nine tenths of a clip that are masked, from the tenth that is not.

Tong et al., "VideoMAE: Masked Autoencoders are Data-Efficient Learners for Self-Supervised Video
Pre-Training" (NeurIPS 2022), sections 3 and 4. A tube mask hides the same places of all frames, so that
nothing can be copied from the frame before. The layers of the decoder are those of the package
``transformers``.
"""

import copy
from typing import ClassVar

import torch
from torch import Tensor, nn

from kinefract.augment.basic import IMAGENET_MEAN, IMAGENET_STD
from kinefract.models.base import Backbone
from kinefract.models.seeded import Seeded
from kinefract.models.vit import VideoViT, videomae
from kinefract.objectives.base import Gather, Objective, Outcome, Outputs
from kinefract.objectives.recipes.videomae import VideomaeRecipe

EPSILON = 1e-6  # added to a patch's standard deviation
SHOWN = 0  # seed of the masks of pictures


class TubeMasks(Seeded):
    """Masks that hide as many places of each clip, the same ones in all its frames.

    Args:
        grid: Number of patches over time, height and width.
        masked: Number of places, of height times width, that are masked.
    """

    def __init__(self, grid: tuple[int, int, int], masked: int) -> None:
        super().__init__()
        self.grid = grid
        self.masked = masked

    def forward(self, clips: int) -> Tensor:
        """Draw masks: bool (clips, patches), true where a patch is hidden; patches in order of time first."""
        times, height, width = self.grid
        order = self.drawn(clips, height * width).argsort(1)
        return (order.argsort(1) < self.masked).repeat(1, times)


class Videomae(Objective):
    """VideoMAE: the mean squared error of masked patches, each normalised by its own mean and deviation.

    A clip counts as correct if its error is below 1: that of predicting each patch as its mean.
    """

    VIEWS: ClassVar[int] = 1
    PER_CLIP: ClassVar[bool] = True

    network: VideoViT
    places: Tensor

    def __init__(self, network: Backbone, recipe: VideomaeRecipe) -> None:
        super().__init__(network)
        assert isinstance(network, VideoViT)  # as VideomaeRecipe.check saw to
        for unused in (network.head, network.fc_norm):
            unused.requires_grad_(False)
        module, config = videomae(), copy.deepcopy(network.config)
        # In the paper's decoder, as in its encoders, a head has 64 values, and half the encoder's.
        config.decoder_hidden_size = config.hidden_size // 2
        config.decoder_num_attention_heads = max(1, config.num_attention_heads // 2)
        config.decoder_intermediate_size = 4 * config.decoder_hidden_size
        config.decoder_num_hidden_layers = recipe.decoder_depth
        made = module.VideoMAEForPreTraining(config)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.to_decoder, self.decoder, self.mask_token = (
            made.encoder_to_decoder,
            made.decoder,
            made.mask_token,
        )
        self.register_buffer("places", made.position_embeddings, persistent=False)
        _, height, width = network.grid
        self.masks = TubeMasks(network.grid, recipe.masked(height * width))

    def forward(self, views: list[Tensor]) -> Outputs:
        (clips,) = views
        masked = self.masks(len(clips))
        error = self.predicted(clips, masked).float() - _of(self.targets(clips), masked)
        return (error.square().mean((1, 2)),)

    def outcome(self, outputs: Outputs, labels: Tensor, clips: Tensor, gather: Gather) -> Outcome:
        (errors,) = outputs
        return Outcome(errors.mean(), (errors < 1).sum())

    def predicted(self, clips: Tensor, masked: Tensor) -> Tensor:
        """Predict what ``masked`` hides: clips (B, T, 3, H, W), bool (B, N) to float (B, M, values)."""
        seen = self.to_decoder(self.norm(self.network.tokens(clips, masked)))
        places = self.places.to(seen.dtype).expand(len(clips), -1, -1)
        hidden = self.mask_token + _of(places, masked)
        everything = torch.cat([seen + _of(places, ~masked), hidden], 1)
        return self.decoder(everything, hidden.shape[1]).logits

    def targets(self, clips: Tensor) -> Tensor:
        """Return all patches of clips, each colour of each patch normalised: float32 (B, N, values).

        Args:
            clips: Float (B, T, 3, H, W), normalised.
        """
        mean, deviation = self._statistics(patches := self.patches(clips))
        return ((patches - mean) / (deviation + EPSILON)).flatten(2)

    def patches(self, clips: Tensor) -> Tensor:
        """Cut clips (B, T, 3, H, W), normalised, into patches in [0, 1]: float32 (B, N, pixels, 3)."""
        times, height, width = self.network.grid
        pixels = clips.float() * _channels(IMAGENET_STD, clips) + _channels(IMAGENET_MEAN, clips)
        parts = pixels.unflatten(4, (width, -1)).unflatten(3, (height, -1)).unflatten(1, (times, -1))
        return parts.permute(0, 1, 4, 6, 2, 5, 7, 3).flatten(4, 6).flatten(1, 3)

    def clips_of(self, patches: Tensor) -> Tensor:
        """Put patches in [0, 1] together to normalised clips; the inverse of ``patches``."""
        (times, height, width), config = self.network.grid, self.network.config
        side = config.patch_size
        parts = patches.unflatten(2, (config.tubelet_size, side, side)).unflatten(1, (times, height, width))
        pixels = parts.permute(0, 1, 4, 7, 2, 5, 3, 6).flatten(6, 7).flatten(4, 5).flatten(1, 2)
        return (pixels - _channels(IMAGENET_MEAN, pixels)) / _channels(IMAGENET_STD, pixels)

    @torch.no_grad()
    def pictures(self, views: list[Tensor]) -> list[Tensor]:
        """Return clips as they are masked, reconstructed, and are: three normalised (B, T, 3, H, W).

        What is reconstructed gets each patch's own mean and deviation back, which are not predicted.
        """
        (clips,) = views
        self.masks.reseed(SHOWN, clips.device)
        masked = self.masks(len(clips))
        patches = self.patches(clips)
        mean, deviation = self._statistics(patches)
        hidden, made = patches.clone(), patches.clone()
        hidden[masked] = 0.5
        values = self.predicted(clips, masked).float().flatten(0, 1).unflatten(1, patches.shape[2:])
        made[masked] = values * (deviation[masked] + EPSILON) + mean[masked]
        return [self.clips_of(hidden), self.clips_of(made.clamp(0, 1)), clips]

    @staticmethod
    def _statistics(patches: Tensor) -> tuple[Tensor, Tensor]:
        return patches.mean(2, keepdim=True), patches.std(2, keepdim=True)


def _of(values: Tensor, chosen: Tensor) -> Tensor:
    """Return the values (B, N, D) of the patches that are chosen, as many in each clip: (B, M, D)."""
    return values[chosen].unflatten(0, (len(values), -1))


def _channels(values: tuple[float, ...], clips: Tensor) -> Tensor:
    return torch.tensor(values, device=clips.device).view(3, 1, 1)

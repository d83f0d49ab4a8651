"""Vision transformers for video, as VideoMAE has them; the layers are those of the package ``transformers``.

Tong et al., "VideoMAE: Masked Autoencoders are Data-Efficient Learners for Self-Supervised Video
Pre-Training" (NeurIPS 2022): patches of a few frames ("tubelets"), fixed sine embeddings of their places,
attention over all patches of a clip, and the mean of the last block's outputs as features. Parameters are
named as in the published checkpoints, except the classifier, which is ``head``.
"""

from typing import Any

import torch
from torch import nn

from kinefract.common.extras import needed
from kinefract.models import Wanted
from kinefract.models.base import PUBLISHED_WIDTH, Backbone
from kinefract.models.seeded import DropPath, SeededDropout

DEPTH = 12  # blocks
EXTRA = "vit"  # of kinefract, which installs `transformers`


def videomae() -> Any:
    """Return the part of ``transformers`` that has these networks.

    Raises:
        UserError: the package is not installed.
    """
    return needed("transformers.models.videomae.modeling_videomae", EXTRA)


class VideoViT(Backbone):
    """A vision transformer that takes a clip as a sequence of patches.

    Attributes:
        config: The settings of ``transformers``.
        grid: Number of patches over time, height and width.
    """

    classifier = "head"

    def __init__(self, wanted: Wanted, hidden: int, heads: int, patch: int, tubelet: int) -> None:
        """Build the network.

        Args:
            wanted: What it is built for; ``width`` scales ``hidden`` by width / 64.
            hidden: Values of a patch in the published network.
            heads: Heads of attention, whatever the width.
            patch: Height and width of a patch in pixels.
            tubelet: Frames of a patch.
        """
        super().__init__()
        module = videomae()
        hidden = hidden * wanted.width // PUBLISHED_WIDTH
        self.config = module.VideoMAEConfig(
            image_size=wanted.size,
            patch_size=patch,
            num_frames=wanted.frames,
            tubelet_size=tubelet,
            hidden_size=hidden,
            intermediate_size=4 * hidden,
            num_hidden_layers=DEPTH,
            num_attention_heads=heads,
            use_mean_pooling=True,
        )
        side = wanted.size // patch
        self.grid = (wanted.frames // tubelet, side, side)
        self.feature_size = hidden
        self.depth = DEPTH
        self.videomae = module.VideoMAEModel(self.config)
        for place, block in enumerate(self.videomae.encoder.layer):
            # What these drop is what a residual branch adds.
            p = wanted.drop_path * place / (DEPTH - 1)
            block.attention.output.dropout, block.output.dropout = DropPath(p), DropPath(p)
        self.fc_norm = nn.LayerNorm(hidden)
        self.dropout = SeededDropout(wanted.dropout)
        self.head = nn.Linear(hidden, wanted.classes)
        nn.init.normal_(self.head.weight, 0, self.config.initializer_range)
        nn.init.zeros_(self.head.bias)

    def depth_of(self, parameter: str) -> int:
        if parameter.startswith("videomae.embeddings."):
            return 0
        if parameter.startswith("videomae.encoder.layer."):
            return int(parameter.split(".")[3]) + 1
        return DEPTH + 1

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Map clips (B, T, 3, H, W), normalised, to logits (B, classes)."""
        return self.head(self.dropout(self.features(clips)))

    def features(self, clips: torch.Tensor) -> torch.Tensor:
        """Map clips (B, T, 3, H, W), normalised, to features (B, F), the mean of their patches', normalised.

        Raises:
            ValueError: the clips have another number of frames, or another size, than the network was built
                for.
        """
        return self.fc_norm(self.tokens(clips).mean(1))

    def tokens(self, clips: torch.Tensor, masked: torch.Tensor | None = None) -> torch.Tensor:
        """Map clips to the outputs of the last block, of all patches or of those that are not masked.

        Args:
            clips: Float (B, T, 3, H, W), normalised.
            masked: bool (B, patches); as many in each clip.

        Returns:
            Float (B, patches seen, F).
        """
        if clips.shape[1] != self.config.num_frames:
            raise ValueError(f"clips of {clips.shape[1]} frames for a network of {self.config.num_frames}")
        return self.videomae(clips, bool_masked_pos=masked).last_hidden_state

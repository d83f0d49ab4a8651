"""Recipes of networks: their shape, and published weights from which they start."""

from typing import TYPE_CHECKING, Annotated, Protocol, Self

from pydantic import Field, model_validator

from kinefract.common.ranges import Small
from kinefract.common.schema import Section, is_none, not_one_of
from kinefract.models import BACKBONES

if TYPE_CHECKING:
    from kinefract.models.base import Backbone

HUB = "hf:"  # of the `file` of weights that lie on the Hugging Face Hub


class Clips(Protocol):
    """What says how many frames of what size a network sees."""

    @property
    def frames(self) -> int: ...

    @property
    def size(self) -> int: ...


class NetworkRecipe(Section):
    """The network that is trained."""

    backbone: str = Field(default="tsm_resnet50", description="the network, by its name in `models`")
    width: int = Field(
        default=64,
        ge=8,
        le=4096,
        multiple_of=8,
        description="channels of a ResNet's first stage; 64 is the published form of every network",
    )
    patch: Small | None = Field(
        default=None,
        exclude_if=is_none,
        description="side of a transformer's patches in pixels, 16 as published",
    )
    tubelet: Small | None = Field(
        default=None, exclude_if=is_none, description="frames of a transformer's patches, 2 as published"
    )

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.backbone not in BACKBONES:
            raise ValueError(f"backbone: {not_one_of(self.backbone, BACKBONES)}")
        return self

    @property
    def network(self) -> "NetworkRecipe":
        """The settings of the network alone."""
        return NetworkRecipe(**{key: getattr(self, key) for key in NetworkRecipe.model_fields})

    def built(
        self, seed: int, clips: Clips, classes: int, dropout: float, drop_path: float = 0.0
    ) -> "Backbone":
        """Build the network for clips of a number of frames and a size; its first weights depend on the seed.

        Args:
            seed: Of the weights.
            clips: What the network sees: any recipe of training.
            classes: Outputs of the classifier.
            dropout, drop_path: As in ``kinefract.models.Wanted``.

        Raises:
            UserError: a package that the network needs is not installed.
        """
        from kinefract import models
        from kinefract.models import weights

        shape = {"size": clips.size, "patch": self.patch, "tubelet": self.tubelet, "drop_path": drop_path}
        return weights.seeded(
            seed, models.build, self.backbone, self.width, clips.frames, classes, dropout, **shape
        )

    def check_clips(self, clips: Clips) -> None:
        """Check that the network takes clips as a recipe has them.

        Raises:
            ValueError: it does not; the message begins with the setting's name.
        """
        BACKBONES[self.backbone].check(clips.frames, clips.size, self.patch, self.tubelet)


class WeightsRecipe(NetworkRecipe):
    """Published weights in a file of the user, from which fine-tuning starts."""

    file: str = Field(
        min_length=1,
        description="from the project's folder: a torch or safetensors file; or `hf:owner/name` on the Hub",
    )
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, description="of the file; a run says what it is where it is not given"
    )

    @model_validator(mode="after")
    def _fixed(self) -> Self:
        if self.file.startswith(HUB) and self.sha256 is None:
            raise ValueError(f"sha256: wanted beside {self.file}, which may change; its card says it")
        return self

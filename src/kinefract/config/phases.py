"""Recipes of the two training phases, as they stand in the configuration and in every run's spec."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    create_model,
    model_serializer,
    model_validator,
)

from kinefract.augment.effects import Filmed, RandAugment
from kinefract.common.errors import UserError
from kinefract.common.ranges import Count, Epochs, Probability, Rate, Seed, Small
from kinefract.common.schema import Section, is_none, is_one, is_zero, not_one_of
from kinefract.common.words import counted
from kinefract.config.networks import NetworkRecipe
from kinefract.objectives import OBJECTIVES, ObjectiveRecipe

Pair = Annotated[tuple[float, float], Field(strict=False)]
NOT_IN_SPECS = ("devices", "nodes")
# Every spec holds these keys, with null for those of other objectives, since digests depend on them. The keys
# of further objectives are left out if they are not set.
ALWAYS_IN_SPECS = ("moco", "simclr", "byol")


class TrainRecipe(Section):
    """Settings common to pre-training and fine-tuning; the defaults are the paper's (method, section 5)."""

    # clip
    frames: Small = Field(default=8, description="frames the network sees")
    stride: Small = Field(description="a window takes every stride-th frame of the video")
    size: int = Field(default=112, ge=32, le=2048, description="height and width the network sees, in pixels")

    # augmentation
    crop_area: Pair = Field(description="share of the frame's area a random crop keeps, [least, most]")
    crop_aspect: Pair = Field(default=(3 / 4, 4 / 3), description="width over height of a random crop")
    resizing: Literal["bicubic", "area"] = Field(
        default="bicubic", description="of crops, antialiased; area is the mean over what a pixel covers"
    )
    flip: Probability = Field(default=0.5, description="mirror a clip left to right")
    blur: Probability = Field(default=0.5, description="blur a clip with a 3 x 3 Gaussian")

    # optimisation
    epochs: Count = Field(description="how often every clip is seen")
    warmup_epochs: Epochs = Field(description="in which the rate rises from warmup_lr to lr")
    batch_size: int = Field(
        default=32, ge=1, le=65_536, description="clips in a step, of all processes together"
    )
    lr: float = Field(
        default=8e-4, gt=0, le=1000, description="peak rate for a batch of 32; scales with the batch"
    )
    warmup_lr: Rate = Field(default=1e-6, description="rate of the first step; scales with the batch")
    min_lr: Rate = Field(default=1e-5, description="rate of the last step; scales with the batch")
    weight_decay: Rate = Field(default=0.01, description="not applied to biases and norms")
    betas: Pair = Field(default=(0.9, 0.999), description="of AdamW: decay of the two running means")
    clip_norm: float = Field(default=5.0, gt=0, le=1e9, description="largest norm of the gradient")
    dropout: float = Field(default=0.8, ge=0, lt=1, description="before the last layer")

    # machine
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = Field(
        default="32-true", description="of the numbers that the network computes with"
    )
    compile: bool = Field(default=False, description="compile the network with torch.compile")
    threads: Small = Field(default=2, description="CPU threads; part of the recipe, sums depend on it")
    accumulate: Small = Field(
        default=1,
        exclude_if=is_one,
        description="parts in which a batch passes through the network, which then needs less memory",
    )

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        for key in ("crop_area", "crop_aspect"):
            low, high = getattr(self, key)
            most = 1 if key == "crop_area" else 100
            if not 0 < low <= high <= most:
                raise ValueError(f"{key}: wants [least, most], above 0 and at most {most}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError("betas: both must be at least 0 and below 1")
        if self.batch_size % self.accumulate:
            raise ValueError(f"accumulate: {self.accumulate} parts do not divide {self.batch_size} clips")
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs: {self.warmup_epochs} leaves nothing of {self.epochs} epochs")
        return self


class _Pretraining(TrainRecipe, NetworkRecipe):
    """Pre-training on a dataset of formula-made clips, without the settings of the objectives."""

    objective: str = Field(default="supervised", description="what the network is trained to do")
    filmed: Filmed | None = Field(default=None, description="what makes clips look filmed, if anything")
    source: Literal["auto", "shards", "cache", "online"] = Field(
        default="auto",
        description="clips decoded from shards, decoded once into a cache, or rendered anew in every epoch",
    )
    devices: Small | Literal["auto"] = Field(
        default=1,
        description="processes that share each batch, one on each GPU of a node; auto: on all that a job has",
    )
    nodes: Small = Field(default=1, description="machines that a pre-training runs on")
    snapshots: Annotated[tuple[Count, ...], Field(strict=False)] | None = Field(
        default=None,
        exclude_if=is_none,
        description="epochs after which the weights are kept, for fine-tunings by `init_epoch`",
    )
    shuffled_labels: bool = Field(
        default=False,
        exclude_if=is_zero,
        description="deal the labels out to the clips at random: a control, which learns no classes",
    )
    stride: Small = 2
    crop_area: Pair = (0.9, 1.0)
    epochs: Count = 25
    warmup_epochs: Epochs = 3
    seed: Seed = Field(default=1, description="of first weights, order and augmentation")

    @model_validator(mode="before")
    @classmethod
    def _settings_of_the_objective(cls, data: Any) -> Any:
        """Fill in the default settings of the objective, so that the spec holds them."""
        if not isinstance(data, dict):
            return data
        objective = data.get("objective")
        if not isinstance(objective, str) or objective not in cls.model_fields.keys() & OBJECTIVES.keys():
            return data
        return data | {objective: data.get(objective) or {}}

    @model_validator(mode="after")
    def _known_objective(self) -> Self:
        if self.objective not in OBJECTIVES:
            raise ValueError(f"objective: {not_one_of(self.objective, OBJECTIVES)}")
        if self.batch_size < (least := self.objective_recipe.LEAST_BATCH):
            raise ValueError(
                f"batch_size: {self.objective} compares clips of a batch, and wants at least {least}"
            )
        if self.shuffled_labels and not self.objective_recipe.LABELLED:
            raise ValueError(f"shuffled_labels: decides nothing for {self.objective}, which uses no labels")
        self.check_clips(self)
        try:
            self.objective_recipe.check(self)
        except ValueError as error:
            raise ValueError(f"{self.objective}.{error}") from error
        if late := [epoch for epoch in self.snapshots or () if epoch >= self.epochs]:
            raise ValueError(f"snapshots: {late[0]} is not before the last of {self.epochs} epochs")
        return self

    @model_serializer(mode="wrap")
    def _without_places(
        self, serialised: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        """Leave out of specs, which are JSON values, on what a result depends by rounding alone."""
        settings = serialised(self)
        return {
            key: value for key, value in settings.items() if key not in NOT_IN_SPECS or info.mode != "json"
        }

    @property
    def stored(self) -> bool:
        """Whether clips are read from disk; with `online` they are rendered during training."""
        return self.source != "online"

    @property
    def objective_recipe(self) -> ObjectiveRecipe:
        """The objective with its settings."""
        return getattr(self, self.objective, None) or OBJECTIVES[self.objective]()

    def without_other_objectives(self) -> Self:
        """Drop the settings of other objectives, which have no effect."""
        others = OBJECTIVES.keys() & type(self).model_fields.keys() - {self.objective}
        return self.model_copy(update=dict.fromkeys(others))


def _settings_of_objectives() -> dict[str, Any]:
    """Return the fields of a pre-training's recipe that hold the settings of objectives.

    Raises:
        UserError: An objective has the same name as another setting.
    """
    fields = {}
    for name, recipe in OBJECTIVES.items():
        if name in _Pretraining.model_fields:
            raise UserError(f"{OBJECTIVES.group}: {name!r} is the name of a setting of every pre-training")
        if recipe.model_fields:
            left_out = None if name in ALWAYS_IN_SPECS else is_none
            field = Field(default=None, exclude_if=left_out, description=f"settings of the objective {name}")
            fields[name] = (recipe | None, field)
    return fields


if TYPE_CHECKING:
    PretrainRecipe = _Pretraining
else:
    PretrainRecipe = create_model(
        "PretrainRecipe",
        __base__=_Pretraining,
        __module__=__name__,
        __doc__="Pre-training on a dataset of formula-made clips.",
        **_settings_of_objectives(),
    )


class FinetuneRecipe(TrainRecipe):
    """Fine-tuning on a benchmark, then evaluation by the papers' protocol (method, section 5)."""

    stride: Small = 6
    crop_area: Pair = (0.2, 1.0)
    epochs: Count = 100
    warmup_epochs: Epochs = 10
    layer_decay: float = Field(
        default=1.0,
        gt=0,
        le=1,
        exclude_if=is_one,
        description="rate of each block of a transformer over that of the next one",
    )
    drop_path: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        exclude_if=is_zero,
        description="probability that the last block of a transformer is skipped; less for those before",
    )
    mixup: float = Field(
        default=0.0,
        ge=0,
        le=100,
        exclude_if=is_zero,
        description="alpha of the Beta distribution by which two clips of a batch, or of a part of it, are "
        "mixed; 0 for none",
    )
    method: Literal["full", "linear_probe"] = Field(
        default="full", description="train all of the network, or its classifier alone on features that stay"
    )
    rand_augment: RandAugment | None = Field(
        default=RandAugment(), description="operations of RandAugment, drawn per clip, if any"
    )
    source: Literal["files", "cache"] = Field(
        default="files", description="videos as they are, or decoded once into a cache at `resize` px"
    )
    evaluation: Literal["centre_crop", "whole_frame"] = Field(
        default="centre_crop", description="of test videos: the centre, or all of the frame made square"
    )
    resize: int = Field(
        default=128, ge=32, le=4096, description="short side of a test video before the centre crop"
    )
    windows: Small = Field(default=10, description="most windows a test video's scores are averaged over")
    evaluate_every: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        exclude_if=is_zero,
        description="epochs from one measurement on the validation part to the next, which takes the middle "
        "window of each video; 0 for none",
    )

    @model_validator(mode="after")
    def _crop_fits(self) -> Self:
        if self.resize < self.size:
            raise ValueError(f"resize: {self.resize} px leaves no room for a {self.size} px crop")
        return self

    @model_validator(mode="after")
    def _mixes_two_clips(self) -> Self:
        if self.mixup and self.batch_size < 2 * self.accumulate:
            raise ValueError(
                f"mixup: wants two clips in each part of a batch, and {self.batch_size} clips in "
                f"{counted(self.accumulate, 'part')} (batch_size, accumulate) are too few"
            )
        return self

    @model_validator(mode="after")
    def _evaluated_in_time(self) -> Self:
        if self.evaluate_every > self.epochs:
            raise ValueError(f"evaluate_every: {self.evaluate_every} is more than {self.epochs} epochs")
        return self

"""Settings of the objectives; the defaults are the paper's (method, section 5). Loads no torch."""

from pydantic import Field

from kinefract.common.schema import Section


class MocoRecipe(Section):
    """Settings of MoCo."""

    dim: int = Field(default=128, ge=2, description="size of an embedding")
    queue: int = Field(default=16_384, ge=2, description="keys of earlier clips; a multiple of the batch")
    momentum: float = Field(default=0.999, ge=0, lt=1, description="of the key network")
    temperature: float = Field(default=0.07, gt=0, description="what similarities are divided by")


class SimclrRecipe(Section):
    """Settings of SimCLR."""

    dim: int = Field(default=128, ge=2, description="size of an embedding")
    temperature: float = Field(default=0.1, gt=0, description="what similarities are divided by")


class ByolRecipe(Section):
    """Settings of BYOL."""

    dim: int = Field(default=256, ge=2, description="size of a projection")
    hidden: int = Field(default=1024, ge=2, description="hidden layer of projector and predictor")
    momentum: float = Field(default=0.997, ge=0, lt=1, description="of the target, rising to 1")

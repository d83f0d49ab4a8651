"""The registry of pre-training objectives. Importing it loads no torch, which building an objective does."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from kinefract.common.registry import Registry
from kinefract.common.schema import Section

if TYPE_CHECKING:
    from kinefract.models.base import Backbone
    from kinefract.objectives.base import Objective


class ObjectiveRecipe(Section):
    """The settings of an objective, and how it is built.

    If a class declares settings, a pre-training's recipe holds them under its name. ``LEAST_BATCH`` is the
    fewest clips of a step; it is 2 if the loss of a clip needs another clip in the batch. ``LABELLED`` says
    whether the loss depends on the labels.
    """

    NAME: ClassVar[str]
    LEAST_BATCH: ClassVar[int] = 1
    LABELLED: ClassVar[bool] = False

    @abstractmethod
    def build(self, network: "Backbone") -> "Objective":
        """Build the objective around a network; what it adds is drawn from torch's current generator."""

    def check(self, pretraining: Any) -> None:
        """Check the settings against those of the pre-training.

        Args:
            pretraining: The whole recipe, a ``kinefract.config.phases.PretrainRecipe``.

        Raises:
            ValueError: They are incompatible; the message begins with the setting's name.
        """


OBJECTIVES: Registry[ObjectiveRecipe] = Registry("kinefract.objectives")
OBJECTIVES.fill(f"{__name__}.recipes")

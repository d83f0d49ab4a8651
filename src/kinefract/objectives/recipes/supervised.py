"""The recipe of the supervised objective, which has no settings."""

from typing import TYPE_CHECKING, ClassVar

from kinefract.objectives import OBJECTIVES, ObjectiveRecipe

if TYPE_CHECKING:
    from kinefract.models.base import Backbone
    from kinefract.objectives.base import Objective


@OBJECTIVES.register
class SupervisedRecipe(ObjectiveRecipe):
    """The recipe of the supervised objective, which predicts the class of a clip."""

    NAME: ClassVar[str] = "supervised"
    LABELLED: ClassVar[bool] = True

    def build(self, network: "Backbone") -> "Objective":
        from kinefract.objectives.supervised import Supervised

        return Supervised(network)

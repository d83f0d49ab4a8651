"""Objectives of pre-training by name, one module each, loaded when one is used."""

from importlib import import_module
from typing import TYPE_CHECKING

from kinefract.common.schema import Section
from kinefract.objectives.settings import ByolRecipe, MocoRecipe, SimclrRecipe

if TYPE_CHECKING:
    from kinefract.models.base import Backbone
    from kinefract.objectives.base import Objective

# Name -> its settings, which stand in a recipe under the same name. Module and class are named after it.
OBJECTIVES: dict[str, type[Section] | None] = {
    "supervised": None,
    "moco": MocoRecipe,
    "simclr": SimclrRecipe,
    "byol": ByolRecipe,
}


def build(name: str, network: "Backbone", settings: Section | None = None) -> "Objective":
    """Build an objective around a network; what it adds is drawn from torch's current generator.

    Args:
        name: A key of ``OBJECTIVES``.
        network: A backbone; its classifier is trained by ``supervised`` alone.
        settings: Of the class that ``OBJECTIVES`` names.
    """
    module = import_module(f"kinefract.objectives.{name}")
    return getattr(module, name.capitalize())(network, *([settings] if settings else []))

"""The synthesis of clips from formulas. Nothing here imports training code.

>>> from kinefract import synth
>>> fractals = synth.recipe(family="fractal", classes=10, clips_per_class=100, size=64)
>>> fractals.clip(3).shape[1:], fractals.label(3)  # uint8 (T, H, W): a function of recipe and number alone
((64, 64), 3)
>>> clips = synth.RenderedClips(fractals, frames=8)  # endless; synth.ShardClips reads a dataset on disk
>>> clip, label = next(iter(clips))  # uint8 (8, 1, 64, 64)
"""

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from kinefract.common.words import counted

if TYPE_CHECKING:
    from kinefract.synth.dataset_recipe import DatasetRecipe

# These are imported on first use: Snakemake imports this package at every start, and torch takes seconds.
_HOMES = {
    "Shards": "store.dataset",
    "join": "store.dataset",
    "write_shard": "store.dataset",
    "RenderedClips": "torch_data",
    "ShardClips": "torch_data",
}

__all__ = ["RenderedClips", "ShardClips", "Shards", "join", "recipe", "write_shard"]


def recipe(settings: Mapping[str, Any] = MappingProxyType({}), /, **more: Any) -> "DatasetRecipe":
    """Return the recipe of a dataset, from settings as under ``datasets:`` in the configuration.

    Args:
        settings: A mapping with ``family``, ``classes``, ``clips_per_class`` and the family's own settings.
        more: The same as keywords, which take precedence over ``settings``.

    Raises:
        UserError: there is no such family, or it does not accept some settings; the message has a line for
            each.
    """
    from pydantic import ValidationError

    from kinefract.common.errors import UserError
    from kinefract.common.problems import problem_lines
    from kinefract.common.schema import listed
    from kinefract.synth.families import FAMILIES

    try:
        return FAMILIES.parse({**settings, **more} if isinstance(settings, Mapping) else settings)
    except ValidationError as error:
        lines = problem_lines(error)
    except ValueError as error:
        lines = [str(error)]
    raise UserError("\n  ".join([f"recipe: {counted(len(lines), 'problem')}", *listed(lines)]))


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""The decision whether pre-training reads from a cache of decoded frames, for plans and for runs."""

import os

from kinefract.config.specs import PretrainSpec
from kinefract.synth.dataset_recipe import DatasetRecipe

SHARE_OF_MEMORY = 0.25  # of the machine's memory, so that the pages of a cache can stay there


def uses_cache(spec: PretrainSpec) -> bool:
    """Return whether a run reads from a cache.

    ``source: auto`` uses the cache if clips are read more than once and their frames fit into a quarter of
    the machine's memory. The answer depends on the recipe and the machine alone, so a plan, a run and a
    resumed run agree.
    """
    if spec.recipe.source == "auto":
        return spec.recipe.epochs > 1 and cache_bytes(spec.dataset.recipe) <= SHARE_OF_MEMORY * memory_bytes()
    return spec.recipe.source == "cache"


def cache_bytes(recipe: DatasetRecipe) -> int:
    """Return the estimated size in bytes of a dataset's decoded frames, by the mean length of clips."""
    return round(recipe.clips * sum(recipe.frames) / 2 * recipe.size**2 * recipe.CHANNELS)


def memory_bytes() -> int:
    """Return the size of the machine's memory in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

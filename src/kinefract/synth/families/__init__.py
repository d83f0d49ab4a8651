"""Every family of clips, one module each: importing this package fills ``dataset_recipe.FAMILIES``.

A new family is one file in this package that registers its recipe, or in another that names it under the
entry point ``kinefract.families``; nothing else names it. Families import heavy libraries (numba, SciPy,
Pillow) inside functions, since Snakemake imports them at every start.
"""

from kinefract.synth.dataset_recipe import FAMILIES

__all__ = ["FAMILIES"]

FAMILIES.fill(__name__)

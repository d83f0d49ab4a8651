"""Every family of clips, one module each: importing this package fills ``dataset_recipe.FAMILIES``.

A new family is one file that registers its recipe. The file lies in this package, or in another package that
names it under the entry point ``kinefract.families``; nothing else has to name it. Families import heavy
libraries (numba, SciPy, Pillow) inside functions, since Snakemake imports this package at every start.
"""

from kinefract.synth.dataset_recipe import FAMILIES

__all__ = ["FAMILIES"]

FAMILIES.fill(__name__)

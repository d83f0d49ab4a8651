"""Every family of clips, one module each: importing this package fills ``recipes.FAMILIES``.

A new family is one file in this package that registers its recipe; it is found by being there. Families
import heavy libraries (numba, SciPy, Pillow) inside functions, since Snakemake imports them at every start.
"""

import importlib
import pkgutil

from kinefract.synth.recipes import FAMILIES

__all__ = ["FAMILIES"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

"""Every family of clips: importing this module fills ``recipes.FAMILIES``.

A new family is one file in this package that registers its recipe; it is found by being there. Families
import heavy libraries (numba) inside functions, since Snakemake imports this module at every start.
"""

import importlib
import pkgutil

import kinefract.synth
from kinefract.synth.recipes import FAMILIES

__all__ = ["FAMILIES"]

# The parts that hold no family are not worth importing here; ``render`` would import numba.
PARTS = {"dataset", "families", "ifs", "motion", "preview", "recipes", "render", "streams"}

for _module in pkgutil.iter_modules(kinefract.synth.__path__):
    if _module.name not in PARTS:
        importlib.import_module(f"kinefract.synth.{_module.name}")

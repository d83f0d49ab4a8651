"""Importing this module fills the registry of benchmarks: every module of the package is imported once.

A benchmark is added by putting a module beside this one; nothing here or elsewhere names it.
"""

import pkgutil
from importlib import import_module

from kinefract import benchmarks
from kinefract.benchmarks.recipes import BENCHMARKS

__all__ = ["BENCHMARKS"]

for _module in pkgutil.iter_modules(benchmarks.__path__):
    import_module(f"{benchmarks.__name__}.{_module.name}")

"""Every kind of benchmark, one module each: importing this package fills the registry ``base.BENCHMARKS``.

A new kind is one file that registers its recipe. The file lies in this package, or in another package that
names it under the entry point ``kinefract.benchmarks``; nothing else has to name it.
"""

from kinefract.benchmarks.base import BENCHMARKS

__all__ = ["BENCHMARKS"]

BENCHMARKS.fill(__name__)

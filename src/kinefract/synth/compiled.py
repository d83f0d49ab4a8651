"""How kernels are compiled: by numba, once per machine and version of their sources.

Numba keeps what it compiled by the time stamp of the one file a kernel stands in, so a change in another file
that the kernel calls would go unnoticed. Here the folder of compiled code is named by the digest of all
modules that hold kernels, and clips of one version are never made by kernels of another.
"""

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

from numba import config, njit


@cache
def folder() -> Path:
    """Return where compiled kernels are kept: ``kinefract/<digest>`` in the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        text = source.read_bytes()
        digest.update(text if b"synth.compiled" in text else b"")
    return Path(home) / "kinefract" / digest.hexdigest()[:12]


def kernel(function: Callable) -> Callable:
    """Compile a function of scalars and arrays when it is first called, and keep it on disk.

    No fast-math: the operations are those written down, in their order, so that every x86-64 machine gets the
    same bits. Division by zero gives infinity or NaN, as arrays do. Threads may run kernels side by side.
    """
    before = config.CACHE_DIR
    config.CACHE_DIR = os.environ.get("NUMBA_CACHE_DIR", "") or str(folder())
    try:
        return njit(cache=True, nogil=True, error_model="numpy")(function)
    finally:
        config.CACHE_DIR = before


def inlined(function: Callable) -> Callable:
    """Compile a function into every kernel that calls it, so that loops over it can be vectorised."""
    return njit(inline="always", error_model="numpy")(function)

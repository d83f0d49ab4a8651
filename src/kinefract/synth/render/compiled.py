"""How kernels are compiled: by numba, once per machine and version of their sources.

Numba goes by the one file a kernel stands in, so a change in another file that the kernel calls would go
unnoticed. Here the folder of compiled code is named by the digest of all modules that hold kernels, and clips
of one version are never made by kernels of another. Where that folder cannot be written nothing is kept:
numba would go on to one beside the sources, and what it finds there may be stale.
"""

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba import njit
from numba.core import event

from kinefract.common.progress import log_line

config: Any = numba.config  # whose attributes numba sets as it is loaded


@cache
def folder() -> Path:
    """Return where kernels are kept: ``kinefract/<digest>`` in NUMBA_CACHE_DIR or the user's cache."""
    home = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        text = source.read_bytes()
        digest.update(text if b"render.compiled" in text else b"")
    return Path(home).absolute() / "kinefract" / digest.hexdigest()[:12]


class _Announcement(event.Listener):
    """A listener that says, once per process, that kernels are being compiled, which takes a minute."""

    said = False

    def on_start(self, event: Any) -> None:
        module = event.data["dispatcher"].py_func.__module__
        if not _Announcement.said and module.startswith("kinefract."):
            _Announcement.said = True
            log_line("compiling the renderer for this machine, once; this takes up to a minute")

    def on_end(self, event: Any) -> None:
        """Do nothing."""


event.register("numba:compile", _Announcement())


def kernel(function: Callable) -> Callable:
    """Compile a function of scalars and arrays when it is first called, and keep it on disk.

    No fast-math: the operations are those written down, in their order, so that every x86-64 machine gets the
    same bits. Division by zero gives infinity or NaN, as arrays do. Threads may run kernels side by side.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    before = config.CACHE_DIR
    config.CACHE_DIR = str(folder())
    try:
        compiled = njit(cache=True, **options)(function)
        # With NUMBA_DISABLE_JIT nothing is compiled, nor kept.
        kept = config.DISABLE_JIT or folder() in Path(compiled.stats.cache_path).parents
    except RuntimeError:  # numba found no folder at all
        kept = False
    finally:
        config.CACHE_DIR = before
    if kept:
        return compiled
    _say_not_kept()
    return njit(**options)(function)


@cache
def _say_not_kept() -> None:
    """Say it once per process."""
    log_line(f"{folder()} cannot be written: each process compiles its kernels anew, for half a minute")


def inlined(function: Callable) -> Callable:
    """Compile a function into every kernel that calls it, so that loops over it can be vectorised."""
    return njit(inline="always", error_model="numpy")(function)

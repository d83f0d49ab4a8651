"""The provenance of results: versions, commit, machine."""

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from kinefract.common.words import counted

PACKAGES = ("torch", "numpy", "av", "numba", "lightning-fabric")


@cache
def made_with(root: Path) -> dict[str, str]:
    """Return the versions that decide a result: kinefract, its commit, Python, packages, machine."""
    from kinefract import __version__

    versions = {"kinefract": __version__, "commit": commit(root), "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "absent"
    return {**versions, "machine": machine()}


def commit(root: Path) -> str:
    """Return the checkout's commit, with ``+changes`` if files differ from it; 'unknown' outside of one."""
    try:
        head = _git(root, "rev-parse", "--short=12", "HEAD")
        return head + ("+changes" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def machine() -> str:
    """Return the processor's name, the number of cores, and the name of a GPU if there is one."""
    import torch

    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}; {processor()}"
    return processor()


def processor() -> str:
    """Return the processor's name and the number of cores, with which ``machine`` ends."""
    name = platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{name}, {counted(os.cpu_count() or 1, 'core')}"


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()

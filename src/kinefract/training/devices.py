"""The choice of a process's GPU: one that no other job of kinefract on this machine holds."""

import fcntl
import os
import tempfile
from functools import cache
from pathlib import Path

import torch

from kinefract.common.errors import UserError
from kinefract.common.layout import LOCK

_held: list[int] = []  # open files; their locks last as long as the process


def own_gpu(accelerator: str = "auto") -> int | None:
    """Return the number of this process's GPU, the same at each call; None if it computes on a CPU.

    A process that `torchrun` started takes the GPU of its local rank. Any other process takes the first free
    GPU; if none is free, it shares the first one and does not wait.

    Raises:
        UserError: a GPU is requested and there is none, or there are fewer GPUs than processes.
    """
    if accelerator == "cpu":
        return None
    if torch.cuda.is_available():
        return _taken()
    if accelerator == "cuda":
        raise UserError("a GPU was asked for, but torch sees none; use --accelerator cpu, or auto")
    return None


@cache
def _taken() -> int:
    seen, local = torch.cuda.device_count(), os.environ.get("LOCAL_RANK")
    if local is None:
        return next(filter(_hold, range(seen)), 0)
    if int(local) >= seen:
        raise UserError(f"process {local} has no GPU, torch sees {seen} here; start one process a GPU")
    _hold(int(local))  # so that jobs that choose see it as taken
    return int(local)


def _hold(gpu: int) -> bool:
    """Try to lock a GPU for this process, and return whether that succeeded."""
    name = getattr(torch.cuda.get_device_properties(gpu), "uuid", gpu)
    path = Path(tempfile.gettempdir()) / f"kinefract-gpu-{name}{LOCK}"
    try:
        file = _open(path)
    except OSError:  # the file of another user, which nobody else may read
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return False
    _held.append(file)
    return True


def _open(path: Path) -> int:
    """Open a file for locking; read access suffices, so that users may share it."""
    try:
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        file = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
        os.fchmod(file, 0o644)  # regardless of the umask
        return file

"""How a process keeps the memory that a training step frees, so that the next need not ask for it again."""

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # names of parameters of glibc's mallopt(3)
LARGEST_BLOCK = 1 << 30  # bytes; larger blocks go back to the system at once, as by default
KEPT = (1 << 31) - 1  # bytes, the most that mallopt can be told


def keep_freed_memory() -> bool:
    """Let the allocator keep what is freed, up to 2 GiB, rather than hand it back to the system.

    Tensors of megabytes are otherwise mapped anew in every step, and the system clears their pages first.
    Values are not touched. Returns whether the C library knows how; others than glibc do not.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(mallopt and mallopt(MMAP_THRESHOLD, LARGEST_BLOCK) and mallopt(TRIM_THRESHOLD, KEPT))

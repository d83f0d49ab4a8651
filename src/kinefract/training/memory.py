"""The setting by which a process keeps the memory that a training step frees for the next step."""

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # names of parameters of glibc's mallopt(3)
LARGEST_BLOCK = 1 << 30  # bytes; larger blocks go back to the system at once, as by default
KEPT = (1 << 31) - 1  # bytes, the greatest value that mallopt takes


def keep_freed_memory() -> bool:
    """Let the allocator keep freed memory, up to 2 GiB, rather than return it to the system.

    Otherwise tensors of megabytes are mapped again in every step, and the system clears their pages first.
    Values do not change.

    Returns:
        Whether the C library supports this; only glibc does.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(mallopt and mallopt(MMAP_THRESHOLD, LARGEST_BLOCK) and mallopt(TRIM_THRESHOLD, KEPT))

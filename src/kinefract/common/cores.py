"""The cores that a process may use: those that a scheduler or `taskset` gave it, not all of the machine."""

import os


def usable() -> int:
    """Return the number of cores on which this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS cannot tell

"""The cores that a process may use: those that a scheduler or `taskset` gave it, not all of the machine."""

import os


def usable() -> int:
    """Return the number of cores on which this process may run."""
    return len(os.sched_getaffinity(0))

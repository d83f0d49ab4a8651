"""What a process frees stays its own."""

import subprocess
import sys

COUNTED = """
import resource, sys, torch
from kinefract.training.memory import keep_freed_memory
kept = "keep" in sys.argv
assert not kept or keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    torch.ones(4_000_000)
before = faults()
for _ in range(10):
    torch.ones(4_000_000)
print(faults() - before)
"""


def page_faults(*arguments: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", COUNTED, *arguments], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_large_tensors_are_not_mapped_anew_each_time():
    # The least of some runs: a system short of memory takes pages away from any process.
    assert min(page_faults("keep") for _ in range(3)) < page_faults() / 3

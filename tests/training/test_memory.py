"""What a process frees stays its own."""

import subprocess
import sys

COUNTED = """
import resource, sys, torch
from kinefract.training.memory import keep_freed_memory
assert keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def step():  # 128 MB, as activations that a backward pass frees one after the other
    tensors = [torch.ones(4_000_000) for _ in range(8)]
    while tensors:
        tensors.pop()
for _ in range(10):
    step()
before = faults()
for _ in range(10):
    step()
print(faults() - before)
"""


def page_faults() -> int:
    done = subprocess.run([sys.executable, "-c", COUNTED], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_large_tensors_are_not_mapped_anew_each_time():
    # Otherwise it depends on the heap: none, or 26,000 in a step. The least of three runs counts, since a
    # system short of memory takes pages away.
    assert min(page_faults() for _ in range(3)) < 1000

"""A process counts the cores that it may use."""

import subprocess
import sys

PROGRAM = (
    "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); from kinefract.common import cores; "
)


def test_a_job_that_was_given_one_core_counts_one():
    program = PROGRAM + "print(cores.usable())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"

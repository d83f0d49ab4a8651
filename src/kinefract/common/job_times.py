"""The times of a job, from the file that Snakemake writes for its ``benchmark:``."""

import csv
from pathlib import Path
from typing import NamedTuple


class JobTime(NamedTuple):
    """Seconds of a job: by the clock, and of processors."""

    wall: float
    cpu: float


def read(path: Path) -> list[JobTime]:
    """Return the times in a file, a line for each attempt that ended.

    Where a job ended before Snakemake measured it, its time by the clock stands for that of processors.

    Raises:
        ValueError: the file is no such table.
        OSError: it cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as table:
            return [
                JobTime(float(row["s"]), float(row["s" if row.get("cpu_time", "NA") == "NA" else "cpu_time"]))
                for row in csv.DictReader(table, delimiter="\t")
            ]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a table of Snakemake's benchmark") from error

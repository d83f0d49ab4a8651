"""Progress of long work: a bar on a terminal, plain lines in a log."""

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from tqdm import tqdm

from kinefract.common.terminal import escaped, escaped_lines

T = TypeVar("T")

SECONDS_BETWEEN_LINES = 10.0


def rank() -> int:
    """Return the number of this process among those that train together; 0 if it is alone."""
    return int(os.environ.get("RANK", "0"))


def log_line(message: str) -> None:
    """Print a message to standard error at once, above a progress bar if one is shown.

    Of processes that train together the first one alone prints.
    """
    if rank():
        return
    tqdm.write(escaped_lines(message), file=sys.stderr)
    sys.stderr.flush()


def progress(items: Iterable[T], what: str, total: int | None = None, unit: str = "it") -> Iterator[T]:
    """Yield ``items`` while showing progress.

    On a terminal a bar is shown. Elsewhere (a log file, a pipe) a line ``what: 120/600 clips, 35 s left`` is
    written at most every ten seconds, so that a log stays readable. Of processes that train together the
    first one alone shows it.

    Args:
        items: The items to yield.
        what: The job in a few words, shown first.
        total: Number of items, if ``items`` has no length.
        unit: The name of the items, in the plural.
    """
    what = escaped(what)
    if total is None and isinstance(items, Sized):
        total = len(items)
    if sys.stderr.isatty() and not rank():
        yield from tqdm(items, desc=what, total=total, unit=f" {unit}", leave=False)
        return
    start = last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES:
            last = now
            left = f", {(now - start) / done * (total - done):.0f} s left" if total else ""
            log_line(f"{what}: {done}/{total or '?'} {unit}{left}")

"""Checkpoints, from which a stopped run is resumed, and the conditions under which a run stops."""

import contextlib
import hashlib
import io
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

import torch
from pydantic import TypeAdapter
from typing_extensions import TypedDict

from kinefract.common.errors import UserError, first_line
from kinefract.common.files import written_whole
from kinefract.common.records import Count
from kinefract.config.run_files import Epoch

DIGEST_SIZE = hashlib.sha256().digest_size  # bytes


class State(TypedDict):
    """The content of a checkpoint: tensors and plain values only.

    ``history`` has the metrics of each finished epoch, ``meter`` the sums of one that is not; it is None
    between epochs.
    """

    spec: str
    history: list[Epoch]
    step: Count
    meter: dict[str, float | int] | None
    objective: dict[str, Any]
    optimizer: dict[str, Any]
    precision: dict[str, Any]


T = TypeVar("T")

LATEST = 3.0  # seconds after the time limit until which a batch may still arrive


def write(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all: its SHA-256, then what torch saves, which has none.

    Raises:
        UserError: the file cannot be written, with the reason.
    """
    # It is written to memory first, since torch reports a full disk as an error without the reason.
    content = io.BytesIO()
    torch.save(state, content)
    with written_whole(path) as partial:
        partial.write_bytes(hashlib.sha256(content.getbuffer()).digest() + content.getvalue())


def read(path: Path, spec_id: str) -> dict[str, Any] | None:
    """Return a checkpoint's content as ``State``; None if there is no checkpoint.

    Raises:
        UserError: the checkpoint is damaged, holds code, or belongs to another spec.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, f"cannot be read ({error.strerror})") from error
    digest, saved = content[:DIGEST_SIZE], content[DIGEST_SIZE:]
    if hashlib.sha256(saved).digest() != digest:
        raise _unusable(path, "damaged, or written by version 0.1")
    try:
        state = torch.load(io.BytesIO(saved), map_location="cpu", weights_only=True)
        TypeAdapter(State).validate_python(state)
    except Exception as error:  # of many kinds, by torch
        raise _unusable(path, f"no checkpoint of this version ({first_line(error)})") from error
    if state["spec"] != spec_id:
        raise _unusable(path, f"belongs to {state['spec']}, not to {spec_id}")
    return state


def _unusable(path: Path, problem: str) -> UserError:
    return UserError(f"{path}: {problem}; delete it to start afresh")


class _Interrupted(BaseException):
    """A reason to stop came while a run waited for a batch."""


class Stopped(UserError):
    """A run stopped before its end, on a signal or at its time limit, and its checkpoint is written."""


@dataclass
class Pauses:
    """The times at which a run writes a checkpoint between epochs, and at which it stops.

    This is a context manager. Inside its block SIGTERM asks for a checkpoint and a stop, instead of ending
    the process. A scheduler sends SIGTERM before it kills a job. A step is finished first; the wait for a
    batch, which may never come, is not.

    Args:
        minutes: Longest time between two checkpoints in minutes, to within a step.
        limit: Minutes after which the run stops, counted from the start of its process; None for no limit.
    """

    minutes: float = 10.0
    limit: float | None = None
    asked: bool = field(default=False, init=False)
    _last: float = field(default_factory=time.monotonic, init=False)
    _waits: bool = field(default=False, init=False)

    def __enter__(self) -> Self:
        self._before = {}
        # Only the main thread may handle signals; in another thread this is left to it.
        with contextlib.suppress(ValueError):
            self._before = {
                number: signal.signal(number, self._handle) for number in (signal.SIGTERM, signal.SIGALRM)
            }
            if self.limit is not None:
                left = max(0.0, 60 * self.limit - process_seconds())
                signal.setitimer(signal.ITIMER_REAL, left + LATEST, 1.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.asked |= number == signal.SIGTERM
        if self._waits:
            self._waits = False
            raise _Interrupted

    def batches(self, arriving: Iterator[T]) -> Iterator[T]:
        """Yield what arrives until it ends, or until a reason to stop comes while the next is waited for.

        The reason is SIGTERM, or the time limit if it was reached a few seconds ago.
        """
        while True:
            try:
                self._waits = True
                if self.asked:
                    return
                item = next(arriving)
            except (StopIteration, _Interrupted):
                return
            finally:
                self._waits = False
            yield item

    def stop(self) -> str | None:
        """Return the reason to stop now, or None if there is none."""
        if self.asked:
            return "stopped by SIGTERM"
        if self.limit is not None and process_seconds() >= 60 * self.limit:
            return f"its time limit of {self.limit:g} minutes is reached"
        return None

    def due(self) -> bool:
        """Return whether a checkpoint is due."""
        return time.monotonic() - self._last >= 60 * self.minutes

    def written(self) -> None:
        """Record that a checkpoint was written."""
        self._last = time.monotonic()


def process_seconds() -> float:
    """Return the time in seconds that this process has run, imports included."""
    started = float(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    return uptime - started / os.sysconf("SC_CLK_TCK")

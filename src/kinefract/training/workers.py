"""Processes that read clips for a run: how they start, hand batches over, and end.

A worker that dies, cannot start or cannot hand a batch over ends the run with an error that says why. A
worker that hangs keeps nobody from stopping the run.
"""

import contextlib
import mmap
import multiprocessing
import multiprocessing.util
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.context import ForkContext
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch.utils.data import DataLoader, default_collate, default_convert, get_worker_info

from kinefract.common.errors import UserError, first_line

LONGEST_SOCKET = 107  # bytes of the path of a socket
SOCKET = "pymp-xxxxxxxx/listener-xxxxxxxx"  # where multiprocessing puts sockets, below a temporary folder
JOIN = 5.0  # seconds until a killed worker must be gone
FEWER = "use fewer --workers (0 reads clips in the process that trains)"

T = TypeVar("T")

# What a signal that ended a worker means.
CAUSES = {
    signal.SIGKILL: f"as the system does where memory runs out; {FEWER}, or ask for more memory",
    signal.SIGBUS: f"as where /dev/shm is full; give it more room (docker: --shm-size), or {FEWER}",
}


@contextmanager
def loaded(loader: DataLoader) -> Iterator[Iterator[Any]]:
    """Yield an iterator over the batches of a loader of ``loader_of``; after the block no worker is left.

    Raises:
        UserError: a worker died or could not start, or a batch could not be handed over.
    """
    if not loader.num_workers:
        yield iter(loader)
        return
    _place_sockets()
    before = multiprocessing.active_children()
    workers: list[BaseProcess] = []
    held = []  # an iterator that goes ends its workers itself, and waits for those that hang

    def batches() -> Iterator[Any]:
        try:
            held.append(iter(loader))
        except OSError as error:
            raise UserError(f"cannot start {loader.num_workers} workers: {error}; {FEWER}") from error
        finally:
            workers.extend(set(multiprocessing.active_children()).difference(before))
        for batch in held[0]:
            try:
                content = batch.content() if isinstance(batch, _Handed) else batch
            except (OSError, EOFError) as error:  # a connection ends before its process does
                check(error)
                raise
            yield content

    def check(error: Exception) -> None:
        if died := _undisturbed(lambda: _died(workers)):
            raise UserError(_cause(died[0])) from error

    try:
        yield batches()
    except (RuntimeError, OSError, EOFError) as error:  # torch raises the first on a signal, also in a step
        check(error)
        raise
    finally:
        _undisturbed(lambda: _end(workers))


def loader_of(dataset: Any, workers: int, **options: Any) -> DataLoader:
    """Return a loader whose batches ``loaded`` takes over; 0 workers read in this process."""
    collate = default_convert if options.get("batch_size", 1) is None else default_collate
    return DataLoader(
        dataset,
        num_workers=workers,
        collate_fn=_Collated(collate),
        worker_init_fn=_prepare,
        multiprocessing_context=_Context() if workers else None,
        **options,
    )


class _Flag:
    """The flag by which a loader tells its workers to end, in place of an event of multiprocessing.

    An event has a lock. A worker that is killed while it looks at the event holds the lock for ever, and the
    loader, which sets the event when it goes, would never end. A byte that all of them see needs no lock.
    """

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)  # anonymous; a forked process has the same

    def set(self) -> None:
        self._byte[0] = 1

    def is_set(self) -> bool:
        return self._byte[0] == 1


class _Context(ForkContext):
    """How a loader makes its workers, and what it shares with them."""

    def Event(self) -> Any:  # the name that a loader asks for
        return _Flag()


class _Collated:
    """The function that makes a batch of items; in a worker it also gets the batch ready for its way."""

    def __init__(self, collate: Callable[[Any], Any]) -> None:
        self._collate = collate

    def __call__(self, items: Any) -> Any:
        if get_worker_info() is None:
            return self._collate(items)
        try:
            return _Handed(self._collate(items))
        except (RuntimeError, OSError) as error:
            reason = first_line(error)
            raise UserError(
                f"a worker cannot hand over a batch: {reason}; give /dev/shm more room (docker: --shm-size), "
                f"or {FEWER}"
            ) from error


class _Handed:
    """A batch on its way from a worker, its tensors in shared memory.

    It is made ready in the worker's main thread, where an error reaches the loader. In the thread that feeds
    the queue, where this happens otherwise, a batch that fails is lost and the loader waits for it for ever.
    """

    def __init__(self, batch: Any) -> None:
        self._pickled = bytes(ForkingPickler.dumps(batch))

    def content(self) -> Any:
        """Return the batch, once."""
        return ForkingPickler.loads(self._pickled)

    def pin_memory(self) -> Any:
        """Return the batch in pinned memory, in the thread that the loader has for this."""
        batch = self.content()
        if isinstance(batch, torch.Tensor):
            return batch.pin_memory()
        return [part.pin_memory() for part in batch]


def _prepare(worker: int) -> None:
    """Prepare a worker process.

    It ignores SIGTERM, which schedulers send to all processes of a job: the training process finishes a step
    first, and ends its workers afterwards. The training process also says which signal
    ended it.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for number in (signal.SIGBUS, signal.SIGSEGV, signal.SIGFPE):  # of which torch prints a line of its own
        signal.signal(number, signal.SIG_DFL)


def _place_sockets() -> None:
    """Have sockets put into a folder whose path is short enough for them, here and in workers.

    Raises:
        UserError: there is no such folder.
    """
    usual = []
    with contextlib.suppress(OSError):
        usual = [tempfile.gettempdir()]
    runtime = [folder for folder in (os.environ.get("XDG_RUNTIME_DIR"),) if folder]
    tried = [*usual, *runtime, "/tmp", "/var/tmp", "/dev/shm"]
    for folder in tried:
        if not _fits(folder):
            continue
        before = tempfile.tempdir
        tempfile.tempdir = folder
        try:
            chosen = multiprocessing.util.get_temp_dir()  # made once; workers inherit its name
        except OSError:
            continue
        finally:
            tempfile.tempdir = before
        if _fits(Path(chosen).parent):
            return
    raise UserError(
        f"workers cannot be started: the path of a socket may have {LONGEST_SOCKET} bytes, and none of "
        f"{', '.join(tried)} is short enough and writable; set TMPDIR to a shorter path, or use --workers 0"
    )


def _fits(folder: Path | str) -> bool:
    return len(os.fsencode(os.path.join(folder, SOCKET))) <= LONGEST_SOCKET  # noqa: PTH118


def _cause(code: int) -> str:
    """Return what is to be said of a worker that ended with this exit code of multiprocessing."""
    if code >= 0:
        return f"a process that reads clips ended with exit code {code}; {FEWER}"
    number = signal.Signals(-code)
    return f"a process that reads clips was ended by {number.name}, {CAUSES.get(number, FEWER)}"


def _died(workers: list[BaseProcess]) -> list[int]:
    """Return the exit codes of workers that ended by themselves and were not meant to."""
    ends = wait([worker.sentinel for worker in workers], 1.0)
    for worker in workers:
        if worker.sentinel in ends:
            worker.join(JOIN)
    return [worker.exitcode for worker in workers if worker.exitcode]


def _end(workers: list[BaseProcess]) -> None:
    """Kill workers that still run, in the middle of a batch or not."""
    for worker in workers:
        worker.kill()
    for worker in workers:
        worker.join(JOIN)


def _undisturbed(action: Callable[[], T]) -> T:
    """Return what an action returns, while torch raises no error where a worker ends."""
    handler = signal.getsignal(signal.SIGCHLD)
    main = threading.current_thread() is threading.main_thread()  # in others torch has no handler
    try:
        if main:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        return action()
    except RuntimeError:  # the signal came before
        return action()
    finally:
        if main:
            signal.signal(signal.SIGCHLD, handler)

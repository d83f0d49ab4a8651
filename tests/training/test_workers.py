"""Processes that read clips: whatever happens to one, the run ends in time and keeps its checkpoint."""

import gc
import multiprocessing
import multiprocessing.util
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
import torch
from test_train import Noise, training

from kinefract.common.errors import UserError
from kinefract.training import workers
from kinefract.training.checkpoint import Pauses, Stopped, process_seconds
from kinefract.training.train import Execution

AT_ONCE = 12.0  # seconds until a run that waits for a batch must have ended


class Troubled(Noise):
    """Noise whose reading meets trouble in a worker, from the third epoch on; the first is then over."""

    def __init__(self, trouble, clips=16):
        super().__init__(clips)
        self.trouble, self.reads, self.home = trouble, 0, os.getpid()

    def read(self, *about):
        self.reads += 1
        if self.reads > 2 * len(self.labels) and os.getpid() != self.home:
            self.trouble()
        return super().read(*about)


def die(number):
    return lambda: os.kill(os.getpid(), number)


def fill_disk():
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))  # no shared memory of more bytes can be had


def raise_odd_error():
    raise ValueError("no picture")


def run_of(folder, trouble, number=1, **pauses):
    run = training(folder, source=Troubled(trouble))
    run.execution = Execution(workers=number, pauses=Pauses(**pauses))
    return run


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (die(signal.SIGKILL), "was ended by SIGKILL, as the system does where memory runs out; use fewer"),
        (die(signal.SIGBUS), "was ended by SIGBUS, as where /dev/shm is full; give it more room"),
        (die(signal.SIGSEGV), "was ended by SIGSEGV, use fewer --workers"),
        (lambda: os._exit(3), "ended with exit code 3; use fewer --workers"),
        (fill_disk, "a worker cannot hand over a batch: .*File too large.*; give /dev/shm more room"),
    ],
    ids=["killed", "bus", "segfault", "exit", "shm"],
)
def test_a_worker_that_dies_ends_the_run_and_keeps_the_last_checkpoint(tmp_path, trouble, said, capfd):
    run = run_of(tmp_path, trouble)
    start = time.monotonic()
    with pytest.raises(UserError, match=said):
        run.fit()
    assert time.monotonic() - start < 30
    assert run.resume()["step"] >= 4
    assert not multiprocessing.active_children()
    assert capfd.readouterr().err == ""


def test_a_worker_that_is_killed_while_the_network_trains_ends_the_run(tmp_path):
    run = run_of(tmp_path, lambda: None)

    def kill(metrics):
        (worker,) = multiprocessing.active_children()
        worker.kill()
        time.sleep(1)

    run.on_epoch = kill
    with pytest.raises(UserError, match="ended by SIGKILL"):
        run.fit()
    assert len(run.resume()["history"]) == 1


def test_a_worker_that_dies_while_it_looks_whether_to_end_holds_nobody_up(tmp_path, monkeypatch):
    asked, home = workers._Flag.is_set, os.getpid()

    def die_in_a_worker(flag):
        if os.getpid() != home:
            os.kill(os.getpid(), signal.SIGKILL)
        return asked(flag)

    monkeypatch.setattr(workers._Flag, "is_set", die_in_a_worker)
    run = run_of(tmp_path, lambda: None)
    start = time.monotonic()
    with pytest.raises(UserError, match="ended by SIGKILL"):
        run.fit()
    del run
    gc.collect()  # the loader's iterator goes
    assert time.monotonic() - start < AT_ONCE


def test_an_error_of_reading_is_that_of_the_run(tmp_path):
    with pytest.raises(ValueError, match="no picture"):
        run_of(tmp_path, raise_odd_error).fit()
    assert not multiprocessing.active_children()


def in_a_while(seconds, action, *about):
    timer = threading.Timer(seconds, action, about)
    timer.daemon = True
    timer.start()


@pytest.mark.parametrize("trouble", [lambda: time.sleep(600), die(signal.SIGSTOP)], ids=["asleep", "stopped"])
@pytest.mark.parametrize("reason", ["SIGTERM", "limit"])
def test_a_run_that_waits_for_a_worker_that_hangs_can_be_stopped(tmp_path, trouble, reason):
    limit = {"limit": (process_seconds() + 3) / 60} if reason == "limit" else {}
    run = run_of(tmp_path, trouble, **limit)
    if reason == "SIGTERM":
        in_a_while(3, os.kill, os.getpid(), signal.SIGTERM)
    start = time.monotonic()
    with pytest.raises(Stopped, match=rf"{reason}.* after step \d of 16; run it again"):
        run.fit()
    assert time.monotonic() - start < 3 + AT_ONCE
    assert not multiprocessing.active_children()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)

    resumed, alone = training(tmp_path, source=Noise(16)), training(tmp_path / "alone", source=Noise(16))
    state = resumed.resume()
    assert 4 <= state["step"] < 16
    resumed.fit(state)
    alone.fit()
    weights = alone.objective.state_dict()
    for name, value in resumed.objective.state_dict().items():
        assert torch.equal(value, weights[name]), name


@pytest.mark.parametrize("number", [1, 3])
def test_the_number_of_workers_changes_no_weight(tmp_path, number):
    alone, run = training(tmp_path / "alone"), training(tmp_path / "run")
    run.execution = Execution(workers=number)
    alone.fit()
    run.fit()
    weights = alone.objective.state_dict()
    for name, value in run.objective.state_dict().items():
        assert torch.equal(value, weights[name]), name


IN_A_FOLDER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_train import Noise, training
from kinefract.training.train import Execution

run = training(Path(sys.argv[2]), source=Noise(8))
run.execution = Execution(workers=1)
run.fit()
"""


def test_sockets_of_a_long_temporary_folder_lie_elsewhere_and_are_removed(tmp_path):
    long, short = tmp_path / ("a" * 90), Path(tempfile.mkdtemp(dir="/tmp"))
    long.mkdir()
    env = {**os.environ, "TMPDIR": str(long), "XDG_RUNTIME_DIR": str(short)}
    command = [sys.executable, "-c", IN_A_FOLDER, str(Path(__file__).parent), str(tmp_path)]
    try:
        subprocess.run(command, env=env, check=True, timeout=60)
        assert list(short.iterdir()) == []
    finally:
        short.rmdir()
    assert (tmp_path / "checkpoint.pt").exists()


def test_where_no_folder_is_short_enough_the_error_says_so(monkeypatch):
    monkeypatch.setattr(workers, "LONGEST_SOCKET", 10)
    with pytest.raises(UserError, match=r"may have 10 bytes, and none of .*/tmp.* set TMPDIR to a shorter"):
        workers._place_sockets()


def test_workers_that_cannot_start_are_an_error(tmp_path, monkeypatch):
    def fork():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    run = run_of(tmp_path, lambda: None)
    monkeypatch.setattr(os, "fork", fork)
    with pytest.raises(UserError, match=r"cannot start 1 workers: .*Resource temporarily unavailable; use"):
        run.fit()

"""Jobs side by side take a GPU each; the GPUs are made up, processes and locks are not."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from kinefract.common.errors import UserError
from kinefract.config.phases import FinetuneRecipe
from kinefract.evaluation import evaluate
from kinefract.training import devices
from kinefract.training.processes import Processes

JOB = """
import sys
from types import SimpleNamespace
import torch

uuids = sys.argv[1:]
torch.cuda.is_available = lambda: True
torch.cuda.device_count = lambda: len(uuids)
torch.cuda.get_device_properties = lambda gpu: SimpleNamespace(uuid=uuids[gpu])

from kinefract.training.devices import own_gpu

print(own_gpu(), own_gpu("cuda"), own_gpu("cpu"), flush=True)
sys.stdin.read()
"""


@contextmanager
def job(folder: Path, *uuids: str, **environment: str):
    """Run a job on a machine with these GPUs; yield the number of the one it takes."""
    bare = {name: value for name, value in os.environ.items() if name != "LOCAL_RANK"}
    started = subprocess.Popen(
        [sys.executable, "-c", JOB, *uuids],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**bare, "TMPDIR": str(folder), "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )
    try:
        first, second, on_a_cpu = started.stdout.readline().split()
        assert (first, on_a_cpu) == (second, "None")
        yield int(first)
    finally:
        started.communicate()
    assert started.returncode == 0


@pytest.fixture
def gpus(monkeypatch, tmp_path):
    """Let this process see two GPUs, of which it has taken none."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda gpu: SimpleNamespace(uuid="ab"[gpu]))
    monkeypatch.setattr(devices.tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    devices._taken.cache_clear()
    yield
    devices._taken.cache_clear()
    while devices._held:
        os.close(devices._held.pop())


def test_each_of_two_jobs_has_a_gpu_and_a_third_shares_the_first(tmp_path):
    with job(tmp_path, "a", "b") as first:
        with job(tmp_path, "a", "b") as second, job(tmp_path, "a", "b") as third:
            assert (first, second, third) == (0, 1, 0)
        # One that ends leaves its GPU to the next; so does one that is killed, as locks end with processes.
        with job(tmp_path, "a", "b") as fourth:
            assert fourth == 1


def test_a_gpu_is_the_same_whatever_number_a_job_sees_it_under(tmp_path):
    with job(tmp_path, "b") as first, job(tmp_path, "b", "a") as second:
        assert (first, second) == (0, 1)


def test_processes_of_torchrun_keep_their_own_and_others_see_it(tmp_path):
    with job(tmp_path, "a", "b", LOCAL_RANK="0") as first, job(tmp_path, "a", "b") as other:
        assert (first, other) == (0, 1)
        with job(tmp_path, "a", "b", LOCAL_RANK="1") as second:
            assert second == 1


def test_a_lock_that_cannot_be_read_is_anothers(gpus, tmp_path, monkeypatch):
    opened = os.open

    def refused(path, *arguments):
        if Path(path).name == "kinefract-gpu-a.lock":
            raise PermissionError(path)
        return opened(path, *arguments)

    monkeypatch.setattr(devices.os, "open", refused)
    assert devices.own_gpu() == 1
    devices._taken.cache_clear()
    assert devices.own_gpu() == 0  # none is free: the first


def test_a_lock_can_be_shared_by_users_whatever_the_umask(gpus, tmp_path):
    before = os.umask(0o077)
    try:
        assert devices.own_gpu() == 0
    finally:
        os.umask(before)
    assert (tmp_path / "kinefract-gpu-a.lock").stat().st_mode & 0o777 == 0o644
    (tmp_path / "kinefract-gpu-b.lock").touch(0o444)  # to be read alone
    devices._taken.cache_clear()
    assert devices.own_gpu() == 1


def test_a_run_computes_on_the_gpu_that_its_process_took(gpus):
    assert devices._hold(0)  # by an open file of its own, as by another process
    assert Processes("32-true").device == torch.device("cuda", 1)


def test_an_evaluation_takes_it_too(gpus, monkeypatch):
    class Asked(Exception):
        pass

    def fabric(devices, **options):
        raise Asked(devices)

    assert devices._hold(0)
    monkeypatch.setattr(evaluate, "Fabric", fabric)
    with pytest.raises(Asked, match=r"\[1\]"):
        evaluate.scores(torch.nn.Identity(), [], FinetuneRecipe(), 0, "test")


def test_more_processes_than_gpus_are_refused(gpus, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(UserError, match="process 2 has no GPU, torch sees 2 here"):
        devices.own_gpu()


def test_without_a_gpu_there_is_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.own_gpu() is None
    with pytest.raises(UserError, match="torch sees none; use --accelerator cpu"):
        devices.own_gpu("cuda")

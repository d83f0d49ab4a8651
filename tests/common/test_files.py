"""Files are whole or absent."""

import fcntl
import resource
import signal
import subprocess
import sys
import threading
import time

import pytest

from kinefract.common.errors import UserError
from kinefract.common.files import (
    locked,
    partial_of,
    remove_abandoned,
    sha256,
    write_text,
    written_whole,
)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), written_whole(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_partial_file_keeps_the_suffix_and_folders_are_made(tmp_path):
    path = tmp_path / "deep" / "down" / "clip.mp4"
    with written_whole(path) as partial:
        assert partial.suffix == ".mp4"
        assert partial.parent == path.parent
        partial.write_bytes(b"x")
    assert path.read_bytes() == b"x"


def test_a_disk_that_takes_no_more_is_one_clear_error(tmp_path):
    """A limit on the size of files stands in for a full disk: the same failing write, without root."""
    path = tmp_path / "big.bin"
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with (
            pytest.raises(UserError, match=r"cannot write .*big\.bin: File too large"),
            written_whole(path) as partial,
        ):
            partial.write_bytes(b"x" * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert list(tmp_path.iterdir()) == []


WRITER = """
import sys, time
from kinefract.common.files import written_whole
with written_whole(sys.argv[1]) as partial:
    partial.write_bytes(b"half")
    print("half", flush=True)
    time.sleep(600)
"""


def start_writer(path) -> subprocess.Popen:
    """Start a process that stops in the middle of writing ``path``."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "half\n"
    return process


def kill(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_what_a_killed_writer_left_goes_with_the_next_that_writes_the_same_file(tmp_path):
    path, other = tmp_path / "a.b.txt", tmp_path / "b.txt"
    kill(start_writer(path))
    (tmp_path / ".a.b.4711.partial.txt").write_text("of version 0.1, whose names hold a process id")
    write_text(other, "of another file")
    assert len(list(tmp_path.iterdir())) == 3
    write_text(path, "whole")
    assert path.read_text() == "whole"
    assert sorted(tmp_path.iterdir()) == [path, other]


def test_what_a_living_writer_writes_is_left_alone(tmp_path):
    path = tmp_path / "a.txt"
    process = start_writer(path)
    try:
        write_text(path, "whole")
        (partial,) = set(tmp_path.iterdir()) - {path}
        assert partial.read_text() == "half"
        assert partial_of(partial.name) == "a.txt" and not remove_abandoned(partial)
    finally:
        kill(process)
    assert remove_abandoned(partial, dry_run=True) and partial.exists()
    assert remove_abandoned(partial) and not partial.exists()


def test_many_writers_of_one_file_disturb_none(tmp_path):
    path, errors = tmp_path / "a.txt", []

    def work(number):
        try:
            for _ in range(50):
                write_text(path, str(number))
        except UserError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not errors
    assert list(tmp_path.iterdir()) == [path] and path.read_text() in "012345"


def test_a_file_that_cannot_be_read_while_another_is_written_is_named(tmp_path):
    said = r"cannot write .*new\.txt: .*lost\.txt: No such file"
    with pytest.raises(UserError, match=said) as caught, written_whole(tmp_path / "new.txt"):
        (tmp_path / "lost.txt").read_text()
    assert isinstance(caught.value.__cause__, FileNotFoundError) and not list(tmp_path.iterdir())


def test_a_hash_is_that_of_the_standard(tmp_path):
    path = tmp_path / "m.txt"
    write_text(path, "abc")
    assert sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2


def test_one_at_a_time_holds_a_lock_and_nothing_is_left(tmp_path):
    path, inside, most = tmp_path / "deep" / ".lock", [], []

    def work():
        for _ in range(40):
            with locked(path):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.0005)
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert most == [1] * 240
    assert list(path.parent.iterdir()) == []


def test_who_waits_for_a_lock_says_so(tmp_path, capsys):
    path, done = tmp_path / ".lock", []

    def work():
        with locked(path, "counts"):
            done.append(1)

    waiter = threading.Thread(target=work)
    with locked(path, "is never seen"):
        waiter.start()
        while "another process counts, waiting for it" not in capsys.readouterr().err:
            assert waiter.is_alive()
            time.sleep(0.005)
        assert not done
    waiter.join(timeout=60)
    assert done


def test_what_a_killed_process_left_keeps_nobody_out(tmp_path, capsys):
    path = tmp_path / ".lock"
    path.touch()
    with locked(path, "works"), path.open("rb") as stream, pytest.raises(BlockingIOError):
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert capsys.readouterr().err == "" and not path.exists()


def test_a_block_that_fails_gives_its_lock_back(tmp_path):
    with pytest.raises(RuntimeError), locked(tmp_path / ".lock"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_cannot_be_written_is_named(tmp_path):
    place = tmp_path / ".lock"
    place.mkdir()
    with pytest.raises(UserError, match=r"cannot write .*\.lock: Is a directory"), locked(place):
        pass

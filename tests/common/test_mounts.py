"""File systems are told apart by what the kernel says of them."""

from pathlib import Path

import pytest

from kinefract.common import mounts
from kinefract.common.files import locked

# As Linux 6.1 wrote it: a root on ext4, NFS 4.2, NFS 3 without locks, and a place with a space.
KERNEL = r"""22 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
80 22 0:33 / /run/a rw,relatime shared:7 - nfs4 10.0.1.1:/ rw,vers=4.2,hard,local_lock=none,addr=10.0.1.1
81 22 0:34 / /run/b rw,relatime - nfs 10.0.2.1:/srv rw,vers=3,nolock,local_lock=all,addr=10.0.2.1
82 22 0:35 / /my\040share rw - fuse.sshfs me@host: rw,user_id=0
83 22 0:36 / /run/a rw - ext4 /dev/vdb rw
"""


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    (tmp_path / "mountinfo").write_text(KERNEL)
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "mountinfo")


@pytest.mark.parametrize(
    ("path", "kind", "shared", "trouble"),
    [
        ("/home/me", "ext4", False, ""),
        ("/run/bee", "ext4", False, ""),
        ("/run/a/x", "ext4", False, ""),  # the later mount covers the NFS
        ("/run/b/deep/x", "nfs", True, "nfs mounted with local_lock=all"),
        ("/my share", "fuse.sshfs", True, "fuse.sshfs"),
    ],
)
def test_the_mount_of_a_path_is_the_nearest_and_last(kernel, path, kind, shared, trouble):
    found = mounts.mount_of(path)
    assert (found.kind, found.shared, found.lock_trouble) == (kind, shared, trouble)


def test_nfs_that_passes_locks_on_is_no_trouble():
    (found,) = (mount for mount in mounts.parse(KERNEL) if mount.kind == "nfs4")
    assert (found.place, found.shared, found.lock_trouble) == (Path("/run/a"), True, "")


def test_a_system_that_does_not_tell_has_no_mounts(tmp_path, monkeypatch):
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "missing")
    assert mounts.mount_of("/home") is None


def test_a_lock_in_a_shared_folder_stays_there(tmp_path, monkeypatch):
    (tmp_path / "mountinfo").write_text(f"1 0 0:33 / {tmp_path} rw - nfs4 server:/ rw,local_lock=none\n")
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "mountinfo")
    for _ in range(2):
        with locked(tmp_path / ".lock") as waited:
            assert not waited
        assert (tmp_path / ".lock").exists()

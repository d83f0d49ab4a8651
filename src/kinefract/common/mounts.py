"""The file system under a folder: whether other machines may share it, and whether its locks hold."""

import re
from dataclasses import dataclass
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
# All others may be shared: nfs4, cifs, lustre, gpfs, ceph, fuse.glusterfs, ...
LOCAL = {
    "ext2",
    "ext3",
    "ext4",
    "xfs",
    "btrfs",
    "zfs",
    "bcachefs",
    "f2fs",
    "overlay",
    "tmpfs",
    "ramfs",
    "apfs",
}
# What a mount says if a lock is seen by its own machine only: NFS, Lustre, SMB.
OWN_LOCKS = {"nolock", "local_lock=all", "local_lock=flock", "local_lock=posix", "localflock", "nobrl"}
WITHOUT_LOCKS = {"fuse.sshfs"}


@dataclass(frozen=True)
class Mount:
    """A mounted file system: its place, its kind as the kernel names it, and its options."""

    place: Path
    kind: str
    options: frozenset[str]

    @property
    def shared(self) -> bool:
        """Whether other machines may use the same files."""
        return self.kind not in LOCAL

    @property
    def lock_trouble(self) -> str:
        """Why locks on files here do not keep other machines out; empty if they do, as far as is known."""
        if self.kind in WITHOUT_LOCKS:
            return self.kind
        told = sorted(self.options & OWN_LOCKS)
        return f"{self.kind} mounted with {told[0]}" if self.shared and told else ""


def mount_of(path: Path | str) -> Mount | None:
    """Return the file system that holds a path, which need not exist; None if the system does not tell."""
    try:
        mounts = parse(MOUNTS.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError:
        return None
    path = Path(path).resolve()
    holding = [mount for mount in mounts if path.is_relative_to(mount.place)]
    # Of two at the same place the later one covers the earlier one.
    return max(reversed(holding), key=lambda mount: len(mount.place.parts), default=None)


def parse(text: str) -> list[Mount]:
    """Return the file systems in the text of ``/proc/self/mountinfo``, as proc(5) describes it."""
    mounts = []
    for line in text.splitlines():
        about, _, system = line.partition(" - ")
        fields, (kind, _, options) = about.split(" "), system.split(" ", 2)
        place = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        mounts.append(Mount(Path(place), kind, frozenset([*fields[5].split(","), *options.split(",")])))
    return mounts

"""Locks and SQLite on one NFS folder that two machines use: `python tests/faults/shared_folder.py`, as root.

It needs no NFS in this kernel: user-mode Linux runs the server and both clients, each in a network of its own
(Debian: apt-get install user-mode-linux nfs-kernel-server rpcbind kmod iproute2). Six processes, three on
each client, take a lock in turns and count how often two hold it; four write to one SQLite file. All is done
on NFS 4.2, then on NFS 3 without locks, where it must fail. It takes five minutes.
"""

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kinefract.common.files import locked
from kinefract.common.mounts import mount_of

CLIENTS, LOCKS, ROWS = ("a", "b"), 30, 40
MODULES = Path("/usr/lib/uml/modules")
# Run by the kernel in place of init. /run is empty, and all else is this machine's own files.
BOOT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run PYTHONPATH={path}
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs tmpfs /run
mkdir -p /run/srv /run/state/rpc_pipefs /run/state/v4recovery /run/rpcbind
mount --bind {modules} /lib/modules; mount --bind /run/state /var/lib/nfs
modprobe -a nfsd nfsv3 nfsv4 veth
mount -t ext4 /dev/ubda /run/srv; mount -t nfsd nfsd /proc/fs/nfsd
touch /run/state/etab /run/state/rmtab
mount -t rpc_pipefs rpc_pipefs /run/state/rpc_pipefs
ip link set lo up; rpcbind -w
exportfs -o rw,no_root_squash,fsid=0,no_subtree_check,sync,insecure '*:/run/srv'
rpc.mountd; rpc.nfsd 4
net=0
for client in {clients}; do
    net=$((net + 1))
    mkdir -p /run/locks/$client /run/nolock/$client
    ip netns add $client; ip link add v$net type veth peer name w$net; ip link set w$net netns $client
    ip addr add 10.0.$net.1/24 dev v$net; ip link set v$net up
    ip -n $client addr add 10.0.$net.2/24 dev w$net; ip -n $client link set w$net up
    nsenter --net=/run/netns/$client unshare --uts sh -c "hostname $client
        mount -t nfs4 -o vers=4.2,nosharecache 10.0.$net.1:/ /run/locks/$client
        mount -t nfs -o vers=3,nolock,nosharecache 10.0.$net.1:/run/srv /run/nolock/$client"
done
{python} {program} /run/locks; {python} {program} /run/nolock
sync; echo o > /proc/sysrq-trigger; sleep 9
"""


def take_turns(folder: Path) -> int:
    """Take a lock again and again; return how often another process held it, too."""
    together = 0
    for _ in range(LOCKS):
        with locked(folder / ".lock"):
            try:
                (folder / "held").mkdir()
            except FileExistsError:
                together += 1
            else:
                time.sleep(0.01)
                (folder / "held").rmdir()
    return together


def write_rows(folder: Path) -> int:
    """Write rows to a SQLite file; return how many of them failed."""
    failed = 0
    for _ in range(ROWS):
        try:
            with sqlite3.connect(folder / "rows.db", timeout=20) as store:
                store.execute("CREATE TABLE IF NOT EXISTS t (x text)")
                store.execute("INSERT INTO t VALUES (?)", ("x" * 300,))
        except sqlite3.Error:
            failed += 1
    return failed


def both(place: Path, work: str, processes: int) -> int:
    """Do the work in so many processes on each client at once; return the sum of what they count."""
    running = [
        subprocess.Popen([sys.executable, __file__, place / client, work], stdout=subprocess.PIPE)
        for client in CLIENTS
        for _ in range(processes)
    ]
    return sum(int(process.communicate()[0] or 0) for process in running)


def try_out(place: Path) -> None:
    """Try locks and SQLite on the two mounts in ``place``, and print what was seen."""
    mount = mount_of(place / "a")
    print(f"{mount.kind}, trouble: {mount.lock_trouble or 'none'}")
    print(f"  held by two: {both(place, 'take_turns', 3)} of {6 * LOCKS} times")
    (Path("/run/srv") / "rows.db").unlink(missing_ok=True)
    failed = both(place, "write_rows", 2)
    with sqlite3.connect("/run/srv/rows.db") as store:
        (rows,), (whole,) = (
            store.execute(q).fetchone() for q in ("SELECT count(*) FROM t", "PRAGMA integrity_check")
        )
    print(f"  rows: {rows} of {4 * ROWS}, {failed} failed, integrity: {whole}", flush=True)


def boot() -> None:
    """Make a disk, boot and wait."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        disk, script = Path(folder, "disk"), Path(folder, "boot")
        with disk.open("wb") as stream:
            stream.truncate(2**30)
        subprocess.run(["mkfs.ext4", "-qF", disk], check=True)
        program = Path(__file__).resolve()
        settings = {"path": os.pathsep.join(map(os.path.abspath, sys.path)), "python": sys.executable}
        settings |= {"program": program, "modules": MODULES, "clients": " ".join(CLIENTS)}
        script.write_text(BOOT.format(**settings))
        script.chmod(0o755)
        Path("/lib/modules").mkdir(exist_ok=True)
        kernel = ["linux.uml", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw", f"init={script}"]
        kernel += [f"ubd0={disk}", "mem=1500M", "con=null", "con0=null,fd:1", "ssl=null", "quiet"]
        subprocess.run(kernel, stdin=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        boot()
    elif len(sys.argv) == 2:
        try_out(Path(sys.argv[1]))
    else:
        print(globals()[sys.argv[2]](Path(sys.argv[1])))

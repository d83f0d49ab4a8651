"""A SLURM on loopback in a temporary folder: munged, slurmctld, a slurmd for each node, without systemd."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol")
PACKAGES = ("slurm-wlm", "munge")  # of Debian
NODE = "node1"  # the first
CPUS = 8  # that the node says it has, since a training on a GPU asks for eight
PATIENCE = 60  # seconds until a daemon is taken not to start
# Where SLURM's programs look. Snakemake's plugin hides SLURM_CONF, which names another place, from its jobs.
PLACE = Path("/etc/slurm")
FILES = ("slurm.conf", "gres.conf", "cgroup.conf")
CGROUP_V1 = Path("/sys/fs/cgroup/freezer")

CONFIGURATION = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={controller}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
ProctrackType=proctrack/{tracking}
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
KillWait=10
MinJobAge=300
SchedulerParameters=sched_interval=5
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SlurmdParameters=config_overrides
NodeName=DEFAULT CPUs={cpus} RealMemory={memory} Gres=gpu:1
{nodes}
PartitionName=batch Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class Unavailable(Exception):
    """SLURM cannot run here; the text says why."""


def install() -> None:
    """Install SLURM from the system's packages if it is not there.

    Raises:
        Unavailable: it is not there and cannot be installed, or this is not root.
    """
    if os.geteuid():
        raise Unavailable("slurmd and munged want to be started by root")
    if all(map(shutil.which, PROGRAMS)):
        return
    if not shutil.which("apt-get"):
        raise Unavailable("SLURM is not installed, and there is no apt-get to install it with")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=False, **quiet)
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
    if subprocess.run(command, check=False, env=env, **quiet).returncode:
        raise Unavailable(f"apt-get could not install {' '.join(PACKAGES)}")


class Slurm:
    """The daemons, as long as the block of this context manager runs.

    Args:
        tracking: How slurmd keeps track of the processes of a job: ``linuxproc`` or ``cgroup``.
        nodes: Number of nodes; each has a slurmd of its own on this machine.
    """

    def __init__(self, tracking: str = "linuxproc", nodes: int = 1) -> None:
        self.tracking = tracking
        self.nodes = [f"node{number}" for number in range(1, nodes + 1)]
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        install()
        if self.tracking == "cgroup" and not CGROUP_V1.is_dir():
            raise Unavailable("no cgroup v1 with a freezer here, and cgroup v2 wants systemd")
        if (PLACE / FILES[0]).exists():
            raise Unavailable(f"{PLACE}: this machine has a SLURM of its own")
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.folder.chmod(0o755)
        for name in ("state", *self.nodes):
            (self.folder / name).mkdir()
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
        text = CONFIGURATION.format(
            folder=self.folder,
            host=socket.gethostname(),
            nodes="\n".join(
                f"NodeName={name} NodeHostname={socket.gethostname()} NodeAddr=127.0.0.1 Port={_free_port()}"
                for name in self.nodes
            ),
            controller=_free_port(),
            tracking=self.tracking,
            cpus=CPUS,
            memory=memory - 1024,
        )
        devices = "Name=gpu File=/dev/null\n"  # a GPU that is none
        PLACE.mkdir(exist_ok=True)
        for name, content in zip(FILES, (text, devices, "CgroupPlugin=cgroup/v1\n"), strict=True):
            (self.folder / name).write_text(content)
            (PLACE / name).unlink(
                missing_ok=True
            )  # a link that leads nowhere, left by a process that was killed
            (PLACE / name).symlink_to(self.folder / name)
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        try:
            self.start("munged")
            self.start("slurmctld")
            for name in self.nodes:
                self.start(name)
            for name in self.nodes:
                self.wait_for_node("idle", name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Exception):
            self.ask("scancel", "--full", "--user=root")
            time.sleep(2)
        for name in reversed(list(self.daemons)):
            self.stop(name)
        for name in FILES:
            (PLACE / name).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name: str) -> None:
        """Start a daemon, munged, slurmctld or the slurmd of a node; it stays a child of this process."""
        folder = self.folder
        command = {
            "munged": [
                *("munged", "--foreground", "--force", f"--key-file={folder}/munge.key"),
                *(f"--socket={folder}/munge.socket", f"--pid-file={folder}/munged.pid"),
                *(f"--log-file={folder}/munged.log", f"--seed-file={folder}/munged.seed"),
            ],
            "slurmctld": ["slurmctld", "-D"],
        }.get(name, ["slurmd", "-D", "-N", name])
        with (folder / f"{name}.out").open("ab") as out:
            self.daemons[name] = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
        if name == "munged":
            self._wait(lambda: (folder / "munge.socket").exists(), "munged does not start")

    def stop(self, name: str) -> None:
        """End a daemon. Jobs go on without slurmctld, and without slurmd."""
        daemon = self.daemons.pop(name)
        daemon.terminate()
        try:
            daemon.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def ask(self, *command: str) -> str:
        """Run one of SLURM's programs and return what it prints."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
        return done.stdout

    def wait_for_node(self, state: str, node: str = NODE) -> None:
        """Wait until a node is in a state, such as ``idle`` or ``drained``."""
        self._wait(lambda: self.node(node) == state, f"{node} does not become {state}")

    def node(self, node: str = NODE) -> str:
        """Return the state of a node; empty while slurmctld does not answer."""
        with suppress(subprocess.SubprocessError):
            return self.ask("sinfo", "--noheader", "--format=%T", "--nodes", node).strip().rstrip("*")
        return ""

    def jobs(self, state: str = "RUNNING") -> list[str]:
        """Return the numbers of the jobs in a state."""
        return self.ask("squeue", "--noheader", "--format=%i", f"--states={state}").split()

    def _wait(self, there, otherwise: str) -> None:
        end = time.monotonic() + PATIENCE
        while not there():
            ended = [name for name, daemon in self.daemons.items() if daemon.poll() is not None]
            if ended or time.monotonic() > end:
                text = "\n".join(path.read_text()[-2000:] for path in sorted(self.folder.glob("*.[ol][uo]?")))
                raise Unavailable(f"{otherwise} ({', '.join(ended) or 'waited too long'})\n{text}")
            time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]

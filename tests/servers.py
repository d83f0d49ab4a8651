"""Real servers for tests and programs, started on this machine and stopped again."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INITDB = shutil.which("initdb") or max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=None)
AS_USER = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []  # PostgreSQL refuses root
SETTINGS = "-c listen_addresses= -c fsync=off -c unix_socket_directories="


@contextmanager
def postgresql() -> Iterator[str]:
    """Run PostgreSQL with an empty database, on a socket in a folder of its own; yield its address."""
    if INITDB is None:
        raise FileNotFoundError("PostgreSQL's programs are not there (Debian: apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # short, as the name of a socket must be
    control = [*AS_USER, Path(INITDB).parent / "pg_ctl", "-D", folder / "data"]
    try:
        if AS_USER:
            shutil.chown(folder, "postgres")
        make = [*AS_USER, INITDB, "-D", folder / "data", "-A", "trust", "-U", "me", "-N"]
        subprocess.run(make, cwd=folder, check=True, capture_output=True)
        start = [*control, "-l", folder / "log", "-o", f"{SETTINGS}{folder}", "-w", "start"]
        subprocess.run(start, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        try:
            yield f"postgresql://me@/postgres?host={folder}"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], cwd=folder, check=True, capture_output=True)
    finally:
        shutil.rmtree(folder)


@contextmanager
def s3(program: str) -> Iterator[str]:
    """Run moto's stand-in for S3, its program given; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()

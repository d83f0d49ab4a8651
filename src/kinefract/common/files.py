"""Atomic writing of files, which are written beside their place and renamed into it, and file locks."""

import fcntl
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from kinefract.common.errors import UserError
from kinefract.common.mounts import mount_of
from kinefract.common.progress import log_line

# The name of a partial file: that of its file, hidden, with random digits (in version 0.1 a process id).
_PARTIAL = re.compile(r"\.(?P<stem>.+)\.[0-9a-f]+\.partial(?P<suffix>(?:\.[^.]+)?)", re.DOTALL)


@contextmanager
def written_whole(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it into place when the block ends without an exception.

    The temporary file is there, empty, when the block begins. It keeps the suffix of ``path``, since encoders
    choose their container by it. After an exception it is removed and ``path`` is as it was. It is locked as
    long as its process lives, so the next job that writes ``path`` removes what a killed one left.

    Raises:
        UserError: the file cannot be written (disk full, read-only folder, file too large).
    """
    path = Path(path)
    partial = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for entry in os.scandir(path.parent):
            if partial_of(entry.name) == path.name:
                remove_abandoned(path.with_name(entry.name))
        with _created(partial):
            yield partial
            with partial.open("rb") as stream:
                os.fsync(stream.fileno())
            partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        written = error.filename in (None, str(partial), str(path), str(path.parent))
        other = "" if written else f"{error.filename}: "
        raise UserError(f"cannot write {path}: {other}{error.strerror or error}") from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def partial_of(name: str) -> str | None:
    """Return the name of the file that a partial file is to become, from its name; None for other files."""
    match = _PARTIAL.fullmatch(name)
    return match and match["stem"] + match["suffix"]


def remove_abandoned(partial: Path, dry_run: bool = False) -> bool:
    """Remove a partial file if the process that wrote it has ended, on whatever machine it ran.

    A file system without locks cannot tell, so nothing is removed there.

    Args:
        partial: The file.
        dry_run: Remove nothing.

    Returns:
        Whether the process has ended.
    """
    try:
        with partial.open("rb+") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A third job may have removed it, and its owner made a newer one of this name, which is in use.
            if not os.path.samestat(os.fstat(stream.fileno()), partial.stat()):
                return False
            if not dry_run:
                partial.unlink()
            return True
    except OSError:
        return False


def _created(partial: Path) -> BinaryIO:
    """Create a partial file and return it open and locked, as far as its file system has locks."""
    while True:
        with ExitStack() as on_failure:
            stream = on_failure.enter_context(partial.open("wb"))
            with suppress(OSError):
                fcntl.flock(stream, fcntl.LOCK_EX)
            # Another job may have taken it for an abandoned one in the moment before the lock.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(stream.fileno()), partial.stat()):
                    on_failure.pop_all()
                    return stream


@contextmanager
def locked(path: Path | str, does: str = "") -> Iterator[bool]:
    """Hold a lock while the block runs; wait first if another process holds it. Yield whether it waited.

    The lock is on an empty file. It ends with the process, so the file that a killed process left blocks no
    other. The file is removed afterwards, but not from a folder that machines share: another machine goes on
    seeing a removed file for seconds, and would lock that one.

    Args:
        path: The file; its folder is created if it does not exist.
        does: The activity of another process that holds the lock, for the log; empty to wait silently.

    Raises:
        UserError: the file cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream, waited = _open_locked(path, does)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    with stream:
        try:
            yield waited
        finally:
            mount = mount_of(path)
            if mount is None or not mount.shared:
                path.unlink(missing_ok=True)


def _open_locked(path: Path, does: str) -> tuple[BinaryIO, bool]:
    waited = False
    while True:
        with ExitStack() as on_failure:
            stream = on_failure.enter_context(path.open("wb"))
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waited = True
                if does:
                    log_line(f"{path.parent}: another process {does}, waiting for it")
                fcntl.flock(stream, fcntl.LOCK_EX)
            # The holder has removed the file; a third process may hold a newer one.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(stream.fileno()), path.stat()):
                    on_failure.pop_all()
                    return stream, waited


def write_text(path: Path | str, text: str) -> None:
    """Write ``text`` as UTF-8, whole or not at all."""
    with written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path | str, value: Any) -> None:
    """Write ``value`` as indented JSON, whole or not at all."""
    write_text(path, as_json(value))


def as_json(value: Any) -> str:
    """Return ``value`` as the text of an indented JSON file."""
    return json.dumps(value, indent=2) + "\n"


def sha256(path: Path | str) -> str:
    """Return the SHA-256 of a file, as 64 hexadecimal digits."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def in_bytes(count: float) -> str:
    """Return a number of bytes as readable text: ``512 B``, ``3.4 MB``, ``12.1 GB``."""
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count:.0f} B"

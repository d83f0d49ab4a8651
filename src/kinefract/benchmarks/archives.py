"""Official archives unpacked whole or not at all, and nothing an archive says is trusted.

All members of an archive are looked at before the first is written, and what they say is enforced while they
are written: ``archive_readers`` tells what an archive holds, this module decides what of it may be written.
"""

import bz2
import gzip
import lzma
import os
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

from kinefract.benchmarks.archive_rar import Rar
from kinefract.benchmarks.archive_readers import (
    CHUNK,
    DIFFERS,
    Member,
    Read,
    Reader,
    Tar,
    Zip,
    damage,
    fault_of_name,
    is_header,
    shown,
)
from kinefract.errors import UserError
from kinefract.files import in_bytes, locked
from kinefract.progress import progress

ZIP = (b"PK\x03\x04", b"PK\x05\x06")
RAR = (b"Rar!\x1a\x07\x00", b"Rar!\x1a\x07\x01\x00")
COMPRESSED = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}  # tar files
FOLDER = -1  # stands for a size where a path is a folder


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to; more is refused before anything of it is written.

    Args:
        total: Bytes, over all archives of one call and the archives within them.
        ratio: Times its own size an archive may grow, once it grows beyond ``ratio_from`` bytes.
        ratio_from: Bytes up to which an archive may grow whatever its size.
        members: Files and folders, over all archives of one call.
    """

    total: int = 200 * 10**9
    ratio: int = 200
    ratio_from: int = 10**9
    members: int = 2_000_000


LIMITS = Limits()


def unpack(archives: Sequence[Path], folder: Path, what: str, limits: Limits = LIMITS) -> Path:
    """Unpack official archives into a folder that is whole or absent.

    Kinds are told by content: zip, tar (plain or in gzip, bzip2 or xz) and rar. A rar in a rar (HMDB51 is one
    rar of 51) is unpacked into the folder that holds it and not kept. Members go into ``.<name>.partial``
    beside ``folder``, which is renamed at the end; what a killed call left there is cleared by the next one.
    Files get mode 0644 and folders 0755. A path that several members have is taken once if they hold the same
    bytes. Of several processes that want the folder one unpacks and the others wait.

    A tar file has no checksum of its members' bytes: damage within them shows only where it is compressed.

    Args:
        archives: The archives, all unpacked into one tree.
        folder: Where to. If it is there already, it is complete and nothing is done.
        what: The name to show with the progress, such as ``HMDB51``.
        limits: What the archives may unpack to.

    Returns:
        ``folder``.

    Raises:
        UserError: a member would be written outside the folder, is a link or a device, is encrypted, holds
            more or fewer bytes than it declares or other bytes than another member of its name; a limit is
            passed; an archive is missing, damaged, cut short, empty or of no known kind; a rar is compressed
            and there is no program to read it; no room on the disk. Nothing is left then.
    """
    folder = Path(folder)
    if not archives:
        raise UserError(f"there is no archive to unpack into {folder}")
    if _there(folder):
        return folder
    try:
        with locked(folder.with_name(f".{folder.name}.lock"), f"is unpacking {what}"):
            if _there(folder):  # by another process, while this one waited
                return folder
            with _partial(folder) as partial:
                tree = _Tree(partial, what, limits)
                for archive in archives:
                    tree.add(Path(archive))
                os.sync()
                partial.rename(folder)
    except OSError as error:
        raise UserError(f"cannot unpack {what} into {folder}: {error.strerror or error}") from error
    return folder


def _there(folder: Path) -> bool:
    if os.path.lexists(folder) and not folder.is_dir():
        raise UserError(f"{folder} is in the way: it is not a folder. Move it away")
    return folder.is_dir()


@contextmanager
def _partial(folder: Path) -> Iterator[Path]:
    """Yield the empty folder that becomes ``folder``; remove it after an exception."""
    partial = folder.with_name(f".{folder.name}.partial")
    if partial.is_dir() and not partial.is_symlink():
        shutil.rmtree(partial)  # what a killed call left
    else:
        partial.unlink(missing_ok=True)
    partial.mkdir()
    try:
        partial.chmod(0o755)
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _is_rar(path: Path) -> bool:
    """Return whether a file is a rar archive, by its first bytes."""
    return _first_bytes(path).startswith(RAR)


@contextmanager
def _open_reader(path: Path, name: Path, most: int) -> Iterator[Reader]:
    """Yield the reader of an archive, chosen by its first bytes.

    Args:
        path: The archive.
        name: What to call it in messages.
        most: Bytes that its members may add up to. A compressed tar file is not read far beyond.

    Raises:
        UserError: it is no archive of a known kind, or encrypted, or one volume of several.
    """
    start = _first_bytes(path)
    if start.startswith(ZIP):
        with zipfile.ZipFile(path) as file:
            yield Zip(file, path)
    elif start.startswith(RAR):
        yield Rar(path, name)
    else:
        opener = next((opener for magic, opener in COMPRESSED.items() if start.startswith(magic)), open)
        if opener is open and not is_header(start):
            raise UserError(f"{name} is no archive: neither zip nor tar nor rar")
        yield Tar(path, opener, most)


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(512)


class _Tree:
    """What one call unpacks: the paths planned so far, relative to ``root``, and their sizes in bytes."""

    def __init__(self, root: Path, what: str, limits: Limits) -> None:
        self.root, self.what, self.limits = root, what, limits
        self.sizes: dict[str, int] = {}
        self.members = 0
        self.total = 0  # bytes of all archives, with those within them
        self.packed = 0  # size of the archive at hand
        self.grown = 0  # bytes it unpacks to, with the archives in it

    def add(self, archive: Path) -> None:
        """Unpack one archive, and the rars in it if it is a rar."""
        if not archive.is_file():
            raise UserError(f"there is no archive {archive}")
        self.packed, self.grown = archive.stat().st_size, 0
        written = self._unpack(archive, archive, "")
        if not _is_rar(archive):
            return
        inner = [path for path in written if _is_rar(self.root / path)]
        for path in progress(inner, f"unpacking {self.what}", unit="archives within"):
            self._unpack(self.root / path, archive / path, path.rpartition("/")[0])
            (self.root / path).unlink()
            del self.sizes[path]

    def _unpack(self, archive: Path, name: Path, under: str) -> list[str]:
        """Write an archive's members below the folder ``under``; return the paths of its files."""
        with ExitStack() as stack:
            most = min(self.limits.total, max(self.limits.ratio_from, self.limits.ratio * self.packed))
            with damage(name):
                reader = stack.enter_context(_open_reader(archive, name, most))
            before = self.total
            files = self._plan(reader, name, under)
            free = shutil.disk_usage(self.root).free
            if self.total - before > free:
                raise UserError(
                    f"no room to unpack {name}: it needs {in_bytes(self.total - before)}, and "
                    f"{in_bytes(free)} are free on the disk of {self.root.parent}"
                )
            return self._write(reader, name, under, files)

    def _plan(self, reader: Reader, name: Path, under: str) -> int:
        """Look at every member of an archive and note its path; return the number of files."""
        files = 0
        with closing(reader.members()) as members:
            while True:
                with damage(name):
                    member = next(members, None)
                if member is None:
                    break
                self._note(member, name, under)
                files += not member.folder
        if not files:
            raise UserError(f"{name} holds no files. Download it again")
        return files

    def _note(self, member: Member, name: Path, under: str) -> None:
        """Add a member to the plan.

        Raises:
            UserError: it is not to be written.
        """
        self.members += 1
        self.total += max(member.size, 0)
        self.grown += max(member.size, 0)
        path = _join(under, member.name)
        fault = member.fault or fault_of_name(member.name) or self._fault(member, path, under)
        if fault is not None:
            _refuse(name, member, fault)
        parent = path if member.folder else path.rpartition("/")[0]
        while parent and self.sizes.get(parent) != FOLDER:
            if parent in self.sizes:
                _refuse(name, member, "needs a folder where another member is a file")
            self.sizes[parent] = FOLDER
            parent = parent.rpartition("/")[0]
        if not member.folder:
            self.sizes[path] = member.size
        if max(self.members, len(self.sizes)) > self.limits.members:
            _refuse(name, member, f"is one of more than {self.limits.members}")

    def _fault(self, member: Member, path: str, under: str) -> str | None:
        """Return what the other members and the limits have against this one."""
        known = self.sizes.get(path, member.size)
        if member.size < 0:
            return "declares a negative size"
        if self.total > self.limits.total:
            return f"brings the total to {in_bytes(self.total)}; {in_bytes(self.limits.total)} are allowed"
        if self.grown > max(self.limits.ratio_from, self.limits.ratio * self.packed):
            packed = in_bytes(self.packed)
            return f"brings the total to {in_bytes(self.grown)}, from an archive of {packed}: a bomb"
        if member.folder:
            return None
        if path == under:
            return "has no name"
        if known == FOLDER:
            return "is a file where a folder is needed"
        return DIFFERS if known != member.size else None

    def _write(self, reader: Reader, name: Path, under: str, files: int) -> list[str]:
        for path, size in self.sizes.items():
            if size == FOLDER:
                self._make_folder(path)
        written = []
        with closing(reader.contents()) as contents:
            for _ in progress(range(files), f"unpacking {self.what}", unit="files"):
                with damage(name):
                    member, read = next(contents)
                path = _join(under, member.name)
                if self.sizes.get(path) != member.size:
                    raise UserError(f"{name} changed while it was unpacked. Begin again")
                self._write_file(path, member, read, name)
                written.append(path)
            with damage(name):
                next(contents, None)  # what follows the last member: checksums
        return list(dict.fromkeys(written))

    def _make_folder(self, path: str) -> None:
        """Make a folder and those that hold it."""
        parts = path.split("/")
        for end in range(1, len(parts) + 1):
            folder = self.root.joinpath(*parts[:end])
            if not folder.is_dir():
                folder.mkdir()
                folder.chmod(0o755)

    def _write_file(self, path: str, member: Member, read: Read, name: Path) -> None:
        """Write one file; where it is there already, compare it."""
        target = self.root / path
        again = os.path.lexists(target)
        with target.open("rb") if again else self._create(target) as file:
            left = member.size
            while True:
                with damage(name, member.name):
                    chunk = read(min(CHUNK, left + 1))
                if not chunk:
                    break
                left -= len(chunk)
                if left < 0:
                    _refuse(name, member, f"holds more than the {member.size} bytes it declares")
                if not again:
                    file.write(chunk)
                elif file.read(len(chunk)) != chunk:
                    _refuse(name, member, DIFFERS)
        if left:
            raise UserError(f"{name}, member {shown(member.name)} is damaged or cut short. Download it again")

    @staticmethod
    def _create(target: Path) -> BinaryIO:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        os.fchmod(handle, 0o644)
        return os.fdopen(handle, "wb")


def _refuse(archive: Path, member: Member, fault: str) -> NoReturn:
    raise UserError(f"{archive} is refused: member {shown(member.name)} {fault}")


def _join(under: str, name: str) -> str:
    """Return a member's path relative to the root: parts joined by ``/``, without ``.`` and empty ones."""
    return "/".join(part for part in f"{under}/{name}".split("/") if part not in ("", "."))

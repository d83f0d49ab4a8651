"""What archives say they hold, and their bytes: zip and tar here, rar in ``archive_rar``, all read alike.

A reader lists its members and then gives their contents in the same order. Both may raise any exception
on a damaged archive; callers read within ``damage``, which turns each into a ``UserError``.
"""

import copy
import os
import re
import stat
import struct
import sys
import tarfile
import zipfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from kinefract.errors import UserError

CHUNK = 2**20  # bytes read at a time
LARGEST_HEADER = 2**24  # bytes one header of a tar file may claim
DIFFERS = "has the name of another member that differs"
LONGEST_PART = 255  # bytes of a file's name, on every file system in use
LONGEST_NAME = 3000  # bytes of a path below the folder; Linux takes 4096 in all
DEEPEST = 64  # folders within each other
BY_HAND = "cannot be read here: unpack it by hand"
SHOWN = 120  # characters of a member's name in a message

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # zipfile puts no bound on the memory the others take

Read = Callable[[int], bytes]


class Member(NamedTuple):
    """One member of an archive.

    Args:
        name: Its path as the archive spells it; bytes that are no text are surrogates, as in ``os.fsdecode``.
        size: Bytes it declares.
        folder: Whether it is a folder.
        fault: Why it cannot be unpacked, to follow its name in a message (``is a symbolic link``).
    """

    name: str
    size: int
    folder: bool
    fault: str | None = None


class Reader(Protocol):
    """An open archive."""

    def members(self) -> Generator[Member, None, None]:
        """Yield all members; a caller that minds one asks for no more."""

    def contents(self) -> Generator[tuple[Member, Read], None, None]:
        """Yield the members that are no folders, in the order of ``members``, each with what reads it.

        Each is to be read to its end before the next, but not far beyond what it declares: checksums are
        compared at the end. The last ``next`` looks at what follows the last member.
        """


@contextmanager
def damage(archive: Path, member: str | None = None) -> Iterator[None]:
    """Turn whatever reading an archive raises into a ``UserError`` that names the archive and the member."""
    where = f"{archive}, member {shown(member)}" if member is not None else f"{archive}"
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise UserError(f"{where} is damaged or cut short ({reason}). Download it again") from error


def shown(name: str) -> str:
    """Return a member's name for a message: quoted, in one line, without surrogates, not too long."""
    return ascii(name) if len(name) <= SHOWN else ascii(name[:SHOWN]) + "..."


class Zip:
    """The reader of a zip."""

    def __init__(self, file: zipfile.ZipFile, path: Path) -> None:
        self._file = file
        with path.open("rb") as raw:
            raw.seek(-min(path.stat().st_size, 2**16 + zipfile.sizeEndCentDir), os.SEEK_END)
            tail = raw.read()
        end = tail.rfind(zipfile.stringEndArchive)
        (count,) = struct.unpack_from("<H", tail, end + 10)
        found = len(file.infolist())
        if count not in (found & 0xFFFF, 0xFFFF):  # a damaged directory can look like a shorter one
            raise zipfile.BadZipFile(f"{count} members announced, {found} found")

    def members(self) -> Generator[Member, None, None]:
        yield from map(self._member, self._file.infolist())

    def contents(self) -> Generator[tuple[Member, Read], None, None]:
        for info in self._file.infolist():
            member = self._member(info)
            if not member.folder:
                # zipfile stops at the declared size without a word. Told of no end, it gives what there is.
                longer = copy.copy(info)
                longer.file_size = sys.maxsize
                with self._file.open(longer) as stream:
                    yield member, stream.read

    @staticmethod
    def _member(info: zipfile.ZipInfo) -> Member:
        name = info.orig_filename  # whole, where ``filename`` ends at a zero byte
        if info.create_system == 0:  # written on Windows, where some programs write its separator
            name = name.replace("\\", "/")
        fault = fault_of_mode(info.external_attr >> 16)
        if info.flag_bits & 0x1:
            fault = "is encrypted"
        elif info.compress_type not in METHODS:
            fault = f"is compressed by method {info.compress_type}, which {BY_HAND}"
        return Member(name, info.file_size, name.endswith("/"), fault)


def is_header(block: bytes) -> bool:
    """Return whether the first 512 bytes of a file are the header of a tar file, by their checksum."""
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


class Tar:
    """The reader of a tar file, plain or compressed."""

    def __init__(self, path: Path, opener: Callable, most: int) -> None:
        self._path, self._opener, self._most = path, opener, most

    def members(self) -> Generator[Member, None, None]:
        for _, info in self._walk():
            yield self._member(info)

    def contents(self) -> Generator[tuple[Member, Read], None, None]:
        for tar, info in self._walk():
            if not info.isdir():
                yield self._member(info), tar.extractfile(info).read

    def _walk(self) -> Generator[tuple[tarfile.TarFile, tarfile.TarInfo], None, None]:
        with self._opener(self._path, "rb") as file:
            stream = _Headers(file, 2 * self._most)
            with tarfile.open(fileobj=stream, mode="r:", encoding="utf-8", errors="surrogateescape") as tar:
                while (info := tar.next()) is not None:
                    tar.members.clear()
                    yield tar, info
                # tarfile takes a damaged header for the end; the true end is a block of zeros.
                if stream.last != bytes(tarfile.BLOCKSIZE):
                    raise tarfile.ReadError("no end of archive")
                end = stream.tell() + LARGEST_HEADER
                while stream.read(CHUNK):  # to the checksum at the end of a compressed file
                    if stream.tell() > end:
                        raise tarfile.ReadError("it goes on after its end")

    @staticmethod
    def _member(info: tarfile.TarInfo) -> Member:
        fault = None
        if info.issym():
            fault = "is a symbolic link"
        elif info.islnk():
            fault = "is a hard link"
        elif info.issparse():
            fault = f"is a sparse file, which {BY_HAND}"
        elif not info.isreg() and not info.isdir():
            fault = "is neither a file nor a folder"
        return Member(info.name, info.size, info.isdir(), fault)


class _Headers:
    """A file for tarfile that refuses absurd reads: a header's claim is not worth gigabytes of memory."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file, self._left = file, most
        self.last = b""  # what the last read returned
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= LARGEST_HEADER:
            raise tarfile.ReadError(f"a header claims {size} bytes")
        self.last = self._file.read(size)
        self._left -= len(self.last)
        if self._left < 0:
            raise tarfile.ReadError("it unpacks to far more than its members: a bomb")
        return self.last


def fault_of_name(name: str) -> str | None:
    """Return what is wrong with a member's name, with either separator; ``None`` for nothing."""
    parts = re.split(r"[/\\]", name)
    try:
        longest = max(len(os.fsencode(part)) for part in parts)
        whole = len(os.fsencode(name))
    except UnicodeEncodeError:
        return "has a name that no file can have"
    if name.startswith(("/", "\\")):
        return "has an absolute path"
    if re.match(r"[A-Za-z]:", name):
        return "has a drive letter"
    if ".." in parts:
        return "leads out of its folder"
    if "\0" in name:
        return "has a name that no file can have"
    if longest > LONGEST_PART or whole > LONGEST_NAME or len(parts) > DEEPEST:
        return "has a name too long"
    return None


def fault_of_mode(mode: int) -> str | None:
    """Return what is wrong with a member of this Unix mode; 0 is none."""
    kind = stat.S_IFMT(mode)
    if kind == stat.S_IFLNK:
        return "is a symbolic link"
    return None if kind in (0, stat.S_IFREG, stat.S_IFDIR) else "is neither a file nor a folder"

"""Rar archives: listed without a program, and read by one of several where they are compressed."""

import io
import os
import select
import shutil
import subprocess
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import rarfile

from kinefract.benchmarks.archive_readers import BY_HAND, CHUNK, DIFFERS, Member, Read, fault_of_mode
from kinefract.errors import UserError

PATIENCE = 600  # seconds without a byte after which a program that unpacks is given up
# What writes all files of a rar to its standard output; the archive's path follows.
PROGRAMS = (
    ("unrar", "p", "-inul", "-p-", "--"),
    ("unar", "-quiet", "-output-directory", "-", "-password", "", "--"),
    ("7z", "e", "-so", "-bd", "-p", "--"),
    ("7zz", "e", "-so", "-bd", "-p", "--"),
    ("bsdtar", "-x", "--to-stdout", "-f"),
)
SPLIT = rarfile.RAR_FILE_SPLIT_BEFORE | rarfile.RAR_FILE_SPLIT_AFTER


class Rar:
    """The reader of a rar: rarfile lists it and reads what is stored, a program what is compressed."""

    def __init__(self, path: Path, name: Path) -> None:
        self._path = path
        self._name = name
        blocks: list[rarfile.RarInfo] = []
        self._rar = rarfile.RarFile(path, errors="strict", part_only=True, info_callback=blocks.append)
        self._files = [block for block in blocks if block.type == rarfile.RAR_BLOCK_FILE]
        if self._rar.needs_password() and not self._files:
            raise UserError(f"{name} is encrypted")
        main = [block for block in blocks if block.type == rarfile.RAR_BLOCK_MAIN]
        if any(block.flags & rarfile.RAR_MAIN_VOLUME for block in main):
            raise UserError(f"{name} is one volume of several, which {BY_HAND}")
        if not blocks or blocks[-1].type != rarfile.RAR_BLOCK_ENDARC:
            raise rarfile.BadRarFile("no end of archive")

    def members(self) -> Generator[Member, None, None]:
        yield from map(self._member, self._files)

    def contents(self) -> Generator[tuple[Member, Read], None, None]:
        files = [info for info in self._files if not info.is_dir()]
        if any(info.compress_type != rarfile.RAR_M0 and info.file_size for info in files):
            yield from self._through_program(files)
            return
        for info in files:
            with self._rar.open(info) if info.file_size else io.BytesIO() as stream:
                yield self._member(info), stream.read

    def _through_program(self, files: list[rarfile.RarInfo]) -> Generator[tuple[Member, Read], None, None]:
        """Let one program write all files to a pipe, one after the other.

        No member's name reaches the command line, where it could be taken for an option, a list or a pattern.
        One pass is also the only quick way through a solid archive.
        """
        command = self._program(next(info for info in files if info.file_size))
        with _running(command) as process:
            for info in files:
                part = _Part(process.stdout, info.file_size, command[0])
                yield self._member(info), part.read
                if info.CRC not in (None, part.crc):
                    raise rarfile.BadRarFile(f"wrong checksum from {command[0]}")
            if _read(process.stdout, 1):
                raise rarfile.BadRarFile(f"more bytes from {command[0]} than declared")
            if process.wait(PATIENCE) != 0:
                raise rarfile.BadRarFile(f"{command[0]} ended with status {process.returncode}")

    def _program(self, first: rarfile.RarInfo) -> list[str]:
        """Return the command line of the first program that gets the first file right.

        None of them reads every rar: Debian's 7z lacks the format, bsdtar and unar know solid ones in part.
        """
        there = [command for command in PROGRAMS if shutil.which(command[0])]
        if not there:
            raise UserError(
                f"{self._name} is a compressed rar, and no program that reads it is on the PATH: "
                "install unrar (or unar, 7z, bsdtar)"
            )
        for command in there:
            whole = [*command, str(self._path.resolve())]
            with _running(whole) as process, suppress(EOFError):
                part = _Part(process.stdout, first.file_size, command[0])
                while part.left:
                    part.read(CHUNK)
                if first.CRC in (None, part.crc):
                    return whole
        names = ", ".join(command[0] for command in there)
        raise UserError(
            f"{self._name} is damaged, or a rar that {names} cannot read: download it again or install unrar"
        )

    def _member(self, info: rarfile.RarInfo) -> Member:
        fault = None
        if info.file_redir is not None or info.is_symlink():
            fault = "is a link"
        elif info.needs_password():
            fault = "is encrypted"
        elif info.flags & SPLIT:
            fault = "is split over several volumes"
        elif info.flags & rarfile.RAR_FILE_VERSION or getattr(info, "file_version", None):
            fault = "is an old version of another member"
        elif info.host_os == rarfile.RAR_OS_UNIX and fault_of_mode(info.mode):
            fault = fault_of_mode(info.mode)
        elif info.is_dir():
            pass
        elif info.compress_type == rarfile.RAR_M0 and info.compress_size != info.file_size:
            fault = f"declares {info.file_size} bytes and holds {info.compress_size}"
        elif _differs(info, self._rar.getinfo(info)):
            fault = DIFFERS
        return Member(_rar_name(info), info.file_size, info.is_dir(), fault)


def _differs(info: rarfile.RarInfo, other: rarfile.RarInfo) -> bool:
    """Return whether two members of one name differ; rarfile reads the last for both."""
    return (info.CRC, info.blake2sp_hash) != (other.CRC, other.blake2sp_hash)


def _rar_name(info: rarfile.RarInfo) -> str:
    """Return a member's name, with surrogates where rarfile puts replacement characters."""
    if info.extract_version >= 50:  # RAR 5: UTF-8
        return info.orig_filename.decode("utf-8", "surrogateescape")
    if info.flags & rarfile.RAR_FILE_UNICODE:
        return info.filename
    return info.orig_filename.decode("utf-8", "surrogateescape").replace("\\", "/")


@contextmanager
def _running(command: list[str]) -> Iterator[subprocess.Popen]:
    """Yield a program whose standard output is a pipe; end it."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=quiet, stdout=subprocess.PIPE, stderr=quiet) as process:
        try:
            yield process
        finally:
            process.kill()


class _Part:
    """The next ``size`` bytes of a pipe, with their CRC-32."""

    def __init__(self, pipe: BinaryIO, size: int, program: str) -> None:
        self._pipe, self.left, self._program, self.crc = pipe, size, program, 0

    def read(self, size: int) -> bytes:
        data = _read(self._pipe, min(size, self.left))
        if self.left and not data:
            raise EOFError(f"{self._program} stopped early; unrar reads more kinds of rar than others")
        self.left -= len(data)
        self.crc = zlib.crc32(data, self.crc)
        return data


def _read(pipe: BinaryIO, size: int) -> bytes:
    """Read up to ``size`` bytes; ``b""`` at the end."""
    if size and not select.select([pipe], [], [], PATIENCE)[0]:
        raise TimeoutError(f"no byte in {PATIENCE} s")
    return os.read(pipe.fileno(), size)

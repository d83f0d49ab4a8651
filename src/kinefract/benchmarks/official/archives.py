"""Unpacking of official archives (zip, tar, RAR), whole or not at all; their headers are not trusted."""

import os
import select
import shutil
import stat
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache, partial
from io import BytesIO
from pathlib import Path, PureWindowsPath
from typing import IO, Any, NamedTuple, Self
from zlib import crc32

import rarfile

from kinefract.common.errors import UserError
from kinefract.common.files import in_bytes, locked
from kinefract.common.layout import LOCK
from kinefract.common.progress import progress

CHUNK = 2**20  # bytes read at a time
LARGEST_HEADER = 2**20  # bytes that one header of a tar file may claim
LARGEST_PADDING = 2**24  # bytes that may follow the end of a tar file
PATIENCE = 600  # seconds without output after which a program is stopped
MOST_BYTES = 200 * 10**9  # greatest unpacked size
MOST_TIMES = 200  # greatest unpacked size, as a multiple of the archive's, beyond ``FREE_BYTES``
FREE_BYTES = 10**9
MOST_MEMBERS = 2_000_000
# Programs that write all files of a RAR archive to standard output; the path of the archive follows.
PROGRAMS = (
    ("unrar", "p", "-inul", "-p-", "--"),
    ("unar", "-quiet", "-output-directory", "-", "-password", "", "--"),
    ("7z", "e", "-so", "-bd", "-p", "--"),
    ("7zz", "e", "-so", "-bd", "-p", "--"),
    ("bsdtar", "-x", "--to-stdout", "-f"),
)


class _Member(NamedTuple):
    """One file or folder as the archive declares it; ``chunks`` opens a file and yields its bytes."""

    name: str
    size: int
    is_folder: bool
    fault: str | None
    chunks: Callable[[], Iterator[bytes]]

    def refused(self, archive: Path, fault: str) -> UserError:
        return UserError(f"{archive} is not unpacked: member {self.name[:120]!a} {fault}")


def unpack(archive: Path, folder: Path, what: str) -> Path:
    """Unpack an archive into a folder, which is whole or absent.

    The kind of an archive is recognised by its content: zip, tar (plain or in gzip, bzip2 or xz) or RAR.
    Every member of an archive is checked before the first is written. A RAR in a RAR (HMDB51 is one RAR of
    51) is unpacked into the folder that holds it and then removed. Files are written to ``.<name>.partial``
    beside ``folder``, which is renamed at the end. The next call removes what a killed call left there. When
    several processes want the same folder, one unpacks and the others wait.

    A tar file has no checksums of its members' bytes: damage within them shows only where it is compressed.

    Args:
        archive: The archive.
        folder: The folder to make. If it exists, it is complete and nothing is done.
        what: A name to show with the progress, such as ``HMDB51``.

    Returns:
        ``folder``.

    Raises:
        UserError: The archive is damaged, cut short, encrypted, empty or of no known kind; a member would be
            written outside the folder, is a link or a device, or has the name of another; it has too many
            members or bytes; no program reads a compressed RAR; or the disk is full. Nothing is left then.
    """
    archive, folder = Path(archive), Path(folder)
    if folder.is_dir():
        return folder
    with locked(folder.with_name(f".{folder.name}{LOCK}"), f"is unpacking {what}"):
        if folder.is_dir():  # another process has made it while this one waited
            return folder
        root = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(root, ignore_errors=True)
        try:
            with _explained(archive):
                root.mkdir()
                _unpack_all(archive, root, what)
                os.sync()
                root.rename(folder)
        finally:
            shutil.rmtree(root, ignore_errors=True)
    return folder


def _unpack_all(archive: Path, root: Path, what: str) -> None:
    """Unpack an archive, and the RAR archives in it if it is one itself."""
    allowed = _Allowance(archive.stat().st_size)
    files = _unpack(archive, archive, root, what, allowed)
    if rarfile.is_rarfile(archive):
        inner = [path for path in files if rarfile.is_rarfile(path)]
        for path in progress(inner, f"unpacking {what}", unit="archives within"):
            _unpack(path, archive / path.relative_to(root), path.parent, what, allowed)
            path.unlink()


def _unpack(archive: Path, name: Path, folder: Path, what: str, allowed: "_Allowance") -> list[Path]:
    """Write the members of one archive, called ``name`` in messages; return the paths of its files."""
    with _explained(name), ExitStack() as stack:
        folders, files = set(), {}
        for member in _members(archive, name, stack):
            path = PureWindowsPath(member.name)  # which knows both separators and drives
            place = folder / path.as_posix()
            leads_out = path.anchor or ".." in path.parts
            fault = "leads out of its folder" if leads_out else member.fault or allowed.fault(member.size)
            if place in files:
                fault = fault or "has the name of another"
            if fault:
                raise member.refused(name, fault)
            if member.is_folder:
                folders.add(place)
            else:
                files[place] = member
        if not files:
            raise UserError(f"{name} holds no files. Download it again")
        size, free = sum(member.size for member in files.values()), shutil.disk_usage(folder).free
        if size > free:
            raise UserError(f"no room to unpack {name}: it needs {in_bytes(size)}, {in_bytes(free)} are free")
        for place in folders | {place.parent for place in files}:
            place.mkdir(parents=True, exist_ok=True)
        for place, member in progress(files.items(), f"unpacking {what}", unit="files"):
            with place.open("xb") as file:
                written = sum(file.write(chunk) for chunk in member.chunks())
            if written != member.size:
                raise EOFError(f"{member.name[:120]!a} holds {written} of {member.size} bytes")
    return list(files)


class _Allowance:
    """The limits that remain for unpacking an archive and the archives within it."""

    def __init__(self, packed: int) -> None:
        self.bytes = min(MOST_BYTES, max(FREE_BYTES, MOST_TIMES * packed))
        self.members = MOST_MEMBERS

    def fault(self, size: int) -> str | None:
        """Subtract a member of ``size`` bytes; return the reason if it is not allowed."""
        self.bytes -= size
        self.members -= 1
        if size < 0:
            return "has a negative size"
        if self.bytes < 0:
            return "is too large: the archive unpacks to far more than its size"
        return "is one of too many" if self.members < 0 else None


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Convert the errors of a broken archive or a full disk to a ``UserError`` that names the path."""
    try:
        yield
    except UserError:
        raise
    except NotImplementedError as error:
        raise UserError(f"{path} cannot be read here ({error}): unpack it by hand") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno:
            raise UserError(f"cannot unpack {path}: {error.strerror}") from error
        reason = str(error) or type(error).__name__
        raise UserError(f"{path} is damaged or cut short ({reason}). Download it again") from error


def _members(path: Path, name: Path, stack: ExitStack) -> Iterator[_Member]:
    """List an archive, which ``stack`` keeps open. Its files are to be read in the order of the list."""
    if rarfile.is_rarfile(path):
        return _rar(path, name, stack)
    with path.open("rb") as file:
        return _zip(path, stack) if file.read(2) == b"PK" else _tar(path, name, stack)


def _chunks(open_member: Callable[[Any], IO[bytes] | None], info: Any) -> Iterator[bytes]:
    with open_member(info) or BytesIO() as file:  # tarfile opens files alone
        while chunk := file.read(CHUNK):
            yield chunk


def _zip(path: Path, stack: ExitStack) -> Iterator[_Member]:
    archive = stack.enter_context(zipfile.ZipFile(path))
    for info in archive.infolist():
        fault = "is a link" if stat.S_ISLNK(info.external_attr >> 16) else None
        if info.flag_bits & 0x1:
            fault = "is encrypted"
        is_folder = info.filename.endswith(("/", "\\"))  # some programs write the separator of Windows
        yield _Member(info.filename, info.file_size, is_folder, fault, partial(_chunks, archive.open, info))


class _Header(tarfile.TarInfo):
    """A header of a tar file. Damage raises an error, which ``tarfile`` itself would take for the end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            info = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if buf.count(tarfile.NUL) == tarfile.BLOCKSIZE:  # the true end
                raise
            raise tarfile.ReadError(f"damaged header: {error}") from error
        if info.type not in tarfile.REGULAR_TYPES and info.size > LARGEST_HEADER:
            raise tarfile.ReadError(f"a header claims {info.size} bytes")
        return info


def _tar(path: Path, name: Path, stack: ExitStack) -> Iterator[_Member]:
    try:
        archive = stack.enter_context(tarfile.TarFile.open(path, tarinfo=_Header))
    except tarfile.ReadError as error:
        raise UserError(f"{name} is no zip, tar or RAR archive, or is damaged. Download it again") from error
    for info in archive:
        fault = None if info.isreg() or info.isdir() else "is neither a file nor a folder"
        chunks = partial(_chunks, archive.extractfile, info)
        yield _Member(info.name, info.size, info.isdir(), fault, chunks)
    for _ in range(LARGEST_PADDING // CHUNK):  # the checksum of a compressed file is at its very end
        if not archive.fileobj.read(CHUNK):
            return
    raise tarfile.ReadError("it goes on after its end")


def _rar(path: Path, name: Path, stack: ExitStack) -> Iterator[_Member]:
    """List a RAR archive with ``rarfile``, which also reads stored files; a program reads compressed ones."""
    blocks: list[rarfile.RarInfo] = []
    archive = rarfile.RarFile(path, errors="strict", info_callback=blocks.append)
    if archive.needs_password():
        raise UserError(f"{name} is encrypted: unpack it by hand")
    if not blocks or blocks[-1].type != rarfile.RAR_BLOCK_ENDARC:
        raise rarfile.BadRarFile("no end of archive")
    files = [info for info in archive.infolist() if info.file_size]
    compressed = any(info.compress_type != rarfile.RAR_M0 for info in files)

    @cache
    def output() -> IO[bytes]:
        return stack.enter_context(_output(_program(path, name, files[0]), path))

    def read(info: rarfile.RarInfo) -> Iterator[bytes]:
        return _next_file(output(), info) if compressed else _chunks(archive.open, info)

    for info in archive.infolist():
        fault = "is a link" if info.file_redir or info.is_symlink() else None
        yield _Member(info.filename, info.file_size, info.is_dir(), fault, partial(read, info))


def _program(path: Path, name: Path, first: rarfile.RarInfo) -> tuple[str, ...]:
    """Return the command of the first program that reads the first file; none of them reads every RAR."""
    for command in PROGRAMS:
        if shutil.which(command[0]):
            with suppress(EOFError, rarfile.Error, TimeoutError), _output(command, path) as output:
                for _ in _next_file(output, first):
                    pass
                return command
    raise UserError(
        f"{name} is a compressed RAR archive, and no program here "
        f"({', '.join(command[0] for command in PROGRAMS)}) reads it: "
        "install unrar or unar. If both fail, it is damaged: download it again"
    )


@contextmanager
def _output(command: tuple[str, ...], path: Path) -> Iterator[IO[bytes]]:
    """Run a program and yield its standard output: all files of the archive, one after the other.

    No name of a member reaches the command line, and the program writes no file. One pass over all files is
    also the only quick way through a solid archive.
    """
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        [*command, str(path.resolve())], stdin=quiet, stdout=subprocess.PIPE, stderr=quiet, bufsize=0
    ) as process:
        assert process.stdout is not None  # it is a pipe
        try:
            yield process.stdout
        finally:
            process.kill()


def _next_file(output: IO[bytes], info: rarfile.RarInfo) -> Iterator[bytes]:
    """Yield the bytes of the file that comes next in the output of a program.

    Raises:
        EOFError, TimeoutError: The program stops before the end of the file.
        rarfile.BadRarFile: The checksum is wrong.
    """
    left, checksum = info.file_size, 0
    while left:
        if not select.select([output], [], [], PATIENCE)[0]:
            raise TimeoutError(f"the program wrote nothing for {PATIENCE} s")
        chunk = output.read(min(CHUNK, left))
        if not chunk:
            raise EOFError("the program that reads it stopped early; unrar reads more archives than others")
        left, checksum = left - len(chunk), crc32(chunk, checksum)
        yield chunk
    if info.CRC not in (None, checksum):
        raise rarfile.BadRarFile("wrong checksum")

"""Archives made to do harm, in every kind that is unpacked, and the small writers of archives they need.

``hostile_archives`` writes a numbered set of them. Each holds a few harmless members around the one that does
harm, so that a reader that goes member by member would have written something.
"""

import bz2
import gzip
import io
import lzma
import random
import shutil
import stat
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from kinefract.benchmarks.archives import unpack
from kinefract.errors import UserError

KINDS = ("zip", "tar", "tar.gz", "tar.bz2", "tar.xz", "rar4", "rar5")
COMPRESS = {
    "tar": bytes,
    "tar.gz": lambda data: gzip.compress(data, mtime=0),
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
}
TYPES = {  # of a member: type in a tar file, file type in a mode
    "file": (tarfile.REGTYPE, stat.S_IFREG),
    "folder": (tarfile.DIRTYPE, stat.S_IFDIR),
    "symlink": (tarfile.SYMTYPE, stat.S_IFLNK),
    "hardlink": (tarfile.LNKTYPE, stat.S_IFREG),
    "fifo": (tarfile.FIFOTYPE, stat.S_IFIFO),
    "character": (tarfile.CHRTYPE, stat.S_IFCHR),
    "block": (tarfile.BLKTYPE, stat.S_IFBLK),
    "socket": (b"s", stat.S_IFSOCK),
}
GB = 10**9


@dataclass
class Entry:
    """One member to write.

    Args:
        name: Its path; surrogates are bytes that are no text.
        data: Its bytes, stored; for a link the target.
        kind: A key of ``TYPES``.
        mode: Permissions.
        size: Bytes declared, where not those there are.
        crc: CRC-32 declared, where not the right one.
        encrypted: Marked as encrypted.
    """

    name: str
    data: bytes = b""
    kind: str = "file"
    mode: int = 0o644
    size: int | None = None
    crc: int | None = None
    encrypted: bool = False

    @property
    def declared(self) -> int:
        return len(self.data) if self.size is None else self.size

    @property
    def checksum(self) -> int:
        return crc32(self.data) if self.crc is None else self.crc

    @property
    def raw(self) -> bytes:
        return self.name.encode("utf-8", "surrogateescape")


def pack(kind: str, entries: list[Entry]) -> bytes:
    """Return an archive of one of ``KINDS``, its members stored."""
    if kind == "zip":
        return zip_bytes(entries)
    if kind in ("rar4", "rar5"):
        return {"rar4": rar4_bytes, "rar5": rar5_bytes}[kind](entries)
    return COMPRESS[kind](tar_bytes(entries))


def zip_bytes(entries: list[Entry], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names that come twice
        for entry in entries:
            info = zipfile.ZipInfo("x")
            info.filename = entry.name + "/" * (entry.kind == "folder")
            info.create_system, info.compress_type = 3, method
            info.external_attr = (TYPES[entry.kind][1] | entry.mode) << 16
            file.writestr(info, entry.data)
            info.file_size, info.CRC = entry.declared, entry.checksum  # for the directory at the end
            info.flag_bits |= entry.encrypted
    return out.getvalue()


def tar_bytes(entries: list[Entry], form: int = tarfile.GNU_FORMAT) -> bytes:
    out = b""
    for entry in entries:
        info = tarfile.TarInfo(entry.name)
        info.type, info.mode, info.size = TYPES[entry.kind][0], entry.mode, entry.declared
        data = entry.data
        if entry.kind in ("symlink", "hardlink"):
            info.linkname, info.size, data = entry.data.decode(), 0, b""
        out += info.tobuf(form, "utf-8", "surrogateescape") + data + bytes(-len(data) % tarfile.BLOCKSIZE)
    return out + bytes(2 * tarfile.BLOCKSIZE)


def rar4_bytes(entries: list[Entry], main: int = 0, end: bool = True) -> bytes:
    def block(kind: int, flags: int, body: bytes) -> bytes:
        header = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
        return struct.pack("<H", crc32(header) & 0xFFFF) + header

    out = b"Rar!\x1a\x07\x00" + block(0x73, main, bytes(6))
    for entry in entries:
        size, name = len(entry.data), entry.raw.replace(b"/", b"\\")
        flags = 0x8100 | (0xE0 if entry.kind == "folder" else 0) | (0x4 if entry.encrypted else 0)
        fields = (size & 0xFFFFFFFF, entry.declared & 0xFFFFFFFF, 3, entry.checksum, 0x3E210000, 20, 0x30)
        body = struct.pack("<LLBLLBB", *fields)
        body += struct.pack("<HL", len(name), TYPES[entry.kind][1] | entry.mode)
        body += struct.pack("<LL", size >> 32, entry.declared >> 32) + name
        out += block(0x74, flags, body) + entry.data
    return out + block(0x7B, 0x4000, b"") * end


def rar5_bytes(entries: list[Entry], main: int = 0, end: bool = True) -> bytes:
    def number(value: int) -> bytes:
        out = b""
        while value > 0x7F:
            out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
        return out + bytes([value])

    def block(kind: int, body: bytes, data: bytes = b"", extra: bytes = b"") -> bytes:
        header = number(kind) + number(bool(extra) | bool(data) << 1)
        header += (number(len(extra)) if extra else b"") + (number(len(data)) if data else b"") + body + extra
        header = number(len(header)) + header
        return struct.pack("<L", crc32(header)) + header + data

    out = b"Rar!\x1a\x07\x01\x00" + block(1, number(main))
    for entry in entries:
        data, extra, folder = entry.data, b"", entry.kind == "folder"
        if entry.kind in ("symlink", "hardlink"):
            extra = b"\x05" + number(1 if entry.kind == "symlink" else 4) + b"\x00"
            extra += number(len(data)) + data
            extra, data = number(len(extra)) + extra, b""
        elif entry.encrypted:
            extra = b"\x01\x00\x00\x0f" + bytes(32)
            extra = number(len(extra)) + extra
        size = entry.declared if data or entry.size is not None else 0
        mode = TYPES[entry.kind][1] | entry.mode
        body = number(folder | 4) + number(size) + number(mode) + struct.pack("<L", entry.checksum)
        body += b"\x00\x01" + number(len(entry.raw)) + entry.raw
        out += block(2, body, data, extra)
    return out + block(5, b"\x00") * end


def hostile_archives(folder: Path, count: int = 100, seed: int = 1) -> list[Path]:
    """Write ``count`` hostile archives into ``folder``, named by number and attack; return their paths.

    Every attack comes once before any comes again with other members around it. The absolute path that some
    of them attack is ``folder / "outside" / "evil"``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    made: list[Path] = []
    while len(made) < count:
        attacks = list(_attacks(folder.resolve() / "outside" / "evil"))
        rng.shuffle(attacks)
        for label, build in attacks[: count - len(made)]:
            before, after = ([_harmless(rng, at) for at in range(rng.randint(1, 4))] for _ in range(2))
            path = folder / f"{len(made):03d}-{label}"
            path.write_bytes(build(before, after))
            made.append(path)
    return made


def outcome(archive: Path, target: Path) -> str:
    """Unpack one archive; return ``refused``, ``unpacked``, ``wrote outside`` or the name of an exception.

    Args:
        archive: What to unpack.
        target: A folder that is not there. Everything in the folder that holds it, and in those that hold the
            archive, is compared before and after; but for a target that was unpacked it has to be as it was.
    """
    watched = (archive.parent, target.parent)
    before = [snapshot(folder) for folder in watched]
    try:
        unpack([archive], target, "hostile")
        found = "unpacked"
        shutil.rmtree(target)
    except UserError:
        found = "refused"
    except Exception as error:
        found = type(error).__name__
    return found if before == [snapshot(folder) for folder in watched] else "wrote outside"


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return the mode and bytes of all that lies below a folder, links not followed."""
    found = {}
    for path in folder.rglob("*"):
        mode = path.lstat().st_mode
        found[str(path.relative_to(folder))] = (mode, path.read_bytes() if stat.S_ISREG(mode) else b"")
    return found


def _harmless(rng: random.Random, at: int) -> Entry:
    name = f"{rng.choice(('Archery', 'YoYo', 'brush hair'))}/clip{at}_{rng.randrange(10**9)}.avi"
    return Entry(name, rng.randbytes(rng.randint(1, 3000)))


Build = Callable[[list[Entry], list[Entry]], bytes]


def _attacks(victim: Path) -> Iterator[tuple[str, Build]]:
    """Yield every attack: what it is, and what makes it of the members before and after."""

    def packed(kind: str, *evil: Entry) -> Build:
        return lambda before, after: pack(kind, [*before, *evil, *after])

    names = {
        "up": "../evil",
        "up-deep": "Archery/../../../evil",
        "up-last": "Archery/..",
        "up-backslash": "..\\evil",
        "absolute": str(victim),
        "drive": "C:/evil",
        "long-name": "e" * 256,
    }
    few = ("zip", "tar", "rar4", "rar5")
    for label, name in names.items():
        for kind in few:
            yield f"{label}.{kind}", packed(kind, Entry(name, b"evil"))
    for kind in few:
        deep, link = Entry("d/" * 100 + "evil", b"evil"), Entry("link", b"..", "symlink")
        yield f"deep.{kind}", packed(kind, deep)
        yield f"symlink-absolute.{kind}", packed(kind, Entry("link", str(victim).encode(), "symlink"))
        yield f"symlink-through.{kind}", packed(kind, link, Entry("link/evil", b"evil"))
        yield f"fifo.{kind}", packed(kind, Entry("pipe", kind="fifo"))
        yield f"device.{kind}", packed(kind, Entry("null", kind="character"))
        yield f"huge.{kind}", packed(kind, Entry("huge", b"x", size=300 * GB))
        yield f"twice.{kind}", packed(kind, Entry("twin", b"one"), Entry("twin", b"two"))
        yield f"twice-longer.{kind}", packed(kind, Entry("twin", b"one"), Entry("./twin", b"three"))
        yield f"file-then-folder.{kind}", packed(kind, Entry("a", b"a"), Entry("a/b", b"b"))
        yield f"folder-then-file.{kind}", packed(kind, Entry("a/b", b"b"), Entry("a", b"a"))
        yield f"cut.{kind}", _cut(kind)
    for kind in ("zip", "rar4", "rar5"):
        yield f"encrypted.{kind}", packed(kind, Entry("secret", b"secret", encrypted=True))
        yield f"more-than-declared.{kind}", packed(kind, Entry("more", b"12345", size=2, crc=crc32(b"12")))
        yield f"less-than-declared.{kind}", packed(kind, Entry("less", b"12345", size=9))
        yield f"checksum.{kind}", packed(kind, Entry("changed", b"12345", crc=1))
    yield from _of_one_kind(packed, names)


def _of_one_kind(packed: Callable[..., Build], names: dict[str, str]) -> Iterator[tuple[str, Build]]:
    up, deflated = Entry(names["up"], b"evil"), zipfile.ZIP_DEFLATED
    for kind in ("tar.gz", "tar.bz2", "tar.xz"):
        yield f"up.{kind}", packed(kind, up)
        yield f"cut.{kind}", _cut(kind)
    yield "hardlink.tar", packed("tar", Entry("link", b"../../etc/passwd", "hardlink"))
    yield "hardlink.rar5", packed("rar5", Entry("link", b"../../etc/passwd", "hardlink"))
    yield "block-device.tar", packed("tar", Entry("disk", kind="block"))
    yield "unknown-type.tar", packed("tar", Entry("odd", kind="socket"))
    yield "negative.tar", packed("tar", Entry("negative", b"", size=-512))
    yield "up-long-name.tar", packed("tar", Entry("x/" * 40 + "../" * 45 + "evil", b"evil"))
    yield (
        "up-pax.tar",
        lambda before, after: tar_bytes([*before, Entry("é/../../evil", b"e"), *after], tarfile.PAX_FORMAT),
    )
    yield "bomb.tar.gz", packed("tar.gz", Entry("bomb", bytes(10**6), size=2 * GB))
    yield "header-bomb.tar.gz", lambda *_: _zeros_after(_long_header(8 * GB), 10)
    yield "zeros-after-end.tar.gz", lambda before, after: _zeros_after(tar_bytes([*before, *after]), 300)
    yield "damaged-header.tar", lambda before, after: _damaged(tar_bytes(before), tar_bytes(after))
    yield (
        "bomb.zip",
        lambda before, after: zip_bytes([*before, Entry("bomb", bytes(10**6), size=2 * GB)], deflated),
    )
    yield "more-deflated.zip", lambda before, after: zip_bytes([*before, _more()], deflated)
    yield "more-bzip2.zip", lambda before, after: zip_bytes([*before, _more()], zipfile.ZIP_BZIP2)
    yield "zero-byte.zip", packed("zip", Entry("evil\0.avi", b"evil"))
    yield "empty.zip", lambda *_: zip_bytes([])
    yield "no-archive", lambda *_: b"<html>Please log in to download HMDB51</html>" * 50
    yield "no-tar.gz", lambda *_: COMPRESS["tar.gz"](b"not a tar file" * 500)
    yield "up-in-rar-in.rar5", lambda before, after: rar5_bytes([Entry("c.rar", rar4_bytes([*before, up]))])
    yield "link-in-rar-in.rar4", lambda before, after: rar4_bytes([Entry("c.rar", rar5_bytes([_link()]))])
    yield "headers-encrypted.rar4", lambda before, after: rar4_bytes(before, main=0x80)
    yield "volume.rar5", lambda before, after: rar5_bytes(before, main=1)
    yield "no-end.rar4", lambda before, after: rar4_bytes(before, end=False)
    yield "no-end.rar5", lambda before, after: rar5_bytes(before, end=False)


def _cut(kind: str) -> Build:
    def build(before: list[Entry], after: list[Entry]) -> bytes:
        whole = pack(kind, [*before, *after])
        return whole[: len(whole) * 2 // 3]

    return build


def _more() -> Entry:
    return Entry("more", bytes(10**6), size=10, crc=crc32(bytes(10)))


def _link() -> Entry:
    return Entry("link", b"..", "symlink")


def _long_header(size: int) -> bytes:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, size
    return info.tobuf(tarfile.GNU_FORMAT)


def _zeros_after(data: bytes, times: int) -> bytes:
    """Return gzip data that unpacks to ``data`` and then ``times`` 10 MB of zeros."""
    return COMPRESS["tar.gz"](data) + COMPRESS["tar.gz"](bytes(10**7)) * times


def _damaged(first: bytes, second: bytes) -> bytes:
    """Return two tar files as one, the checksum of the second's first header wrong."""
    return first[: -2 * tarfile.BLOCKSIZE] + b"!" + second[1:]

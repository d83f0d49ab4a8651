"""Writers of small archives whose members may lie about their size, checksum, type or name."""

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import warnings
import zipfile
from dataclasses import dataclass
from zlib import crc32

COMPRESS = {"tar": bytes, "tar.gz": gzip.compress, "tar.bz2": bz2.compress, "tar.xz": lzma.compress}
KINDS = ("zip", *COMPRESS, "rar")
TYPES = {  # the type of a member in a tar file, and its file type in a mode
    "file": (tarfile.REGTYPE, stat.S_IFREG),
    "folder": (tarfile.DIRTYPE, stat.S_IFDIR),
    "symlink": (tarfile.SYMTYPE, stat.S_IFLNK),
    "hardlink": (tarfile.LNKTYPE, stat.S_IFREG),
    "device": (tarfile.CHRTYPE, stat.S_IFCHR),
}


@dataclass
class Entry:
    """One member to write; for a link, ``data`` is its target.

    ``size`` and ``crc`` are declared in place of the true ones.
    """

    name: str
    data: bytes = b""
    kind: str = "file"
    size: int | None = None
    crc: int | None = None
    encrypted: bool = False

    @property
    def declared(self) -> int:
        return len(self.data) if self.size is None else self.size

    @property
    def checksum(self) -> int:
        return crc32(self.data) if self.crc is None else self.crc


def pack(kind: str, entries: list[Entry]) -> bytes:
    """Return an archive of one of ``KINDS``, its members stored."""
    if kind == "zip":
        return zip_bytes(entries)
    return rar_bytes(entries) if kind == "rar" else COMPRESS[kind](tar_bytes(entries))


def zip_bytes(entries: list[Entry], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names that come twice
        for entry in entries:
            info = zipfile.ZipInfo(entry.name + "/" * (entry.kind == "folder"))
            info.create_system, info.compress_type = 3, method
            info.external_attr = (TYPES[entry.kind][1] | 0o644) << 16
            file.writestr(info, entry.data)
            info.file_size, info.CRC = entry.declared, entry.checksum  # for the directory at the end
            info.flag_bits |= entry.encrypted
    return out.getvalue()


def tar_bytes(entries: list[Entry]) -> bytes:
    out = b""
    for entry in entries:
        info = tarfile.TarInfo(entry.name)
        info.type, info.size, data = TYPES[entry.kind][0], entry.declared, entry.data
        if entry.kind.endswith("link"):
            info.linkname, info.size, data = entry.data.decode(), 0, b""
        out += info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % tarfile.BLOCKSIZE)
    return out + bytes(2 * tarfile.BLOCKSIZE)


def rar_bytes(entries: list[Entry], compressed: bool = False, end: bool = True) -> bytes:
    """Return a RAR 4 archive of stored members, which may be declared as compressed."""

    def block(kind: int, flags: int, body: bytes) -> bytes:
        header = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
        return struct.pack("<H", crc32(header) & 0xFFFF) + header

    out = b"Rar!\x1a\x07\x00" + block(0x73, 0, bytes(6))
    for entry in entries:
        name = entry.name.encode().replace(b"/", b"\\")
        flags = 0x8100 | (0xE0 if entry.kind == "folder" else 0) | (0x4 if entry.encrypted else 0)
        method = 0x33 if compressed and entry.data else 0x30
        sizes = len(entry.data), entry.declared & 0xFFFFFFFF
        body = struct.pack("<LLBLLBB", *sizes, 3, entry.checksum, 0x3E210000, 20, method)
        body += struct.pack("<HL", len(name), TYPES[entry.kind][1] | 0o644)
        body += struct.pack("<LL", 0, entry.declared >> 32) + name
        out += block(0x74, flags, body) + entry.data
    return out + block(0x7B, 0x4000, b"") * end

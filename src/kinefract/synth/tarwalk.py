"""Walking a shard member by member: every byte of the tar file is where and what it should be."""

import os
import tarfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from kinefract.synth.shards import MANIFEST, member, padded, tar_size


class Member(NamedTuple):
    """What a shard should hold: a clip as the manifest has it (``None`` if it has not), or a label's text."""

    name: str
    size: int | None
    crc32: int | None = None
    offset: int | None = None
    text: bytes | None = None


def walk(tar: BinaryIO, members: list[Member]) -> Iterator[str]:
    """Compare every byte of a tar file with what it should be, but for clips of which nothing is known.

    Args:
        tar: A shard.
        members: What it should hold, in this order, and nothing else.

    Yields:
        What is wrong, a line each. After damage that hides where the next member begins, no more.
    """
    length = os.fstat(tar.fileno()).st_size
    left, at = list(reversed(members)), 0
    while left:
        wanted = left[-1]
        found, header = _header(tar, at)
        if at + tarfile.BLOCKSIZE > length:
            yield f"ends at byte {length}, before {wanted.name}"
            return
        if found is None and wanted.size is None:
            yield f"the header of {wanted.name} at byte {at} is damaged; what follows it was not checked"
            return
        if found is not None and found.name != wanted.name:
            if any(later.name == found.name for later in left):
                yield f"{wanted.name} is not there, at byte {at} is {found.name}"
                left.pop()
            else:
                yield f"{found.name} at byte {at} does not belong there"
                at += tarfile.BLOCKSIZE + padded(found.size)
            continue
        if found is None:
            yield f"the header of {wanted.name} at byte {at} is damaged"
        elif wanted.size not in (None, found.size):
            yield f"{wanted.name} has {found.size} bytes instead of {wanted.size}"
        elif header != member(found.name, found.size).tobuf(tarfile.USTAR_FORMAT):
            yield f"the header of {wanted.name} at byte {at} has been changed"
        size = wanted.size if found is None else found.size
        at += tarfile.BLOCKSIZE
        if at + padded(size) > length:
            yield f"ends at byte {length}, within {wanted.name}"
            return
        yield from _check_content(tar, at, size, wanted)
        at += padded(size)
        left.pop()
    yield from _check_end(tar, at, length)


def _header(tar: BinaryIO, at: int) -> tuple[tarfile.TarInfo | None, bytes]:
    """Return the member that is announced at a byte, ``None`` if none is, and the bytes that do so."""
    tar.seek(at)
    header = tar.read(tarfile.BLOCKSIZE)
    try:
        info = tarfile.TarInfo.frombuf(header, "ascii", "surrogateescape")
    except tarfile.HeaderError:
        return None, header
    return (info if info.size >= 0 else None), header


def _check_content(tar: BinaryIO, at: int, size: int, wanted: Member) -> Iterator[str]:
    content, fill = tar.read(size), tar.read(padded(size) - size)
    if wanted.offset not in (None, at):
        yield f"{wanted.name} begins at byte {at}, {MANIFEST} says {wanted.offset}"
    if wanted.text is not None and content != wanted.text:
        yield f"{wanted.name} says {content!r}, the label is {wanted.text!r}"
    if wanted.crc32 is not None and size == wanted.size and zlib.crc32(content) != wanted.crc32:
        yield f"{wanted.name} (bytes {at} to {at + size - 1}) is damaged: not the bytes that were written"
    if fill.strip(b"\0"):
        yield f"something is written behind {wanted.name}, bytes {at + size} to {at + padded(size) - 1}"


def _check_end(tar: BinaryIO, at: int, length: int) -> Iterator[str]:
    found, _ = _header(tar, at)
    while found:
        yield f"{found.name} at byte {at} does not belong there"
        at += tarfile.BLOCKSIZE + padded(found.size)
        found, _ = _header(tar, at)
    if length != tar_size(at):
        yield f"is {length} bytes long instead of {tar_size(at)}"
    tar.seek(at)
    if tar.read().strip(b"\0"):
        yield f"something is written behind its last member, bytes {at} to {length - 1}"

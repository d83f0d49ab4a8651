"""Whether a video file ends before its container says: files whose download or copy stopped half-way.

Containers state sizes, and a file that was cut ends within a part that is larger than what is left of it.
Frame counts and durations in headers do not show this: edit lists leave out frames that are stored, AVI
headers count too many, and sound may be longer than the pictures.

A cut cannot be noticed where nothing is stated about the rest of the file:

- MPEG-TS, if the cut is between two of its packets of 188 bytes: it has neither an index nor a duration
- Matroska and WebM that were streamed (no sizes, no duration, no cues), if the cut is between two blocks
- AVI that was streamed (no sizes, no index), FLV and MPEG program streams, if the cut is between two packets
- fragmented mp4, if the cut is between two fragments
- WMV that was streamed, and elementary streams such as raw H.264
"""

from typing import BinaryIO

ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
EBML_HEADER, SEGMENT, CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
# Parts of Matroska that hold no pictures: cues, tags, chapters, attachments, seek head, void, checksum.
EBML_OTHERS = {0x1C53BB6B, 0x1254C367, 0x1043A770, 0x1941A469, 0x114D9B74, 0xEC, 0xBF}
ISO_TYPES = {b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"moof", b"sidx"}
ISO_OTHERS = {b"mfra", b"free", b"skip", b"udta", b"meta", b"uuid"}
OGG_VIDEO = (b"\x80theora", b"OVP80", b"\x01video", b"BBCD", b"\x00\x00\x00\x00BBCD")
OGG_BEGINS, OGG_ENDS = 2, 4  # flags of a page
UNSIZED_RIFF = 0x7FFFFFFF  # sizes from here on are placeholders
TS_SYNC, TS_PACKETS = 0x47, ((188, 0), (192, 4), (204, 0))  # bytes of a packet, place of its first sync byte


def lacking(file: BinaryIO) -> int:
    """Return how many bytes a video file lacks at least, by the sizes that its own container states.

    A file that lacks only what follows its pictures (cues, an index, tags) lacks nothing. For mp4 with one
    table of samples this says only whether that table is lost: whether all samples are there follows from
    the table itself.

    Args:
        file: The file, opened for reading; its position changes.

    Returns:
        0 if nothing is known to be missing; otherwise a number of bytes, at least 1.
    """
    size = file.seek(0, 2)
    head = _at(file, 0, 1024)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return _avi(file, size)
    if head[:4] == EBML_HEADER.to_bytes(4):
        return _matroska(file, size)
    if head[4:8] in ISO_TYPES:
        return _mp4(file, size)
    if head[:4] == b"OggS":
        return _ogg(file, size)
    if head[:16] == ASF_HEADER:
        return _asf(file, size)
    if head[:3] == b"FLV":
        return _flv(file, size)
    if head[:4] == b"GIF8":
        return int(not _at(file, max(0, size - 64), 64).rstrip(b"\0").endswith(b"\0;"))
    if head[:4] == b"\x00\x00\x01\xba":
        return _mpeg(file, size)
    for length, first in TS_PACKETS:
        if len(head) > 4 * length and all(head[first + length * at] == TS_SYNC for at in range(4)):
            return -size % length
    return 0


def _at(file: BinaryIO, place: int, length: int) -> bytes:
    file.seek(place)
    return file.read(length)


def _avi(file: BinaryIO, size: int) -> int:
    """Compare the lists of pictures (``movi``) with the file's end; without sizes, its last chunk."""
    at = 0
    unsized = False
    while at + 8 <= size:
        head = _at(file, at, 12)
        length = int.from_bytes(head[4:8], "little")
        is_list = head[:4] == b"LIST" and head[8:12] == b"movi"
        if head[:4] == b"RIFF" or (is_list and (length == 0 or length >= UNSIZED_RIFF)):
            unsized |= is_list
            at += 12
            continue
        end = at + 8 + length
        if not head[:4].isascii() or head[:4] == b"\0\0\0\0":
            return 0  # the file goes on with something else
        if end > size:
            return end - size if is_list or (unsized and head[:4] != b"idx1") else 0
        at = end + length % 2
    return at + 8 - size if unsized and at < size else 0


def _matroska(file: BinaryIO, size: int) -> int:
    """Compare the segment and its clusters with the file's end; clusters without a size block by block."""
    at, segment_end = 0, 0
    had_pictures = False
    while at < size:
        name, body, length = _element(_at(file, at, 12))
        if name is None:
            # The file goes on with something else, or ends within the head of an element.
            return max(1, segment_end - size) if size - at < 12 else 0
        had_pictures |= name == CLUSTER
        if name == SEGMENT and length is not None:
            segment_end = at + body + length
        if name == SEGMENT or length is None:
            at += body
            continue
        end = at + body + length
        if end > size:
            return 0 if had_pictures and name in EBML_OTHERS else max(end, segment_end) - size
        at = end
    return max(0, segment_end - size)


def _element(head: bytes) -> tuple[int | None, int, int | None]:
    """Return the name of a Matroska element, the length of its head, and its size, if it is stated."""
    wide = 9 - head[0].bit_length() if head else 9
    if wide > 4 or len(head) <= wide:
        return None, 0, 0
    long = 9 - head[wide].bit_length()
    if long > 8 or len(head) < wide + long:
        return None, 0, 0
    largest = (1 << 7 * long) - 1
    length = int.from_bytes(head[wide : wide + long]) & largest
    return int.from_bytes(head[:wide]), wide + long, None if length == largest else length


def _mp4(file: BinaryIO, size: int) -> int:
    """Compare the boxes of a fragmented file with its end; of others say whether the table is lost."""
    at, kinds = 0, set()
    while at + 8 <= size:
        head = _at(file, at, 16)
        length, kind = int.from_bytes(head[:4]), head[4:8]
        length = int.from_bytes(head[8:16]) if length == 1 else length or size - at
        if length < 8 or not kind.isascii():
            break  # the file goes on with something else
        kinds.add(kind)
        if at + length > size:
            cut_matters = kind not in ISO_OTHERS if b"moof" in kinds else b"moov" not in kinds - {kind}
            return at + length - size if cut_matters else 0
        at += length
    if b"moov" not in kinds:
        return 1
    return at + 8 - size if b"moof" in kinds and 0 < size - at < 8 else 0


def _ogg(file: BinaryIO, size: int) -> int:
    """Look for the pages that end the streams of pictures, or all streams if no such stream is known."""
    begun: set[bytes] = set()
    pictures: set[bytes] = set()
    ended: set[bytes] = set()
    at = 0
    while at < size:
        head = _at(file, at, 27 + 255 + 16)
        if head[:4] != b"OggS"[: len(head)]:
            break  # the file goes on with something else
        end = at + 27 + head[26] + sum(head[27 : 27 + head[26]]) if len(head) > 26 else at + 27
        if end > size or len(head) < 27 + head[26]:
            break
        stream, flags = head[14:18], head[5]
        begun.add(stream)
        if flags & OGG_BEGINS and head[27 + head[26] :].startswith(OGG_VIDEO):
            pictures.add(stream)
        if flags & OGG_ENDS:
            ended.add(stream)
        at = end
    return 0 if (pictures or begun) <= ended else 1


def _asf(file: BinaryIO, size: int) -> int:
    """Compare the object that holds the packets with the file's end."""
    at = 0
    while at + 24 <= size:
        head = _at(file, at, 24)
        length = int.from_bytes(head[16:24], "little")
        if head[:16] == ASF_DATA:
            return max(0, at + length - size)  # 0 in a broadcast
        if length < 24:
            break
        at += length
    return 0


def _flv(file: BinaryIO, size: int) -> int:
    """Look for a tag that ends after the file does."""
    at = int.from_bytes(_at(file, 5, 4)) + 4
    while at < size:
        head = _at(file, at, 11)
        if head[0] & 31 not in (8, 9, 18):  # sound, pictures, data
            return 0
        end = at + 11 + int.from_bytes(head[1:4])
        if len(head) < 4 or end > size:
            return max(1, end - size)
        at = end + 4  # the size of the tag follows it
    return at - size if size > at - 4 else 0


def _mpeg(file: BinaryIO, size: int) -> int:
    """Look for a packet of a program stream that ends after the file does."""
    at = 0
    while at + 6 <= size:
        head = _at(file, at, 14)
        if head[:3] != b"\x00\x00\x01" or head[3] < 0xB9:
            return 0  # the file goes on with something else
        if head[3] == 0xB9:  # the end of the program
            at += 4
        elif head[3] == 0xBA:  # the head of a pack, in MPEG-2 and MPEG-1
            at += 14 + (head[-1] & 7) if head[4] >> 6 == 1 else 12
        else:
            at += 6 + int.from_bytes(head[4:6])
    return max(0, at - size)

"""Frames of a video file by their number, exactly as decoding from its start gives them, but faster.

A frame's number is its position in the output of a decoder that starts at the file's first packet. Time
stamps do not give this number: in AVI files they follow the order of decoding, and other files repeat or lack
them. Therefore packets are counted. They are read in file order, which costs little. A clean start is a frame
after which nothing refers back, neither by content nor by order. Packets before a clean start are not decoded
if none of their frames is wanted.

The count is right only if each packet makes one frame, so each packet on the way is inspected. At the first
doubt (packed B-frames, frames that are not coded, fields, another codec) the file is decoded from its start.
"""

import io
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kinefract.common.errors import UserError
from kinefract.common.words import counted

MAX_PIXELS = 8192 * 8192  # pixels of a frame; a damaged header must not claim all memory
UNCODED_BYTES = 16  # an MPEG-4 packet up to this size may repeat the frame before, which makes no frame
PROGRESSIVE = (0, 1)  # libav's AV_FIELD_UNKNOWN and AV_FIELD_PROGRESSIVE
DISPLAY_ORIENTATION = 47  # payload type of H.264's supplemental information (ISO/IEC 14496-10, D.1)
MPEG4_PICTURE = b"\x00\x00\x01\xb6"


class VideoInfo(NamedTuple):
    """What a video holds: number of frames, frames per second, size in pixels as it is shown (upright)."""

    frames: int
    fps: float
    width: int
    height: int


class _Doubt(Exception):
    """Packets cannot be counted as frames in this file."""


def decode(
    source: Path | str | bytes, indices: Sequence[int] | None = None, grey: bool = False
) -> np.ndarray:
    """Decode frames by their number; see ``kinefract.video.decode``."""
    wanted = None if indices is None else set(indices)
    if wanted is not None and (not wanted or min(wanted) < 0):
        raise ValueError(f"indices must be frame numbers from 0 on, at least one, got {indices}")
    found = {}
    if wanted is not None:
        with suppress(_Doubt, UserError):  # decoding from the start tells what is wrong, if anything is
            found = _pick(source, wanted, grey, skip=True)
    if wanted is None or len(found) < len(wanted):
        found = _pick(source, wanted, grey, skip=False)
    name = name_of(source)
    if not found or (wanted is not None and len(found) < len(wanted)):
        there = counted(max(found, default=-1) + 1, "frame")
        asked = f", asked for frame {max(wanted)}" if wanted else ""
        raise UserError(f"cannot read video {name}: it ends after {there}{asked}")
    sizes = {image.shape[1::-1] for image in found.values()}
    if len(sizes) > 1:
        raise UserError(f"cannot read video {name}: its frames differ in size, {sizes_text(sizes)}")
    return np.stack([found[index] for index in (sorted(found) if indices is None else indices)])


def packets(container, stream) -> Iterator[Any]:
    """Yield the packets of a stream, without empty ones, which repeat a frame and which decoders refuse.

    The last one has no content: it makes the decoder give the frames that it still holds.
    """
    return (packet for packet in container.demux(stream) if packet.size or packet.dts is None)


def converter() -> Callable:
    """Return ``convert(frame, pixel format)``.

    One converter for a whole video, in one thread: PyAV's default builds one per frame with a thread for
    each core, which takes longer than the decoding. The flags make its rounding the same on every processor.
    """
    from av.video.reformatter import Interpolation, VideoReformatter

    flags = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
    reformatter = VideoReformatter()
    return lambda frame, pixels: reformatter.reformat(frame, format=pixels, interpolation=flags, threads=1)


def _pick(
    source: Path | str | bytes, wanted: Collection[int] | None, grey: bool, skip: bool
) -> dict[int, np.ndarray]:
    """Return the wanted frames that are there, upright, by number; all frames if ``wanted`` is None."""
    pixels, convert, found, turn = "gray" if grey else "rgb24", converter(), {}, None
    with opened(source) as (container, stream):
        frames = (
            _skipping(container, stream, sorted(wanted or ()))
            if skip
            else enumerate(frame for packet in packets(container, stream) for frame in packet.decode())
        )
        for number, frame in frames:
            if number == 0 or turn is None:  # of a turn within the stream not every frame tells
                turn = turn_of(frame)
            if wanted is None or number in wanted:
                found[number] = _upright(convert(frame, pixels).to_ndarray(), turn)
                if wanted is not None and len(found) == len(wanted):
                    break
    return found


def _skipping(container, stream, wanted: list[int]) -> Iterator[tuple[int, object]]:
    """Yield (number, frame), leaving out stretches between clean starts that hold no wanted frame.

    Args:
        container: Opened, nothing read from it yet.
        stream: Its video stream.
        wanted: Frame numbers, ascending.

    Raises:
        _Doubt: at a packet of which nobody knows whether it makes one frame, and where the number of frames
            turns out not to be that of the packets. What was yielded before may be wrong.
    """
    decoder, is_clean_start = stream.codec_context, _inspector(stream)
    number = 0  # of the next frame that comes out of the decoder
    counted = 0  # frames in the packets read so far
    decoding = False
    # Packets since the last clean start, as long as none of their frames is known to be wanted.
    waiting: list[Any] | None = None

    def out(packet) -> Iterator[tuple[int, object]]:
        nonlocal number
        for frame in decoder.decode(packet):
            yield number, frame
            number += 1

    def rest() -> Iterator[tuple[int, object]]:
        yield from out(None)
        if number != counted:
            raise _Doubt
        depth = decoder.reorder_depth
        decoder.flush_buffers()
        decoder.reorder_depth = depth  # which PyAV says a flush may forget, so that late frames are dropped

    for packet in container.demux(stream):
        if not packet.size:
            if packet.dts is None:
                break  # the end of the file
            raise _Doubt  # an empty chunk within it
        if is_clean_start(packet):
            if decoding:
                yield from rest()
            if counted > wanted[-1]:
                return
            decoding, waiting, number = False, [], counted
        elif waiting is None:
            raise _Doubt  # the file starts amid others' frames
        counted += not packet.is_discard
        if decoding:
            yield from out(packet)
            continue
        waiting.append(packet)
        if counted > wanted[bisect_left(wanted, number)]:
            for packet in waiting:
                yield from out(packet)
            decoding, waiting = True, []
    if decoding:
        yield from rest()


def _inspector(stream) -> Callable[[object], bool]:
    """Return ``is_clean_start(packet)``, which raises _Doubt unless the packet makes exactly one frame."""
    context = stream.codec_context
    extra = context.extradata or b""
    if context.name == "mpeg4" and not context.has_b_frames:
        return _mpeg4_starts
    if context.name == "h264" and context.field_order in PROGRESSIVE:
        return _H264Starts(extra)
    raise _Doubt


def _mpeg4_starts(packet) -> bool:
    """Return whether an MPEG-4 part 2 packet is an I-VOP; without B-VOPs nothing refers across it."""
    data = bytes(packet)
    at = data.find(MPEG4_PICTURE)
    if len(data) <= UNCODED_BYTES or at < 0 or data.find(MPEG4_PICTURE, at + 4) >= 0:
        raise _Doubt
    kind = data[at + 4] >> 6  # ISO/IEC 14496-2, 6.3.5: I, P, B, S
    if kind == 2:
        raise _Doubt
    return kind == 0


class _H264Starts:
    """A test whether an H.264 packet is an IDR picture (ISO/IEC 14496-10, 7.4.1.2.4)."""

    def __init__(self, header: bytes) -> None:
        # mp4 and mkv put a length before each unit, of as many bytes as the header says; others a start code.
        self.length_bytes = (header[4] & 3) + 1 if len(header) > 4 and header[0] == 1 else 0
        self.parameters: list[bytes] | None = None  # sets in the first packet

    def __call__(self, packet) -> bool:
        pictures, is_idr, parameters = 0, False, []
        for unit in self._units(bytes(packet)):
            kind = unit[0] & 31
            if kind in (1, 2, 5):  # slices, whole or their partition A
                pictures += unit[1] >> 7  # first_mb_in_slice is 0
                is_idr |= kind == 5
            elif kind in (7, 8):
                parameters.append(unit)
            elif kind == 6 and DISPLAY_ORIENTATION in _sei_payloads(unit):
                raise _Doubt  # not every frame tells of the turn: it is asked of the first
        if self.parameters is None:
            self.parameters = parameters
        # Other parameters may hold for later pictures that do not repeat them.
        if pictures != 1 or (parameters and parameters != self.parameters):
            raise _Doubt
        return is_idr

    def _units(self, data: bytes) -> Iterator[bytes]:
        if not self.length_bytes:
            yield from (unit for unit in data.split(b"\x00\x00\x01")[1:] if len(unit) > 1)
            return
        at = 0
        while at + self.length_bytes + 1 < len(data):
            head = at + self.length_bytes
            at = head + int.from_bytes(data[at:head])
            if len(unit := data[head:at]) > 1:
                yield unit


def _sei_payloads(unit: bytes) -> Iterator[int]:
    """Yield the types of an H.264 unit's supplemental information (ISO/IEC 14496-10, 7.3.2.3.1)."""
    data = unit[1:].replace(b"\0\0\3", b"\0\0")
    at = 0
    while at + 2 < len(data):  # the last byte ends the unit
        head = [0, 0]  # type and size, each as bytes of 255 and a rest
        for part in (0, 1):
            while at < len(data) and data[at] == 255:
                head[part] += 255
                at += 1
            head[part] += data[at] if at < len(data) else 0
            at += 1
        yield head[0]
        at += head[1]


@contextmanager
def opened(source: Path | str | bytes) -> Iterator[tuple]:
    """Yield the container and the stream of moving pictures; what fails within is a UserError.

    libav is given an open file and may open no other: text files that name videos (playlists) are refused,
    and no part of a file's name is taken for a protocol.
    """
    import av

    name = name_of(source)
    try:
        if not isinstance(source, bytes) and Path(source).exists() and not Path(source).is_file():
            raise UserError(f"cannot read video {name}: it is no file")
        with (
            io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file,
            av.open(
                file, metadata_errors="replace", buffer_size=1 << 16, options={"protocol_whitelist": "none"}
            ) as container,
        ):
            covers = av.stream.Disposition.attached_pic
            streams = [stream for stream in container.streams.video if not stream.disposition & covers]
            if not streams or streams[0].codec_context is None:
                raise UserError(f"cannot read video {name}: it holds no moving pictures that can be decoded")
            context = streams[0].codec_context
            if context.width * context.height > MAX_PIXELS:
                raise UserError(f"cannot read video {name}: {context.width}x{context.height} is too large")
            context.thread_count = 1
            context.options = {"max_pixels": str(MAX_PIXELS)}  # for a size that changes later
            yield container, streams[0]
    except IndexError as error:  # PyAV's, where a stream begins that the start of the file did not tell of
        raise UserError(f"cannot read video {name}: damaged, the number of its streams changes") from error
    except (av.FFmpegError, OSError, MemoryError) as error:
        raise UserError(f"cannot read video {name}: {error or 'too large for memory'}") from error


def name_of(source: Path | str | bytes) -> str:
    return "video in memory" if isinstance(source, bytes) else str(source)


def sizes_text(sizes: Collection[tuple[int, int]]) -> str:
    return " and ".join(f"{width}x{height}" for width, height in sorted(sizes))


def turn_of(frame) -> tuple[bool, bool, bool]:
    """Return how a frame is to be shown: rows and columns swapped, then rows, then columns reversed.

    From the display matrix, which cameras write; it maps a pixel to (a x + c y, b x + d y). Turns by angles
    between the quarters are not followed. PyAV's side data keep their frame alive until the next collection
    of garbage, so it is asked of one frame of a file.
    """
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return False, False, False
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
    if a == d == 0:
        return True, b < 0, c < 0
    return False, d < 0, a < 0


def _upright(image: np.ndarray, turn: tuple[bool, bool, bool]) -> np.ndarray:
    swapped, rows, columns = turn
    image = image.swapaxes(0, 1) if swapped else image
    return image[:: -1 if rows else 1, :: -1 if columns else 1]

"""Counting of a file's frames by decoding all of them, and the check that the file is whole."""

from dataclasses import dataclass, field
from pathlib import Path

from kinefract.common.errors import UserError
from kinefract.common.words import counted
from kinefract.video.reading import VideoInfo, opened, packets, sizes_text, turn_of
from kinefract.video.wholeness import lacking

# libav's names: of containers with a table of all samples (mp4, mov, 3gp), of AVI, of MPEG-TS.
TABLE, CHUNKS, TRANSPORT = "mov", "avi", "mpegts"
UNKNOWN_COUNT = 1 << 30  # what ffmpeg puts into the header of an AVI file that it writes to a pipe


def probe(path: Path | str) -> VideoInfo:
    """Decode all frames of a file to count them; see ``kinefract.video.probe``."""
    found, problem = _Found(), None
    try:
        with opened(path) as (container, stream):
            found.read(container, stream)
    except UserError as error:  # which the end of a file that was cut often is
        problem = error
    if Path(path).is_file() and (cut := _cut(Path(path), found, problem is not None)):
        raise UserError(f"cannot read video {path}: truncated, {cut}; copy or download it again") from problem
    if problem:
        raise problem
    if not found.frames:
        raise UserError(f"cannot read video {path}: it holds no frame")
    if len(found.sizes) > 1:
        raise UserError(f"cannot read video {path}: its frames differ in size, {sizes_text(found.sizes)}")
    return VideoInfo(found.frames, found.fps, *next(iter(found.sizes)))


@dataclass
class _Found:
    """What reading a file to its end, or to an error, found.

    Attributes:
        frames: Number of decoded frames.
        fps: Frames per second.
        sizes: Width and height of the upright frames, each pair once, in the order they come.
        container: libav's names of the container.
        stated: Number of frames that the header states; 0 if it states none.
        reached: Number of frames and of empty chunks in the packets that are whole.
        last_is_cut: Whether libav missed bytes of the last packet.
        table: Place after the last byte of each packet, by the container's table.
    """

    frames: int = 0
    fps: float = 0.0
    sizes: dict[tuple[int, int], None] = field(default_factory=dict)
    container: str = ""
    stated: int = 0
    reached: int = 0
    last_is_cut: bool = False
    table: list[int] = field(default_factory=list)

    def read(self, container, stream) -> None:
        """Decode a stream to its end."""
        self.container, self.stated = container.format.name, stream.frames
        self.fps = float(stream.average_rate or stream.guessed_rate or 0)
        # The content of pictures is not used here, so they need no deblocking.
        stream.codec_context.options = {**stream.codec_context.options, "skip_loop_filter": "all"}
        turned, intact = False, 0
        try:
            for packet in packets(container, stream):
                if packet.size:
                    # In a transport stream the mark tells of a gap, such as bad reception makes.
                    self.last_is_cut = packet.is_corrupt and self.container != TRANSPORT
                if packet.size and not self.last_is_cut:
                    intact += 1
                    # AVI counts chunks in place of time, also empty ones, which repeat a frame.
                    chunks = packet.dts + 1 if self.container == CHUNKS and packet.dts is not None else 0
                    self.reached = max(self.reached, intact, chunks)
                for frame in packet.decode():
                    turned = turned if self.frames else turn_of(frame)[0]
                    self.frames += 1
                    self.sizes[(frame.height, frame.width) if turned else (frame.width, frame.height)] = None
        finally:
            if self.container.startswith(TABLE):
                self.table = [entry.pos + entry.size for entry in stream.index_entries]


def _cut(path: Path, found: _Found, failed: bool) -> str:
    """Return how much is there of a file that was cut; empty if it is whole, as far as can be known."""
    size = path.stat().st_size
    if found.table:
        there = sum(end <= size for end in found.table)
        if there < len(found.table):
            return f"{there} of {counted(len(found.table), 'frame')} are there"
        if not failed and len(found.table) <= found.stated:
            return ""  # edit lists leave frames out of the table
    try:
        with path.open("rb") as file:
            lack = lacking(file)
    except OSError as error:
        raise UserError(f"cannot read video {path}: {error.strerror or error}") from error
    if not (lack or found.last_is_cut):
        return ""
    if found.container == CHUNKS and 0 < found.stated < UNKNOWN_COUNT:
        if found.reached >= found.stated:
            return ""  # what is missing are sound and index
        return f"{found.reached} of {found.stated} frames are there"
    missing = f"at least {lack:,} bytes are missing" if lack > 1 else "its end is missing"
    return f"{counted(found.frames, 'frame')} there, {missing}"

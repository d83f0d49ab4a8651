"""The one module that reads and writes video files.

PyAV (libav in-process) encodes clips and decodes them for training; scikit-video, through the system's
ffmpeg, writes the sheets that people look at.
"""

import io
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

from kinefract.errors import UserError
from kinefract.files import written_whole

ENCODER = "libx264"
# The same bytes from the same library on every machine and at every call: in one thread, and without what
# x264 picks by processor, since in small pictures its AVX-512 code does not decide the same at every call.
ENCODER_OPTIONS = {"preset": "veryfast", "threads": "1", "x264-params": "cpu-independent=1"}


class VideoInfo(NamedTuple):
    """What a video file holds: number of frames, frames per second, size in pixels."""

    frames: int
    fps: float
    width: int
    height: int


def encode(frames: np.ndarray, fps: int, crf: int) -> bytes:
    """Encode frames as H.264 in an mp4 container, in memory.

    Args:
        frames: uint8, (T, H, W) if grey or (T, H, W, 3) if RGB; H and W even.
        fps: Frames per second.
        crf: Quality from 0 (lossless) to 51.

    Returns:
        The bytes of an mp4 file; the same frames give the same bytes.

    Raises:
        UserError: PyAV was built without the encoder.
    """
    import av

    pixels = "gray" if frames.ndim == 3 else "rgb24"
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        try:
            stream = container.add_stream(ENCODER, rate=fps, options={**ENCODER_OPTIONS, "crf": str(crf)})
        except av.codec.codec.UnknownCodecError:
            raise UserError(
                f"the installed PyAV (av {av.__version__}) has no encoder {ENCODER}; "
                "install the wheel of PyPI, which has it: pip install --force-reinstall --only-binary av av"
            ) from None
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        convert = _converter()
        for image in frames:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=pixels)
            container.mux(stream.encode(convert(frame, "yuv420p")))
        container.mux(stream.encode())
    return buffer.getvalue()


def decode(
    source: Path | str | bytes, indices: Sequence[int] | None = None, grey: bool = False
) -> np.ndarray:
    """Decode frames by their number, counted from 0 in presentation order.

    Frames are decoded from the start up to the last one wanted, so a number means the same frame in every
    container and at any frame rate. Sound is ignored.

    Args:
        source: A file, or the bytes of one.
        indices: The frames wanted, in any order, repeats allowed; all of them if ``None``.
        grey: Return luma alone.

    Returns:
        uint8, (len(indices), H, W, 3) in RGB, or (len(indices), H, W) if ``grey``.

    Raises:
        UserError: the file cannot be read, or ends before the last frame wanted.
    """
    import av

    name = "video in memory" if isinstance(source, bytes) else str(source)
    wanted = None if indices is None else set(indices)
    last = None if wanted is None else max(wanted)
    pixels = "gray" if grey else "rgb24"
    found: dict[int, np.ndarray] = {}
    try:
        with av.open(
            io.BytesIO(source) if isinstance(source, bytes) else str(source), metadata_errors="replace"
        ) as container:
            stream, convert = _video_stream(container, name), _converter()
            for number, frame in enumerate(container.decode(stream)):
                if wanted is None or number in wanted:
                    found[number] = convert(frame, pixels).to_ndarray()
                if number == last:
                    break
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"cannot read video {name}: {error}") from error
    if not found or (last is not None and last not in found):
        raise UserError(f"cannot read video {name}: it ends after {len(found)} of the frames asked for")
    return np.stack([found[index] for index in (sorted(found) if indices is None else indices)])


def probe(path: Path | str) -> VideoInfo:
    """Count a video's frames by decoding them, since headers and packets miscount, and read its size.

    Raises:
        UserError: the file is missing, empty, no video, or holds fewer frames than its header says.
    """
    import av

    frames, packets, reached, first = 0, 0, 0.0, None
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            stream = _video_stream(container, str(path))
            stated, fps = stream.frames, float(stream.average_rate or stream.guessed_rate or 0)
            for packet in container.demux(stream):
                packets += bool(packet.size)
                if packet.size and packet.dts is not None:
                    seconds = float((packet.dts - (stream.start_time or 0)) * packet.time_base)
                    reached = max(reached, seconds * fps + 1)
                for frame in packet.decode():
                    frames, first = frames + 1, first or frame
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"cannot read video {path}: {error}") from error
    if first is None:
        raise UserError(f"cannot read video {path}: it holds no frame")
    # AVI headers count empty chunks, which repeat a frame, so the time of the last packet counts too.
    if max(packets, reached) < stated - 1:
        raise UserError(f"cannot read video {path}: truncated, {packets} of {stated} frames are there")
    return VideoInfo(frames, fps, first.width, first.height)


def write_for_people(path: Path | str, frames: np.ndarray, fps: int) -> None:
    """Write an H.264 mp4 that browsers and players show, through scikit-video and the system's ffmpeg.

    Args:
        path: The file, ending in ``.mp4``; written whole or not at all.
        frames: uint8, (T, H, W, 3) in RGB, H and W even.
        fps: Frames per second.

    Raises:
        UserError: ffmpeg is missing, or the file cannot be written.
    """
    require_ffmpeg()
    with scikit_video() as skvideo, written_whole(path) as partial:
        writer = skvideo.io.FFmpegWriter(
            str(partial),
            inputdict={"-r": str(fps)},
            outputdict={
                "-r": str(fps),
                "-c:v": "libx264",
                "-crf": "20",
                "-pix_fmt": "yuv420p",
                "-threads": "1",
                "-movflags": "+faststart",
            },
        )
        for image in frames:
            writer.writeFrame(image)
        writer.close()
        # The writer does not tell whether ffmpeg got to the end.
        try:
            written = probe(partial).frames
        except UserError:
            written = 0
        if written != len(frames):
            raise UserError(f"cannot write {path}: ffmpeg left {written} of {len(frames)} frames; disk full?")


@contextmanager
def scikit_video() -> Iterator[ModuleType]:
    """Yield the module ``skvideo`` with its parts ``io``, ``measure`` and ``motion`` loaded.

    Version 1.1.11, the last one, uses the names ``numpy.int`` and ``numpy.float``, which numpy gave up. They
    are there as long as the block runs.
    """
    gone = [kind for kind in (int, float) if not hasattr(np, kind.__name__)]
    for kind in gone:
        setattr(np, kind.__name__, kind)
    try:
        import skvideo.io
        import skvideo.measure
        import skvideo.motion

        yield skvideo
    finally:
        for kind in gone:
            delattr(np, kind.__name__)


def require_ffmpeg() -> None:
    """Raise a UserError unless the programs ffmpeg and ffprobe are on the path."""
    missing = [program for program in ("ffmpeg", "ffprobe") if shutil.which(program) is None]
    if missing:
        raise UserError(
            f"{' and '.join(missing)} not found: install ffmpeg (on Debian: apt-get install ffmpeg) "
            "and see that it is on the PATH"
        )


def _converter():
    """Return ``convert(frame, pixel format)``.

    One converter for a whole video, in one thread: PyAV's default builds one per frame with a thread for
    each core, which takes longer than the decoding. The flags make its rounding the same on every processor.
    """
    from av.video.reformatter import Interpolation, VideoReformatter

    flags = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
    reformatter = VideoReformatter()
    return lambda frame, pixels: reformatter.reformat(frame, format=pixels, interpolation=flags, threads=1)


def _video_stream(container, name: str):
    if not container.streams.video:
        raise UserError(f"cannot read video {name}: it holds no picture stream")
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1
    return stream

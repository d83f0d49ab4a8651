"""The functions by which all other parts of the project read and write videos.

PyAV (libav in-process) encodes videos and decodes files (``reading``); Pillow reads folders of pictures
(``pictures``).
"""

import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kinefract.common.errors import UserError
from kinefract.common.files import written_whole
from kinefract.common.schema import digest_of
from kinefract.video import pictures, probing, reading
from kinefract.video.reading import VideoInfo

ENCODER = "libx264"
# The same bytes from the same library on every machine and at every call: in one thread, and without what
# x264 picks by processor, since in small pictures its AVX-512 code does not decide the same at every call.
FOR_PEOPLE = {"crf": "20", "threads": "1", "x264-params": "cpu-independent=1"}
# Clips are all fine grain: without CABAC, deblocking and B-frames they decode twice as fast, for a tenth more
# bytes.
ENCODER_OPTIONS = {
    "preset": "veryfast",
    "tune": "fastdecode",
    "threads": "1",
    "x264-params": "cpu-independent=1:bframes=0",
}


def encode(frames: np.ndarray, fps: int, crf: int) -> bytes:
    """Encode frames as H.264 in an mp4 container, in memory.

    Args:
        frames: uint8, (T, H, W) if grey or (T, H, W, 3) if RGB; H and W even.
        fps: Frames per second.
        crf: Quality from 0 (best) to 51. Even 0 stores colour at half the size and 220 levels of grey.

    Returns:
        The bytes of an mp4 file; the same frames give the same bytes.

    Raises:
        UserError: PyAV was built without the encoder.
    """
    return _encoded(frames, fps, ENCODER_OPTIONS | {"crf": str(crf)})


def decode(
    source: Path | str | bytes, indices: Sequence[int] | None = None, grey: bool = False
) -> np.ndarray:
    """Decode frames by their number, counted from 0 in presentation order.

    A number means the same frame in every container and at any frame rate: the one that decoding from the
    start would give. Only the parts that the given frames need are decoded (see ``reading``). Frames are
    rotated upright if the file states their orientation. Sound is ignored.

    Args:
        source: A file, the bytes of one, or a folder of pictures (see ``kinefract.video.pictures``).
        indices: The frames wanted, in any order, repeats allowed; all of them if ``None``.
        grey: Return luma alone.

    Returns:
        uint8, (len(indices), H, W, 3) in RGB, or (len(indices), H, W) if ``grey``.

    Raises:
        UserError: the file cannot be read, ends before the last frame wanted, or its frames differ in size.
    """
    if not isinstance(source, bytes) and Path(source).is_dir():
        return pictures.decode(source, indices, grey)
    return reading.decode(source, indices, grey)


def probe(path: Path | str) -> VideoInfo:
    """Count a video's frames by decoding them, since headers and packets miscount, and read its size.

    The number is that of the frames that ``decode`` gives. A file whose pictures are all there is whole, even
    if it lacks sound or an index at its end. Where a container states nothing about the rest of a file, a cut
    cannot be noticed: in MPEG-TS between two packets, in other streamed files between two frames (see
    ``kinefract.video.wholeness``).

    Args:
        path: A file, or a folder of pictures, which counts as 25 frames per second.

    Raises:
        UserError: the file is missing, empty, no video, was cut, or its frames differ in size. For a file
            that was cut the message says how much of it is there.
    """
    return pictures.probe(path) if Path(path).is_dir() else probing.probe(path)


def stamp(path: Path | str) -> list | None:
    """Return a fingerprint that changes with a video: size and time of the file, or of a folder's pictures.

    Returns:
        A JSON value; None if the path does not exist.
    """
    try:
        if Path(path).is_dir():
            inside = [(os.fsencode(entry.name).hex(), *_times(entry.stat())) for entry in os.scandir(path)]
            return ["folder", digest_of(sorted(inside))]
        return _times(Path(path).stat())
    except OSError:
        return None


def size(path: Path | str) -> int:
    """Return the bytes of a video: of its file, or of all files in a folder of pictures.

    Raises:
        OSError: there is no such video.
    """
    if Path(path).is_dir():
        return sum(entry.stat().st_size for entry in os.scandir(path))
    return Path(path).stat().st_size


def _times(facts: os.stat_result) -> list[int]:
    return [facts.st_size, facts.st_mtime_ns]


def write_for_people(path: Path | str, frames: np.ndarray, fps: int) -> None:
    """Write an H.264 mp4 that browsers and players show.

    Args:
        path: The file, ending in ``.mp4``; written whole or not at all.
        frames: uint8, (T, H, W, 3) in RGB, H and W even.
        fps: Frames per second.

    Raises:
        UserError: PyAV was built without the encoder, or the file cannot be written.
    """
    with written_whole(path) as partial:
        partial.write_bytes(_encoded(frames, fps, FOR_PEOPLE))


def _encoded(frames: np.ndarray, fps: int, options: dict[str, str]) -> bytes:
    import av

    pixels = "gray" if frames.ndim == 3 else "rgb24"
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        try:
            stream = container.add_stream(ENCODER, rate=fps, options=options)
        except av.codec.codec.UnknownCodecError:
            raise UserError(
                f"the installed PyAV (av {av.__version__}) has no encoder {ENCODER}; "
                "install the wheel of PyPI, which has it: pip install --force-reinstall --only-binary av av"
            ) from None
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        convert = reading.converter()
        for image in frames:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=pixels)
            container.mux(stream.encode(convert(frame, "yuv420p")))
        container.mux(stream.encode())
    return buffer.getvalue()

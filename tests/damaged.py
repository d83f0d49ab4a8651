"""Damaged videos of every kind that disks, networks and people make, for tests of reading them."""

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

FRAMES, HEIGHT, WIDTH = 30, 48, 64


def made_video(container: str, codec: str) -> bytes:
    """Return a whole video of 30 frames of a moving square, a key frame each ten frames."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream = output.add_stream(codec, rate=25, options={"g": "10", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(FRAMES):
            image = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
            image[10:30, number : number + 20] = (230, 200, 8 * number)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        output.mux(stream.encode())
    return buffer.getvalue()


def truncated(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: rng.integers(1, len(data))]


def bits_flipped(data: bytes, rng: np.random.Generator) -> bytes:
    damaged = np.frombuffer(data, np.uint8).copy()
    for place in rng.integers(0, len(data), rng.integers(1, 60)):
        damaged[place] ^= 1 << rng.integers(0, 8)
    return damaged.tobytes()


def header_flipped(data: bytes, rng: np.random.Generator) -> bytes:
    return bits_flipped(data[:300], rng) + data[300:]


def zeros_within(data: bytes, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(0, len(data)))
    end = min(len(data), start + int(rng.integers(1, 2000)))
    return data[:start] + bytes(end - start) + data[end:]


def piece_lost(data: bytes, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(0, len(data)))
    return data[:start] + data[start + int(rng.integers(1, 500)) :]


def huge_numbers(data: bytes, rng: np.random.Generator) -> bytes:
    """Set a box length, a table's count or a picture size in the header to all ones or near them."""
    starts = [at for at in range(len(data) - 12) if data[at : at + 4] in _FIELDS]
    at = int(rng.choice(starts))
    offset = _FIELDS[data[at : at + 4]]
    value = bytes(
        rng.choice([[255] * 4, [127, 255, 255, 255], [255, 255, 255, 127], [0, 0, 255, 255]]).tolist()
    )
    return data[: at + offset] + value + data[at + offset + 4 :]


# Where, counted from its name, a part of an mp4 or AVI file holds a length, a count or a size.
_FIELDS = {
    **{b"moov": -4, b"trak": -4, b"mdat": -4, b"stsd": 8, b"stts": 8, b"stsz": 12, b"stsc": 8, b"stco": 8},
    **{b"avc1": 28, b"tkhd": 80, b"hdrl": -8, b"avih": 40, b"strh": 40, b"strf": 12, b"movi": -8, b"idx1": 4},
}


def noise(data: bytes, rng: np.random.Generator) -> bytes:
    return rng.bytes(5000)


def noise_after_header(data: bytes, rng: np.random.Generator) -> bytes:
    return data[:100] + rng.bytes(5000)


def empty(data: bytes, rng: np.random.Generator) -> bytes:
    return b""


def text(data: bytes, rng: np.random.Generator) -> bytes:
    return b"<html><body>404 not found</body></html>\n" * int(rng.integers(1, 50))


def playlist(data: bytes, rng: np.random.Generator) -> bytes:
    return b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nwhole.ts\n"


def list_of_files(data: bytes, rng: np.random.Generator) -> bytes:
    return b"ffconcat version 1.0\nfile whole.mp4\n"


def archive(data: bytes, rng: np.random.Generator) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("clip.mp4", data)
    return buffer.getvalue()


def twice(data: bytes, rng: np.random.Generator) -> bytes:
    return data + data


def wrong_extension(data: bytes, rng: np.random.Generator) -> bytes:
    return data


CONTENTS: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    truncated,
    bits_flipped,
    huge_numbers,
    zeros_within,
    piece_lost,
    header_flipped,
    wrong_extension,
    noise_after_header,
    truncated,
    bits_flipped,
    huge_numbers,
    twice,
    noise,
    empty,
    text,
    playlist,
    list_of_files,
    archive,
)


def damaged_videos(folder: Path, count: int = 100, seed: int = 1) -> list[Path]:
    """Write ``count`` damaged videos into a folder and return their paths.

    Their names tell the number, the kind of damage and the container they were. The last four are no files:
    an empty folder, a folder with a broken picture, a link to nowhere, a pipe that nobody writes to.
    The files named ``wrong_extension`` are whole, under a name that says they are something else.
    """
    rng = np.random.Generator(np.random.Philox(seed))
    whole = {"mp4": made_video("mp4", "libx264"), "avi": made_video("avi", "mpeg4")}
    whole["ts"] = made_video("mpegts", "libx264")
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(count - 4):
        damage = CONTENTS[number % len(CONTENTS)]
        containers = ["mp4", "avi"] if damage in (huge_numbers, header_flipped) else list(whole)
        container = containers[int(rng.integers(len(containers)))]
        suffix = container if damage is not wrong_extension else str(rng.choice(["jpg", "txt", "mkv", "gif"]))
        paths.append(folder / f"{number:03}-{damage.__name__}-{container}.{suffix}")
        paths[-1].write_bytes(damage(whole[container], rng))
    names = ("empty_folder", "broken_pictures", "broken_link", "pipe")
    nothing, pictures, link, pipe = (
        folder / f"{count - 4 + at:03}-{name}.mp4" for at, name in enumerate(names)
    )
    nothing.mkdir()
    pictures.mkdir()
    (pictures / "1.jpg").write_bytes(b"\xff\xd8\xff" + rng.bytes(300))
    link.symlink_to(folder / "nowhere.mp4")
    os.mkfifo(pipe)
    return [*paths, nothing, pictures, link, pipe]

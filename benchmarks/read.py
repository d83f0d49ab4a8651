"""Measure the reading of videos: `python benchmarks/read.py [--videos FOLDER] [--json read.json]`.

Windows of frames at random places, each from a file opened anew, per second of one core; and the time it
takes to probe every video as an index does. Without a folder: on made clips of 320x240 in MPEG-4 (what XviD
writes) with a key frame each twelve frames.
"""

import argparse
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from kinefract import video
from kinefract.files import write_json
from kinefract.progress import progress
from kinefract.provenance import made_with

SUFFIXES = (".avi", ".mp4", ".mkv", ".webm", ".mov", ".ts")


def make_clips(folder: Path, clips: int = 8, frames: int = 250) -> None:
    """Write MPEG-4 clips in AVI in which a coloured texture drifts, about as large as those of UCF101."""
    import av

    for clip in range(clips):
        rng = np.random.Generator(np.random.Philox(clip))
        blocks = rng.integers(30, 226, (60, 80, 3), dtype=np.uint8)
        texture = blocks.repeat(8, 0).repeat(8, 1)
        with av.open(str(folder / f"{clip}.avi"), "w") as container:
            stream = container.add_stream("mpeg4", rate=25, options={"g": "12", "threads": "1"})
            stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 320, 240, "yuv420p", 400_000
            for number in range(frames):
                x, y = number, round(40 + 40 * np.sin(number / 20))
                image = np.ascontiguousarray(texture[y : y + 240, x : x + 320])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode())


def probed(paths: list[Path], workers: int) -> tuple[list[video.VideoInfo], float]:
    """Return what ``probe`` says of each file, and the seconds it took on the clock."""
    start = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        infos = list(progress(pool.map(video.probe, paths), "probing", len(paths), "files"))
    return infos, time.perf_counter() - start


def window_rate(
    paths: list[Path], infos: list[video.VideoInfo], windows: int, length: int, stride: int
) -> dict[str, float]:
    """Return windows and frames per second of process time, and milliseconds a window of the slowest file."""
    rng = np.random.Generator(np.random.Philox(1))
    spent = np.zeros(len(paths))
    counts = np.zeros(len(paths), int)
    for at in range(windows):
        file = at % len(paths)
        last = infos[file].frames - 1
        first = int(rng.integers(max(1, last - (length - 1) * stride + 1)))
        wanted = [min(first + stride * step, last) for step in range(length)]
        start = time.process_time()
        video.decode(paths[file], wanted)
        spent[file] += time.process_time() - start
        counts[file] += 1
    read = counts > 0
    return {
        "windows_per_second": windows / spent.sum(),
        "frames_per_second": windows * length / spent.sum(),
        "slowest_file_ms": 1000 * float((spent[read] / counts[read]).max()),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=Path, help="a folder with videos at any depth (default: made clips)")
    parser.add_argument("--windows", type=int, default=200, help="number of windows (default: 200)")
    parser.add_argument("--length", type=int, default=8, help="frames of a window (default: 8)")
    parser.add_argument("--stride", type=int, default=6, help="from one frame to the next (default: 6)")
    parser.add_argument(
        "--workers",
        type=int,
        default=min(8, os.cpu_count() or 1),
        help="threads that probe (default: all cores)",
    )
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as made:
        folder = options.videos or Path(made)
        if options.videos is None:
            make_clips(folder)
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not paths:
            parser.error(f"{folder} holds no video ({', '.join(SUFFIXES)})")
        infos, seconds = probed(paths, options.workers)
        figures = {
            "files": len(paths),
            "frames": sum(info.frames for info in infos),
            "probe": {
                "workers": options.workers,
                "seconds": seconds,
                "files_per_second": len(paths) / seconds,
            },
            "decode": window_rate(paths, infos, options.windows, options.length, options.stride),
        }
    decoded = figures["decode"]
    print(f"{figures['files']} files, {figures['frames']} frames")
    print(
        f"windows of {options.length} frames, stride {options.stride}: "
        f"{decoded['windows_per_second']:.1f} windows/s and core, "
        f"{decoded['frames_per_second']:.0f} frames/s; slowest file {decoded['slowest_file_ms']:.1f} ms"
    )
    print(f"probing: {seconds:.1f} s with {options.workers} threads, {len(paths) / seconds:.0f} files/s")
    if options.json:
        write_json(options.json, {**figures, "made_with": made_with(Path(__file__).parents[1])})


if __name__ == "__main__":
    main()

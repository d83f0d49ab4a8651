"""Measure the reading of videos: `python speed/read.py [--videos FOLDER] [--json read.json]`.

Windows of frames at random places, each from a file opened anew, per second of one core; the time it takes to
probe every video as an index does, first and again; and the memory of an evaluation, for more and for longer
videos. Without a folder: on made clips of 320x240 in MPEG-4 (what XviD writes) with a key frame each twelve
frames. With `--index`, the index folder of a benchmark: how long fine-tuning on it waits for its videos.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from kinefract import models, video
from kinefract.benchmarks import index
from kinefract.benchmarks.base import Entry, Video
from kinefract.benchmarks.probes import probe_all
from kinefract.common.files import write_json
from kinefract.common.provenance import made_with
from kinefract.config.phases import FinetuneRecipe
from kinefract.evaluation.evaluate import scores
from kinefract.objectives.supervised import Supervised
from kinefract.training.data import Videos
from kinefract.training.train import Execution, Training

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
                x, y = number % 300, round(40 + 40 * np.sin(number / 20))
                image = np.ascontiguousarray(texture[y : y + 240, x : x + 320])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode())


def probed(paths: list[Path], root: Path) -> tuple[list[Video], list[float]]:
    """Return the videos as an index lists them, and the seconds of probing them first and again."""
    entries = [Entry(str(path.resolve()), 0, "any", "test") for path in paths]
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        videos, problems = probe_all(entries, root, root)
        seconds.append(time.perf_counter() - start)
    for problem in problems:
        print(problem)
    return videos, seconds


def evaluation_memory(clips: int, frames: int) -> float:
    """Return the most MB that a process of its own takes to evaluate a network on made clips."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_evaluate_made, (clips, frames))


def _evaluate_made(clips: int, frames: int) -> float:
    recipe = FinetuneRecipe(threads=1)
    network = models.build("tsm_resnet18", 8, recipe.frames, 4, 0.0)
    with tempfile.TemporaryDirectory() as made:
        make_clips(Path(made), clips, frames)
        videos, _ = probed(sorted(Path(made).iterdir()), Path(made))
        scores(network, videos, recipe, 0, "evaluating")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def training_waits(folder: Path, clips: int, workers: int) -> dict[str, float]:
    """Return shares of a fine-tuning step, TSM ResNet-18 at 112 px on the first training videos."""
    videos = [entry for entry in index.read(folder) if entry.split == "train"]
    videos = videos[:: max(1, len(videos) // clips)][:clips]
    recipe = FinetuneRecipe(epochs=2, warmup_epochs=1, batch_size=16, threads=1)
    network = models.build("tsm_resnet18", 64, recipe.frames, 1 + max(v.label for v in videos), 0.5)
    with tempfile.TemporaryDirectory() as made:
        place = Path(made) / "checkpoint.pt"
        run = Training(
            *("id", recipe, 1, Supervised(network), Videos(videos), place, "fine-tuning"),
            Execution(workers),
        )
        run.fit()
    return run.history[-1]


def window_rate(
    paths: list[Path], infos: list[Video], windows: int, length: int, stride: int
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
    parser.add_argument("--index", type=Path, help="index folder of a benchmark to fine-tune on")
    parser.add_argument("--clips", type=int, default=64, help="training videos of it to take (default: 64)")
    parser.add_argument("--workers", type=int, default=1, help="processes that read for it (default: 1)")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as made:
        folder = options.videos or Path(made)
        if options.videos is None:
            make_clips(folder)
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not paths:
            parser.error(f"{folder} holds no video ({', '.join(SUFFIXES)})")
        with tempfile.TemporaryDirectory() as root:
            infos, seconds = probed(paths, Path(root))
        paths = [item.path for item in infos]
        figures = {
            "files": len(paths),
            "frames": sum(info.frames for info in infos),
            "probe_seconds": seconds,
            "decode": window_rate(paths, infos, options.windows, options.length, options.stride),
            "evaluation_mb": {
                f"{clips} videos of {frames} frames": evaluation_memory(clips, frames)
                for clips, frames in ((8, 250), (32, 250), (8, 2500))
            },
        }
        if options.index:
            figures["fine-tuning"] = training_waits(options.index, options.clips, options.workers)
    decoded = figures["decode"]
    print(f"{figures['files']} files, {figures['frames']} frames")
    print(
        f"windows of {options.length} frames, stride {options.stride}: "
        f"{decoded['windows_per_second']:.1f} windows/s and core, "
        f"{decoded['frames_per_second']:.0f} frames/s; slowest file {decoded['slowest_file_ms']:.1f} ms"
    )
    print(f"probing all of them: {seconds[0]:.1f} s, again {seconds[1]:.2f} s")
    for what, megabytes in figures["evaluation_mb"].items():
        print(f"evaluating {what}: at most {megabytes:.0f} MB")
    if options.index:
        step = figures["fine-tuning"]
        shares = ", ".join(f"{part} {step[f'{part}_share']:.1%}" for part in ("data", "augment", "network"))
        print(f"fine-tuning, TSM ResNet-18 at 112 px: {step['clips_per_second']:.1f} clips/s; {shares}")
    if options.json:
        write_json(options.json, {**figures, "made_with": made_with(Path(__file__).parents[1])})


if __name__ == "__main__":
    main()

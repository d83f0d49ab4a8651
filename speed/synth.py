"""Measure making clips: `python speed/synth.py [--clips 24] [--json synth.json]`.

Prints tables, and writes the same as JSON with versions and machine. Rates of one core are per second of
process time, so other work on the machine changes them little; first clips, memory and parallel jobs are
those of fresh processes. Where there is a GPU, its renderer is measured too.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from kinefract import video
from kinefract.common.files import sha256
from kinefract.common.provenance import made_with
from kinefract.synth import ifs
from kinefract.synth.dataset_recipe import DatasetRecipe
from kinefract.synth.families import FAMILIES
from kinefract.synth.families.fractal import FractalRecipe, instance
from kinefract.synth.stills import TEXTURES, Stills
from kinefract.synth.store.dataset import write_shard

PICTURES: dict[str, str] = {}  # root and digest of the folder, filled in before anything is measured
DRAWN, PICTURE_SIDE = 300, 512  # pictures in it, and their pixels a side: more than a process keeps

# What is measured: name, settings. Sizes are the method's (256 px, 18-20 frames, 128 x 7500 points a frame).
SETTINGS = {
    "fractal, linear motion": {"family": "fractal", "motion": "linear", "nonlinear_shapes": 0.0},
    "fractal, nonlinear motion": {"family": "fractal", "nonlinear_shapes": 0.0},
    "fractal, nonlinear shapes": {"family": "fractal", "nonlinear_shapes": 1.0},
    "fractal, method's mix": {"family": "fractal"},
    "fractal, still": {"family": "fractal", "motion": "still"},
    "fractal, quickstart": {
        "family": "fractal", "size": 72, "nonlinear_shapes": 0.0, "points": {"steps": 800, "discard": 50},
    },
    **{
        family: {"family": family, **next(iter(FAMILIES[family].EXAMPLES.values()))}
        for family in sorted(FAMILIES) if family != "fractal"
    },
    # At the size that vision transformers take; PICTURES is a folder of pictures, drawn for the purpose.
    "224 px, textured shapes": {"family": "shapes", "size": 224, "textures": list(TEXTURES)},
    "224 px, shapes of pictures": {"family": "shapes", "size": 224, "pictures": PICTURES},
    "224 px, pseudo_motion": {"family": "pseudo_motion", "size": 224},
    "224 px, pseudo_motion of pictures": {"family": "pseudo_motion", "size": 224, "pictures": PICTURES},
}  # fmt: skip
SMALL = {"family": "fractal", "size": 32, "frames": [6, 6], "points": {"steps": 250, "discard": 50}}
FIRST_CLIP = (
    "from kinefract.config import params; from kinefract.synth.families import FAMILIES as F; "
    "F.parse({}).clip(0)"
)
SHARD = (
    "import sys, json; from kinefract.synth.families import FAMILIES as F;"
    "from kinefract.synth.store.dataset import write_shard;"
    "write_shard(F.parse(json.loads(sys.argv[1])), 0, sys.argv[2]);"
    # Not getrusage, whose peak is that of the process before it became this program.
    "print(next(l for l in open('/proc/self/status') if l.startswith('VmHWM')).split()[1])"
)


def draw_pictures(folder: Path) -> None:
    """Draw a folder of JPEG pictures."""
    stills = Stills(TEXTURES, None, 1, PICTURE_SIDE)
    for number in range(DRAWN):
        Image.fromarray(stills.read(number)).save(folder / f"{number}.jpg", quality=90)
    names = sorted(path.name for path in folder.iterdir())
    lines = "".join(f"{sha256(folder / name)}  {name}\n" for name in names)
    PICTURES.update(root=str(folder), sha256=hashlib.sha256(lines.encode()).hexdigest())


def recipe_of(settings: dict, clips: int) -> DatasetRecipe:
    """Return a recipe of so many clips in one shard, two of each class."""
    return FAMILIES.parse(
        {"classes": -(-clips // 2), "clips_per_class": 2, "clips_per_shard": clips, **settings}
    )


def seconds_of(action, *arguments) -> tuple[float, object]:
    """Return the process time of a call, and its result."""
    start = time.process_time()
    result = action(*arguments)
    return time.process_time() - start, result


def rates(settings: dict, clips: int) -> dict[str, float]:
    """Return rates of one core: rendered, encoded, and written to a shard, classes drawn before."""
    recipe = recipe_of(settings, clips)
    rendering, encoding, size, redrawn = 0.0, 0.0, 0, 0
    for index in range(recipe.classes):
        recipe.draw(index)
    for index in range(clips):
        seconds, (frames, refused) = seconds_of(recipe.draw, index)
        rendering, redrawn = rendering + seconds, redrawn + (refused > 0)
        seconds, data = seconds_of(video.encode, frames, recipe.fps, recipe.crf)
        encoding, size = encoding + seconds, size + len(data)
    with tempfile.TemporaryDirectory() as folder:
        written, _ = seconds_of(write_shard, recipe, 0, folder)
    return {
        "points_per_second": points_per_second(recipe, clips) if settings["family"] == "fractal" else None,
        "rendered_per_second": clips / rendering,
        "encode_ms": 1000 * encoding / clips,
        "written_per_second": clips / written,
        "kilobytes": size / clips / 1000,
        "redrawn_share": redrawn / clips,
    }


def points_per_second(recipe: FractalRecipe, clips: int) -> float:
    """Return points of the chaos game alone per second, over the frames of these clips."""
    from kinefract.synth.render.cpu import render

    points, spent, window = 0, 0.0, (-2.0, -2.0, 2.0, 2.0)
    for index in range(clips):
        system, _ = instance(recipe, index, 0)
        maps = system.maps if recipe.moves else system.maps[:1]
        keys, game = np.arange(len(maps), dtype=np.uint64), recipe.points
        arguments = (maps, ifs.map_probabilities(maps), window, recipe.size, keys)
        seconds, _ = seconds_of(render, *arguments, game.chains, game.steps, game.discard, system.variation)
        points, spent = points + len(maps) * game.chains * game.steps, spent + seconds
    return points / spent


def first_clip(settings: dict) -> float:
    """Return seconds from the start of a process to its first clip, kernels compiled before."""
    program = FIRST_CLIP.format({"classes": 10, "clips_per_class": 1, **settings})
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return time.perf_counter() - start


def shard_job(settings: dict, clips: int) -> tuple[float, float]:
    """Return wall seconds and peak megabytes of a process that writes one shard."""
    settings = {"classes": 10, "clips_per_class": clips // 10, "clips_per_shard": clips, **settings}
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", SHARD, json.dumps(settings), folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - start, int(done.stdout.split()[-1]) / 1000


def gpu_rate() -> float | None:
    """Return clips per second of the GPU renderer at the method's settings; None where there is no GPU."""
    import torch

    if not torch.cuda.is_available():
        return None
    from kinefract.synth.render.gpu_clips import draw_clips

    recipe = recipe_of(SETTINGS["fractal, method's mix"], 512)
    draw_clips(recipe, range(64), "cuda")  # compiles
    torch.cuda.synchronize()
    start = time.perf_counter()
    for batch in range(0, 512, 64):
        draw_clips(recipe, range(batch, batch + 64), "cuda")
    torch.cuda.synchronize()
    return 512 / (time.perf_counter() - start)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=24, help="clips per setting (default: 24)")
    parser.add_argument("--only", help="measure only settings whose names hold this text")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()

    figures: dict[str, dict] = {"settings": {}, "shards": {}}
    print(
        f"{'one core':33} {'M points/s':>10} {'rendered/s':>10} {'encode, ms':>10} {'written/s':>10}", end=""
    )
    print(f" {'kB a clip':>10} {'redrawn':>8} {'first, s':>8} {'MB':>5}")
    pictures = tempfile.TemporaryDirectory()
    if any("picture" in name and (options.only or "") in name for name in SETTINGS):
        draw_pictures(Path(pictures.name))
    for name, settings in SETTINGS.items():
        if options.only and options.only not in name:
            continue
        row = rates(settings, options.clips)
        row["first_clip_s"] = first_clip(settings)
        row["megabytes"] = shard_job(settings, 20)[1]
        figures["settings"][name] = row
        points = f"{row['points_per_second'] / 1e6:.0f}" if row["points_per_second"] else ""
        print(
            f"{name:33} {points:>10} {row['rendered_per_second']:>10.1f} {row['encode_ms']:>10.1f} "
            f"{row['written_per_second']:>10.1f} {row['kilobytes']:>10.1f} {row['redrawn_share']:>8.1%} "
            f"{row['first_clip_s']:>8.2f} {row['megabytes']:>5.0f}",
            flush=True,
        )
    if not options.only:
        shard_job(SMALL, 100)
        print("\nshard jobs at 32 px, 6 frames, 250 steps")
        for jobs, clips in ((1, 100), (1, 1000), (1, 5000), (2, 1000)):
            with ThreadPoolExecutor(jobs) as pool:
                start = time.perf_counter()
                done = list(pool.map(lambda _, clips=clips: shard_job(SMALL, clips), range(jobs)))
                wall = time.perf_counter() - start
            figures["shards"][f"{jobs} x {clips}"] = {"wall_s": wall, "megabytes": max(mb for _, mb in done)}
            print(
                f"{jobs} job(s) of {clips:>5} clips: {wall:6.1f} s, {max(mb for _, mb in done):.0f} MB",
                flush=True,
            )
        figures["gpu_clips_per_second"] = gpu_rate()
        print(f"GPU renderer: {figures['gpu_clips_per_second'] or 'no GPU here'} clips/s")
    if options.json:
        made = made_with(Path(__file__).parents[1])
        options.json.write_text(json.dumps({**figures, "made_with": made}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Measure making fractal clips on one core: `python benchmarks/synth.py [--clips 12] [--json synth.json]`.

Prints a table, and writes the same as JSON with versions and machine. Times are process time, so other work
on the machine changes them little; the time to a first clip is the wall time of a fresh process.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from kinefract import video
from kinefract.provenance import made_with
from kinefract.synth.families.fractal import FractalRecipe, class_system

SETTINGS = {
    "method, 256 px": {"size": 256},
    "quickstart, 72 px": {"size": 72, "points": {"steps": 800, "discard": 50}},
}
FIRST_CLIP = (
    "from kinefract.synth.families.fractal import FractalRecipe as R; R(classes=1, clips_per_class=1).clip(0)"
)


def timed(action, *arguments) -> tuple[float, object]:
    """Return the process time of a call in seconds, and its result."""
    start = time.process_time()
    result = action(*arguments)
    return time.process_time() - start, result


def measure(settings: dict, clips: int) -> dict[str, float]:
    """Return milliseconds per clip to render and to encode, and bytes per clip."""
    recipe = FractalRecipe(classes=clips, clips_per_class=2, **settings)
    recipe.clip(0)
    rendering, encoding, size = 0.0, 0.0, 0
    for index in range(clips):
        class_system(recipe, recipe.label(index))
        seconds, frames = timed(recipe.clip, index)
        rendering += seconds
        seconds, data = timed(video.encode, frames, recipe.fps, recipe.crf)
        encoding, size = encoding + seconds, size + len(data)
    return {
        "render_ms": round(1000 * rendering / clips, 1),
        "encode_ms": round(1000 * encoding / clips, 1),
        "kilobytes": round(size / clips / 1000, 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=12, help="clips per setting (default: 12)")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()

    figures = {name: measure(settings, options.clips) for name, settings in SETTINGS.items()}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", FIRST_CLIP], check=True)
    first = round(time.perf_counter() - start, 2)
    print(f"{'setting':20} {'render, ms a clip':>18} {'encode, ms a clip':>18} {'kB a clip':>10}")
    for name, row in figures.items():
        print(f"{name:20} {row['render_ms']:>18} {row['encode_ms']:>18} {row['kilobytes']:>10}")
    print(f"start of a process to its first clip of 256 px, kernel compiled before: {first} s")
    if options.json:
        made = made_with(Path(__file__).parents[1])
        options.json.write_text(json.dumps({**figures, "first_clip_s": first, "made_with": made}, indent=2))


if __name__ == "__main__":
    main()

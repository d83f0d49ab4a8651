"""Measure augmentations of pre-training: `python benchmarks/augment.py [--threads 2] [--json augment.json]`.

Every effect alone, always on, and all of them as often as by default, for a batch of 32 clips of 8 frames at
112 px, grey, at the end of the curriculum. Prints a table, and writes the same as JSON with versions and
machine. Where there is a GPU it is measured too.
"""

import argparse
import json
import time
from pathlib import Path

import torch

from kinefract.augment.basic import augment
from kinefract.augment.filmed import filmed
from kinefract.augment.recipes import Filmed
from kinefract.augment.show import CAPTIONS, alone
from kinefract.provenance import made_with

CLIPS, FRAMES, SIZE = 32, 8, 112


def milliseconds(action, device: torch.device, repeats: int) -> float:
    """Return the least wall time of an action on a batch, per clip."""
    action()
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return 1000 * best / CLIPS


def measure(device: torch.device, repeats: int) -> dict[str, float]:
    """Return milliseconds per clip of every effect, of all, and of all with mirror, blur and normalising."""
    generator = torch.Generator().manual_seed(1)
    shape = (CLIPS, FRAMES, 1, SIZE, SIZE)
    clips = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8).to(device)
    recipes = {name: alone(name) for name in CAPTIONS} | {"all": Filmed()}
    figures = {
        name: milliseconds(lambda recipe=recipe: filmed(clips, recipe, 1.0, generator), device, repeats)
        for name, recipe in recipes.items()
    }

    def everything() -> None:
        augment(filmed(clips, Filmed(), 1.0, generator), 0.5, 0.5, generator)

    figures["all, mirror, blur, normalise"] = milliseconds(everything, device, repeats)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: 2)")
    parser.add_argument("--repeats", type=int, default=10, help="the least of so many is taken (default: 10)")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    devices = [torch.device("cpu")] + [torch.device("cuda")] * torch.cuda.is_available()
    figures = {device.type: measure(device, options.repeats) for device in devices}
    print(f"{'ms a clip':32}" + "".join(f"{device:>10}" for device in figures))
    for name in figures["cpu"]:
        print(f"{name:32}" + "".join(f"{row[name]:>10.2f}" for row in figures.values()))
    if options.json:
        made = made_with(Path(__file__).parents[1])
        options.json.write_text(json.dumps({**figures, "made_with": made}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

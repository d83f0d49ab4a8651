"""Measure augmentations of pre-training: `python speed/augment.py [--threads 2] [--json augment.json]`.

Every effect alone, always on, and all of them as often as by default, for a batch of 32 clips of 8 frames at
112 px, grey, at the end of the curriculum. Prints a table, and writes the same as JSON with versions and
machine. "one core" is process time of one thread, which other work on the machine changes little; several
threads wait for each other, so their time says little where others compute. A GPU is measured too if there is
one.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from kinefract.augment.basic import augment
from kinefract.augment.effects import EFFECTS, Filmed
from kinefract.augment.filmed import filmed
from kinefract.common.provenance import made_with

CLIPS, FRAMES, SIZE = 32, 8, 112


def milliseconds(action: Callable[[], object], clock: Callable[[], float], repeats: int) -> float:
    """Return the least time of an action on a batch, per clip."""
    action()
    spent = []
    for _ in range(repeats):
        start = clock()
        action()
        spent.append(clock() - start)
    return 1000 * min(spent) / CLIPS


def measure(device: str, clock: Callable[[], float], repeats: int) -> dict[str, float]:
    """Return such times of every effect, of all, and of all with mirror, blur and normalising."""
    generator = torch.Generator()
    shape = (CLIPS, FRAMES, 1, SIZE, SIZE)
    clips = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8).to(device)

    def look_filmed(recipe: Filmed) -> torch.Tensor:
        # The same draws each time, so that the least time is that of equal work.
        return filmed(clips, recipe, 1.0, generator.manual_seed(1))

    def everything() -> torch.Tensor:
        return augment(look_filmed(Filmed()), 0.5, 0.5, generator)

    recipes = {name: Filmed.model_validate({"only": [name], name: {"p": 1.0}}) for name in EFFECTS}
    recipes["all"] = Filmed()
    actions = {name: partial(look_filmed, recipe) for name, recipe in recipes.items()}
    actions["all, mirror, blur, normalise"] = everything
    return {name: milliseconds(action, clock, repeats) for name, action in actions.items()}


def gpu_clock() -> float:
    """Return the time at which the GPU is done with what it was given."""
    torch.cuda.synchronize()
    return time.perf_counter()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2, help="threads of the column cpu (default: 2)")
    parser.add_argument("--repeats", type=int, default=10, help="the least of so many is taken (default: 10)")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()

    torch.set_num_threads(1)
    figures = {"one core": measure("cpu", time.process_time, options.repeats)}
    torch.set_num_threads(options.threads)
    figures["cpu"] = measure("cpu", time.perf_counter, options.repeats)
    if torch.cuda.is_available():
        figures["cuda"] = measure("cuda", gpu_clock, options.repeats)
    print(f"{'ms a clip':32}" + "".join(f"{column:>10}" for column in figures))
    for name in figures["cpu"]:
        print(f"{name:32}" + "".join(f"{row[name]:>10.2f}" for row in figures.values()))
    if options.json:
        made = made_with(Path(__file__).parents[1])
        options.json.write_text(json.dumps({**figures, "made_with": made}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

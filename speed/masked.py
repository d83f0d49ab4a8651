"""Measure what masking saves: `python speed/masked.py [--backbone vit_small] [--size 64]`.

CPU seconds of a step (forward, backward, update) of the objective ``videomae``, whose encoder sees only the
patches that are not masked, against the same encoder on all patches (``supervised``). Both run in turns on
one core and the same clips.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

from kinefract.common.provenance import made_with
from kinefract.config.phases import PretrainRecipe
from kinefract.models import weights
from kinefract.models.seeded import reseed
from kinefract.training.train import optimizer_for

ROUNDS = 5
OBJECTIVES = ("videomae", "supervised")


def stepper(options: argparse.Namespace, objective: str):
    """Return a function that makes one step."""
    recipe = PretrainRecipe.model_validate(
        {
            **{"backbone": options.backbone, "size": options.size, "patch": options.patch, "frames": 8},
            **{"objective": objective, "batch_size": options.batch, "dropout": 0.0},
        }
    )
    network = recipe.built(1, recipe, 10, 0.0)
    made = weights.seeded(1, recipe.objective_recipe.build, network).train()
    optimizer = optimizer_for(made, recipe)
    shape = (options.batch, 8, 3, options.size, options.size)
    clips = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    labels, numbers = torch.arange(options.batch) % 10, torch.arange(options.batch)

    def step(number: int) -> None:
        reseed(made, number, clips.device)
        optimizer.zero_grad()
        made.outcome(made([clips]), labels, numbers, lambda tensor: tensor).loss.backward()
        optimizer.step()

    return step


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="vit_small")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--patch", type=int, default=8)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    torch.set_num_threads(1)
    steps = {objective: stepper(options, objective) for objective in OBJECTIVES}
    seconds: dict[str, list[float]] = {objective: [] for objective in OBJECTIVES}
    for number in range(ROUNDS + 1):
        for objective, step in steps.items():
            start = time.process_time()
            step(number)
            if number:  # the first one warms up
                seconds[objective].append(time.process_time() - start)
    figures = {objective: round(statistics.median(values), 4) for objective, values in seconds.items()}
    ratio = figures["videomae"] / figures["supervised"]
    print(f"CPU seconds of a step of {options.batch} clips: {figures}; masked over whole: {ratio:.2f}")
    if options.json:
        content = {**vars(options), "json": None, **figures, "ratio": ratio, "made_with": made_with(Path())}
        options.json.write_text(json.dumps(content, indent=1))


if __name__ == "__main__":
    main()

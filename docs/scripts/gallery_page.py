"""Draws docs/gallery.md anew: each family, setting, time curve and variation, as the code makes them."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import yaml

from kinefract.common.files import write_text
from kinefract.common.progress import progress
from kinefract.synth.families import FAMILIES
from kinefract.synth.families.fractal import FractalRecipe
from kinefract.synth.variations import METHOD_MIX, VARIATIONS
from kinefract.viewing.curves import CURVES, FPS, POINTS, curve_sheet
from kinefract.viewing.preview import CLIPS, SIZE, RecipeClips, example
from kinefract.viewing.sheets import moving_sheet
from kinefract.viewing.tiles import grid, in_colour, write

DOCS = Path(__file__).parents[1]
VARIATION_COLUMNS = 6


def write_gallery(folder: Path | str) -> None:
    """Write ``gallery.md`` into a folder, and its pictures into ``gallery/`` beside it.

    Raises:
        UserError: a file cannot be written.
    """
    folder = Path(folder)
    text = [
        "# Gallery",
        "What each family and its settings make, six clips of different classes side by side. "
        "`make pages` draws this page anew.",
    ]
    families = sorted(FAMILIES, key=lambda family: (family != "fractal", family))
    for family in progress(families, "gallery", unit="families"):
        recipe_class = FAMILIES[family]
        text += [f"## {family.replace('_', ' ').capitalize()}", _first_line(recipe_class)]
        for number, (caption, settings) in enumerate(recipe_class.EXAMPLES.items()):
            clips = moving_sheet(RecipeClips(example(family, settings)), range(CLIPS), CLIPS)
            text.append(_picture(folder, f"{family}-{number}.webp", f"{caption} {_written(settings)}", clips))
        if family == "fractal":
            text += [
                "### Time curves",
                "How far along its path each map is, and a clip whose maps all follow that curve.",
                *(_picture(folder, f"curve-{name}.webp", f"`{name}`", curve_sheet(name)) for name in CURVES),
                "### Flame variations",
                f"Values of `variations`, row by row: {_names(VARIATIONS)}. In bold the method's mix.",
                _picture(folder, "variations.png", "One picture of each.", variation_sheet(VARIATIONS)),
            ]
    write_text(folder / "gallery.md", "\n\n".join(text) + "\n")


def variation_sheet(names: Iterable[str], seed: int = 1) -> np.ndarray:
    """Show flame variations of one system, a picture each, in rows of six: uint8 (H, W, 3)."""
    pictures = []
    for name in names:
        settings = {"motion": "still", "nonlinear_shapes": 1.0, "variations": [name], "seed": seed}
        recipe = FractalRecipe(
            classes=1, clips_per_class=1, size=SIZE, frames=(2, 2), points=POINTS, **settings
        )
        pictures.append(in_colour(recipe.clip(0)[:1])[0])
    return grid(pictures, VARIATION_COLUMNS)


def _picture(folder: Path, name: str, caption: str, frames: np.ndarray) -> str:
    """Write a picture and return the Markdown that shows it."""
    write(folder / "gallery" / name, frames, FPS)
    return f"{caption.strip()}\n\n![{name.partition('.')[0]}](gallery/{name})"


def _written(settings: dict) -> str:
    """Return settings as YAML on one line, in brackets."""
    flow = yaml.safe_dump(
        json.loads(json.dumps(settings)), default_flow_style=True, sort_keys=False, width=1000
    )
    return f"(`{flow.strip()[1:-1]}`)" if settings else ""


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"**{name}**" if name in METHOD_MIX else name for name in names)


def _first_line(recipe_class: type) -> str:
    return (recipe_class.__doc__ or "").strip().splitlines()[0]


if __name__ == "__main__":
    write_gallery(DOCS)

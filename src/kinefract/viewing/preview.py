"""The clips of `kinefract preview`: a dataset, a family, one class, a flame variation or a time curve."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from kinefract.common.errors import UserError
from kinefract.common.layout import MANIFEST, PARAMS_FILE
from kinefract.common.schema import not_one_of, suggestion
from kinefract.config.locate import locate_dataset
from kinefract.synth.dataset_recipe import DatasetRecipe
from kinefract.synth.families import FAMILIES
from kinefract.synth.store.shards import Shards
from kinefract.synth.variations import NAMES, VARIATIONS
from kinefract.viewing import curves
from kinefract.viewing.sheets import Clips, moving_sheet, sheet
from kinefract.viewing.tiles import in_colour, write

MOST = 16  # clips side by side
CLIPS, SIZE = 6, 96  # of an example: classes of one clip each, and pixels a side


class RecipeClips:
    """The clips of a recipe, rendered as they are read; they are shown if no dataset has been made."""

    def __init__(self, recipe: DatasetRecipe) -> None:
        self.labels = np.arange(recipe.clips) % recipe.classes
        self._clip = lru_cache(maxsize=64)(recipe.clip)

    def read(self, index: int, *, grey: bool) -> np.ndarray:
        """Return uint8 frames (T, H, W, 3).

        Raises:
            ValueError: frames are asked for in grey.
        """
        if grey:
            raise ValueError("clips to look at are read in colour")
        return in_colour(self._clip(index))


@dataclass(frozen=True)
class Preview:
    """Sheets of clips for viewing: a still one with moments of the clips, and a moving one."""

    caption: str
    picture: np.ndarray  # uint8 (H, W, 3)
    motion: np.ndarray  # uint8 (T, H, W, 3)
    fps: int

    def write(self, path: Path | str) -> None:
        """Write the picture if ``path`` ends in .png, else the motion.

        Raises:
            UserError: an ending that is neither, or the file cannot be written.
        """
        write(path, self.picture if Path(path).suffix == ".png" else self.motion, self.fps)


def preview(
    dataset: str | None = None,
    family: str | None = None,
    label: int | None = None,
    variation: str | None = None,
    curve: str | None = None,
) -> Preview:
    """Return the preview of the given selection; clips are rendered if the dataset has not been made.

    Args:
        dataset: A dataset's folder, spec or name; its clips are read where it has been made and no variation
            is asked for, else rendered. Outside a project a family by name.
        family: Without a dataset, a family by name, its first example; fractals if there is neither.
        label: One class alone.
        variation: A flame variation, by name or number; fractals only.
        curve: A kind of time curve, instead of all else.

    Raises:
        UserError: there is no such dataset, family, class, variation or curve.
    """
    if curve is not None:
        if curve not in curves.CURVES:
            raise UserError(f"--curve: {not_one_of(curve, curves.CURVES)}")
        frames = curves.curve_sheet(curve)
        return Preview(f"time curve {curve}", frames[curves.FRAMES // 2], frames, curves.FPS)
    folder = None
    if dataset and dataset in FAMILIES and not (Path(dataset).exists() or Path(PARAMS_FILE).exists()):
        dataset, family = None, dataset  # outside a project no dataset has a name
    if dataset is not None:
        spec, folder = locate_dataset(dataset)
        recipe, caption = spec.recipe, spec.id
    else:
        recipe, caption = _of_family(family or "fractal"), family or "fractal"
    if variation is not None:
        recipe, folder = _with_variation(recipe, variation), None
        caption += f", variation {variation}"
    made = folder is not None and (folder / MANIFEST).exists()
    clips: Clips = Shards(folder) if folder and made else RecipeClips(recipe)
    chosen = None
    if label is not None:
        if not 0 <= label < recipe.classes:
            raise UserError(f"--class {label}: {caption} has classes 0 to {recipe.classes - 1}")
        chosen = list(range(label, recipe.clips, recipe.classes))[:MOST]
        caption += f", class {label}"
    picture = sheet(clips, None if label is None else [label])
    return Preview(caption, picture, moving_sheet(clips, chosen), recipe.fps)


def example(family: str, settings: dict[str, Any]) -> DatasetRecipe:
    """Return a small recipe of a family that shows settings: six classes of one clip each."""
    small = {"family": family, "classes": CLIPS, "clips_per_class": CLIPS, "size": SIZE}
    recipe: Any = FAMILIES.parse(small | settings)
    return recipe


def _of_family(family: str) -> DatasetRecipe:
    if family not in FAMILIES:
        raise UserError(f"--family: {not_one_of(family, FAMILIES)}")
    return example(family, next(iter(FAMILIES[family].EXAMPLES.values())))


def _with_variation(recipe: DatasetRecipe, variation: str) -> DatasetRecipe:
    if recipe.family != "fractal":
        raise UserError(f"--variation: clips of {recipe.family} have none")
    value: Any = int(variation) if variation.isdecimal() else variation
    if value not in VARIATIONS and value not in NAMES:
        close = suggestion(variation, VARIATIONS)
        raise UserError(f"--variation: {variation!r} is none{close}; there are {', '.join(VARIATIONS)}")
    changed = recipe.model_dump() | {"variations": [value], "nonlinear_shapes": 1.0}
    return type(recipe).model_validate(changed)

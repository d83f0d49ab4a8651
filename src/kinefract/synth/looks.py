"""What `kinefract preview` shows: a dataset, a family, one class, a flame variation or a time curve."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from kinefract.errors import UserError
from kinefract.locate import locate_dataset
from kinefract.schema import not_one_of, problem_lines
from kinefract.synth import gallery, preview
from kinefract.synth.families import FAMILIES
from kinefract.synth.recipes import DatasetRecipe
from kinefract.synth.shards import MANIFEST, Shards

MOST = 16  # clips side by side


@dataclass(frozen=True)
class Look:
    """Clips to look at: in moments, or moving."""

    caption: str
    picture: np.ndarray  # uint8 (H, W, 3)
    motion: np.ndarray  # uint8 (T, H, W, 3)
    fps: int

    def write(self, path: Path | str) -> None:
        """Write the picture if ``path`` ends in .png, else the motion.

        Raises:
            UserError: an ending that is neither, or the file cannot be written.
        """
        preview.write(path, self.picture if Path(path).suffix == ".png" else self.motion, self.fps)


def looks(
    dataset: str | None = None,
    family: str | None = None,
    label: int | None = None,
    variation: str | None = None,
    curve: str | None = None,
) -> Look:
    """Gather what is to be shown.

    Args:
        dataset: A dataset's folder, spec or name; its clips are read where it has been made and no variation
            is asked for, else rendered.
        family: Without a dataset, a family by name, as it is by default; fractals if there is neither.
        label: One class alone.
        variation: A flame variation, by name or number; fractals only.
        curve: A kind of time curve, instead of all else.

    Raises:
        UserError: there is no such dataset, family, class, variation or curve.
    """
    if curve is not None:
        if curve not in gallery.CURVES:
            raise UserError(f"--curve: {not_one_of(curve, gallery.CURVES)}")
        frames = gallery.curve_sheet(curve)
        return Look(f"time curve {curve}", frames[gallery.FRAMES // 2], frames, gallery.FPS)
    folder = None
    if dataset is not None:
        spec, folder = locate_dataset(dataset)
        recipe, caption = spec.recipe, spec.id
    else:
        recipe, caption = _of_family(family or "fractal"), family or "fractal"
    if variation is not None:
        recipe, folder = _with_variation(recipe, variation), None
        caption += f", variation {variation}"
    made = folder is not None and (folder / MANIFEST).exists()
    clips = Shards(folder) if made else preview.RecipeClips(recipe)
    chosen = None
    if label is not None:
        if not 0 <= label < recipe.classes:
            raise UserError(f"--class {label}: {caption} has classes 0 to {recipe.classes - 1}")
        chosen = list(range(label, recipe.clips, recipe.classes))[:MOST]
        caption += f", class {label}"
    picture = preview.sheet(clips, None if label is None else [label])
    return Look(caption, picture, preview.moving_sheet(clips, chosen), recipe.fps)


def _of_family(family: str) -> DatasetRecipe:
    if family not in FAMILIES:
        raise UserError(f"--family: {not_one_of(family, FAMILIES)}")
    return gallery.example(family, {})


def _with_variation(recipe: DatasetRecipe, variation: str) -> DatasetRecipe:
    if recipe.family != "fractal":
        raise UserError(f"--variation: clips of {recipe.family} have none")
    value: Any = int(variation) if variation.isdecimal() else variation
    changed = recipe.model_dump() | {"variations": [value], "nonlinear_shapes": 1.0}
    try:
        return type(recipe).model_validate(changed)
    except ValidationError as error:
        raise UserError("--variation: " + "; ".join(problem_lines(error))) from error

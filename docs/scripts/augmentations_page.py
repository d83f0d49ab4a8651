"""Draws docs/augmentations.md anew: every augmentation moving, below the clips it was made from."""

import textwrap
from pathlib import Path

import numpy as np
import torch

from kinefract.augment.effects import Filmed
from kinefract.augment.filmed import filmed
from kinefract.common.files import write_text
from kinefract.common.progress import progress
from kinefract.synth.dataset_recipe import Points
from kinefract.synth.families.fractal import FractalRecipe
from kinefract.viewing.tiles import side_by_side, write

DOCS = Path(__file__).parents[1]
CLIPS, FRAMES, SIZE, FPS = 6, 15, 96, 12
CAPTIONS = {
    "foreground": "Foreground scale and placement",
    "group": "Group: a second copy, turned, mirrored, earlier or later",
    "displacement": "Foreground displacement",
    "background": "Background: two still frames of other clips, or one that moves; mixed",
    "perspective": "Perspective",
    "camera": "Camera displacement",
    "zoom": "Zoom",
    "shake": "Shake",
    "rand_augment": "RandAugment: two operations at magnitude 7",
}

TINT = "Tint, which the paper does not have: `tint: {}` lights clip and background in colours"


def write_page(folder: Path | str) -> None:
    """Write ``augmentations.md`` into a folder, and its pictures into ``augmentations/`` beside it.

    Raises:
        UserError: a file cannot be written.
    """
    folder = Path(folder)
    clips = _clips()
    text = [
        "# Augmentations",
        textwrap.fill(
            "What makes formula-made clips look filmed (arXiv 2411.17584, section 4), each alone, always on "
            "and at full strength: above the clips, below what becomes of them. "
            "`make pages` draws this page anew.",
            120,
        ),
    ]
    pages = [
        (name, caption, Filmed.model_validate({"only": [name], name: {"p": 1.0}}))
        for name, caption in CAPTIONS.items()
    ]
    pages.append(("tint", TINT, Filmed.model_validate({"only": ["background"], "tint": {}})))
    pages.append(("all", "All of them, each as often as it is by default", Filmed()))
    for name, caption, recipe in progress(pages, "augmentations", unit="pictures"):
        made = filmed(clips, recipe, 1.0, torch.Generator().manual_seed(1))
        shown = [*_coloured(clips.float() / 255), *_coloured(made)]
        write(folder / "augmentations" / f"{name}.webp", side_by_side(shown, CLIPS), FPS)
        text.append(f"## {caption}\n\n![{name}](augmentations/{name}.webp)")
    write_text(folder / "augmentations.md", "\n\n".join(text) + "\n")


def _clips() -> torch.Tensor:
    """Render the clips that are shown: uint8 (CLIPS, FRAMES, 1, SIZE, SIZE)."""
    recipe = FractalRecipe(
        classes=CLIPS, clips_per_class=1, size=SIZE, frames=(FRAMES, FRAMES), points=Points(steps=3000)
    )
    return torch.from_numpy(np.stack([recipe.clip(index) for index in range(CLIPS)]))[:, :, None]


def _coloured(pictures: torch.Tensor) -> list[np.ndarray]:
    levels = (pictures * 255).round().to(torch.uint8).movedim(2, -1).numpy()
    return [np.repeat(clip, 3 // clip.shape[-1], axis=-1) for clip in levels]


if __name__ == "__main__":
    write_page(DOCS)

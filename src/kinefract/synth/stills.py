"""Numbered still pictures, of our own families or of a user's folder, for what is filled with pictures."""

from functools import lru_cache
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from kinefract.common.streams import stream
from kinefract.synth import pictures
from kinefract.synth.dataset_recipe import FAMILIES, DatasetRecipe
from kinefract.synth.pictures import Pictures

Texture = Literal["fractal", "perlin", "dead_leaves"]
TEXTURES: tuple[Texture, ...] = get_args(Texture)
# What makes a family's clips pictures: no motion, and enough in them to fill a frame. A system of a fractal
# needs fewer points as a texture than as a clip.
SETTINGS: dict[Texture, dict[str, Any]] = {
    "fractal": {
        "motion": "still",
        "classes": 1_000_000,
        "points": {"steps": 3000, "discard": 50, "window_steps": 600},
    },
    "perlin": {"classes": 256},
    "dead_leaves": {"motion": "linear", "classes": 1_000_000, "shapes": (40, 80)},
}
CONTRAST = 96  # levels by which the two colours of a grey picture differ at least, in each of R, G and B
KEPT = 128  # pictures of 256 px that a process keeps in memory; fewer if they are larger


class Stills(NamedTuple):
    """Where pictures come from.

    Attributes:
        textures: Families, each of which makes as many of the pictures.
        pictures: A folder of pictures in their place.
        seed: Seed of the families' pictures.
        side: Pixels a side of a family's picture, and most pixels of the shorter side of one of a folder.
    """

    textures: tuple[Texture, ...]
    pictures: Pictures | None
    seed: int
    side: int

    def read(self, number: int) -> np.ndarray:
        """Return picture ``number``, at least 0: uint8 (H, W, 3). Those of a folder repeat.

        Raises:
            UserError: the folder is not the one that is named, or the picture cannot be read.
        """
        if self.pictures is not None:
            found = pictures.listing(self.pictures)
            return pictures.read(found[number % len(found)], self.side)
        return _made(self, number)


@lru_cache(maxsize=KEPT)
def _made(stills: Stills, number: int) -> np.ndarray:
    """Render a picture by its number; a grey one gets two colours, of black and of white."""
    rng = stream(stills.seed, "still", number)
    family = stills.textures[rng.integers(len(stills.textures))]
    black = rng.integers(256, size=3)
    white = (black + rng.integers(CONTRAST, 256 - CONTRAST, size=3, endpoint=True)) % 256
    frame = _recipe(family, stills.seed, stills.side).clip(number)[0]
    if frame.ndim == 2:
        shades = np.rint(black + np.arange(256)[:, None] / 255 * (white - black)).astype(np.uint8)
        frame = shades[frame]
    frame.setflags(write=False)
    return frame


@lru_cache(maxsize=64)
def _recipe(family: Texture, seed: int, side: int) -> DatasetRecipe:
    common = {"family": family, "clips_per_class": 1, "size": side, "frames": (2, 2), "seed": seed}
    return FAMILIES.parse(common | SETTINGS[family])

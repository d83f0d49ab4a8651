"""The gallery: a page that shows each family, setting, time curve and variation, as this code makes them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from kinefract.files import write_text
from kinefract.progress import progress
from kinefract.synth import ifs, motion, preview
from kinefract.synth.families import FAMILIES
from kinefract.synth.families.fractal import FractalRecipe, System, render_clip
from kinefract.synth.recipes import DatasetRecipe, Points
from kinefract.synth.streams import stream
from kinefract.synth.variations import LINEAR, METHOD_MIX, VARIATIONS

CLIPS, SIZE, FPS, FRAMES = 6, 96, 12, 20
POINTS = Points(steps=4000)
CURVES = {"linear": None, "sharp": motion.sharp, "curve": motion.curve, "periodic": motion.periodic}
GRAPH = 32  # height in pixels of a time curve's graph
VARIATION_COLUMNS = 6
PEN, AXIS = (255, 170, 60), (110, 110, 110)


def write_gallery(folder: Path | str) -> None:
    """Write ``gallery.md`` into a folder, and its pictures into ``gallery/`` beside it.

    Raises:
        UserError: a file cannot be written.
    """
    folder = Path(folder)
    text = [
        "# Gallery",
        "What each family and its settings make, six clips of different classes side by side. "
        "`kinefract gallery docs` draws this page anew.",
    ]
    families = sorted(FAMILIES, key=lambda family: (family != "fractal", family))
    for family in progress(families, "gallery", unit="families"):
        recipe_class = FAMILIES[family]
        text += [f"## {family.replace('_', ' ').capitalize()}", _first_line(recipe_class)]
        for number, (caption, settings) in enumerate(recipe_class.EXAMPLES.items()):
            clips = preview.moving_sheet(preview.RecipeClips(example(family, settings)), range(CLIPS), CLIPS)
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


def example(family: str, settings: dict) -> DatasetRecipe:
    """Return a small recipe of a family that shows settings: six classes of one clip each."""
    small = {"family": family, "classes": CLIPS, "clips_per_class": CLIPS, "size": SIZE}
    return FAMILIES.parse(small | settings)


def curve_sheet(name: str, samples: int = 3, seed: int = 1) -> np.ndarray:
    """Show a kind of time curve: its graph, and below it a clip all of whose maps follow it.

    Args:
        name: linear, sharp, curve or periodic.
        samples: How many curves of the kind.
        seed: Seed of the curves; the systems are the same for all kinds.

    Returns:
        uint8 (T, H, W, 3).
    """
    clips = []
    for sample in range(samples):
        rng = stream(seed, "curve", sample)
        draw = CURVES[name]
        values = np.linspace(0, 1, FRAMES) if draw is None else draw(rng, FRAMES)
        start, end = ifs.sample_key_frames(stream(seed, "system", sample), 4)
        maps = ifs.compose(ifs.interpolate(start, end, values[:, None].repeat(4, axis=1)))
        frames = render_clip(System(maps, LINEAR), SIZE, POINTS, rng)
        if frames is None:
            raise RuntimeError(f"curve {name}, sample {sample}: the system explodes")
        graphs = np.stack([_graph(values, t) for t in range(FRAMES)])
        clips.append(np.concatenate([graphs, np.repeat(frames[..., None], 3, axis=3)], axis=1))
    return preview.side_by_side(clips, samples)


def variation_sheet(names: Iterable[str], seed: int = 1) -> np.ndarray:
    """Show flame variations of one system, a picture each, in rows of six: uint8 (H, W, 3)."""
    pictures = []
    for name in names:
        settings = {"motion": "still", "nonlinear_shapes": 1.0, "variations": [name], "seed": seed}
        recipe = FractalRecipe(
            classes=1, clips_per_class=1, size=SIZE, frames=(2, 2), points=POINTS, **settings
        )
        pictures.append(np.repeat(recipe.clip(0)[0][..., None], 3, axis=2))
    pictures += [np.zeros_like(pictures[0])] * (-len(pictures) % VARIATION_COLUMNS)
    return preview.tile(
        [pictures[i : i + VARIATION_COLUMNS] for i in range(0, len(pictures), VARIATION_COLUMNS)]
    )


def _graph(values: np.ndarray, now: int) -> np.ndarray:
    """Draw a time curve from -0.6 to 1 with a dot at frame ``now``: uint8 (GRAPH, SIZE, 3)."""
    image = Image.new("RGB", (SIZE, GRAPH), "black")
    pen = ImageDraw.Draw(image)
    x = 4 + np.arange(len(values)) * (SIZE - 9) / (len(values) - 1)
    y = 4 + (1 - values) / 1.6 * (GRAPH - 9)
    zero = 4 + (GRAPH - 9) / 1.6
    pen.line([(4, zero), (SIZE - 5, zero)], AXIS)
    pen.line(list(zip(x.tolist(), y.tolist(), strict=True)), PEN, 1)
    pen.ellipse([x[now] - 3, y[now] - 3, x[now] + 3, y[now] + 3], PEN)
    return np.asarray(image)


def _picture(folder: Path, name: str, caption: str, frames: np.ndarray) -> str:
    """Write a picture and return the Markdown that shows it."""
    preview.write(folder / "gallery" / name, frames, FPS)
    return f"{caption.strip()}\n\n![{name.partition('.')[0]}](gallery/{name})"


def _written(settings: dict) -> str:
    return f"(`{', '.join(f'{key}: {value}' for key, value in settings.items())}`)" if settings else ""


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"**{name}**" if name in METHOD_MIX else name for name in names)


def _first_line(recipe_class: type) -> str:
    return (recipe_class.__doc__ or "").strip().splitlines()[0]

"""Pictures of time curves: the graph of each, and a clip whose maps all follow it."""

import numpy as np
from PIL import Image, ImageDraw

from kinefract.common.streams import stream
from kinefract.synth import ifs, motion
from kinefract.synth.dataset_recipe import Points
from kinefract.synth.families.fractal import System, render_clip
from kinefract.synth.variations import LINEAR
from kinefract.viewing.tiles import in_colour, side_by_side

CURVES = {"linear": None, "sharp": motion.sharp, "curve": motion.curve, "periodic": motion.periodic}
SIZE, FPS, FRAMES = 96, 12, 20
POINTS = Points(steps=4000)
GRAPH = 32  # height in pixels of a time curve's graph
PEN, AXIS = (255, 170, 60), (110, 110, 110)


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
        clips.append(np.concatenate([graphs, in_colour(frames)], axis=1))
    return side_by_side(clips, samples)


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

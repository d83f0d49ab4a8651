"""The 3-D fractal family: iterated function systems in space, seen by a camera that circles them.

Degenerate systems are rejected by their parameters, before any rendering, as Putak, Moeslund, Haurum (arXiv
2602.11810) propose; ``systems3d`` holds the tests. The camera looks at the mean of the points, and the width
of its view is a multiple of their spread. Both have a closed form and are the same for all frames of a clip.

A class is a system and the camera's path. An instance perturbs coefficients as in the fractal family, by
curves over time if the system moves, and its camera starts at another place of the circle.
"""

from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from kinefract.common.errors import UserError
from kinefract.common.ranges import FloatRange, within
from kinefract.common.streams import stream
from kinefract.synth import ifs, motion, systems3d
from kinefract.synth.dataset_recipe import FAMILIES, DatasetRecipe, Points
from kinefract.synth.families import fractal
from kinefract.synth.render import camera

CLASS_ATTEMPTS = 1000
# Strengths of the perturbation, tried in turn until an instance is sound; the last one gives its class.
STRENGTHS = (*(1.0,) * 10, 0.8, 0.6, 0.4, 0.2, 0.0)
REACH = 1.8  # half the width of the view, in spreads


class Perturbation(fractal.Perturbation):
    """Settings of how far an instance differs from its class."""

    factor: float = Field(default=0.2, ge=0, lt=1)
    offset: float = Field(default=0.1, ge=0, le=100)


@FAMILIES.register
class Ifs3dRecipe(DatasetRecipe):
    """Settings of a dataset of fractals in space, seen by a moving camera (after arXiv 2602.11810).

    Distances are in spreads; a spread is the root mean square distance of the points from their mean.
    ``points.window_steps`` is not used.
    """

    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {
        "A camera circles a system.": {},
        "The system moves, too.": {"motion": "both"},
        "From close by.": {"distance": (1.5, 2.0)},
        "Without the test for degenerate systems.": {
            "limits": {"second_axis": 0.0, "third_axis": 0.0, "dimension": 0.0}
        },
        "Instances of one class.": {"classes": 1},
    }

    CHANNELS: ClassVar[int] = 1

    family: Literal["ifs3d"] = "ifs3d"
    motion: Literal["camera", "both"] = Field(
        default="camera", description="what moves: the camera, or the system between two key frames as well"
    )
    speed: Annotated[FloatRange, within(0, 90)] = Field(
        default=(4.0, 10.0), description="top speed of the camera, in degrees of its circle per frame"
    )
    elevation: Annotated[FloatRange, within(-90, 90)] = Field(
        default=(-30.0, 60.0), description="height around which the camera sways, in degrees"
    )
    sway: float = Field(default=15.0, ge=0, le=90, description="by how many degrees at most it sways")
    zoom: Annotated[FloatRange, within(0.1, 10)] = Field(
        default=(0.85, 1.25), description="focal length, as a factor"
    )
    distance: Annotated[FloatRange, within(0.5, 1000)] = Field(
        default=(2.5, 6.0), description="of the camera from the middle, in spreads"
    )
    start: float = Field(
        default=30.0, ge=0, le=180, description="an instance starts up to so many degrees off"
    )
    perturbation: Perturbation = Perturbation()
    limits: systems3d.Limits = systems3d.Limits()
    points: Points = Points()

    def render(self, index: int, attempt: int) -> np.ndarray:
        """Render one draw of clip ``index``: uint8 (T, size, size), its brightest pixel 255."""
        rng = stream(self.seed, "instance", index, attempt)
        scene = vary(class_scene(self, self.label(index)), self, rng)
        return render_clip(scene, self.size, self.points, rng)


class Scene(NamedTuple):
    """The system and the camera of a clip."""

    maps: np.ndarray  # float64 (T, N, 3, 4), or (1, N, 3, 4) of a system that stays as it is
    path: camera.Path  # of T frames
    distance: float  # in spreads


@lru_cache(maxsize=512)
def class_scene(recipe: Ifs3dRecipe, label: int) -> Scene:
    """Return the system and the camera of a class; T and N are drawn per class, too.

    Raises:
        UserError: none of 1000 systems is sound, so the recipe's limits leave no system.
    """
    for attempt in range(CLASS_ATTEMPTS):
        rng = stream(recipe.seed, "class", label, attempt)
        frames = int(rng.integers(*recipe.frames, endpoint=True))
        count = int(rng.integers(systems3d.FEWEST_MAPS, systems3d.MOST_MAPS, endpoint=True))
        curves = motion.sample_curves(rng, frames, count)
        maps = systems3d.sample_maps(rng, count, curves if recipe.motion == "both" else np.zeros((1, count)))
        if _sound(maps, recipe):
            path = camera.sample_path(rng, frames, recipe.speed, recipe.elevation, recipe.sway, recipe.zoom)
            return Scene(maps, path, rng.uniform(*recipe.distance))
    raise UserError(
        f"class {label} of family ifs3d: no sound system in {CLASS_ATTEMPTS} draws; widen `limits`"
    )


def _sound(maps: np.ndarray, recipe: Ifs3dRecipe) -> bool:
    return bool(systems3d.is_sound(maps, systems3d.map_probabilities(maps), recipe.limits).all())


def vary(scene: Scene, recipe: Ifs3dRecipe, rng: np.random.Generator) -> Scene:
    """Make an instance of a class, sound in every frame."""
    azimuth = scene.path.azimuth + rng.uniform(-recipe.start, recipe.start)
    for strength in STRENGTHS:
        maps = perturb(scene.maps, len(azimuth), recipe.perturbation, strength, rng)
        if _sound(maps, recipe):
            break
    return scene._replace(maps=maps, path=scene.path._replace(azimuth=azimuth))


def perturb(
    maps: np.ndarray, frames: int, by: Perturbation, strength: float, rng: np.random.Generator
) -> np.ndarray:
    """Multiply coefficients by smooth curves that the maps share, and add an offset to each.

    Args:
        maps: (T, N, 3, 4); or (1, N, 3, 4), for which the first value of each curve is used.
        frames: T.
        by: Ranges of factor and offset.
        strength: From 0 (nothing changes) to 1.
        rng: Random stream.

    Returns:
        float64, shaped as ``maps``.
    """
    count = maps.shape[1]
    factor, offset = strength * by.factor, strength * by.offset
    factors = motion.smooth_curves(rng, frames, 12, 1 - factor, 1 + factor)[: len(maps)]
    return maps * factors.reshape(-1, 1, 3, 4) + rng.uniform(-offset, offset, (count, 3, 4))


def render_clip(scene: Scene, size: int, points: Points, rng: np.random.Generator) -> np.ndarray:
    """Render one clip; the points of a system that does not move are computed once for all frames.

    Returns:
        uint8 (T, size, size).
    """
    from kinefract.synth.render.render3d import play, project
    from kinefract.synth.render.tone import box_sum, tone

    maps, path, distance = ifs.on_grid(scene.maps), scene.path, scene.distance
    probabilities = systems3d.map_probabilities(maps)
    mean, covariance = systems3d.moments(maps, probabilities)
    target = ifs.on_grid(mean.mean(axis=0))
    squares = np.trace(covariance, axis1=-2, axis2=-1) + ((mean - target) ** 2).sum(axis=-1)
    # The median is used, since one frame that nearly explodes does not change it.
    spread = float(ifs.on_grid(np.sqrt(np.median(squares))))
    cameras = camera.projections(path, target, distance * spread, REACH * spread, size)
    views = cameras[None] if len(maps) == 1 else cameras[:, None]
    counts = [
        project(play(system, chances, rng, points.chains, points.steps, points.discard), view, size)
        for system, chances, view in zip(maps, probabilities, views, strict=True)
    ]
    return tone(box_sum(np.concatenate(counts)))

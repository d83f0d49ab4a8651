"""Rates for what was never measured on this machine: rendering on a core, training on a GPU.

Those of rendering were measured on one core of an AMD EPYC (Zen 4) by ``speed/synth.py``. Those of training
are declared: nobody has measured them. A plan says which rate it uses.
"""

from kinefract.common.words import counted
from kinefract.config.phases import FinetuneRecipe, PretrainRecipe
from kinefract.config.specs import FinetuneSpec, PretrainSpec
from kinefract.synth.dataset_recipe import DatasetRecipe
from kinefract.synth.families.mixture import MixtureRecipe

START = 1.2  # seconds until a job of a shard renders its first clip (docs/performance.md)
SIZE = 256  # px of the clips of CLIPS
# Clips a second on one core, rendered, encoded and written (docs/performance.md).
CLIPS = {
    "fractal": 12.8,
    "dead_leaves": 28.8,
    "ifs3d": 18.7,
    "octopus": 12.1,
    "perlin": 30.3,
    "pseudo_motion": 16.3,
    "shapes": 25.2,
}
CALM = {"still": 62.5, "linear": 18.1, "nonlinear": 18.1}  # of fractals without nonlinear shapes, by motion
FRAMES, SIDE, WIDTH = 8, 112, 64  # of the clips and networks of TRAINED
# Clips a second that one GPU trains on in mixed precision, augmentation included. Declared.
TRAINED = {
    "tsm_resnet18": 900.0,
    "tsm_resnet50": 400.0,
    "tsm_mobilenetv2": 600.0,
    "x3d_m": 250.0,
    "x3d_l": 120.0,
    "x3d_xl": 60.0,
    "vit_tiny": 2000.0,
    "vit_small": 900.0,
    "vit_base": 300.0,
}
# Windows of a clip that a step passes through; of other objectives two.
VIEWS = {"supervised": 1.0, "multi_instance": 1.0, "videomae": 0.3}
PASS = 1 / 3  # of the time of a training step: the pass forward alone, as in an evaluation


def rendering(recipe: DatasetRecipe) -> tuple[float, str] | None:
    """Return the seconds that a core takes for a clip and the source of that; None for an unknown family."""
    if isinstance(recipe, MixtureRecipe):
        parts = [(part.share, rendering(part.recipe)) for part in recipe.parts]
        known = [share * found[0] for share, found in parts if found]
        if len(known) < len(parts):
            return None
        return sum(known) / sum(share for share, _ in parts), "its parts"
    rate = CLIPS.get(recipe.family)
    if rate is None:
        return None
    if not getattr(recipe, "nonlinear_shapes", 1.0):
        rate = CALM.get(getattr(recipe, "motion", ""), rate)
    seconds = (recipe.size / SIZE) ** 2 / rate
    return seconds, f"{rate:g} clips/s of {SIZE} px on a core of an AMD EPYC (docs/performance.md)"


def training(spec: PretrainSpec | FinetuneSpec, forward: bool = False) -> tuple[float, str] | None:
    """Return the seconds that a GPU takes for a clip in training, and the source of that.

    With ``forward`` they are those of a window of a test video, without the gradient. None for a training in
    full precision, which takes no GPU, and for an unknown network.
    """
    recipe: PretrainRecipe | FinetuneRecipe = spec.recipe
    network = spec.recipe if isinstance(spec, PretrainSpec) else spec.network
    rate = TRAINED.get(network.backbone)
    if recipe.precision == "32-true" or rate is None:
        return None
    views = 1.0 if isinstance(spec, FinetuneSpec) else VIEWS.get(spec.recipe.objective, 2.0)
    pixels = recipe.frames * recipe.size**2 / (FRAMES * SIDE**2)
    seconds = views * pixels * (network.width / WIDTH) ** 2 / rate * (PASS if forward else 1)
    about = f"{counted(recipe.frames, 'frame')} of {recipe.size} px"
    return seconds, f"{1 / seconds:,.0f} clips/s of {network.backbone}, {about}, on one GPU; not measured"

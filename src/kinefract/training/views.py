"""The network's input from windows of clips: one view of each clip, or a query and a key."""

from torch import Generator, Tensor

from kinefract.augment import rand_augment
from kinefract.augment.basic import as_pictures, augment
from kinefract.augment.filmed import filmed, reverse_together
from kinefract.config.phases import FinetuneRecipe, PretrainRecipe, TrainRecipe


def augmented(windows: Tensor, recipe: TrainRecipe, epochs: float, generator: Generator) -> list[Tensor]:
    """Augment and normalise a batch.

    If there are two views, the first, the query, gets all augmentations. The second, the key, gets scale,
    background, RandAugment, mirror and blur. Both are reversed in time together with probability 0.5 (arXiv
    2411.17584, section 4).

    Args:
        windows: uint8 (B, views, T, C, S, S), C 1 or 3, on the training device.
        recipe: The recipe of either phase. Pre-training may use the augmentations that imitate filming,
            fine-tuning may use RandAugment.
        epochs: Number of epochs done, for the curriculum.
        generator: A generator on the CPU.

    Returns:
        For each view normalised float32 (B, T, 3, S, S).
    """
    views = list(windows.unbind(1))
    settings = recipe.filmed if isinstance(recipe, PretrainRecipe) else None
    if len(views) > 1:
        views = reverse_together(views, generator)
    if settings:
        kinds = [settings] + [settings.of_the_key()] * (len(views) - 1)
        progress = settings.progress(epochs)
        views = [filmed(view, kind, progress, generator) for view, kind in zip(views, kinds, strict=True)]
    if isinstance(recipe, FinetuneRecipe) and recipe.rand_augment:
        views = [rand_augment.apply(as_pictures(view), recipe.rand_augment, generator) for view in views]
    return [augment(view, recipe.flip, recipe.blur, generator) for view in views]

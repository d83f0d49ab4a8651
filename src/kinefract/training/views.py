"""From windows of clips to what the network sees: one view of each, or a query and a key."""

from torch import Generator, Tensor

from kinefract.augment import rand_augment
from kinefract.augment.basic import as_pictures, augment
from kinefract.augment.filmed import filmed, reverse_together
from kinefract.config.phases import FinetuneRecipe, PretrainRecipe, TrainRecipe


def augmented(windows: Tensor, recipe: TrainRecipe, epochs: float, generator: Generator) -> list[Tensor]:
    """Augment and normalise a batch.

    Of two views the first, the query, gets everything; the second, the key, gets scale, background,
    RandAugment, mirror and blur. Both are run backwards together with probability 0.5 (arXiv 2411.17584,
    section 4).

    Args:
        windows: uint8 (B, views, T, C, S, S), C 1 or 3, on the training device.
        recipe: Of either phase; pre-training may ask for clips that look filmed, fine-tuning for RandAugment.
        epochs: How many are done, as far as the curriculum is concerned.
        generator: On the CPU.

    Returns:
        For each view float32 (B, T, 3, S, S), normalised.
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

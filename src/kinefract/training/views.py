"""The network's input from windows of clips: one view of each clip, or a query and a key."""

from collections.abc import Callable, Iterator

from torch import Generator, Tensor

from kinefract.augment import rand_augment
from kinefract.augment.basic import as_pictures, augment
from kinefract.augment.filmed import filmed, reverse_together
from kinefract.config.phases import FinetuneRecipe, PretrainRecipe, TrainRecipe
from kinefract.training.division import Division


def augmented(
    windows: Tensor,
    recipe: TrainRecipe,
    epochs: float,
    generator: Generator,
    division: Division | None = None,
    gather: Callable[[Tensor], Tensor] = lambda clips: clips,
) -> Iterator[list[Tensor]]:
    """Augment and normalise the clips of a batch that this process has, part after part.

    Draws and backgrounds do not depend on how the batch is divided. If there are two views, the first, the
    query, gets all augmentations. The second, the key, gets scale, background, RandAugment, mirror and blur.
    Both are reversed in time together with probability 0.5 (arXiv 2411.17584, section 4).

    Args:
        windows: uint8 (B, views, T, C, S, S), C 1 or 3, on the training device, in the order of the division.
        recipe: The recipe of either phase. Pre-training may use the augmentations that imitate filming,
            fine-tuning may use RandAugment.
        epochs: Number of epochs done, for the curriculum.
        generator: A generator on the CPU.
        division: The clips of this process and their parts; by default they are the batch, in one part.
        gather: Concatenates (B, ...) of every process.

    Yields:
        Of each part, for each view, normalised float32 (B / parts, T, 3, S, S).
    """
    division = division or Division(len(windows))
    views = list(windows.unbind(1))
    settings = recipe.filmed if isinstance(recipe, PretrainRecipe) else None
    if len(views) > 1:
        views = reverse_together(views, generator, division.share)
    batches: list[Tensor | None] = [None] * len(views)
    if settings and settings.background.p and division.size < division.batch:
        batches = [division.in_order(gather(view)) for view in views]
    drawn = generator.get_state()
    for part, share in enumerate(division.shares):
        generator.set_state(drawn)  # every part has the draws of the whole batch
        seen = [view.split(division.size)[part] for view in views]
        if settings:
            kinds = [settings] + [settings.of_the_key()] * (len(views) - 1)
            progress = settings.progress(epochs)
            seen = [
                filmed(view, kind, progress, generator, share, batch)
                for view, kind, batch in zip(seen, kinds, batches, strict=True)
            ]
        if isinstance(recipe, FinetuneRecipe) and recipe.rand_augment:
            seen = [
                rand_augment.apply(as_pictures(view), recipe.rand_augment, generator, share) for view in seen
            ]
        yield [augment(view, recipe.flip, recipe.blur, generator, share) for view in seen]

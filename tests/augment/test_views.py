"""From windows to what the network sees: which view gets what."""

import numpy as np
import torch

from kinefract.augment.basic import normalise
from kinefract.augment.effects import Filmed
from kinefract.augment.filmed import camera_maps, reverse_together
from kinefract.common.share import Share
from kinefract.config.phases import FinetuneRecipe, PretrainRecipe
from kinefract.training.views import augmented

EFFECTS = ("foreground", "group", "displacement", "background", "perspective", "camera", "zoom", "shake")
OFF = {name: {"p": 0.0} for name in (*EFFECTS, "rand_augment")}


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def noise(count=6, views=2, size=32, seed=3):
    shape = (count, views, 8, 1, size, size)
    return torch.randint(0, 256, shape, generator=generator(seed), dtype=torch.uint8)


def recipe(effects=None, **settings):
    """Return a recipe of two views and of nothing but these."""
    filmed = None if effects is None else Filmed(**(OFF | effects))
    return PretrainRecipe(**({"objective": "simclr", "flip": 0.0, "blur": 0.0, "filmed": filmed} | settings))


def seen(*arguments):
    """Return the views of a batch that one process takes whole."""
    (views,) = augmented(*arguments)
    return views


def as_it_was(view, windows, atol=1e-4):
    """Return for each clip whether a view shows it as it was, forwards or backwards."""
    plain = normalise(windows)
    return torch.stack(
        [(view - one).abs().flatten(1).amax(1) < atol for one in (plain, plain.flip(1))], 1
    ).any(1)


def test_windows_of_a_clip_run_backwards_together():
    views = [noise(40, 1, seed=1)[:, 0], noise(40, 1, seed=2)[:, 0]]
    reversed_views = reverse_together(views, generator(), Share.whole(40))
    same = [(new == old).flatten(1).all(1) for new, old in zip(reversed_views, views, strict=True)]
    back = [(new == old.flip(1)).flatten(1).all(1) for new, old in zip(reversed_views, views, strict=True)]
    assert torch.equal(same[0], same[1]) and torch.equal(back[0], back[1])
    assert (same[0] ^ back[0]).all() and 10 < same[0].sum() < 30


def test_the_key_gets_no_camera_and_the_query_does():
    key = Filmed().of_the_key()
    still = camera_maps(5, 8, 32, key, 1.0, generator())
    assert torch.allclose(still, torch.eye(3).expand_as(still))
    assert key.foreground.p == 1 and key.background.p == 1 and key.rand_augment.p == 1
    assert Filmed().perspective.p > 0


def test_views_are_normalised_and_coloured_clips_stay_so():
    windows = torch.randint(0, 256, (4, 2, 8, 3, 32, 32), generator=generator(), dtype=torch.uint8)
    recipe = PretrainRecipe(filmed=Filmed(), objective="simclr", size=32)
    query, key = seen(windows, recipe, 6.0, generator())
    for view in (query, key):
        assert view.shape == (4, 8, 3, 32, 32) and torch.isfinite(view).all()
        assert view.min() > -2.2 and view.max() < 2.7
    grey = seen(windows[:, :1, :, :1], recipe, 6.0, generator())[0]
    spread = (grey * torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)).diff(dim=2)
    assert np.allclose(spread.std((0, 1, 3, 4)), 0, atol=1e-5)


def test_two_views_run_backwards_together_and_one_view_never():
    windows = noise(40)
    backwards = [
        (view == normalise(windows[:, number]).flip(1)).flatten(1).all(1)
        for number, view in enumerate(seen(windows, recipe(), 0.0, generator()))
    ]
    assert torch.equal(*backwards) and 10 < backwards[0].sum() < 30
    alone = seen(windows[:, :1], recipe(objective="supervised"), 0.0, generator())[0]
    assert torch.equal(alone, normalise(windows[:, 0]))


def test_the_query_is_filmed_and_the_key_only_placed():
    windows = noise(8)
    for name in ("displacement", "perspective", "camera", "zoom", "shake", "group"):
        query, key = seen(windows, recipe({name: {"p": 1.0}}), 9.0, generator())
        assert as_it_was(key, windows[:, 1]).all() and not as_it_was(query, windows[:, 0]).any(), name
    for name in ("foreground", "background", "rand_augment"):
        effect = {"p": 1.0} | ({"magnitude": 20.0} if name == "rand_augment" else {})
        _, key = seen(windows, recipe({name: effect}), 9.0, generator())
        assert as_it_was(key, windows[:, 1]).sum() <= 1, name


def test_a_still_background_of_the_key_does_not_move():
    background = {"p": 1.0, "static": 1.0, "moved": 1.0}
    mixing = {"soft": 1.0, "alpha": (1.0, 1.0)}
    views = seen(noise(), recipe({"background": background, "mixing": mixing}), 9.0, generator())
    moving = [(view.diff(dim=1).abs().flatten(1).amax(1) > 0.1) for view in views]
    assert moving[0].all() and not moving[1].any()


def test_the_curriculum_follows_the_epochs():
    windows, only_placed = noise(), recipe({"foreground": {"p": 1.0}})
    assert all(
        as_it_was(view, windows[:, i]).all()
        for i, view in enumerate(seen(windows, only_placed, 0.0, generator()))
    )
    assert not any(
        as_it_was(view, windows[:, i]).any()
        for i, view in enumerate(seen(windows, only_placed, 5.0, generator()))
    )


def test_views_are_mirrored_and_blurred_as_often_as_either_is_set():
    windows = noise(6, 1)[:, 0]
    mirrored = seen(
        windows[:, None], FinetuneRecipe(flip=1.0, blur=0.0, rand_augment=None), 0.0, generator()
    )[0]
    assert torch.equal(mirrored, normalise(windows.flip(-1)))
    blurred = seen(windows[:, None], FinetuneRecipe(flip=0.0, blur=1.0, rand_augment=None), 0.0, generator())[
        0
    ]
    assert (blurred.std((1, 2, 3, 4)) < normalise(windows).std((1, 2, 3, 4))).all()


def test_fine_tuning_has_rand_augment_by_default():
    windows = noise(8, 1)[:, 0]
    plain = FinetuneRecipe(flip=0.0, blur=0.0, rand_augment=None)
    unchanged = seen(windows[:, None], plain, 0.0, generator())[0]
    assert torch.equal(unchanged, normalise(windows))
    changed = seen(windows[:, None], FinetuneRecipe(flip=0.0, blur=0.0), 0.0, generator())[0]
    assert (changed != unchanged).flatten(1).any(1).sum() >= 6

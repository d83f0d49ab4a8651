"""What is behind a clip and how both become one picture, on pictures whose outcome is known."""

import pytest
import torch

from kinefract.augment.effects import Filmed, Mixing
from kinefract.augment.filmed import background, filmed, mix
from kinefract.common.share import Share

EFFECTS = ("foreground", "group", "displacement", "background", "perspective", "camera", "zoom", "shake")
OFF = {name: {"p": 0.0} for name in (*EFFECTS, "rand_augment")}
BEHIND_ALONE = Mixing(soft=1.0, alpha=(1.0, 1.0), gamma=1.0, power=(1.0, 1.0))


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def behind(clips, seed=1, progress=1.0, others=None, **background):
    """Return the background alone, of nothing but these settings."""
    settings = {"p": 1.0, "static": 1.0, "moved": 0.0, "area": (1.0, 1.0)} | background
    recipe = Filmed(**(OFF | {"background": settings, "mixing": BEHIND_ALONE} | (others or {})))
    return filmed(clips, recipe, progress, generator(seed))


def dots(count, size=64, sigma=3.0):
    x = torch.arange(size) - (size - 1) / 2
    dot = torch.exp(-(x[:, None] ** 2 + x**2) / (2 * sigma**2))
    return (255 * dot).to(torch.uint8).expand(count, 8, 1, size, size)


def centres(pictures):
    """Return where the mean of the brightness is, in pixels: (B, T), along x and y."""
    x, weights = torch.arange(pictures.shape[-1]).float(), pictures[:, :, 0]
    total = weights.sum((-1, -2))
    return torch.stack([(weights.sum(-2) * x).sum(-1), (weights.sum(-1) * x).sum(-1)], -1) / total[..., None]


def test_mixing_is_the_stated_mean_or_the_greater():
    shown, behind = torch.full((4, 1, 1, 2, 2), 0.6), torch.full((4, 1, 1, 2, 2), 0.9)
    soft = mix(
        shown,
        behind,
        Mixing(soft=1.0, alpha=(0.4, 0.4), gamma=0.75, power=(0.8, 0.8)),
        generator(),
        Share.whole(len(shown)),
    )
    assert torch.allclose(soft, torch.tensor((0.6 * 0.6**0.75 + 0.4 * 0.9**0.75) ** 0.8))
    assert torch.equal(mix(shown, behind, Mixing(soft=0.0), generator(), Share.whole(4)), behind)


def test_a_background_is_never_the_clip_itself():
    levels = torch.arange(1, 7, dtype=torch.uint8) * 40
    clips = levels.view(6, 1, 1, 1, 1).expand(6, 8, 1, 16, 16)
    for seed in range(20):
        # One that moves, since of two still ones the greater is seen.
        seen = (behind(clips, seed, static=0.0) * 255).round().amax((1, 2, 3, 4))
        assert not (seen == levels).any()
        assert set(seen.tolist()) <= set(levels.tolist())


def test_a_still_background_is_the_greater_of_two_frames():
    clips = torch.zeros(3, 8, 1, 16, 16, dtype=torch.uint8)
    clips[0, ..., :8], clips[1, ..., 8:] = 255, 255
    seen = [behind(clips, seed)[2] for seed in range(40)]  # the third clip has the others behind it
    halves = [
        (frames[..., 2:6].mean().round().item(), frames[..., 10:14].mean().round().item()) for frames in seen
    ]
    assert set(halves) == {(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)}
    assert 10 < halves.count((1.0, 1.0)) < 30


def test_a_still_background_is_still_and_of_any_moment():
    columns = (
        torch.eye(8, dtype=torch.uint8).repeat_interleave(4, 1) * 255
    )  # frame t lights columns from 4 t on
    clips = columns.view(1, 8, 1, 1, 32).expand(30, 8, 1, 32, 32)
    lit = behind(clips)[:, :, 0, 16, 1::4].round()  # (B, T, 8)
    assert (lit == lit[:, :1]).all()
    assert set(lit[:, 0].sum(1).tolist()) == {1.0, 2.0}
    assert (lit[:, 0].sum(0) > 0).all()


def test_a_moving_background_plays_a_frame_at_a_time():
    levels = torch.arange(1, 9, dtype=torch.uint8) * 30
    clips = levels.view(1, 8, 1, 1, 1).expand(40, 8, 1, 16, 16)
    moments = (behind(clips, static=0.0, window=0.5)[:, :, 0, 8, 8] * 255 / 30).round()
    assert set(moments.diff(dim=1).flatten().tolist()) == {-1.0, 0.0, 1.0}
    assert (moments.amax(1) - moments.amin(1)).max() == 3
    assert set(moments.flatten().tolist()) == set(range(1, 9))


def test_as_many_backgrounds_are_still_as_stated():
    clips = torch.arange(1, 9, dtype=torch.uint8).mul(30).view(1, 8, 1, 1, 1).expand(400, 8, 1, 8, 8)
    still = (behind(clips, static=0.8, window=1.0).diff(dim=1).abs().flatten(1).amax(1) < 1e-6).float().mean()
    assert 0.8 - 0.06 < still < 0.8 + 0.08  # a few of the others happen to stay


def test_only_still_backgrounds_are_on_a_path_as_often_as_stated():
    assert centres(behind(dots(8))).diff(dim=1).abs().max() < 1e-3
    assert centres(behind(dots(8), static=0.0, moved=1.0)).diff(dim=1).abs().max() < 1e-3
    assert (centres(behind(dots(8), moved=1.0)).diff(dim=1).abs().amax((1, 2)) > 0.5).all()
    share = (centres(behind(dots(200, 32), moved=0.3)).diff(dim=1).abs().amax((1, 2)) > 0.5).float().mean()
    assert 0.2 < share < 0.4


def test_a_background_may_move_faster_as_the_curriculum_grows():
    path = {"displacement": {"p": 0.0, "speed": (0.0, 1.0), "share": (1.0, 1.0)}}
    steps = [
        centres(behind(dots(30), progress=progress, moved=1.0, others=path)).diff(dim=1)[:, 3].norm(dim=-1)
        for progress in (0.0, 1.0)
    ]
    assert torch.allclose(steps[0], torch.tensor(1.0), atol=0.05)  # a pixel per frame at least
    assert steps[1].max() > 5


def test_a_crop_shows_the_stated_share_of_a_background():
    for area in (0.6, 0.8):
        growth = behind(dots(20), area=(area, area)).sum((2, 3, 4)) / (dots(20) / 255).sum((2, 3, 4))
        assert torch.allclose(growth, torch.tensor(1 / area), rtol=0.01)
    places = centres(behind(dots(200), area=(0.6, 0.6)))[:, 0] - 31.5
    most = 32 * (0.6**-0.5 - 1)  # so that no edge is seen
    assert most - 1 < places.abs().max() <= most + 0.1


def test_beyond_a_background_is_its_mirror_image():
    clips = torch.full((4, 8, 1, 32, 32), 255, dtype=torch.uint8)
    tilted = {"perspective": {"p": 1.0, "distortion": 0.6, "enlargement": 1.0}}
    assert behind(clips, others=tilted).min() > 0.999


def test_as_many_clips_have_a_background_as_stated():
    clips = torch.randint(0, 256, (200, 2, 1, 8, 8), generator=generator(), dtype=torch.uint8)
    changed = (behind(clips, p=0.5) - clips / 255).abs().flatten(1).amax(1) > 0.05
    assert 0.4 < changed.float().mean() < 0.6


def test_where_no_clip_has_a_background_all_is_drawn_and_nothing_made():
    shown, camera, states = torch.rand(3, 8, 1, 16, 16), torch.eye(3).expand(3, 8, 3, 3), []
    batch, share = (shown * 255).to(torch.uint8), Share.whole(3)
    for wanted in (torch.tensor([False, True, False]), torch.zeros(3, dtype=torch.bool)):
        drawn = generator()
        made = background(batch, camera, wanted, Filmed(), 1.0, drawn, share)
        assert (made is not None) == wanted.any()
        assert (mix(shown, made, Mixing(), drawn, share) is shown) == (made is None)
        states.append(drawn.get_state())
    assert torch.equal(*states)


@pytest.mark.parametrize("varied", ["alpha", "power"])
def test_weights_and_powers_are_drawn_per_clip_within_their_range(varied):
    fixed = {"alpha": (0.4, 0.4), "power": (1.0, 1.0)} | {varied: (0.2, 0.9)}
    shown, under = torch.full((300, 1, 1, 1, 1), 0.25), torch.full((300, 1, 1, 1, 1), 0.75)
    mixed = mix(shown, under, Mixing(soft=1.0, gamma=1.0, **fixed), generator(), Share.whole(300)).flatten()
    drawn = (mixed - 0.25) / 0.5 if varied == "alpha" else mixed.log() / torch.tensor(0.45).log()
    assert 0.2 - 1e-4 <= drawn.min() < 0.22 and 0.88 < drawn.max() <= 0.9 + 1e-4


def test_as_many_mixtures_are_soft_as_stated():
    shown, under = torch.full((1000, 1, 1, 1, 1), 0.2), torch.full((1000, 1, 1, 1, 1), 0.8)
    hard = mix(shown, under, Mixing(), generator(), Share.whole(len(shown))).flatten() == 0.8
    assert 0.03 < hard.float().mean() < 0.08

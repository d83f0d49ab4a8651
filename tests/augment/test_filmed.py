"""Each effect that makes clips look filmed, by what it does to pictures whose outcome is known."""

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from kinefract.augment import homography, paths
from kinefract.augment.filmed import camera_maps, filmed, mix, placement, reverse_together
from kinefract.augment.recipes import Displacement, Filmed, Mixing, Shake, Zoom, grown
from kinefract.augment.views import augmented
from kinefract.recipes import PretrainRecipe

EFFECTS = ("foreground", "group", "displacement", "background", "perspective", "camera", "zoom", "shake")
OFF = Filmed(**{name: {"p": 0.0} for name in (*EFFECTS, "rand_augment")})


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def only(**effects):
    """Return a recipe with all off but these."""
    return Filmed(**(OFF.model_dump() | effects))


def noise(count=6, frames=8, size=32, seed=3):
    return torch.randint(0, 256, (count, frames, 1, size, size), generator=generator(seed), dtype=torch.uint8)


def dots(count, frames, size=64):
    """Return clips with one soft dot in the middle."""
    x = torch.arange(size) - (size - 1) / 2
    dot = torch.exp(-(x[:, None] ** 2 + x**2) / 8)
    return (255 * dot).to(torch.uint8).expand(count, frames, 1, size, size)


def centres(pictures):
    """Return where the mean of the brightness is, in pixels: (B, T, 2), x and y."""
    size = pictures.shape[-1]
    weights = pictures[:, :, 0]
    x = torch.arange(size).float()
    total = weights.sum((-1, -2))
    return torch.stack([(weights.sum(-2) * x).sum(-1) / total, (weights.sum(-1) * x).sum(-1) / total], -1)


def test_with_all_off_a_clip_is_as_it_was():
    clips = noise()
    assert torch.allclose(filmed(clips, OFF, 1.0, generator()), clips.float() / 255, atol=1e-5)


@pytest.mark.parametrize("effect", EFFECTS)
def test_each_effect_changes_clips_and_differently_so(effect):
    # The same clip twelve times: what differs afterwards was drawn.
    clips = noise(1).expand(12, -1, -1, -1, -1)
    recipe = only(**{effect: getattr(Filmed(), effect).model_dump() | {"p": 1.0}})
    if effect == "background":
        recipe = recipe.model_copy(update={"mixing": Mixing(soft=1.0)})
    made = filmed(clips, recipe, 1.0, generator())
    changed = [(one - clips[0].float() / 255).abs().max() > 0.05 for one in made]
    assert all(changed)
    assert len({one.sum().item() for one in made}) > 10
    assert torch.equal(made, filmed(clips, recipe, 1.0, generator()))
    assert not torch.equal(made, filmed(clips, recipe, 1.0, generator(2)))


@pytest.mark.parametrize("effect", ["displacement", "camera"])
def test_a_displacement_of_three_pixels_a_frame_moves_a_dot_three_pixels_a_frame(effect):
    speed = 3 * 8 / 64  # heights per clip of 8 frames
    path = {"p": 1.0, "speed": (speed, speed), "share": (1.0, 1.0)}
    steps = centres(filmed(dots(5, 8), only(**{effect: path}), 0.0, generator())).diff(dim=1)
    assert torch.allclose(steps.norm(dim=-1), torch.tensor(3.0), atol=0.03)
    assert torch.allclose(steps, steps[:, :1].expand_as(steps), atol=0.05)  # straight
    assert len({round(math.degrees(math.atan2(y, x))) for x, y in steps[:, 0].tolist()}) == 5


def test_a_path_is_at_rest_before_and_after():
    recipe = Displacement(p=1.0, speed=(0.2, 1.0), share=(0.1, 1.0))
    moved = paths.displacement(400, 8, 112, recipe, 1.0, generator()).diff(dim=1).norm(dim=-1) > 1e-6
    counts = moved.sum(1)
    assert counts.min() == 1 and counts.max() == 7  # at least two frames, up to all
    for row in moved.int().tolist():
        assert "101" not in "".join(map(str, row))  # one stretch
    slow = Displacement(p=1.0, speed=(0.0, 0.0), share=(1.0, 1.0))
    steps = paths.displacement(3, 8, 112, slow, 0.0, generator()).diff(dim=1).norm(dim=-1)
    assert torch.allclose(steps, torch.tensor(1 / 112))  # a pixel per frame at least


def test_magnitudes_grow_with_the_curriculum():
    recipe = Displacement(p=1.0, share=(1.0, 1.0))
    for progress, most in ((0.0, 0.2), (0.5, 0.6), (1.0, 1.0)):
        steps = paths.displacement(2000, 8, 1000, recipe, progress, generator()).diff(dim=1).norm(dim=-1) * 8
        assert steps.min() == pytest.approx(0.2, abs=0.01) and steps.max() == pytest.approx(most, abs=0.01)
    scales = placement(2000, Filmed(), 1.0, generator())[:, 0, 0]
    assert 0.3 <= scales.min() < 0.31 and 0.99 < scales.max() <= 1
    assert torch.allclose(placement(50, Filmed(), 0.0, generator())[:, 0, 0], torch.tensor(1.0))
    assert grown((1.0, 0.3), 0.5) == pytest.approx(0.65)
    assert [Filmed().progress(epochs) for epochs in (0, 2.5, 5, 9)] == [0.0, 0.5, 1.0, 1.0]
    assert Filmed(curriculum_epochs=0).progress(0) == 1.0


def test_the_foreground_stays_inside_the_frame():
    corners = torch.tensor([[x, y, 1.0] for x, y in homography.CORNERS])
    seen = placement(500, Filmed(), 1.0, generator()) @ corners.T
    assert seen[:, :2].abs().max() <= 1 + 1e-6 and seen[:, 0].std() > 0.3


@pytest.mark.parametrize("out", [0.0, 1.0])
def test_zoom_makes_a_disc_grow_by_the_stated_factor(out):
    x = torch.arange(96) - 47.5
    disc = (255.0 * (x[:, None] ** 2 + x**2 < 15**2)).to(torch.uint8).expand(3, 8, 1, 96, 96)
    zoom = {"p": 1.0, "speed": (0.8, 0.8), "share": (1.0, 1.0), "out": out}
    area = filmed(disc, only(zoom=zoom), 0.0, generator()).sum((2, 3, 4))
    growth = (area / area[:, :1]).sqrt()
    expected = 1 + 0.8 / 8 * torch.arange(8)
    expected = expected.flip(0) / expected[-1] if out else expected
    assert torch.allclose(growth, expected.expand(3, 8), atol=0.01)
    assert torch.equal(paths.zoom(4, 8, Zoom(p=0.0), 1.0, generator()), torch.ones(4, 8))


def test_shake_has_the_stated_deviation():
    for progress, low, high in ((0.0, 1.0, 2.0), (1.0, 2.0, 4.0)):
        path = paths.shake(300, 8, Shake(p=1.0), progress, generator()) * 112
        deviation = path.std(1, unbiased=False)
        assert low - 1e-4 <= deviation.min() < low + 0.1 and high - 0.1 < deviation.max() <= high + 1e-4
        assert path.mean(1).abs().max() < 1e-4


def test_perspective_takes_corners_where_it_says():
    corners = torch.tensor([[[-0.5, -0.9], [0.8, -0.6], [0.9, 0.7], [-0.7, 0.4]]])
    source = torch.tensor([[x, y, 1.0] for x, y in homography.CORNERS])
    seen = homography.perspective(corners)[0] @ source.T
    assert torch.allclose((seen[:2] / seen[2]).T, corners[0], atol=1e-5)


def test_a_composed_warp_is_the_effects_one_by_one():
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    smooth = (0.5 + 0.25 * torch.sin(x / 9) + 0.25 * torch.cos(y / 7))[None, None]
    maps = [
        homography.scale(torch.tensor(0.8), torch.tensor(0.9)),
        homography.rotate(torch.tensor(0.3)),
        homography.translate(torch.tensor(0.1), torch.tensor(-0.05)),
        homography.perspective(torch.tensor(homography.CORNERS)[None] * 0.9)[0],
    ]
    one_by_one, composed = smooth, torch.eye(3)
    for step in maps:
        one_by_one, composed = homography.warp(one_by_one, step[None]), step @ composed
    at_once = homography.warp(smooth, composed[None])
    inner = (slice(None), slice(None), slice(30, 66), slice(30, 66))
    assert (at_once - one_by_one)[inner].abs().max() < 0.02
    assert (at_once - smooth)[inner].abs().max() > 0.2


def test_warp_shifts_by_whole_pixels_exactly():
    pictures = noise(1)[0].float()
    shifted = homography.warp(pictures, homography.translate(torch.full((8,), 2 * 3 / 32), torch.zeros(8)))
    assert torch.allclose(shifted[..., 3:], pictures[..., :-3], atol=1e-2)
    assert shifted[..., :3].abs().max() < 1e-2


def test_the_copy_is_the_clip_at_another_time():
    # Each frame has a level of its own, and a shrunk frame a flat middle.
    levels = torch.arange(1, 9, dtype=torch.uint8) * 30
    clips = levels.view(1, 8, 1, 1, 1).expand(40, 8, 1, 48, 48)
    group = {"p": 1.0, "scale": (0.3, 0.3), "turn": 0.0, "flip": 0.0, "delay": 0.25}
    made = (filmed(clips, only(group=group), 1.0, generator()) * 255).round()
    delays = set()
    for clip in made:
        for number, frame in enumerate(clip[:, 0]):
            seen, counts = frame.unique(return_counts=True)
            seen = seen[(counts > 60) & (seen > 0)]
            others = [int(level) // 30 - 1 for level in seen if int(level) % 30 == 0]
            delays |= {number - other for other in others} if 2 <= number <= 5 else set()
    assert delays == {-2, -1, 0, 1, 2}
    before = filmed(clips, only(group=group), 0.5, generator())  # not until the curriculum is over
    assert torch.allclose(before, clips.float() / 255, atol=1e-5)


def test_mixing_is_the_stated_mean_or_the_greater():
    shown, behind = torch.full((4, 1, 1, 2, 2), 0.6), torch.full((4, 1, 1, 2, 2), 0.9)
    soft = mix(shown, behind, Mixing(soft=1.0, alpha=(0.4, 0.4), gamma=0.75, power=(0.8, 0.8)), generator())
    assert torch.allclose(soft, torch.tensor((0.6 * 0.6**0.75 + 0.4 * 0.9**0.75) ** 0.8))
    assert torch.equal(mix(shown, behind, Mixing(soft=0.0), generator()), behind)


def test_a_background_is_never_the_clip_itself():
    levels = torch.arange(1, 7, dtype=torch.uint8) * 40
    clips = levels.view(6, 1, 1, 1, 1).expand(6, 8, 1, 16, 16)
    recipe = only(background={"p": 1.0}).model_copy(
        update={"mixing": Mixing(soft=1.0, alpha=(1.0, 1.0), gamma=1.0, power=(1.0, 1.0))}
    )
    for seed in range(20):
        behind = (filmed(clips, recipe, 1.0, generator(seed)) * 255).round().amax((1, 2, 3, 4))
        assert not (behind == levels).any()
        assert set(behind.tolist()) <= set(levels.tolist())


def test_a_moving_background_wanders_a_frame_at_a_time_in_its_window():
    walk = paths.lazy_walk(500, 8, 0.5, generator())
    assert walk.min() == 0 and walk.max() == 7
    assert walk.diff(dim=1).abs().max() == 1
    width = walk.amax(1) - walk.amin(1) + 1
    assert width.max() == 4 and (width == 1).float().mean() < 0.2


def test_windows_of_a_clip_run_backwards_together():
    views = [noise(40, seed=1), noise(40, seed=2)]
    reversed_views = reverse_together(views, generator())
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
    query, key = augmented(windows, recipe, 6.0, generator())
    for view in (query, key):
        assert view.shape == (4, 8, 3, 32, 32) and torch.isfinite(view).all()
        assert view.min() > -2.2 and view.max() < 2.7
    grey = augmented(windows[:, :1, :, :1], recipe, 6.0, generator())[0]
    spread = (grey * torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)).diff(dim=2)
    assert np.allclose(spread.std((0, 1, 3, 4)), 0, atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"foreground": {"p": 1.5}},
        {"foreground": {"least_scale": (1.0, 0.0)}},
        {"displacement": {"speed": (-0.1, 1.0)}},
        {"zoom": {"share": (0.1, 2.0)}},
        {"shake": {"least": (3.0, 2.0)}},
        {"mixing": {"alpha": (0.5, 0.2)}},
        {"camera": {"spede": 1}},
    ],
)
def test_impossible_settings_are_rejected(settings):
    with pytest.raises(ValidationError):
        Filmed(**settings)

"""Each effect that makes clips look filmed, by what it does to pictures whose outcome is known."""

import colorsys
import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from kinefract.augment import homography, paths, rand_augment
from kinefract.augment.effects import Displacement, Filmed, Mixing, RandAugment, Tint, Zoom, scheduled
from kinefract.augment.filmed import camera_maps, colours, filmed, perspective_corners, placement
from kinefract.common.share import Share

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


@pytest.mark.parametrize(
    "effects", [("displacement",), ("camera",), ("displacement", "foreground"), ("displacement", "group")]
)
def test_a_displacement_of_three_pixels_a_frame_moves_a_dot_three_pixels_a_frame(effects):
    speed = 3 * 8 / 64  # heights per clip of 8 frames
    path = {"p": 1.0, "speed": (speed, speed), "share": (1.0, 1.0)}
    placed = {"foreground": {"least_scale": (0.7, 0.7)}, "group": {"p": 1.0, "scale": (0.7, 0.7)}}
    recipe = only(**{effects[0]: path}, **{name: placed[name] for name in effects[1:]})
    steps = centres(filmed(dots(5, 8), recipe, 1.0, generator())).diff(dim=1)
    assert torch.allclose(steps.norm(dim=-1), torch.tensor(3.0), atol=0.1)
    assert torch.allclose(steps, steps[:, :1].expand_as(steps), atol=0.1)  # straight
    assert len({round(math.degrees(math.atan2(y, x))) for x, y in steps[:, 0].tolist()}) == 5


@pytest.mark.parametrize("effect", ["displacement", "camera"])
def test_paths_grow_with_the_curriculum(effect):
    recipe = only(**{effect: {"p": 1.0, "speed": (0.0, 1.0), "share": (1.0, 1.0)}})
    slow, fast = (centres(filmed(dots(20, 8), recipe, progress, generator())) for progress in (0.0, 1.0))
    assert torch.allclose(slow.diff(dim=1).norm(dim=-1), torch.tensor(1.0), atol=0.03)
    assert fast.diff(dim=1)[:, 3].norm(dim=-1).max() > 5


def test_magnitudes_grow_with_the_curriculum():
    recipe = Displacement(p=1.0, share=(1.0, 1.0))
    for progress, most in ((0.0, 0.2), (0.5, 0.6), (1.0, 1.0)):
        steps = paths.displacement(2000, 8, 1000, recipe, progress, generator()).diff(dim=1).norm(dim=-1) * 8
        assert steps.min() == pytest.approx(0.2, abs=0.01) and steps.max() == pytest.approx(most, abs=0.01)
    scales = placement(2000, Filmed(), 1.0, generator())[:, 0, 0]
    assert 0.3 <= scales.min() < 0.31 and 0.99 < scales.max() <= 1
    assert torch.allclose(placement(50, Filmed(), 0.0, generator())[:, 0, 0], torch.tensor(1.0))
    assert scheduled((1.0, 0.3), 0.5) == pytest.approx(0.65)
    assert [Filmed().progress(epochs) for epochs in (0, 2.5, 5, 9)] == [0.0, 0.5, 1.0, 1.0]
    assert Filmed(curriculum_epochs=0).progress(0) == 1.0


def test_the_foreground_stays_inside_the_frame():
    corners = torch.tensor([[x, y, 1.0] for x, y in homography.CORNERS])
    seen = placement(500, Filmed(), 1.0, generator()) @ corners.T
    assert seen[:, :2].abs().max() <= 1 + 1e-6 and seen[:, 0].std() > 0.3


def test_width_and_height_of_the_foreground_are_drawn_apart():
    placed = placement(500, Filmed(), 1.0, generator())
    assert abs(torch.corrcoef(torch.stack([placed[:, 0, 0], placed[:, 1, 1]]))[0, 1]) < 0.15


def test_the_camera_tilts_then_moves_then_zooms_then_shakes():
    speed, growth = 0.5, 0.8
    path = {"p": 1.0, "speed": (speed, speed), "share": (1.0, 1.0)}
    zoom = {"p": 1.0, "speed": (growth, growth), "share": (1.0, 1.0), "out": 0.0}
    enlarged = {"p": 1.0, "distortion": 0.0, "enlargement": 1.4}
    maps = camera_maps(9, 8, 64, only(camera=path, zoom=zoom, perspective=enlarged), 1.0, generator())
    t = torch.arange(8.0)
    zoomed = 1 + growth / 8 * t
    assert torch.allclose(maps[..., 0, 0], (1.4 * zoomed).expand(9, 8), atol=1e-5)
    # The zoom enlarges the way the camera went, the tilt before it does not; a height is 2 wide.
    way = 2 * speed / 8 * (t - 3.5).abs() * zoomed
    assert torch.allclose(maps[..., :2, 2].norm(dim=-1), way.expand(9, 8), atol=1e-5)
    shaken = [camera_maps(9, 8, 64, only(shake={"p": 1.0}, zoom={"p": p}), 1.0, generator()) for p in (0, 1)]
    assert torch.allclose(shaken[0][..., :2, 2], shaken[1][..., :2, 2])


def test_corners_come_in_as_far_as_stated():
    inward = 1 - perspective_corners(1000, 0.7, generator()) / torch.tensor(homography.CORNERS)
    assert -1e-6 <= inward.min() < 0.01 and 0.69 < inward.max() <= 0.7 + 1e-6
    assert torch.corrcoef(inward.flatten(1).T).fill_diagonal_(0).abs().max() < 0.15


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


def test_the_copy_is_mirrored_and_turned_as_stated():
    full = {"p": 1.0, "scale": (1.0, 1.0), "delay": 0.0}
    half = torch.zeros(20, 8, 1, 32, 32, dtype=torch.uint8)
    half[..., :12] = 255
    mirrored = filmed(half, only(group=full | {"flip": 1.0, "turn": 0.0}), 1.0, generator())
    assert torch.allclose(mirrored, torch.maximum(half, half.flip(-1)) / 255, atol=1e-5)
    assert torch.allclose(
        filmed(half, only(group=full | {"flip": 0.0, "turn": 0.0}), 1.0, generator()), half / 255, atol=1e-5
    )
    spot = torch.zeros(100, 8, 1, 64, 64, dtype=torch.uint8)
    spot[..., 31:33, 58:60] = 255  # at the right, 27 px from the centre
    turned = filmed(spot, only(group=full | {"flip": 0.0, "turn": 60.0}), 1.0, generator())
    rows, columns = (place.float() - 31.5 for place in torch.where(turned[:, 0, 0] > 0.3)[1:])
    angles = torch.rad2deg(torch.atan2(rows, columns))
    assert -63 < angles.min() < -55 and 55 < angles.max() < 63


def test_operations_of_rand_augment_are_applied_after_the_camera():
    settings = {"p": 1.0, "magnitude": 20.0}
    clips = noise(30)
    zoom = {"p": 1.0, "speed": (0.8, 0.8), "share": (1.0, 1.0), "out": 0.0}
    made = filmed(clips, only(rand_augment=settings, zoom=zoom), 1.0, generator())
    numbers, signs = rand_augment.draw(30, RandAugment(**settings), generator())
    factors = 1 + 0.1 * torch.arange(8)
    maps = rand_augment.geometry(numbers, signs, 20.0)[:, None] @ homography.scale(factors, factors)
    warped = homography.warp(clips.flatten(0, 1).float() / 255, maps.flatten(0, 1)).unflatten(0, (30, 8))
    expected = rand_augment.photometry(warped, numbers, signs, 20.0)
    assert torch.allclose(made, expected, atol=1e-5)


@pytest.mark.parametrize("name", [*EFFECTS, "rand_augment"])
def test_an_effect_switched_off_leaves_the_draws_of_the_others(name):
    # An ablation compares clips that differ by the effect alone. Each is on in half, so that some stay.
    clips, settings = noise(40), {effect: {"p": 0.5} for effect in (*EFFECTS, "rand_augment")}
    states = generator(), generator()
    made = filmed(clips, Filmed(**settings), 1.0, states[0])
    without = filmed(clips, Filmed(**(settings | {name: {"p": 0.0}})), 1.0, states[1])
    same = (without == made).flatten(1).all(1).float().mean()
    assert abs(same - 0.5) < 0.25
    # And those of what comes after: both views, mirror and blur are drawn from one generator.
    assert torch.equal(*(state.get_state() for state in states))


def test_tint_lights_clip_and_background_each_in_a_colour():
    clips = noise(20)
    seen = []
    for alpha in (0.0, 1.0):  # the clip alone, the background alone
        mixing = {"soft": 1.0, "alpha": (alpha, alpha), "gamma": 1.0, "power": (1.0, 1.0)}
        settings = {"background": {"p": 1.0}, "mixing": mixing}
        grey = filmed(clips, only(**settings), 1.0, generator())
        lit = filmed(clips, only(**settings, tint={"saturation": (1.0, 1.0)}), 1.0, generator())
        assert lit.shape == (20, 8, 3, 32, 32)
        colour = (lit / grey.clamp_min(1e-6)).amax((1, 3, 4), keepdim=True)
        assert torch.allclose(lit, grey * colour, atol=1e-5)
        seen.append(colour.flatten(1))
        assert torch.allclose(seen[-1].amax(1), torch.ones(20), atol=1e-3) and seen[-1].amin(1).max() < 1e-3
    assert ((seen[0] - seen[1]).abs().amax(1) > 0.05).sum() > 15
    half = filmed(clips[10:], Filmed(tint={}), 1.0, generator(), Share(20, torch.arange(10, 20)), clips)
    assert torch.allclose(half, filmed(clips, Filmed(tint={}), 1.0, generator())[10:], atol=1e-5)
    plain = filmed(clips, only(tint={"p": 0.0}), 1.0, generator())
    assert torch.allclose(plain, (clips / 255).expand_as(plain), atol=1e-5)


def test_colours_have_every_hue_and_the_stated_saturation():
    drawn = colours(3000, Tint(p=0.5, saturation=(0.2, 0.4)), generator())[:, 0, :, 0, 0]
    most, least = drawn.amax(1), drawn.amin(1)
    assert torch.allclose(most, torch.ones(3000))
    lit = least < 1
    assert 0.45 < lit.float().mean() < 0.55
    assert 0.6 <= least[lit].min() < 0.61 and 0.79 < least[lit].max() <= 0.8
    hues = [colorsys.rgb_to_hsv(*colour)[0] for colour in drawn[lit].tolist()]
    assert max(np.histogram(hues, 6, (0, 1))[0]) < 1.3 * min(np.histogram(hues, 6, (0, 1))[0])


def test_clips_that_are_not_square_are_refused():
    with pytest.raises(ValueError, match="square frames, got 32 x 24"):
        filmed(noise()[..., :24], OFF, 1.0, generator())


@pytest.mark.parametrize(
    "settings",
    [
        {"foreground": {"p": 1.5}},
        {"foreground": {"least_scale": (1.0, 0.0)}},
        {"displacement": {"speed": (-0.1, 1.0)}},
        {"zoom": {"share": (0.1, 2.0)}},
        {"shake": {"least": (3.0, 2.0)}},
        {"mixing": {"alpha": (0.5, 0.2)}},
        {"tint": {"saturation": (0.0, 1.5)}},
        {"camera": {"spede": 1}},
    ],
)
def test_impossible_settings_are_rejected(settings):
    with pytest.raises(ValidationError):
        Filmed(**settings)


def test_effects_are_named_alone_or_left_out():
    only = Filmed.model_validate({"only": ["zoom"], "zoom": {"out": 0.0}})
    assert only.zoom.p == Filmed().zoom.p
    assert only.zoom.out == 0
    assert {only.shake.p, only.foreground.p, only.rand_augment.p, only.background.p} == {0}
    without = Filmed.model_validate({"without": ["zoom", "shake"]})
    assert without == Filmed.model_validate({"zoom": {"p": 0.0}, "shake": {"p": 0.0}})
    assert Filmed.model_validate({"without": []}) == Filmed()
    with pytest.raises(ValidationError, match="only: wants a list of effects"):
        Filmed.model_validate({"only": ["zooom"]})

"""RandAugment's operations on pictures whose outcome is known, drawn per clip."""

import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from kinefract.augment import homography
from kinefract.augment.effects import RandAugment
from kinefract.augment.rand_augment import FUNCTIONS, OPERATIONS, apply, draw, geometry, photometry


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def one(name, clips, magnitude=30.0, sign=1.0):
    numbers = torch.full((1, len(clips)), OPERATIONS.index(name))
    return photometry(clips.clone(), numbers, torch.full((1, len(clips)), sign), magnitude)


def clips(*levels):
    return torch.tensor(levels).view(len(levels), 1, 1, 1, 1).expand(-1, 2, 1, 4, 4).clone()


def test_levels_change_as_stated():
    half = clips(0.5, 0.2)
    assert torch.allclose(one("brightness", half, 10.0), half * 1.3)
    assert torch.allclose(one("brightness", half, 10.0, -1.0), half * 0.7)
    assert torch.allclose(one("solarize", half, 15.0), clips(0.5, 0.2))
    assert torch.allclose(one("solarize", clips(0.9, 0.2), 15.0), clips(0.1, 0.2))
    assert torch.allclose(one("posterize", clips(255 / 255, 100 / 255), 15.0), clips(252 / 255, 100 / 255))
    assert torch.allclose(one("contrast", half, 30.0), half)  # flat pictures have none
    assert torch.allclose(one("sharpness", half, 30.0), half, atol=1e-6)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_levels_are_those_of_pillow(channels, sign):
    picture = torch.randint(40, 200, (1, 1, channels, 24, 24), generator=generator(), dtype=torch.uint8)
    image = Image.fromarray(picture[0, 0].movedim(0, -1).squeeze(-1).numpy())
    factor = 1 + 0.9 * sign * 7 / 30
    expected = {
        "brightness": ImageEnhance.Brightness(image).enhance(factor),
        "colour": ImageEnhance.Color(image).enhance(factor),
        "contrast": ImageEnhance.Contrast(image).enhance(factor),
        "sharpness": ImageEnhance.Sharpness(image).enhance(factor),
        "posterize": ImageOps.posterize(image, 7),
        "solarize": ImageOps.solarize(image, 196),  # from 255 * (1 - 7 / 30) on
    }
    for name, other in expected.items():
        made = one(name, picture / 255, 7.0, sign)[0, 0].movedim(0, -1).squeeze(-1) * 255
        assert np.abs(made.numpy() - np.asarray(other, dtype=float)).max() < 2, name  # Pillow rounds twice


def test_contrast_and_colour_move_away_from_grey():
    picture = torch.rand(1, 2, 3, 8, 8, generator=generator()) * 0.2 + 0.4
    grey = (picture * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(2, keepdim=True)
    assert torch.allclose(one("colour", picture, 10.0), grey + 1.3 * (picture - grey), atol=1e-6)
    assert torch.allclose(
        one("contrast", picture, 10.0), grey.mean() + 1.3 * (picture - grey.mean()), atol=1e-6
    )


def test_sharpening_leaves_the_border_and_raises_a_peak():
    picture = torch.full((1, 1, 1, 5, 5), 0.2)
    picture[..., 2, 2] = 0.6
    smooth = (8 * 0.2 + 5 * 0.6) / 13
    made = one("sharpness", picture, 10.0)
    assert made[0, 0, 0, 2, 2].item() == pytest.approx(smooth + 1.3 * (0.6 - smooth), abs=1e-6)
    assert torch.allclose(made[..., 0, :], picture[..., 0, :])


def test_autocontrast_and_equalize_use_the_whole_range_of_a_clip():
    picture = torch.rand(2, 3, 1, 16, 16, generator=generator()) * 0.3 + 0.3
    stretched = one("autocontrast", picture)
    assert torch.allclose(stretched.amin((1, 2, 3, 4)), torch.zeros(2))
    assert torch.allclose(stretched.amax((1, 2, 3, 4)), torch.ones(2))
    even = one("equalize", picture.pow(3))
    for clip in even:
        assert torch.allclose(
            clip.flatten().quantile(torch.tensor([0.25, 0.5, 0.75])),
            torch.tensor([0.25, 0.5, 0.75]),
            atol=0.03,
        )
    flat = clips(0.4)
    assert torch.allclose(one("autocontrast", flat), flat) and torch.isfinite(one("equalize", flat)).all()


@pytest.mark.parametrize(
    ("name", "point", "seen"),
    [
        ("translate_x", (0.0, 0.0), (300 / 331, 0.0)),
        ("translate_y", (0.0, 0.0), (0.0, 300 / 331)),
        ("shear_x", (0.2, 1.0), (0.5, 1.0)),
        ("shear_y", (1.0, 0.2), (1.0, 0.5)),
        ("rotate", (1.0, 0.0), (math.cos(math.pi / 6), math.sin(math.pi / 6))),
    ],
)
def test_maps_take_points_where_stated(name, point, seen):
    maps = geometry(torch.full((1, 1), OPERATIONS.index(name)), torch.ones(1, 1), 30.0)
    found = maps[0] @ torch.tensor([*point, 1.0])
    assert torch.allclose(found[:2], torch.tensor(seen), atol=1e-6)


def test_operations_are_drawn_per_clip_and_as_often_as_stated():
    numbers, signs = draw(4000, RandAugment(), generator())
    assert numbers.shape == signs.shape == (2, 4000)
    shares = torch.bincount(numbers.flatten(), minlength=len(OPERATIONS)) / 8000
    assert (shares - 1 / len(OPERATIONS)).abs().max() < 0.01
    assert set(signs.unique().tolist()) == {-1.0, 1.0}
    none, _ = draw(50, RandAugment(p=0.0), generator())
    assert (none == OPERATIONS.index("identity")).all()


def test_an_operation_touches_only_clips_that_drew_it():
    pictures = torch.rand(3, 2, 1, 8, 8, generator=generator())
    numbers = torch.tensor([[0, OPERATIONS.index("solarize"), 0]])
    made = photometry(pictures.clone(), numbers, torch.ones(1, 3), 20.0)
    assert torch.equal(made[[0, 2]], pictures[[0, 2]]) and not torch.equal(made[1], pictures[1])
    assert all(name in OPERATIONS for name in FUNCTIONS)


def test_never_applied_it_is_the_identity():
    pictures = torch.rand(6, 2, 3, 8, 8, generator=generator())
    assert torch.equal(apply(pictures.clone(), RandAugment(p=0.0), generator()), pictures)
    assert torch.equal(apply(pictures.clone(), RandAugment(operations=0), generator()), pictures)


def test_each_clip_of_a_batch_gets_what_it_drew_in_all_its_frames():
    still = torch.rand(12, 1, 3, 16, 16, generator=generator()).expand(-1, 2, -1, -1, -1)
    recipe = RandAugment(operations=1, magnitude=20.0)
    together = apply(still.clone(), recipe, generator(3))
    assert torch.equal(together[:, 0], together[:, 1])
    numbers, signs = draw(12, recipe, generator(3))
    assert len(set(numbers[0].tolist())) > 4
    for clip in range(12):
        own = numbers[:, clip : clip + 1], signs[:, clip : clip + 1]
        moved = homography.warp(still[clip], geometry(*own, 20.0).expand(2, 3, 3))
        expected = photometry(moved[None].clone(), *own, 20.0)[0]
        assert torch.allclose(together[clip], expected, atol=2e-5), OPERATIONS[int(numbers[0, clip])]

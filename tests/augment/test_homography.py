"""Maps of the plane: where they take points, and that many in one are as one after the other."""

import torch

from kinefract.augment import homography


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


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
    pictures = torch.randint(0, 256, (8, 1, 32, 32), generator=generator()).float()
    shifted = homography.warp(pictures, homography.translate(torch.full((8,), 2 * 3 / 32), torch.zeros(8)))
    assert torch.allclose(shifted[..., 3:], pictures[..., :-3], atol=1e-2)
    assert shifted[..., :3].abs().max() < 1e-2


def test_nothing_is_seen_of_what_is_behind_the_viewer():
    # x of the source is seen at x / (1 + 3 x), so all seen beyond 1/3 would be behind.
    maps = homography.matrix([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [3.0, 0.0, 1.0]])[None]
    seen = homography.warp(torch.ones(1, 1, 64, 64), maps)
    x = (torch.arange(64) * 2 + 1) / 64 - 1
    assert (seen[..., x > 1 / 3] == 0).all()
    assert (seen[..., 31:33, (x > 0) & (x < 0.2)] > 0.99).all()


def test_turns_are_clockwise_and_shears_are_those_of_rows_and_columns():
    right, down = torch.tensor([1.0, 0.0, 1.0]), torch.tensor([0.0, 1.0, 1.0])
    quarter = homography.rotate(torch.tensor(torch.pi / 2))
    assert torch.allclose(quarter @ right, down, atol=1e-6)
    assert torch.allclose(homography.shear(0.5, 0.0) @ down, torch.tensor([0.5, 1.0, 1.0]))
    assert torch.allclose(homography.shear(0.0, 0.5) @ right, torch.tensor([1.0, 0.5, 1.0]))

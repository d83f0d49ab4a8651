"""RandAugment, drawn per clip and equal for all frames of a clip (Cubuk et al., arXiv 1909.13719).

Operations that move the picture are returned as maps. They are composed with those of the camera, so they
need no resampling of their own. The other operations change grey levels and colours in place.
"""

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn.functional import avg_pool2d

from kinefract.augment import homography
from kinefract.augment.effects import RandAugment
from kinefract.common.share import Share

MOST = 30.0  # the scale of magnitudes
GEOMETRY = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
PHOTOMETRY = (
    "brightness", "colour", "contrast", "sharpness", "posterize", "solarize", "autocontrast", "equalize",
)  # fmt: skip
OPERATIONS = ("identity", *GEOMETRY, *PHOTOMETRY)
GREY = (0.299, 0.587, 0.114)
BINS = 256


def draw(count: int, recipe: RandAugment, generator: Generator) -> tuple[Tensor, Tensor]:
    """Draw the operations of each clip.

    Returns:
        int64 (operations, B), indices into ``OPERATIONS``, and float32 of the same shape, the signs +1 or -1.
    """
    shape = (recipe.operations, count)
    numbers = torch.randint(len(OPERATIONS), shape, generator=generator)
    signs = torch.randint(2, shape, generator=generator) * 2.0 - 1.0
    applied = torch.rand(count, generator=generator) < recipe.p
    return numbers * applied, signs


def apply(clips: Tensor, recipe: RandAugment, generator: Generator, share: Share | None = None) -> Tensor:
    """Apply random operations to a batch, or a share of one; clips that are moved are resampled once.

    Args:
        clips: float (B, T, C, H, W) in [0, 1], C 1 or 3; changed in place.
        recipe: The number of operations, their magnitude and their probability.
        generator: A generator on the CPU, so that the draws do not depend on the device of the clips.
        share: Which clips of a batch these are; by default they are the whole batch.

    Returns:
        float, the same shape, in [0, 1].
    """
    share = share or Share.whole(len(clips))
    numbers, signs = (share.of(drawn, 1) for drawn in draw(share.total, recipe, generator))
    maps = geometry(numbers, signs, recipe.magnitude)
    (moved,) = torch.where((maps != torch.eye(3)).flatten(1).any(1))
    if len(moved):
        of_frames = maps[moved].repeat_interleave(clips.shape[1], 0).to(clips.device)
        places = moved.to(clips.device)
        warped = homography.warp(clips[places].flatten(0, 1), of_frames)
        clips[places] = warped.unflatten(0, (len(moved), -1))
    return photometry(clips, numbers, signs, recipe.magnitude)


def geometry(numbers: Tensor, signs: Tensor, magnitude: float) -> Tensor:
    """Return the composed map of the drawn operations that move the picture: (B, 3, 3)."""
    share = signs * magnitude / MOST
    maps = torch.eye(3).expand(numbers.shape[1], 3, 3)
    for number, amount in zip(numbers, share, strict=True):

        def of(name: str, most: float, number: Tensor = number, amount: Tensor = amount) -> Tensor:
            return torch.where(number == OPERATIONS.index(name), amount * most, 0.0)

        step = homography.shear(of("shear_x", 0.3), of("shear_y", 0.3))
        # The greatest shift is 150 of 331 pixels, and the frame is 2 wide.
        step = homography.translate(of("translate_x", 300 / 331), of("translate_y", 300 / 331)) @ step
        maps = homography.rotate(of("rotate", math.pi / 6)) @ step @ maps
    return maps


def photometry(clips: Tensor, numbers: Tensor, signs: Tensor, magnitude: float) -> Tensor:
    """Apply the drawn operations that change levels, each to the clips that drew it.

    Args:
        clips: float (B, T, C, H, W) in [0, 1], C 1 or 3; changed in place.
        numbers, signs: The tensors that ``draw`` returned.
        magnitude: 0 to 30.

    Returns:
        The same tensor as ``clips``.
    """
    for number, sign in zip(numbers, signs, strict=True):
        for name in PHOTOMETRY:
            (places,) = torch.where(number == OPERATIONS.index(name))
            if len(places):
                change = FUNCTIONS[name]
                amount = (sign[places] * magnitude / MOST).to(clips.device).view(-1, 1, 1, 1, 1)
                places = places.to(clips.device)
                clips[places] = change(clips[places], amount).clamp_(0, 1)
    return clips


def _blend(clips: Tensor, other: Tensor, amount: Tensor) -> Tensor:
    """Move levels away from ``other``, or towards it, by up to 0.9."""
    return other + (1 + 0.9 * amount) * (clips - other)


def _grey(clips: Tensor) -> Tensor:
    if clips.shape[2] == 1:
        return clips
    return (clips * torch.tensor(GREY, device=clips.device).view(3, 1, 1)).sum(2, keepdim=True)


def _smooth(clips: Tensor) -> Tensor:
    """Blur by a 3 x 3 kernel whose centre has five times the weight; the border is left unchanged."""
    images = clips.flatten(0, 1)
    inner = (9 * avg_pool2d(images, 3, stride=1) + 4 * images[..., 1:-1, 1:-1]) / 13
    images = images.clone()
    images[..., 1:-1, 1:-1] = inner
    return images.unflatten(0, clips.shape[:2])


def _posterize(clips: Tensor, amount: Tensor) -> Tensor:
    step = 2.0 ** (4 * amount.abs()).round()
    return ((clips * 255) / step).floor() * step / 255


def _solarize(clips: Tensor, amount: Tensor) -> Tensor:
    return torch.where(clips >= 1 - amount.abs(), 1 - clips, clips)


def _autocontrast(clips: Tensor, amount: Tensor) -> Tensor:
    low, high = clips.amin((1, 3, 4), keepdim=True), clips.amax((1, 3, 4), keepdim=True)
    return torch.where(high > low, (clips - low) / (high - low).clamp_min(1e-6), clips)


def _equalize(clips: Tensor, amount: Tensor) -> Tensor:
    """Equalise the histogram of each clip and channel."""
    levels = (clips * (BINS - 1)).round().long()  # (B, T, C, H, W)
    channels = levels.transpose(1, 2).flatten(2)  # (B, C, T * H * W)
    each = torch.arange(channels.shape[0] * channels.shape[1], device=clips.device).view(
        *channels.shape[:2], 1
    )
    counts = torch.bincount((channels + each * BINS).flatten(), minlength=each.numel() * BINS)
    counts = counts.view(-1, BINS).double()
    below = counts.cumsum(1) - counts  # as Pillow does: a level becomes the share of pixels below it
    most = torch.where(counts > 0, below, 0.0).amax(1, keepdim=True)
    same = torch.arange(BINS, device=clips.device) / (BINS - 1)
    spread = torch.where(most > 0, below / most.clamp_min(1), same).float()
    even = spread.view(*channels.shape[:2], BINS).gather(2, channels)
    return even.unflatten(2, (clips.shape[1], *clips.shape[3:])).transpose(1, 2)


FUNCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "brightness": lambda clips, amount: _blend(clips, torch.zeros_like(clips), amount),
    "colour": lambda clips, amount: _blend(clips, _grey(clips), amount),
    "contrast": lambda clips, amount: _blend(clips, _grey(clips).mean((1, 2, 3, 4), keepdim=True), amount),
    "sharpness": lambda clips, amount: _blend(clips, _smooth(clips), amount),
    "posterize": _posterize,
    "solarize": _solarize,
    "autocontrast": _autocontrast,
    "equalize": _equalize,
}

"""Augmentations that imitate filming (arXiv 2411.17584, section 4): foreground, background, camera.

All draws are made per clip, and the computation is batched. Each layer is resampled once: its placement and
the camera compose to one map per frame and clip. Of a batch some clips may be augmented alone (``Share``).

The paper leaves some points open. Here a path reaches its place in the middle of its movement; the camera
shakes after it zooms, moves and tilts; a background is continued by its mirror image.
"""

import math

import torch
from torch import Generator, Tensor

from kinefract.augment import homography, paths, rand_augment
from kinefract.augment.basic import as_pictures
from kinefract.augment.effects import Filmed, Mixing, Tint, scheduled
from kinefract.augment.paths import chosen, uniform
from kinefract.common.share import Share


def filmed(
    clips: Tensor,
    recipe: Filmed,
    progress: float,
    generator: Generator,
    share: Share | None = None,
    batch: Tensor | None = None,
) -> Tensor:
    """Apply the augmentations that imitate filming to a batch, or a share of one.

    Args:
        clips: uint8 (B, T, C, S, S), C 1 or 3.
        recipe: Settings of the augmentations: their probabilities and strengths.
        progress: Progress of the curriculum, 0 to 1.
        generator: A generator on the CPU, so that the draws do not depend on the device of the clips.
        share: Which clips of a batch these are; by default they are the whole batch.
        batch: uint8 (N, T, C, S, S), all clips of that batch, whose frames are backgrounds. If the recipe has
            no backgrounds it is not needed.

    Returns:
        float32 (B, T, C, S, S) in [0, 1], with C = 3 if the recipe has a tint.

    Raises:
        ValueError: the frames are not square, which would skew rotations and heights.
    """
    _, frames, _, size, width = clips.shape
    if width != size:
        raise ValueError(f"filmed wants square frames, got {size} x {width}")
    share, pictures = share or Share.whole(len(clips)), as_pictures(clips)
    batch = pictures if batch is None else batch
    numbers, signs = (
        share.of(drawn, 1) for drawn in rand_augment.draw(share.total, recipe.rand_augment, generator)
    )
    magnitude = recipe.rand_augment.magnitude
    camera = share.of(camera_maps(share.total, frames, size, recipe, progress, generator))
    camera = rand_augment.geometry(numbers, signs, magnitude)[:, None] @ camera

    shown = foreground(pictures, camera, recipe, progress, generator, share)
    with_background = share.of(chosen(share.total, recipe.background.p, generator))
    behind = background(batch, camera, with_background, recipe, progress, generator, share)
    if recipe.tint:
        lit, lit_behind = (share.of(colours(share.total, recipe.tint, generator)) for _ in range(2))
        shown = shown * lit.to(shown.device)
        behind = None if behind is None else behind * lit_behind.to(shown.device)
    mixed = mix(shown, behind, recipe.mixing, generator, share)
    if behind is not None and not with_background.all():
        mixed = torch.where(with_background.to(mixed.device).view(-1, 1, 1, 1, 1), mixed, shown)
    return rand_augment.photometry(mixed, numbers, signs, magnitude)


def camera_maps(
    count: int, frames: int, size: int, recipe: Filmed, progress: float, generator: Generator
) -> Tensor:
    """Draw the camera's maps: (B, T, 3, 3)."""
    corners = perspective_corners(count, recipe.perspective.distortion, generator)
    enlarged = homography.scale(recipe.perspective.enlargement, recipe.perspective.enlargement)
    tilted = enlarged @ homography.perspective(corners)
    tilted = torch.where(chosen(count, recipe.perspective.p, generator).view(-1, 1, 1), tilted, torch.eye(3))
    moved = paths.displacement(count, frames, size, recipe.camera, progress, generator)
    zoomed = paths.zoom(count, frames, recipe.zoom, progress, generator)
    shaken = paths.shake(count, frames, recipe.shake, progress, generator)
    maps = homography.scale(zoomed, zoomed) @ _shift(moved) @ tilted[:, None]
    return _shift(shaken) @ maps


def perspective_corners(count: int, distortion: float, generator: Generator) -> Tensor:
    """Draw where the frame's corners appear, each moved up to ``distortion`` of the way to the centre."""
    inward = 1 - uniform((count, 4, 2), 0, distortion, generator)
    return torch.tensor(homography.CORNERS) * inward


def foreground(
    pictures: Tensor, camera: Tensor, recipe: Filmed, progress: float, generator: Generator, share: Share
) -> Tensor:
    """Return the clips on black, some of them twice, as the camera sees them: float (B, T, C, S, S)."""
    (_, frames, _, size, _), count = pictures.shape, share.total
    path = _shift(paths.displacement(count, frames, size, recipe.displacement, progress, generator))
    placed = placement(count, recipe, progress, generator)
    twice = chosen(count, recipe.group.p if progress >= 1 else 0.0, generator)
    side = uniform(count, *recipe.group.scale, generator)
    # These are drawn for all clips, so that a clip's draws do not depend on those of others.
    copies = [_anywhere(side, side, generator) @ homography.scale(side, side) for _ in range(2)]
    turned = homography.rotate(uniform(count, -1, 1, generator) * math.radians(recipe.group.turn))
    mirrored = 1 - 2.0 * chosen(count, recipe.group.flip, generator)
    turned = turned @ homography.scale(mirrored, torch.ones(count))
    most = recipe.group.delay * frames
    delay = uniform(count, -most, most, generator).round().long()

    placed = share.of(torch.where(twice.view(-1, 1, 1), copies[0], placed))
    path, twice, delay, second = (share.of(drawn) for drawn in (path, twice, delay, copies[1] @ turned))
    shown = _warped(pictures, camera @ path @ placed[:, None])
    (pairs,) = torch.where(twice)
    if len(pairs):
        times = (torch.arange(frames) - delay[pairs, None]).clamp(0, frames - 1)
        where = pairs.to(pictures.device)
        later = pictures[where[:, None], times.to(pictures.device)]
        maps = camera[pairs] @ path[pairs] @ second[pairs, None]
        shown[where] = torch.maximum(shown[where], _warped(later, maps))
    return shown


def placement(count: int, recipe: Filmed, progress: float, generator: Generator) -> Tensor:
    """Draw size and place of the foreground, inside the frame: (B, 3, 3)."""
    least = scheduled(recipe.foreground.least_scale, progress)
    x, y = uniform((2, count), least, 1.0, generator)
    placed = _anywhere(x, y, generator) @ homography.scale(x, y)
    return torch.where(chosen(count, recipe.foreground.p, generator).view(-1, 1, 1), placed, torch.eye(3))


def background(
    batch: Tensor,
    camera: Tensor,
    wanted: Tensor,
    recipe: Filmed,
    progress: float,
    generator: Generator,
    share: Share,
) -> Tensor | None:
    """Return the backgrounds as the camera sees them: float (B, T, C, S, S), or ``None`` if no clip has one.

    ``batch`` (N, T, C, S, S), uint8 or float in [0, 1], has all clips of the batch. ``wanted``, bool (B,),
    marks the clips that have a background. If any has, backgrounds are computed for all, since the last
    digits of a power in ``mix`` depend on the place in the batch. The random draws are made in every case.
    """
    (_, frames, _, size, _), count = batch.shape, share.total
    settings = recipe.background
    others = _others(count, generator)
    second = _others(count, generator)
    moments = torch.randint(frames, (2, count), generator=generator)
    walk = paths.lazy_walk(count, frames, settings.window, generator)
    static = chosen(count, settings.static, generator)
    on_path = static & chosen(count, settings.moved, generator)
    always = recipe.displacement.model_copy(update={"p": 1.0})
    path = paths.displacement(count, frames, size, always, progress, generator)
    larger = uniform(count, *settings.area, generator).rsqrt()
    crop = _anywhere(larger, larger, generator) @ homography.scale(larger, larger)
    if not wanted.any():
        return None
    moved = share.of(_shift(path * on_path[:, None, None]))
    maps = camera @ moved @ share.of(crop)[:, None]

    times = share.of(torch.where(static[:, None], moments[:1].T, walk))
    others, second, moment, static = (share.of(drawn) for drawn in (others, second, moments[1], static))
    device = batch.device
    source = batch[others.to(device)[:, None], times.to(device)]  # (B, T, C, S, S)
    (still,) = torch.where(static)
    if len(still):
        where = still.to(device)
        stills = batch[second[still].to(device), moment[still].to(device), None]
        source[where] = torch.maximum(source[where], stills)
    return _warped(as_pictures(source), maps, "reflection")


def colours(count: int, recipe: Tint, generator: Generator) -> Tensor:
    """Draw a colour of full brightness for each clip: (B, 1, 3, 1, 1) in [0, 1], white for clips without."""
    hue = uniform((count, 1), 0, 6, generator)
    saturation = uniform((count, 1), *recipe.saturation, generator)
    saturation = saturation * chosen(count, recipe.p, generator)[:, None]
    # Each channel is full for a third of the wheel, absent for a third, and changes linearly between.
    full = 2 - ((hue - torch.tensor([0.0, 2.0, 4.0]) + 3) % 6 - 3).abs()
    return (1 - saturation * (1 - full.clamp(0, 1))).view(count, 1, 3, 1, 1)


def mix(shown: Tensor, behind: Tensor | None, recipe: Mixing, generator: Generator, share: Share) -> Tensor:
    """Mix foreground and background, float (B, T, C, S, S) in [0, 1].

    The result is ((1 - a) v^gamma + a b^gamma)^power, or the maximum of both. Without a background the
    foreground is returned. The random draws are made in every case.
    """
    shape = (-1, 1, 1, 1, 1)
    (hard,) = torch.where(~share.of(chosen(share.total, recipe.soft, generator)))
    alpha = share.of(uniform(share.total, *recipe.alpha, generator)).view(shape).to(shown.device)
    power = share.of(uniform(share.total, *recipe.power, generator)).view(shape).to(shown.device)
    if behind is None:
        return shown
    mixed = shown.pow(recipe.gamma).lerp_(behind.pow(recipe.gamma), alpha).pow_(power)
    if len(hard):
        hard = hard.to(shown.device)
        mixed[hard] = torch.maximum(shown[hard], behind[hard])
    return mixed


def reverse_together(views: list[Tensor], generator: Generator, share: Share) -> list[Tensor]:
    """Reverse all views of a clip in time with probability 0.5: tensors (B, T, C, H, W)."""
    backwards = share.of(chosen(share.total, 0.5, generator)).to(views[0].device).view(-1, 1, 1, 1, 1)
    return [torch.where(backwards, view.flip(1), view) for view in views]


def _others(count: int, generator: Generator) -> Tensor:
    """Draw for each clip another clip of the batch; in a batch of one, the clip itself."""
    return (torch.arange(count) + torch.randint(1, max(2, count), (count,), generator=generator)) % count


def _anywhere(x: Tensor, y: Tensor, generator: Generator) -> Tensor:
    """Draw a shift that keeps a picture of size x and y inside the frame, or the frame inside the picture."""
    places = uniform((2, len(x)), -1, 1, generator)
    return homography.translate(places[0] * (1 - x), places[1] * (1 - y))


def _shift(path: Tensor) -> Tensor:
    """Convert offsets (B, T, 2) in heights to maps (B, T, 3, 3)."""
    return homography.translate(2 * path[..., 0], 2 * path[..., 1])


def _warped(pictures: Tensor, maps: Tensor, padding: str = "zeros") -> Tensor:
    frames = pictures.flatten(0, 1)
    maps = maps.expand(*pictures.shape[:2], 3, 3).flatten(0, 1).to(pictures.device)
    return homography.warp(frames, maps, padding).unflatten(0, pictures.shape[:2])

"""Augmentations that make clips look filmed (arXiv 2411.17584, section 4): foreground, background, camera.

All is drawn per clip, and batched. Geometry composes: where a layer is put, and the camera that looks at it,
are one map per frame and clip, so each layer is resampled once.

Where the paper is silent: paths are half-way in their middle; the camera shakes after it zooms, moves and
tilts; beyond a background there is its mirror image.
"""

import math

import torch
from torch import Generator, Tensor

from kinefract.augment import homography, paths, rand_augment
from kinefract.augment.effects import Filmed, Mixing, scheduled
from kinefract.augment.paths import chosen, uniform


def filmed(clips: Tensor, recipe: Filmed, progress: float, generator: Generator) -> Tensor:
    """Make a batch look filmed.

    Args:
        clips: uint8 (B, T, C, S, S), C 1 or 3. Backgrounds are frames of other clips of the batch.
        recipe: What is done, how often and how much.
        progress: Of the curriculum, 0 to 1.
        generator: On the CPU, so that the draws are the same whatever device the clips are on.

    Returns:
        float32 (B, T, C, S, S) in [0, 1].

    Raises:
        ValueError: the frames are not square; turns and heights would be skewed.
    """
    count, frames, _, size, width = clips.shape
    if width != size:
        raise ValueError(f"filmed wants square frames, got {size} x {width}")
    pictures = clips.float() / 255
    numbers, signs = rand_augment.draw(count, recipe.rand_augment, generator)
    magnitude = recipe.rand_augment.magnitude
    camera = camera_maps(count, frames, size, recipe, progress, generator)
    camera = rand_augment.geometry(numbers, signs, magnitude)[:, None] @ camera

    shown = foreground(pictures, camera, recipe, progress, generator)
    with_background = chosen(count, recipe.background.p, generator)
    behind = background(pictures, camera, with_background, recipe, progress, generator)
    mixed = mix(shown, behind, recipe.mixing, generator)
    if behind is not None and not with_background.all():
        mixed = torch.where(with_background.to(mixed.device).view(-1, 1, 1, 1, 1), mixed, shown)
    return rand_augment.photometry(mixed, numbers, signs, magnitude)


def camera_maps(
    count: int, frames: int, size: int, recipe: Filmed, progress: float, generator: Generator
) -> Tensor:
    """Draw what the camera does: (B, T, 3, 3)."""
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
    """Draw where corners of the frame are seen, each up to ``distortion`` of the way to the centre."""
    inward = 1 - uniform((count, 4, 2), 0, distortion, generator)
    return torch.tensor(homography.CORNERS) * inward


def foreground(
    pictures: Tensor, camera: Tensor, recipe: Filmed, progress: float, generator: Generator
) -> Tensor:
    """Place the clips on black, some of them twice, as the camera sees them: float (B, T, C, S, S)."""
    count, frames, _, size, _ = pictures.shape
    path = _shift(paths.displacement(count, frames, size, recipe.displacement, progress, generator))
    placed = placement(count, recipe, progress, generator)
    twice = chosen(count, recipe.group.p if progress >= 1 else 0.0, generator)
    side = uniform(count, *recipe.group.scale, generator)
    # Drawn for all clips, so that a clip's draws do not depend on those of others.
    copies = [_anywhere(side, side, generator) @ homography.scale(side, side) for _ in range(2)]
    turned = homography.rotate(uniform(count, -1, 1, generator) * math.radians(recipe.group.turn))
    mirrored = 1 - 2.0 * chosen(count, recipe.group.flip, generator)
    turned = turned @ homography.scale(mirrored, torch.ones(count))
    most = recipe.group.delay * frames
    delay = uniform(count, -most, most, generator).round().long()

    placed = torch.where(twice.view(-1, 1, 1), copies[0], placed)
    shown = _warped(pictures, camera @ path @ placed[:, None])
    (pairs,) = torch.where(twice)
    if len(pairs):
        times = (torch.arange(frames) - delay[pairs, None]).clamp(0, frames - 1)
        where = pairs.to(pictures.device)
        later = pictures[where[:, None], times.to(pictures.device)]
        maps = camera[pairs] @ path[pairs] @ (copies[1] @ turned)[pairs, None]
        shown[where] = torch.maximum(shown[where], _warped(later, maps))
    return shown


def placement(count: int, recipe: Filmed, progress: float, generator: Generator) -> Tensor:
    """Draw size and place of the foreground: (B, 3, 3), inside the frame."""
    least = scheduled(recipe.foreground.least_scale, progress)
    x, y = uniform((2, count), least, 1.0, generator)
    placed = _anywhere(x, y, generator) @ homography.scale(x, y)
    return torch.where(chosen(count, recipe.foreground.p, generator).view(-1, 1, 1), placed, torch.eye(3))


def background(
    pictures: Tensor, camera: Tensor, wanted: Tensor, recipe: Filmed, progress: float, generator: Generator
) -> Tensor | None:
    """Put what is behind together, as the camera sees it: float (B, T, C, S, S).

    ``wanted``, bool (B,), says which clips have one. ``None`` where none has: all is drawn nonetheless. Else
    it is made for all, since the last digits of a power in ``mix`` depend on its place in the batch.
    """
    count, frames, _, size, _ = pictures.shape
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
    maps = camera @ _shift(path * on_path[:, None, None]) @ crop[:, None]

    times = torch.where(static[:, None], moments[:1].T, walk)
    device = pictures.device
    source = pictures[others.to(device)[:, None], times.to(device)]  # (B, T, C, S, S)
    (still,) = torch.where(static)
    if len(still):
        where = still.to(device)
        stills = pictures[second[still].to(device), moments[1, still].to(device), None]
        source[where] = torch.maximum(source[where], stills)
    return _warped(source, maps, "reflection")


def mix(shown: Tensor, behind: Tensor | None, recipe: Mixing, generator: Generator) -> Tensor:
    """Mix foreground and background, float (B, T, C, S, S) in [0, 1].

    ((1 - a) v^gamma + a b^gamma)^power, or the greater of both. Where nothing is behind, all is drawn
    nonetheless and the foreground returned.
    """
    count = len(shown)
    shape = (-1, 1, 1, 1, 1)
    (hard,) = torch.where(~chosen(count, recipe.soft, generator))
    alpha = uniform(count, *recipe.alpha, generator).view(shape).to(shown.device)
    power = uniform(count, *recipe.power, generator).view(shape).to(shown.device)
    if behind is None:
        return shown
    mixed = shown.pow(recipe.gamma).lerp_(behind.pow(recipe.gamma), alpha).pow_(power)
    if len(hard):
        hard = hard.to(shown.device)
        mixed[hard] = torch.maximum(shown[hard], behind[hard])
    return mixed


def reverse_together(views: list[Tensor], generator: Generator) -> list[Tensor]:
    """Run both windows of a clip backwards, with probability 0.5: tensors (B, T, C, H, W)."""
    backwards = chosen(len(views[0]), 0.5, generator).to(views[0].device).view(-1, 1, 1, 1, 1)
    return [torch.where(backwards, view.flip(1), view) for view in views]


def _others(count: int, generator: Generator) -> Tensor:
    """Draw for each clip of the batch another one; itself where it is alone."""
    return (torch.arange(count) + torch.randint(1, max(2, count), (count,), generator=generator)) % count


def _anywhere(x: Tensor, y: Tensor, generator: Generator) -> Tensor:
    """Draw a shift that keeps something of size x and y inside the frame, or the frame inside it."""
    places = uniform((2, len(x)), -1, 1, generator)
    return homography.translate(places[0] * (1 - x), places[1] * (1 - y))


def _shift(path: Tensor) -> Tensor:
    """Turn offsets (B, T, 2) in heights into maps (B, T, 3, 3)."""
    return homography.translate(2 * path[..., 0], 2 * path[..., 1])


def _warped(pictures: Tensor, maps: Tensor, padding: str = "zeros") -> Tensor:
    frames = pictures.flatten(0, 1)
    maps = maps.expand(*pictures.shape[:2], 3, 3).flatten(0, 1).to(pictures.device)
    return homography.warp(frames, maps, padding).unflatten(0, pictures.shape[:2])

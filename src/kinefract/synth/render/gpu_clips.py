"""Many fractal clips at once on a GPU: windows, points, tone and the check, without leaving it.

The same recipes, systems and rules as on a CPU, and the same measure. The points are others, so a clip is not
the same to the bit: what is to be repeated exactly is rendered by ``FractalRecipe.draw``.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from kinefract.common.errors import UserError
from kinefract.synth import filter as filters
from kinefract.synth import ifs
from kinefract.synth.dataset_recipe import ATTEMPTS, Points
from kinefract.synth.families.fractal import LEAST_INSIDE, FractalRecipe, System, frame_keys, instance
from kinefract.synth.render.gpu import render
from kinefract.synth.render.window import WINDOW_GRID, WINDOW_KEEP, WINDOW_PAD, WINDOW_REACH

CHAINS, DISCARD = 2048, 32  # of a GPU; the number of points that are drawn is the recipe's
BOX_CHECK = 16  # sides trimmed between two looks at whether all boxes are done


def draw_clips(
    recipe: FractalRecipe, indices: Sequence[int], device: torch.device | str
) -> list[tuple[Tensor, int]]:
    """Render clips; those that show nothing are drawn again as on a CPU.

    Args:
        recipe: The dataset.
        indices: Which of its clips, each at least 0. Some tens at a time fill a GPU.
        device: Where to render.

    Returns:
        For each clip its frames, uint8 (T, size, size) on the device, and how many draws were refused.

    Raises:
        UserError: none of 100 draws of a clip is worth seeing.
    """
    done: dict[int, tuple[Tensor, int]] = {}
    left = list(dict.fromkeys(indices))
    for attempt in range(ATTEMPTS):
        instances = [instance(recipe, index, attempt) for index in left]
        clips = _render_by_variation(instances, recipe, device)
        fine = _worth_seeing(clips, recipe.moves)
        for index, clip, good in zip(left, clips, fine, strict=True):
            if good and clip is not None:
                done[index] = clip, attempt
        left = [index for index, good in zip(left, fine, strict=True) if not good]
        if not left:
            return [done[index] for index in indices]
    raise UserError(
        f"clips {left} of family {recipe.family}: nothing to see in {ATTEMPTS} draws; change its settings"
    )


def _render_by_variation(
    instances: list[tuple[System, np.random.Generator]], recipe: FractalRecipe, device: torch.device | str
) -> list[Tensor | None]:
    clips: list[Tensor | None] = [None] * len(instances)
    for variation in {system.variation for system, _ in instances}:
        chosen = [i for i, (system, _) in enumerate(instances) if system.variation == variation]
        rendered = render_clips(
            [instances[i] for i in chosen], recipe.size, recipe.points, device, recipe.moves
        )
        for i, clip in zip(chosen, rendered, strict=True):
            clips[i] = clip
    return clips


def render_clips(
    instances: list[tuple[System, np.random.Generator]],
    size: int,
    points: Points,
    device: torch.device | str,
    moves: bool = True,
) -> list[Tensor | None]:
    """Render clips of one variation, windows and all.

    Args:
        instances: The system and random stream of each clip.
        size: Height and width in pixels.
        points: How many points a frame and the search for the window have; chains are longer on a CPU.
        device: Where to render.
        moves: ``False`` draws the first frame of each and holds it.

    Returns:
        For each clip uint8 (T, size, size) on the device, or ``None`` where its system explodes.
    """
    variation = instances[0][0].variation
    maps = [ifs.on_grid(system.maps if moves else system.maps[:1]) for system, _ in instances]
    keys = [frame_keys(rng, len(frames)) for frames, (_, rng) in zip(maps, instances, strict=True)]
    ends = np.concatenate([_padded(frames[[0, -1]], maps) for frames in maps])
    square = np.tile([-WINDOW_REACH, -WINDOW_REACH, WINDOW_REACH, WINDOW_REACH], (len(ends), 1))
    seen = render(
        *_with_probabilities(ends),
        square,
        WINDOW_GRID,
        np.concatenate([key[-2:] for key in keys]),
        device,
        *_game(points.chains * (points.window_steps - points.discard)),
        variation=variation,
    )
    boxes, found = _windows(seen)

    lengths = [len(frames) for frames in maps]
    game = _game(points.chains * (points.steps - points.discard))
    counts = render(
        *_with_probabilities(np.concatenate([_padded(frames, maps) for frames in maps])),
        boxes.repeat(lengths, axis=0),
        size,
        np.concatenate([key[:-2] for key in keys]),
        device,
        *game,
        variation=variation,
    )
    drawn = game.chains * (game.steps - game.discard)
    clips = counts.split(lengths)
    inside = torch.stack([clip.sum(dtype=torch.int64) for clip in clips]).cpu().numpy()
    fine = found & (inside >= LEAST_INSIDE * drawn * np.array(lengths))
    frames = [_tone(clip) if good else None for clip, good in zip(clips, fine, strict=True)]
    if moves:
        return frames
    return [
        clip if clip is None else clip.expand(len(system.maps), -1, -1)
        for clip, (system, _) in zip(frames, instances, strict=True)
    ]


class Game(NamedTuple):
    """How many chains a game has, the steps of each, and how many of them are not counted."""

    chains: int
    steps: int
    discard: int


def _game(points: int) -> Game:
    """Return chains and steps of a GPU that draw as many points, and those they discard."""
    chains = min(CHAINS, max(16, points // 256 // 16 * 16))
    return Game(chains, -(-points // chains) + DISCARD, DISCARD)


def _padded(frames: np.ndarray, maps: list[np.ndarray]) -> np.ndarray:
    """Fill a clip's maps (T, N, 6) up with zeros to the largest N of all."""
    most = max(clip.shape[1] for clip in maps)
    return np.pad(frames, ((0, 0), (0, most - frames.shape[1]), (0, 0)))


def _with_probabilities(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return maps, ifs.map_probabilities(maps)


def _windows(counts: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Find windows by the counts of both ends of clips: (clips, 4), and bool (clips,), which have any."""
    lit = counts > 0  # (2 * clips, grid, grid)
    boxes = _kept_boxes(lit, WINDOW_KEEP).cpu().numpy().reshape(-1, 2, 4).astype(float)
    found = np.asarray(lit.flatten(1).any(1).cpu().numpy().reshape(-1, 2).all(axis=1))
    low, high = boxes[:, :, :2].min(axis=1), boxes[:, :, 2:].max(axis=1)
    pad = WINDOW_PAD / 2 * (high - low)
    cell = 2 * WINDOW_REACH / WINDOW_GRID
    return np.hstack([low - pad, high + pad]) * cell - WINDOW_REACH, found


def _kept_boxes(lit: Tensor, keep: float) -> Tensor:
    """Trim the sparsest sides as ``window`` does, of many pictures at once.

    Args:
        lit: bool (B, H, W).
        keep: Share of the lit cells that stay inside.

    Returns:
        int64 (B, 4): left, bottom, right, top of half-open boxes.
    """
    batch, height, width = lit.shape
    area = torch.zeros(batch, height + 1, width + 1, dtype=torch.int64, device=lit.device)
    area[:, 1:, 1:] = lit.long().cumsum(1).cumsum(2)
    each = torch.arange(batch, device=lit.device)

    def lit_in(left: Tensor, bottom: Tensor, right: Tensor, top: Tensor) -> Tensor:
        upper = area[each, top, right] - area[each, top, left]
        return upper - area[each, bottom, right] + area[each, bottom, left]

    bottom, left = torch.zeros_like(each), torch.zeros_like(each)
    top, right = torch.full_like(each, height), torch.full_like(each, width)
    inside = lit_in(left, bottom, right, top)
    needed = keep * inside
    busy = inside > 0
    while busy.any():
        for _ in range(BOX_CHECK):
            sides = torch.stack(
                [
                    lit_in(left, bottom, right, bottom + 1),
                    lit_in(left, top - 1, right, top),
                    lit_in(left, bottom, left + 1, top),
                    lit_in(right - 1, bottom, right, top),
                ]
            )
            fewest, side = sides.min(0)
            busy = busy & (inside - fewest >= needed)
            inside = inside - fewest * busy
            bottom, top = bottom + ((side == 0) & busy), top - ((side == 1) & busy).long()
            left, right = left + ((side == 2) & busy), right - ((side == 3) & busy).long()
    return torch.stack([left, bottom, right, top], dim=1)


def _tone(counts: Tensor) -> Tensor:
    """Sum 3 x 3 patches and take logarithms, as ``tone`` does: int32 (T, H, W) to uint8."""
    patches = 9 * avg_pool2d(counts[:, None].float(), 3, stride=1, padding=1)[:, 0]
    levels = torch.log1p(patches.round())
    return (levels * (255 / levels.max()) + 0.5).to(torch.uint8)


def _worth_seeing(clips: list[Tensor | None], moves: bool) -> list[bool]:
    """Apply the rules of ``filter.is_worth_seeing`` to each clip, with one look at the results."""
    shown = [clip for clip in clips if clip is not None]
    if not shown:
        return [False] * len(clips)
    figures = iter(torch.stack([_figures(clip) for clip in shown]).tolist())
    fine = []
    for clip in clips:
        lit, contrast, motion = (0.0, 0.0, 0.0) if clip is None else next(figures)
        seen = lit >= filters.LEAST_LIT and contrast >= filters.LEAST_CONTRAST
        fine.append(seen and (not moves or motion >= filters.LEAST_MOTION))
    return fine


def _figures(frames: Tensor) -> Tensor:
    """Return lit share, contrast and motion of a clip, as ``filter`` measures them: float32 (3,)."""
    step = max(1, frames.shape[1] // 64)
    sample = frames[:, ::step, ::step].float().flatten(1)
    lit = (sample > 0).float().mean(1).quantile(0.5)
    contrast = sample.std(1, unbiased=False).quantile(0.5)
    side = frames.shape[1] // filters.BLOCKS
    square = frames[:, None, : side * filters.BLOCKS, : side * filters.BLOCKS].float()
    means = avg_pool2d(square, side)
    motion = (means - means[:1]).abs().mean((1, 2, 3)).max()
    return torch.stack([lit, contrast, motion])

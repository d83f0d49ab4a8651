"""Figures of one clip that show how close it is to filmed video, with sources.

Each function takes uint8 frames, (T, H, W) if grey or (T, H, W, 3) in RGB. Scikit-video measures structural
similarity, motion, cuts and naturalness. It is slow, and its scales depend on the size of the picture, so
``at_scale`` resizes clips to a common size first.
"""

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import combinations
from types import ModuleType
from typing import NamedTuple

import numpy as np
from PIL import Image

SIDE = 128  # greatest side, in pixels, of the measured square
FRAMES = 20  # greatest number of successive frames that are measured of a clip

LIT = 16  # grey levels of 255; artefacts of coding in black areas are darker
CUT = 0.25  # share of the pixels that change their grey level at a cut
MOTION_PAIRS = 8  # greatest number of pairs of frames between which blocks are tracked


class Unmeasurable(ValueError):
    """A clip is too short, small, dark or still for a figure; the message states which."""


class Figure(NamedTuple):
    """A figure's name, its number of digits to show, and its description."""

    title: str
    digits: int
    says: str


FIGURES = {
    "frame_diversity": Figure(
        "Frame diversity", 3, "root-mean-square distance between frames of a clip, over all pairs, 0 to 1"
    ),
    "ssim": Figure("SSIM", 3, "structural similarity of successive frames, 1 where nothing changes"),
    "block_motion": Figure("Block motion", 4, "how far a block moves per frame, as a share of the height"),
    "scene_cuts": Figure(
        "Scene cuts", 2, "per clip, where a quarter of the pixels or more change their grey level at once"
    ),
    "viideo": Figure("VIIDEO", 3, "video quality without a reference, lower is more natural"),
    "lit_area": Figure("Lit area", 3, "share of pixels brighter than black"),
    "spectral_exponent": Figure(
        "Spectral exponent", 2, "of the falling amplitude 1/f^a over spatial frequency; near 1 in photographs"
    ),
    "lightness": Figure("Lightness L*", 1, "mean, 0 (black) to 100 (white), CIELAB"),
    "green_red": Figure("Green to red a*", 1, "mean, below 0 greenish, above reddish, CIELAB"),
    "blue_yellow": Figure("Blue to yellow b*", 1, "mean, below 0 bluish, above yellowish, CIELAB"),
    "lightness_spread": Figure("Spread of lightness", 1, "standard deviation of L* over pixels"),
    "colour_spread": Figure("Spread of colour", 1, "standard deviation of a* and b* together over pixels"),
    "colourfulness": Figure("Colourfulness", 1, "0 for grey, about 33 moderate, 59 strong"),
}


def measure(frames: np.ndarray) -> tuple[dict[str, float], dict[str, str]]:
    """Return the figures of a clip, and the reasons why others could not be measured.

    Each of ``FIGURES`` is in one of the two mappings.

    Args:
        frames: uint8 (T, H, W) or (T, H, W, 3), resized by ``at_scale``.
    """
    found: dict[str, float] = {}
    absent: dict[str, str] = {}
    for names, function in _FUNCTIONS.items():
        try:
            found |= dict(zip(names, np.atleast_1d(function(frames)).tolist(), strict=True))
        except Unmeasurable as error:
            absent |= dict.fromkeys(names, str(error))
    return found, absent


def at_scale(frames: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Return the centre square of a clip, shrunk to at most ``side`` pixels a side (never enlarged).

    Args:
        frames: uint8 (T, H, W) or (T, H, W, 3).
        side: Greatest side in pixels.
    """
    height, width = frames.shape[1:3]
    square = min(height, width)
    top, left = (height - square) // 2, (width - square) // 2
    frames = frames[:, top : top + square, left : left + square]
    if square <= side:
        return frames
    size = (side, side)
    return np.stack([np.asarray(Image.fromarray(f).resize(size, Image.Resampling.BOX)) for f in frames])


def frame_diversity(frames: np.ndarray) -> float:
    """Return the mean over pairs of frames of their root-mean-square difference, 0 (still) to 1.

    In arXiv 2410.24213 diversity of frames correlated with accuracy (+0.53, by another distance).

    Raises:
        Unmeasurable: fewer than 2 frames.
    """
    _require(frames, 2)
    flat = frames.reshape(len(frames), -1).astype(np.float32) / 255
    return float(np.mean([np.sqrt(np.mean((a - b) ** 2)) for a, b in combinations(flat, 2)]))


def ssim(frames: np.ndarray) -> float:
    """Return the mean structural similarity of successive frames' luma, -1 to 1 (Wang et al. 2004).

    Raises:
        Unmeasurable: fewer than 2 frames, or fewer than 16 pixels a side.
    """
    _require(frames, 2, 16)
    luma = _luma(frames)
    with scikit_video() as skvideo:
        return float(np.mean(skvideo.measure.ssim(luma[:-1], luma[1:])))


def block_motion(frames: np.ndarray) -> float:
    """Return the mean length of the motion vectors of blocks per frame, as a share of the shorter side.

    Blocks of an eighth of the side are searched for up to about an eighth of it away (15 pixels of 128), so
    faster motion counts as that fast. Blocks at the border are left out, since their content may have come
    from outside. Of the methods of scikit-video only the new three-step search (Li, Zeng, Liou 1994) keeps a
    block in place if nothing fits better; the others report motion in flat areas.

    Raises:
        Unmeasurable: fewer than 2 frames, or fewer than 16 pixels a side.
    """
    _require(frames, 2, 16)
    luma = _luma(frames)
    side = min(luma.shape[1:])
    block, reach = side // 8, 2 ** round(math.log2(side / 8)) - 1
    starts = np.unique(np.linspace(0, len(luma) - 2, MOTION_PAIRS).round().astype(int))
    with scikit_video() as skvideo:
        vectors = [skvideo.motion.blockMotion(luma[t : t + 2], "N3SS", block, reach)[0] for t in starts]
    inner = np.stack(vectors)[:, 1:-1, 1:-1].astype(np.float64)
    return float(np.hypot(inner[..., 0], inner[..., 1]).mean() / side)


def scene_cuts(frames: np.ndarray) -> int:
    """Return the number of cuts: frames at which a quarter of the histogram of grey levels changes.

    Of 24 joints between videos of UCF101 it found 22, and none within those videos. A flash counts as a cut.
    Scenes of fewer than 3 frames are not separated (histogram method, Otsuji and Tonomura 1994).
    """
    luma = _luma(frames)
    # Scikit-video computes the mean difference over 256 grey levels, of counts divided by 256.
    threshold = CUT * 2 * luma[0].size / 256**2
    with scikit_video() as skvideo:
        return len(skvideo.measure.scenedet(luma, "histogram", threshold, min_scene_length=1)) - 1


def viideo(frames: np.ndarray) -> float:
    """Return the VIIDEO score of the luma, about 0 to 1, lower for natural and undistorted video.

    It measures how similar structure and its change are at two scales (Mittal, Saad, Bovik 2016, IEEE
    Transactions on Image Processing 25(1)).

    Raises:
        Unmeasurable: fewer than 4 frames (it compares changes within two pairs), a side below 20 pixels (it
            compares several blocks of 18), or no change between frames.
    """
    _require(frames, 4, 20)
    luma = _luma(frames)
    if (luma == luma[0]).all():
        raise Unmeasurable("nothing moves")
    # In areas without change it divides 0 by 0 and warns; the score stays finite.
    with scikit_video() as skvideo, warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        score = float(skvideo.measure.viideo_score(luma))
    if not math.isfinite(score):
        raise Unmeasurable("too little changes")
    return score


def lit_area(frames: np.ndarray) -> float:
    """Return the share of pixels, 0 to 1, whose luma is above 16 of 255."""
    return float((_luma(frames) > LIT).mean())


def spectral_exponent(frames: np.ndarray) -> float:
    """Return the exponent ``a`` of the frames' amplitude spectrum 1/f^a: 0 for white noise, 1 for 1/f.

    It is minus half the slope of the radially averaged power spectrum of the luma (mean over frames, Hann
    window) in double logarithms, from 2 cycles a side to two thirds of the highest frequency. Above that,
    resizing and coding change the spectrum. Photographs are near 1 (Field 1987); arXiv 2410.24213 finds 1.2
    to 1.4 best.

    Raises:
        Unmeasurable: fewer than 16 pixels a side, or frames without contrast.
    """
    _require(frames, 1, 16)
    side = min(frames.shape[1:3])
    luma = _luma(frames)[:, :side, :side].astype(np.float64)
    window = np.hanning(side + 2)[1:-1]
    window = np.outer(window, window)
    luma -= (luma * window).sum(axis=(1, 2), keepdims=True) / window.sum()
    if np.abs(luma).max() < 0.5:
        raise Unmeasurable("frames without contrast")
    power = (np.abs(np.fft.fft2(luma * window)) ** 2).mean(axis=0)
    cycles = np.fft.fftfreq(side) * side
    radius = np.rint(np.hypot(cycles[:, None], cycles)).astype(int).ravel()
    radial = np.bincount(radius, power.ravel()) / np.bincount(radius)
    used = np.arange(2, side // 3 + 1)
    return float(-np.polyfit(np.log(used), np.log(radial[used]), 1)[0] / 2)


def colour(frames: np.ndarray) -> tuple[float, float, float, float, float]:
    """Return the colour of a clip in CIELAB (D65): means of L*, a*, b*, then the spreads of L* and of a*, b*.

    L* is 0 to 100; a* and b* are about -100 to 100, 0 for grey. Spreads are standard deviations over the
    pixels of all frames; that of a* and b* is the root of their summed variances. In arXiv 2410.24213 the
    distance from the colours of real video correlated with accuracy (-0.42, by another distance).
    """
    lab = _lab(frames).reshape(-1, 3)
    lightness, red, yellow = lab.mean(axis=0)
    of_lightness, of_red, of_yellow = lab.std(axis=0)
    return lightness, red, yellow, of_lightness, math.hypot(of_red, of_yellow)


def colourfulness(frames: np.ndarray) -> float:
    """Return the mean colourfulness of the frames, 0 (grey) to about 109 (Hasler, Suesstrunk 2003, M3)."""
    if frames.ndim == 3:
        return 0.0
    red, green, blue = np.moveaxis(frames.astype(np.float32), -1, 0).reshape(3, len(frames), -1)
    opponents = np.stack([red - green, (red + green) / 2 - blue])
    spread = np.hypot(*opponents.std(axis=2))
    mean = np.hypot(*opponents.mean(axis=2))
    return float((spread + 0.3 * mean).mean())


_FUNCTIONS: dict[tuple[str, ...], Callable[[np.ndarray], float | tuple[float, ...]]] = {
    ("frame_diversity",): frame_diversity,
    ("ssim",): ssim,
    ("block_motion",): block_motion,
    ("scene_cuts",): scene_cuts,
    ("viideo",): viideo,
    ("lit_area",): lit_area,
    ("spectral_exponent",): spectral_exponent,
    ("lightness", "green_red", "blue_yellow", "lightness_spread", "colour_spread"): colour,
    ("colourfulness",): colourfulness,
}


def _require(frames: np.ndarray, least: int, side: int = 1) -> None:
    if len(frames) < least:
        raise Unmeasurable(f"wants {least} frames, there are {len(frames)}")
    if min(frames.shape[1:3]) < side:
        raise Unmeasurable(f"wants {side} pixels a side, there are {min(frames.shape[1:3])}")


@contextmanager
def scikit_video() -> Iterator[ModuleType]:
    """Yield the module ``skvideo`` with its parts ``measure`` and ``motion`` loaded.

    Version 1.1.11, the last one, uses the names ``numpy.int`` and ``numpy.float``, which numpy gave up. They
    are there as long as the block runs.
    """
    gone = [kind for kind in (int, float) if not hasattr(np, kind.__name__)]
    for kind in gone:
        setattr(np, kind.__name__, kind)
    try:
        import skvideo.measure
        import skvideo.motion

        yield skvideo
    finally:
        for kind in gone:
            delattr(np, kind.__name__)


def _luma(frames: np.ndarray) -> np.ndarray:
    """Return the luma by the weights of Rec. 601, uint8 (T, H, W)."""
    if frames.ndim == 3:
        return frames
    return np.rint(frames @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.uint8)


def _lab(frames: np.ndarray) -> np.ndarray:
    """Convert uint8 sRGB or grey to CIELAB of white D65 (IEC 61966-2-1, CIE 15), float64 (T, H, W, 3)."""
    if frames.ndim == 3:
        frames = np.repeat(frames[..., None], 3, axis=3)
    levels = np.arange(256) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    to_xyz /= to_xyz.sum(axis=1, keepdims=True)  # relative to white, which is all ones
    xyz = linear[frames] @ to_xyz.T
    curved = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(curved, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)

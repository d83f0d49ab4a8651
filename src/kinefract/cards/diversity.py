"""Figures of a set of clips as a whole: how much its frames differ, and how far they are from filmed ones.

Yu, Chen, Gandelsman (arXiv 2410.24213) find that accuracy grows with the diversity of frames and with their
likeness to filmed ones in spectrum and colour. They measure diversity on features of a trained network. Here
both formulas need pixels alone.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from PIL import Image

from kinefract.cards.measure import Figure, Unmeasurable

FIGURES = {
    "clip_diversity": Figure(
        "Diversity between clips",
        3,
        "root-mean-square distance between the middle frames of clips at 16 px, over all pairs, 0 to 1",
    ),
}
SIDE = 16  # of a frame, in pixels, when clips are compared
# What frames are like: a figure's mean, the figure whose square is its variance within clips (with the share
# of it that counts), and the least standard deviation that is believed.
FEATURES = (
    ("spectral_exponent", None, 0.0, 0.05),
    ("lightness", "lightness_spread", 1.0, 1.0),
    ("green_red", "colour_spread", 0.5, 1.0),
    ("blue_yellow", "colour_spread", 0.5, 1.0),
)
DISTANCE = Figure(
    "Frame distance",
    1,
    "in spectrum and colour: symmetric divergence of normal distributions of exponent, L*, a* and b*",
)


def thumbnail(frames: np.ndarray) -> np.ndarray:
    """Return the middle frame of a clip in colour, shrunk: uint8 (16, 16, 3).

    Args:
        frames: uint8 (T, H, W) or (T, H, W, 3), as ``measure.at_scale`` gives them.
    """
    picture = Image.fromarray(frames[len(frames) // 2]).convert("RGB")
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX))


def clip_diversity(thumbnails: Sequence[np.ndarray]) -> float:
    """Return the mean over pairs of clips of the root-mean-square difference of their frames, 0 to 1.

    Args:
        thumbnails: A frame of each clip, uint8 (16, 16, 3).

    Raises:
        Unmeasurable: fewer than 2 clips.
    """
    if len(thumbnails) < 2:
        raise Unmeasurable(f"wants 2 clips, there is {len(thumbnails)}")
    levels = np.stack(thumbnails).reshape(len(thumbnails), -1).astype(np.float64) / 255
    return float(np.mean([np.sqrt(np.mean((a - b) ** 2)) for a, b in combinations(levels, 2)]))


def frame_distance(
    figures: Mapping[str, Mapping[str, Any]], others: Mapping[str, Mapping[str, Any]]
) -> float | None:
    """Return how far the frames of two sets are apart in spectrum and colour; 0 if they are alike.

    Exponent of the spectrum, L*, a* and b* are taken for independent and normally distributed. A variance is
    that between clips plus that within them; of a* and b* each has half of their common one. The distance is
    the sum over the four of ``(KL(p, q) + KL(q, p)) / 2``, which is ``(v/w + w/v - 2 + d**2 (1/v + 1/w)) /
    4`` with the variances ``v`` and ``w`` and the difference ``d`` of the means. Baradad et al. (arXiv
    2106.05963) compare colours in L*a*b* by such a symmetric divergence, with covariances.

    Args:
        figures: The ``figures`` of a card.
        others: Those of another card.

    Returns:
        The distance in nats; ``None`` if a figure could not be measured.
    """
    total = 0.0
    for name, within, share, least in FEATURES:
        means, variances = [], []
        for card in (figures, others):
            if card[name]["mean"] is None or (within and card[within]["mean"] is None):
                return None
            spread = card[within]["mean"] if within else 0.0
            means.append(card[name]["mean"])
            variances.append(max(least**2, (card[name]["std"] or 0.0) ** 2 + share * spread**2))
        v, w = variances
        total += (v / w + w / v - 2 + (means[0] - means[1]) ** 2 * (1 / v + 1 / w)) / 4
    return total

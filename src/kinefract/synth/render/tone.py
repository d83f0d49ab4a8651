"""From counts of points to grey levels: 3 x 3 patches and a logarithm (arXiv 2411.17584, section 3)."""

import numpy as np

from kinefract.synth.render.compiled import kernel

TABLE = 16_384  # counts whose grey level is looked up


def box_sum(counts: np.ndarray) -> np.ndarray:
    """Sum every pixel with its 8 neighbours: the counts as if each point had added 1 to a 3 x 3 patch.

    Args:
        counts: uint32 (T, H, W).

    Returns:
        uint32 (T, H, W); pixels outside the image count as 0.
    """
    sums = np.empty_like(counts)
    _sum_patches(counts, sums)
    return sums


def tone(counts: np.ndarray) -> np.ndarray:
    """Turn counts into grey levels: log(1 + count) over the clip's maximum.

    Args:
        counts: uint32 (T, H, W).

    Returns:
        uint8 (T, H, W), 255 where the clip is brightest; black if nothing was counted.
    """
    levels = np.zeros(counts.shape, np.uint8)
    top = counts.max()
    if top:
        _take_logarithms(counts.reshape(-1), top, levels.reshape(-1))
    return levels


@kernel
def _sum_patches(counts, sums):
    frames, height, width = counts.shape
    row = np.empty(width, np.uint32)  # sums of three rows
    for t in range(frames):
        for i in range(height):
            row[:] = counts[t, i]
            if i > 0:
                row += counts[t, i - 1]
            if i < height - 1:
                row += counts[t, i + 1]
            for j in range(1, width - 1):
                sums[t, i, j] = row[j - 1] + row[j] + row[j + 1]
            sums[t, i, 0] = row[0] + row[1]
            sums[t, i, width - 1] = row[width - 2] + row[width - 1]


@kernel
def _take_logarithms(counts, top, levels):
    # In double precision, whose last digit alone differs between mathematical libraries. Rounding hides it,
    # but at exact halves: where 1 + top is a square k * k, count k - 1 has level 127.5.
    scale = 255.0 / np.log(1.0 + top)
    table = np.empty(min(top + 1, TABLE), np.uint8)  # most counts are small and many
    for count in range(len(table)):
        table[count] = np.uint8(np.log(1.0 + count) * scale + 0.5)
    for i in range(len(counts)):
        if counts[i] < len(table):
            levels[i] = table[counts[i]]
        else:
            levels[i] = np.uint8(np.log(1.0 + counts[i]) * scale + 0.5)

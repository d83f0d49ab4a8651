"""Counts become the grey levels that the paper says."""

import numpy as np

from kinefract.common.streams import stream
from kinefract.synth.render import tone


def test_box_sum_is_a_patch_per_point():
    counts = stream(0, "test").integers(0, 4, (2, 9, 12)).astype(np.uint32)
    patches = np.zeros((2, 11, 14), np.uint32)
    for t, i, j in zip(*np.nonzero(counts), strict=True):
        patches[t, i : i + 3, j : j + 3] += counts[t, i, j]
    np.testing.assert_array_equal(tone.box_sum(counts), patches[:, 1:-1, 1:-1])


def test_tone_is_logarithmic_and_reaches_white_once_per_clip():
    counts = np.array([[[0, 1], [3, 7]], [[0, 0], [0, 255]]], np.uint32)
    expected = np.rint(np.log1p(counts) / np.log(256) * 255)
    np.testing.assert_array_equal(tone.tone(counts), expected)
    many = stream(1, "test").integers(0, 3 * tone.TABLE, (2, 50, 50)).astype(np.uint32)
    np.testing.assert_array_equal(tone.tone(many), np.rint(np.log1p(many) / np.log1p(many.max()) * 255))
    assert tone.tone(np.zeros((2, 4, 4), np.uint32)).max() == 0

"""The window holds most of the first and the last frame, whichever way they lie."""

import numpy as np
import pytest

from kinefract.synth import ifs
from kinefract.synth.render import window

SIERPINSKI = np.array([[0.5, 0, 0, 0, 0.5, 0], [0.5, 0, 0.5, 0, 0.5, 0], [0.5, 0, 0.25, 0, 0.5, 0.5]])
KEYS = np.arange(1, 100, dtype=np.uint64)


def test_box_keeps_nine_tenths_and_trims_the_sparsest_side():
    lit = np.zeros((20, 30), bool)
    lit[5:15, 8:18] = True  # 100 cells
    lit[10, 18:27] = True  # a thin tail to the right of 9 more
    lit[2, 12] = True  # and a speck below
    left, bottom, right, top = window._kept_box(lit, 0.9)
    assert (left, bottom, right, top) == (8, 5, 18, 15)
    inside = lit[bottom:top, left:right].sum()
    assert inside >= 0.9 * lit.sum()


@pytest.mark.parametrize("turns", range(4))
def test_box_turns_with_the_picture(turns):
    # A defect of the public implementation: looking for empty rows, it tests the wrong one.
    lit = np.zeros((40, 40), bool)
    lit[3:9, 20:37] = True
    left, bottom, right, top = window._kept_box(np.rot90(lit, turns), 1.0)
    found = np.zeros_like(lit)
    found[bottom:top, left:right] = True
    np.testing.assert_array_equal(np.rot90(found, -turns), lit)


def test_window_frames_the_attractor_and_is_none_for_nothing():
    systems = SIERPINSKI[None].repeat(2, axis=0)
    systems[1, :, [2, 5]] += 1  # the second frame is shifted by 2: the fixed points move so
    found = window.find_window(systems, ifs.map_probabilities(systems), KEYS[:2])
    np.testing.assert_allclose(found, (-0.1, -0.1, 3.1, 3.1), atol=0.35)
    far = systems.copy()
    far[..., 2] += 100
    assert window.find_window(far, ifs.map_probabilities(far), KEYS[:2]) is None

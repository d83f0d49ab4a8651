"""Which frames a window of a clip has, and where windows begin."""

from kinefract.common.streams import stream
from kinefract.video.windows import random_start, spread_starts, window


def test_a_window_repeats_the_last_frame_past_the_end():
    assert window(2, 4, 3, 100).tolist() == [2, 5, 8, 11]
    assert window(0, 4, 3, 6).tolist() == [0, 3, 5, 5]


def test_windows_are_spread_evenly_from_the_first_to_the_last_that_fits():
    assert spread_starts(107, 8, 1, 10) == [0, 11, 22, 33, 44, 55, 66, 77, 88, 99]
    assert spread_starts(10, 4, 3, 10) == [0]
    assert spread_starts(12, 4, 3, 10) == [0, 1, 2]
    assert spread_starts(5, 4, 3, 10) == [0]


def test_a_random_window_begins_wherever_it_fits_and_a_clip_that_is_too_short_at_its_first_frame():
    rng = stream(1, "window")
    assert {random_start(12, 4, 3, rng) for _ in range(100)} == {0, 1, 2}
    assert {random_start(5, 4, 3, rng) for _ in range(20)} == {0}

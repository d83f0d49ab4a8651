"""Sheets and animations hold each clip in its place, in the format that the file's ending says."""

import time

import av
import numpy as np
import pytest
from PIL import Image

from kinefract.common.errors import UserError
from kinefract.viewing.sheets import moving_sheet, sheet
from kinefract.viewing.tiles import DARK, GAP, grid, in_colour, spread, write
from kinefract.viewing.videos import _title


class Numbered:
    """Grey clips whose level tells their number, and whose last frame is white."""

    labels = np.arange(10) % 5

    def read(self, index, *, grey):
        frames = np.full((3 + index % 2, 20, 20, 3), 20 * index, np.uint8)
        frames[-1] = 255
        return frames


def test_a_title_of_any_length_is_drawn_at_once():
    start = time.process_time()
    assert _title("walk " * 20_000, 96).shape == (16, 96, 3)
    assert time.process_time() - start < 2


def test_a_sheet_has_a_row_per_class_with_first_middle_and_last_frames():
    picture = sheet(Numbered())
    assert picture.shape == (4 + 5 * 24, 4 + 6 * 24, 3)
    cells = picture[14::24, 14::24, 0]  # centres
    np.testing.assert_array_equal(cells[1], [20, 20, 255, 120, 120, 255])
    np.testing.assert_array_equal(sheet(Numbered(), [3])[14, 14::24, 0], [60, 60, 255, 160, 160, 255])


def test_clips_side_by_side_play_forth_and_back_and_wait_for_the_longest():
    moving = moving_sheet(Numbered(), [1, 2], columns=2)
    np.testing.assert_array_equal(moving[:, 14, 14, 0], [20, 20, 20, 255, 20, 20])
    np.testing.assert_array_equal(moving[:, 14, 38, 0], [40, 40, 255, 255, 255, 40])


@pytest.mark.parametrize("ending", [".mp4", ".webp", ".gif"])
def test_animations_are_written_by_their_ending(tmp_path, ending):
    path = tmp_path / f"clips{ending}"
    moving = moving_sheet(Numbered(), [1, 2], columns=2)
    write(path, moving, 12)
    if ending == ".mp4":
        with av.open(str(path)) as container:
            assert sum(1 for _ in container.decode(video=0)) == len(moving)
    else:
        with Image.open(path) as image:
            assert image.size == moving.shape[2:0:-1] and image.is_animated
    with pytest.raises(UserError, match=r"wants the ending \.png"):
        write(tmp_path / "clips.avi", moving, 12)


def test_a_class_with_fewer_clips_leaves_its_last_places_empty():
    clips = Numbered()
    clips.labels = np.arange(8) % 5
    row = sheet(clips, [3, 4])[14 + 24 :: 24, 14::24, 0]
    np.testing.assert_array_equal(row, [[80, 80, 255]])
    assert sheet(clips, [0, 4])[14 + 24, 14 + 3 * 24 :: 24].tolist() == [[DARK] * 3] * 3


@pytest.mark.parametrize("time", [(), (5,)])
def test_a_grid_has_even_gaps_and_each_cell_in_its_place(time):
    cells = [np.full((*time, 6, 10, 3), level, np.uint8) for level in (100, 150, 200)]
    picture = grid([cells[0], None, cells[1], cells[2]], columns=3, background=7)
    assert picture.shape == (*time, GAP + 2 * (6 + GAP), GAP + 3 * (10 + GAP), 3)
    rows, columns = (slice(GAP + n * (6 + GAP), (n + 1) * (6 + GAP)) for n in (0, 1)), range(3)
    for row, levels in zip(rows, ([100, 7, 150], [200, 7, 7]), strict=True):
        for column, level in zip(columns, levels, strict=True):
            left = GAP + column * (10 + GAP)
            assert (picture[..., row, left : left + 10, :] == level).all()
    assert (picture[..., :GAP, :, :] == 7).all() and (picture[..., :, -GAP:, :] == 7).all()


def test_grey_frames_become_colour_and_coloured_ones_stay():
    grey = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    coloured = in_colour(grey)
    assert coloured.shape == (2, 3, 4, 3) and (coloured == grey[..., None]).all()
    assert in_colour(coloured) is coloured


def test_what_is_chosen_is_spread_evenly_and_never_twice():
    assert spread(10, 4) == [0, 2, 5, 7]
    assert spread(2, 4) == [0, 1]

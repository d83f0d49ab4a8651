"""The sheet of the worst mistakes."""

import numpy as np
import pytest
from PIL import Image

from kinefract import video
from kinefract.benchmarks.base import Video
from kinefract.common.errors import UserError
from kinefract.evaluation.mistakes import FRAMES, GAP, LINE, MOST, STRIP, TILE, worst, write_mistakes

CLASSES = ["left", "right", "up"]


def made(folder, count, shape=(48, 64), names="v{}.mp4"):
    """Make videos of class 0, in grey that grows with the video's number and, within it, with the frame's."""
    videos = []
    for number in range(count):
        levels = 60 * number + 5 * np.arange(8)
        frames = np.broadcast_to(levels[:, None, None], (8, *shape)).astype(np.uint8)
        path = folder / names.format(number)
        path.write_bytes(video.encode(frames, 12, 10))
        facts = {"frames": 8, "fps": 12.0, "width": shape[1], "height": shape[0]}
        videos.append(Video(path=path, label=0, class_name="left", split="test", start=0, end=8, **facts))
    return videos


def strips(path, count):
    """Return the strips of a sheet, float (height, width, 3) each, in reading order."""
    sheet = np.asarray(Image.open(path)).astype(float)
    columns = min(2, count)
    across, down = STRIP[0] + GAP, STRIP[1] + GAP
    assert sheet.shape == (GAP + -(-count // columns) * down, GAP + columns * across, 3)
    corners = [(GAP + i // columns * down, GAP + i % columns * across) for i in range(count)]
    return [sheet[top : top + STRIP[1], left : left + STRIP[0]] for top, left in corners]


def level(strip, part):
    """Return the mean level of a strip's frame."""
    return strip[3 * LINE :, part * TILE[0] : (part + 1) * TILE[0]].mean()


def test_the_surest_mistakes_come_first():
    scores = np.array([[0.4, 0.6], [0.1, 0.9], [0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.7, 0.3]])
    assert worst(scores, np.array([0, 0, 0, 1, 0, 1])).tolist() == [1, 4, 5, 0]


def test_there_are_at_most_so_many():
    scores = np.tile([0.2, 0.8], (100, 1))
    assert worst(scores, np.zeros(100, int)).tolist() == list(range(MOST))


def test_strips_lie_in_that_order_and_show_the_middle_of_each_quarter(tmp_path):
    videos = made(tmp_path, 4)
    scores = np.array([[0.3, 0.6, 0.1], [0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.2, 0.7, 0.1]])
    write_mistakes(tmp_path / "m.png", videos, scores, CLASSES)
    for strip, number in zip(strips(tmp_path / "m.png", 3), (2, 3, 0), strict=True):
        # Quarters of 8 frames have their middles at 1, 3, 5 and 7.
        expected = [60 * number + 5 * frame for frame in (1, 3, 5, 7)]
        assert [level(strip, part) for part in range(FRAMES)] == pytest.approx(expected, abs=3)


def test_text_above_the_frames_tells_strips_apart(tmp_path):
    videos = made(tmp_path, 1) * 2
    scores = np.array([[0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    write_mistakes(tmp_path / "m.png", videos, scores, CLASSES)
    one, other = strips(tmp_path / "m.png", 2)
    lines = [slice(line * LINE, (line + 1) * LINE) for line in range(3)]
    assert [(one[line] != other[line]).any() for line in lines] == [False, True, False]
    assert all((one[line] < 128).any() for line in lines)


def test_nothing_wrong_is_said(tmp_path):
    videos = made(tmp_path, 1)
    write_mistakes(tmp_path / "m.png", videos, np.array([[0.9, 0.1, 0.0]]), CLASSES)
    sheet = np.asarray(Image.open(tmp_path / "m.png"))
    assert sheet.shape[0] < STRIP[1] and (sheet < 128).any()


def test_upright_videos_are_shown_whole(tmp_path):
    videos = made(tmp_path, 1, shape=(128, 32))
    write_mistakes(tmp_path / "m.png", videos, np.array([[0.1, 0.9, 0.0]]), CLASSES)
    (strip,) = strips(tmp_path / "m.png", 1)
    row = strip[3 * LINE + TILE[1] // 2, : TILE[0], 0]
    assert set(np.unique(row[:40])) == {0x30} == set(np.unique(row[-40:]))


def test_names_that_are_no_text_or_too_long_are_drawn(tmp_path):
    videos = made(tmp_path, 1, names="n\udcff" + "m" * 200 + "{}.mp4")
    for classes in (["a\udcfe\n", "w" * 500, "c"], ["", "", ""]):
        write_mistakes(tmp_path / "m.png", videos, np.array([[0.1, 0.9, 0.0]]), classes)
        strips(tmp_path / "m.png", 1)


def test_the_same_mistakes_give_the_same_bytes(tmp_path):
    videos, scores = made(tmp_path, 2), np.array([[0.1, 0.9, 0.0], [0.1, 0.2, 0.7]])
    write_mistakes(tmp_path / "a.png", videos, scores, CLASSES)
    write_mistakes(tmp_path / "b.png", videos, scores, CLASSES)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_video_that_is_gone_is_named_and_leaves_no_picture(tmp_path):
    videos = made(tmp_path, 1)
    videos[0].path.unlink()
    with pytest.raises(UserError, match=r"v0\.mp4"):
        write_mistakes(tmp_path / "m.png", videos, np.array([[0.1, 0.9, 0.0]]), CLASSES)
    assert not list(tmp_path.glob("*.png"))

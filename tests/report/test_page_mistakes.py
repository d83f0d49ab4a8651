"""The worst mistakes on a study's page: which they are, and what is shown where their videos are gone."""

import shutil
from pathlib import Path

import pytest
from madeup import CLASSES, MadeUp, make_up, write_index

from kinefract.benchmarks.base import Video
from kinefract.report import mistakes, results

HEAD = "path,label,class,predicted,correct,top5"


@pytest.fixture
def made(tmp_path: Path) -> MadeUp:
    made = make_up(tmp_path, [{"one": [0.4, 0.5]}, {"one": [0.6, 0.7]}], previews=False)
    write_index(tmp_path / "data/benchmarks" / made.study.benchmarks["one"])
    return made


def sheets(made: MadeUp) -> list[mistakes.Sheet]:
    rows = results.read_available(made.root, made.study).rows
    return mistakes.sheets(made.root, made.study, rows, made.spec_path.parent / "index.html")


def test_those_of_the_best_variant_with_the_highest_scores_come_first(made: MadeUp) -> None:
    path = made.finetune_folder(1, "one", 1) / "predictions.csv"
    lines = path.read_text().splitlines()
    wrong = [number for number, line in enumerate(lines) if line.split(",")[4] == "0"]
    assert len(wrong) == 80
    for rank, number in enumerate(wrong[-2:]):
        lines[number] = lines[number].replace(":0.9000", f":0.9{rank + 1}00")
    path.write_text("\n".join([*lines, ""]))
    (sheet,) = sheets(made)
    assert sheet.title == "supervised on one, seed 1"
    assert sheet.picture is None
    assert [one.score for one in sheet.shown] == ["92", "91", "90", "90", "90", "90"]
    _, _, name, guess, *_ = lines[wrong[-1]].split(",")
    assert (sheet.shown[0].name, sheet.shown[0].taken_for) == (name, CLASSES[int(guess)])
    assert all(one.video.startswith("data:video/mp4;base64,") for one in sheet.shown)


def test_without_videos_the_picture_is_linked(made: MadeUp) -> None:
    shutil.rmtree(made.root / "data/benchmarks" / made.study.benchmarks["one"])
    assert sheets(made) == []
    picture = made.finetune_folder(1, "one", 1) / "mistakes.png"
    picture.write_bytes(b"")
    (sheet,) = sheets(made)
    assert sheet.shown == []
    assert (made.spec_path.parent / str(sheet.picture)).resolve() == picture


def entry(path: str, start: int = 0) -> Video:
    return Video(Path(path), 0, "walk", 9, 12.0, 8, 8, start, start + 4, "test")


def test_videos_of_one_name_in_folders_of_one_name_are_told_apart() -> None:
    one, two, other = entry("/v/p1/1/walk.avi"), entry("/v/p2/1/walk.avi"), entry("/v/p2/2/walk.avi")
    shown = mistakes._sources([one, two, other], [two.path, one.path, Path("/old/p2/2/walk.avi")])
    assert shown == [two, one, other]
    assert mistakes._sources([one, two], [Path("/old/p2/1/walk.avi")]) == [None]  # of which is not known


def test_clips_of_one_file_are_taken_in_order() -> None:
    first, second = entry("/v/a/walk.avi"), entry("/v/a/walk.avi", start=4)
    assert mistakes._sources([first, second], [first.path] * 2) == [first, second]


def test_a_video_that_is_gone_has_no_thumbnail(made: MadeUp) -> None:
    for path in list((made.root / "data/benchmarks").glob("*/clips/*.mp4"))[:195]:
        path.unlink()
    (sheet,) = sheets(made) or [mistakes.Sheet("", [], None)]
    assert len(sheet.shown) < 6

"""YUP++ in its official layout: a made-up tree."""

import shutil
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError
from trees import FRAMES, built, contents, pack, write_lines, yup

from kinefract.benchmarks.kinds.yup import YupRecipe
from kinefract.benchmarks.official.tree import Tree
from kinefract.common.errors import UserError

LIST = "10_90_randsplit_1.txt"
ALL = ["camera_stationary", "camera_moving", LIST]


@pytest.fixture
def top(tmp_path):
    return yup(tmp_path / "data/raw/yup")


def found(root, **settings):
    listed = contents(YupRecipe(**settings), root)
    assert listed.missing == []
    return [(entry.label, entry.split, "/".join(Path(entry.path).parts[-3:])) for entry in listed.entries]


def test_static_is_the_stationary_camera_and_both_are_read(top, tmp_path):
    assert found(tmp_path)[:4] == [
        (0, "train", "camera_stationary/Beach/Beach_static_cam_1.mp4"),
        (1, "train", "camera_stationary/FallingTrees/FallingTrees_static_cam_1.mp4"),
        (0, "train", "camera_moving/Beach/Beach_moving_cam_1.mp4"),
        (1, "train", "camera_moving/FallingTrees/FallingTrees_moving_cam_1.mp4"),
    ]
    assert Counter(split for _, split, _ in found(tmp_path)) == {"train": 4, "test": 8}
    assert contents(YupRecipe(), tmp_path).classes == ["Beach", "FallingTrees"]


@pytest.mark.parametrize(("camera", "folder"), [("static", "camera_stationary"), ("moving", "camera_moving")])
def test_one_camera_alone(top, tmp_path, camera, folder):
    listed = found(tmp_path, camera=camera)
    assert {path.partition("/")[0] for _, _, path in listed} == {folder}
    assert Counter(split for _, split, _ in listed) == {"train": 2, "test": 4}
    assert contents(YupRecipe(camera=camera), tmp_path).official == {"train": 60, "test": 540}


def test_the_index_is_built(top, tmp_path):
    videos = built(YupRecipe(allow_missing=True), tmp_path)
    assert Counter((video.class_name, video.split) for video in videos) == {
        ("Beach", "train"): 2,
        ("Beach", "test"): 4,
        ("FallingTrees", "train"): 2,
        ("FallingTrees", "test"): 4,
    }
    assert {video.length for video in videos} == {FRAMES}


def test_the_archive_is_read_as_it_is_handed_out(top, tmp_path):
    """``YUP++.zip`` holds the three side by side; it is unpacked once, and paths stay relative."""
    before = found(tmp_path)
    pack(top, "YUP++.zip", ALL)
    assert found(tmp_path) == before
    assert found(tmp_path, camera="moving") == before[2:4] + before[8:]
    assert len(list((tmp_path / "data/unpacked").iterdir())) == 1
    assert [path.name for path in top.iterdir()] == ["YUP++.zip"]
    folder = tmp_path / "data/benchmarks/some"
    folder.mkdir(parents=True)
    for entry in contents(YupRecipe(), tmp_path).entries:
        assert not Path(entry.path).is_absolute()
        assert (folder / entry.path).is_file()


@pytest.mark.parametrize("project", [None, "."], ids=["absolute", "relative"])
def test_an_absolute_root_gives_absolute_paths(top, tmp_path, monkeypatch, project):
    monkeypatch.chdir(tmp_path.parent)
    pack(top, "YUP++.zip", ALL)
    for entry in contents(YupRecipe(root=str(top)), Path(tmp_path.name) if project else tmp_path).entries:
        assert Path(entry.path).is_absolute()
        assert Path(entry.path).is_file()


def test_a_folder_that_an_unpacker_made_is_found(top, tmp_path):
    before = found(tmp_path)
    (top / "YUP++").mkdir()
    for name in ALL:
        shutil.move(top / name, top / "YUP++" / name)
    assert found(tmp_path) == before


def test_every_clip_is_a_group_of_its_own(top, tmp_path):
    recipe = YupRecipe()
    groups = [video.group for video in recipe.listing(Tree("YUP++", "", top, tmp_path, recipe.parts)).videos]
    assert len(set(groups)) == len(groups) == 12


@pytest.mark.parametrize(
    "line",
    [
        "Beach_static_cam_4",
        "Beach_static_cam_4 static",
        "Beach_static_cam_4 stationary_train",
        "Beach_static_cam_4 static_validation",
        "Beach_static_cam_4 static_train more",
        "Beach static_train",
        "_static_cam_4 static_train",
        "static_train",
    ],
)
def test_a_line_that_makes_no_sense_is_refused_by_file_and_line(top, tmp_path, line):
    write_lines(top / LIST, ["Beach_static_cam_1 static_train", line])
    with pytest.raises(UserError, match=r"10_90_randsplit_1\.txt, line 2: wants .*static or moving"):
        contents(YupRecipe(), tmp_path)


def test_listed_clips_that_are_not_there_are_told(top, tmp_path):
    (top / "camera_moving/Beach/Beach_moving_cam_2.mp4").unlink()
    listed = contents(YupRecipe(), tmp_path)
    assert listed.missing == ["camera_moving/Beach/Beach_moving_cam_2.mp4"]
    assert len(listed.entries) == 11


def test_counts_are_held_against_120_and_1080(top, tmp_path):
    listed = contents(YupRecipe(), tmp_path)
    assert listed.official == {"train": 120, "test": 1080}
    assert listed.disagreements == [
        "the lists name 4 train videos, officially there are 120",
        "the lists name 8 test videos, officially there are 1080",
    ]


def test_what_is_missing_is_told(tmp_path):
    with pytest.raises(UserError) as error:
        contents(YupRecipe(), tmp_path)
    for name in ("camera_stationary", "camera_moving", LIST, "YUP++.zip", str(tmp_path / "data/raw/yup")):
        assert name in str(error.value)


@pytest.mark.parametrize("settings", [{"camera": "stationary"}, {"split": 2}, {"root": ""}])
def test_impossible_settings_are_rejected(settings):
    with pytest.raises(ValidationError, match=next(iter(settings))):
        YupRecipe.model_validate(settings)

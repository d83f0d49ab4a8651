"""Volleyball in its official layout: a made-up tree, and official files where they lie beside the project."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from trees import FRAMES, built, contents, pack, volleyball, write_lines

from kinefract import video
from kinefract.benchmarks.kinds.volleyball import CLASSES, VIDEOS_OF, VolleyballRecipe
from kinefract.benchmarks.official.tree import Tree
from kinefract.common.errors import UserError

PLAYERS = "63 39 8 15 moving 61 25 5 20 blocking"


@pytest.fixture
def top(tmp_path):
    return volleyball(tmp_path / "data/raw/volleyball")


def listed(root, **settings):
    return contents(VolleyballRecipe(allow_missing=True, **settings), root)


def found(root, **settings):
    entries = listed(root, **settings).entries
    return [(entry.class_name, entry.split, "/".join(Path(entry.path).parts[-2:])) for entry in entries]


def test_the_official_videos_are_55_of_which_each_is_on_one_side():
    assert {split: len(videos) for split, videos in VIDEOS_OF.items()} == {
        "train": 24,
        "validation": 15,
        "test": 16,
    }
    assert sorted(number for videos in VIDEOS_OF.values() for number in videos) == list(range(55))


def test_a_line_is_a_frame_and_its_class_and_a_folder_of_pictures_is_a_video(top, tmp_path):
    assert found(tmp_path) == [
        ("r_set", "train", "1/1005"),
        ("l-pass", "train", "1/20"),
        ("l-pass", "train", "3/1005"),
        ("r_set", "train", "3/20"),
        ("r_set", "test", "4/1005"),
        ("l-pass", "test", "4/20"),
    ]


def test_official_validation_takes_the_place_of_the_test(top, tmp_path):
    assert found(tmp_path, validation=True) == [
        *found(tmp_path)[:4],
        ("l-pass", "validation", "0/1005"),
        ("r_set", "validation", "0/20"),
    ]


def test_classes_are_eight_with_mixed_separators_in_a_fixed_order(top, tmp_path):
    assert listed(tmp_path).classes == list(CLASSES)
    assert sorted(CLASSES) == sorted(
        ["l-pass", "l-spike", "l_set", "l_winpoint", "r-pass", "r_set", "r_spike", "r_winpoint"]
    )
    assert listed(tmp_path, classes=["l-pass", "r_set"]).classes == ["r_set", "l-pass"]


def test_a_mirror_does_not_keep_the_label():
    assert VolleyballRecipe().mirror_keeps_label is False


def test_the_index_is_built_from_folders_of_pictures(top, tmp_path):
    recipe = VolleyballRecipe(allow_missing=True, classes=["r_set", "l-pass"])
    videos = built(recipe, tmp_path)
    assert Counter(item.split for item in videos) == {"train": 4, "test": 2}
    assert {(item.length, item.width, item.height) for item in videos} == {(FRAMES, 32, 24)}
    # 1003.jpg is the first frame of the clip around 1005.
    first = next(item.path for item in videos if item.path.parts[-2:] == ("1", "1005"))
    with Image.open(top / "videos/1/1005/1003.jpg") as picture:
        assert np.array_equal(video.decode(first, [0])[0], np.asarray(picture))


def test_the_archive_is_read_as_it_is_handed_out(top, tmp_path):
    before = found(tmp_path)
    pack(top, "volleyball_.zip", ["videos"])
    assert found(tmp_path) == before


def test_a_frame_annotated_twice_counts_once(top, tmp_path, capsys):
    path = top / "videos/1/annotations.txt"
    write_lines(path, [f"20.jpg r_set {PLAYERS}", f"1005.jpg r_set {PLAYERS}", "20.jpg r_set 1 2 3 4 moving"])
    assert found(tmp_path)[:2] == [("r_set", "train", "1/20"), ("r_set", "train", "1/1005")]
    assert capsys.readouterr().err == ""


def test_the_later_of_two_classes_of_a_frame_holds_and_it_is_said(top, tmp_path, capsys):
    path = top / "videos/1/annotations.txt"
    write_lines(path, [f"20.jpg r_set {PLAYERS}", f"1005.jpg r_set {PLAYERS}", f"20.jpg l-pass {PLAYERS}"])
    assert found(tmp_path)[:2] == [("l-pass", "train", "1/20"), ("r_set", "train", "1/1005")]
    assert (
        "annotations.txt, line 3: frame 20 was r_set in a line above, counts as l-pass"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (f"20.jpg r-set {PLAYERS}", "'r-set' is no class; classes are r_set, r_spike, r-pass"),
        (f"20.jpg R_set {PLAYERS}", "'R_set' is no class"),
        (f"20.png r_set {PLAYERS}", "wants `<frame>.jpg <class> <players>`"),
        (f"frame.jpg r_set {PLAYERS}", "wants `<frame>.jpg"),
        ("20.jpg", "wants `<frame>.jpg"),
        ("r_set", "wants `<frame>.jpg"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused_by_file_and_line(top, tmp_path, line, complaint):
    write_lines(top / "videos/3/annotations.txt", [f"1005.jpg r_set {PLAYERS}", line])
    with pytest.raises(UserError, match=r"videos/3/annotations\.txt, line 2: ") as error:
        found(tmp_path)
    assert complaint in str(error.value)


def test_a_line_without_players_has_a_class(top, tmp_path):
    write_lines(top / "videos/1/annotations.txt", ["20.jpg l-pass"], end="\r\n")
    assert found(tmp_path)[0] == ("l-pass", "train", "1/20")


def test_annotations_may_be_missing_only_where_that_is_allowed(top, tmp_path):
    with pytest.raises(
        UserError, match=r"annotations\.txt is missing of 51 videos: 2, 5, 6, .*allow_missing"
    ):
        contents(VolleyballRecipe(), tmp_path)
    assert len(found(tmp_path)) == 6


def test_folders_of_frames_that_are_not_there_are_told(top, tmp_path):
    write_lines(top / "videos/1/annotations.txt", ["20.jpg l-pass", "77.jpg r_set"])
    assert listed(tmp_path).missing == ["1/77"]


def test_other_folders_beside_the_videos_are_passed_over(top, tmp_path):
    write_lines(top / "videos/55/annotations.txt", ["20.jpg nonsense"])
    assert {path.partition("/")[0] for _, _, path in found(tmp_path)} == {"1", "3", "4"}


def test_the_group_is_the_match_video(top, tmp_path):
    recipe = VolleyballRecipe(allow_missing=True)
    listing = recipe.listing(Tree("Volleyball", "", top, tmp_path, recipe.parts))
    assert [video.group for video in listing.videos] == ["1", "1", "3", "3", "0", "0", "4", "4"]


def test_few_shots_are_of_the_training_videos(top, tmp_path):
    some = listed(tmp_path, clips_per_class=1)
    assert Counter((entry.class_name, entry.split) for entry in some.entries) == {
        ("r_set", "train"): 1,
        ("l-pass", "train"): 1,
        ("r_set", "test"): 1,
        ("l-pass", "test"): 1,
    }


def test_counts_are_held_against_2152_1341_and_1337(top, tmp_path):
    assert listed(tmp_path).official == {"train": 2152, "validation": 1341, "test": 1337}
    assert listed(tmp_path).disagreements == [
        "the lists name 4 train videos, officially there are 2152",
        "the lists name 2 validation videos, officially there are 1341",
        "the lists name 2 test videos, officially there are 1337",
    ]


def test_lists_of_official_length_agree(top, tmp_path):
    official = {"train": 2152, "validation": 1341, "test": 1337}
    for split, videos in VIDEOS_OF.items():
        for place, number in enumerate(videos):
            frames = range(place, official[split], len(videos))
            write_lines(
                top / f"videos/{number}/annotations.txt", [f"{frame}.jpg l_set {PLAYERS}" for frame in frames]
            )
    assert contents(VolleyballRecipe(), tmp_path).disagreements == []


@pytest.mark.parametrize("settings", [{"validation": 0.2}, {"validation": "yes"}, {"split": 1}])
def test_impossible_settings_are_rejected(settings):
    with pytest.raises(ValidationError, match=next(iter(settings))):
        VolleyballRecipe.model_validate(settings)


def test_official_annotations(shared, tmp_path):
    """Videos 7 and 10 are complete, with 106 and 103 annotated frames; 39 and 41 have two each."""
    top = shared / "data/volleyball_sample"
    some = contents(VolleyballRecipe(root=str(top), allow_missing=True), tmp_path)
    paths = [Path(entry.path) for entry in some.entries]
    assert all(path.is_dir() for path in paths)
    counts = Counter(path.parent.name for path in [*paths, *map(Path, some.missing)])
    assert counts == {"7": 106, "10": 103, "39": 2, "41": 2}
    assert {path.relative_to(top / "videos").as_posix() for path in paths} == {
        path.parent.relative_to(top / "videos").as_posix() for path in top.rglob("*.jpg")
    }
    assert {video.probe(path).frames for path in paths} == {41, 10}

"""EGTEA Gaze+ in its official layout: a made-up tree."""

from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError
from trees import EGTEA, FRAMES, built, contents, egtea, pack, write_lines

from kinefract.benchmarks.kinds.egtea import EgteaRecipe
from kinefract.common.errors import UserError


@pytest.fixture
def top(tmp_path):
    return egtea(tmp_path / "data/raw/egtea")


def found(root, **settings):
    listed = contents(EgteaRecipe(**settings), root)
    assert listed.missing == []
    return [(entry.label, entry.split, "/".join(Path(entry.path).parts[-2:])) for entry in listed.entries]


def test_numbers_count_from_1_and_labels_from_0(top, tmp_path):
    assert found(tmp_path)[:3] == [
        (n - 1, "train", f"OP01-R01-PastaSalad/OP01-R01-PastaSalad-{n}320-{n}880-F00{n}100-F00{n}140.mp4")
        for n in (1, 2, 3)
    ]
    assert Counter(split for _, split, _ in found(tmp_path)) == {"train": 6, "test": 3}


def test_names_of_classes_hold_blanks_commas_and_slashes(top, tmp_path):
    assert contents(EgteaRecipe(), tmp_path).classes == [
        "Take eating_utensil",
        "Divide/Pull Apart lettuce",
        "Spread condiment,bread,eating_utensil",
    ]
    chosen = contents(EgteaRecipe(classes=[EGTEA[2], EGTEA[1]]), tmp_path)
    assert chosen.classes == [EGTEA[1], EGTEA[2]]
    assert len(chosen.entries) == 6


def test_classes_are_in_the_order_of_their_numbers(top, tmp_path):
    write_lines(top / "action_idx.txt", ["Cut tomato 3", "Wash hand 1", "Put 'pan' é 2 "])
    assert contents(EgteaRecipe(), tmp_path).classes == ["Wash hand", "Put 'pan' é", "Cut tomato"]


def test_the_index_is_built(top, tmp_path):
    videos = built(EgteaRecipe(allow_missing=True), tmp_path)
    assert Counter((video.label, video.split) for video in videos) == {
        **{(label, "train"): 2 for label in range(3)},
        **{(label, "test"): 1 for label in range(3)},
    }
    assert {video.length for video in videos} == {FRAMES}
    assert {video.class_name for video in videos} == set(EGTEA)


def test_archives_are_read_as_they_are_handed_out(top, tmp_path):
    before = found(tmp_path)
    lists = [f"{split}_split{number}.txt" for split in ("train", "test") for number in (1, 2, 3)]
    pack(top, "video_clips.tar", ["cropped_clips"])
    pack(top, "action_annotation.zip", ["action_idx.txt", *lists])
    assert found(tmp_path) == before
    assert sorted(path.name for path in top.iterdir()) == ["action_annotation.zip", "video_clips.tar"]


def test_numbers_of_verb_and_nouns_are_not_needed(top, tmp_path):
    before = found(tmp_path)
    list_ = top / "test_split1.txt"
    write_lines(list_, [" ".join(line.split()[:2]) for line in list_.read_text().splitlines()])
    assert found(tmp_path) == before


@pytest.mark.parametrize("split", [2, 3])
def test_the_other_splits_are_other_lists(top, tmp_path, split):
    (top / f"test_split{split}.txt").write_text((top / "test_split1.txt").read_text().splitlines()[0])
    listed = contents(EgteaRecipe(split=split), tmp_path)
    assert Counter(entry.split for entry in listed.entries) == {"train": 6, "test": 1}
    assert listed.official == {}
    assert listed.disagreements == []


def test_clips_of_one_session_stay_together(top, tmp_path):
    listed = found(tmp_path, validation=0.5)
    sides = {
        split: {path.partition("/")[0] for _, s, path in listed if s == split}
        for split in ("train", "validation")
    }
    assert not sides["train"] & sides["validation"]
    assert sides["train"] | sides["validation"] == {"OP01-R01-PastaSalad", "P26-R05-Cheeseburger"}


@pytest.mark.parametrize(
    "line",
    [
        "OP01-R01-PastaSalad-1-2-F1-F2",
        "OP01-R01-PastaSalad 1",
        "OP01 1 2",
        "A-B-C-1-2-F1-F2 one",
        "A-B-C-1 1 two",
    ],
)
def test_a_line_that_makes_no_sense_is_refused_by_file_and_line(top, tmp_path, line):
    write_lines(top / "train_split1.txt", ["", line])
    with pytest.raises(UserError, match=r"train_split1\.txt, line 2: wants `<session>"):
        found(tmp_path)


@pytest.mark.parametrize("number", [0, 4, 107])
def test_an_unknown_action_is_refused_by_file_and_line(top, tmp_path, number):
    write_lines(top / "test_split1.txt", [f"A-B-C-1-2-F1-F2 {number} 1"])
    with pytest.raises(
        UserError, match=rf"test_split1\.txt, line 1: .*action_idx\.txt has no action {number}"
    ):
        found(tmp_path)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("Cut tomato", "line 2: wants"),
        ("2", "line 2: wants"),
        ("Cut tomato -2", "line 2: wants"),
        ("Cut tomato 1", "line 2: .*repeats"),
        ("Wash hand 2", "line 2: .*repeats"),
        ("Cut tomato 3", "numbers of its actions, 2 in all, do not run from 1"),
        ("Cut tomato 0", "numbers of its actions, 2 in all, do not run from 1"),
    ],
)
def test_names_that_make_no_sense_are_refused(top, tmp_path, line, complaint):
    write_lines(top / "action_idx.txt", ["Wash hand 1", line])
    with pytest.raises(UserError, match=rf"action_idx\.txt.*{complaint}"):
        found(tmp_path)


def test_counts_of_split_1_are_held_against_8299_and_2022(top, tmp_path):
    listed = contents(EgteaRecipe(), tmp_path)
    assert listed.official == {"train": 8299, "test": 2022}
    assert listed.disagreements == [
        "the lists name 6 train videos, officially there are 8299",
        "the lists name 3 test videos, officially there are 2022",
    ]


def test_what_is_missing_is_told_at_once(tmp_path):
    with pytest.raises(UserError) as error:
        contents(EgteaRecipe(split=3), tmp_path)
    for name in (
        "cropped_clips/<session>/<clip>.mp4",
        "video_clips.tar",
        "action_idx.txt",
        "train_split3.txt",
        "test_split3.txt",
        "action_annotation.zip",
    ):
        assert name in str(error.value)


@pytest.mark.parametrize("settings", [{"split": 4}, {"split": "1"}, {"camera": "both"}])
def test_impossible_settings_are_rejected(settings):
    with pytest.raises(ValidationError, match=next(iter(settings))):
        EgteaRecipe.model_validate(settings)

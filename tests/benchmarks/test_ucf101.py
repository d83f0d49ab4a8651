"""UCF101 in its official layout: a made-up tree, and the real files where they lie beside the project."""

import os
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from kinefract import video
from kinefract.benchmarks import index
from kinefract.benchmarks.kinds.ucf101 import Ucf101Recipe
from kinefract.common.errors import UserError

CLIPS = [
    "Archery/v_Archery_g01_c01.avi",
    "HandstandPushups/v_HandStandPushups_g01_c01.avi",
    "YoYo/v_YoYo_g01_c01.avi",
]
NUMBERS = {"Archery": 1, "HandstandPushups": 2, "YoYo": 3}


def write_list(path, lines):
    path.write_bytes("".join(line + "\r\n" for line in lines).encode())


@pytest.fixture
def tree(tmp_path):
    """A tree of three classes; split 1 tests the clips of group 1, split 2 those of group 2."""
    top = tmp_path / "data/raw/ucf101"
    lists = top / "ucfTrainTestlist"
    lists.mkdir(parents=True)
    write_list(lists / "classInd.txt", [f"{number} {name}" for name, number in NUMBERS.items()])
    groups = {1: CLIPS, 2: [clip.replace("_g01", "_g02") for clip in CLIPS]}
    for clip in groups[1] + groups[2]:
        path = top / "UCF-101" / clip
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for split, (test, train) in {1: (1, 2), 2: (2, 1)}.items():
        write_list(lists / f"testlist0{split}.txt", groups[test])
        numbered = [f"{clip} {NUMBERS[clip.partition('/')[0]]}" for clip in groups[train]]
        write_list(lists / f"trainlist0{split}.txt", numbered)
    return top


def contents(tree, **settings):
    root = tree.parents[2]
    return Ucf101Recipe(**settings).contents(root, root / "data/benchmarks/ucf101-x")


def entries(tree, **settings):
    return contents(tree, **settings).entries


def test_lists_are_read_with_labels_from_zero(tree):
    found = entries(tree)
    assert [(e.label, e.class_name, e.split) for e in found] == [
        (0, "Archery", "train"),
        (1, "HandstandPushups", "train"),
        (2, "YoYo", "train"),
        (0, "Archery", "test"),
        (1, "HandstandPushups", "test"),
        (2, "YoYo", "test"),
    ]
    assert [Path(e.path).name for e in found if e.split == "test"] == [Path(clip).name for clip in CLIPS]


def test_paths_lead_from_the_index_folder_to_the_files(tree):
    folder = tree.parents[2] / "data/benchmarks/ucf101-x"
    folder.mkdir(parents=True)
    for entry in entries(tree):
        assert not Path(entry.path).is_absolute()
        assert (folder / entry.path).is_file()


def test_an_absolute_root_gives_absolute_paths(tree):
    assert all(Path(entry.path).is_file() for entry in entries(tree, root=str(tree)))


def test_the_other_split_is_another_list(tree):
    assert {Path(e.path).name for e in entries(tree, split=2) if e.split == "train"} == {
        Path(clip).name for clip in CLIPS
    }


def test_a_subset_counts_its_own_labels_in_the_official_order(tree):
    found = entries(tree, classes=["YoYo", "Archery"])
    assert {(e.label, e.class_name) for e in found} == {(0, "Archery"), (1, "YoYo")}
    assert len(found) == 4


def test_folders_and_files_match_without_case(tree):
    folder = tree / "UCF-101"
    (folder / "HandstandPushups").rename(folder / "HandStandPushups")
    for file in sorted((folder / "HandStandPushups").iterdir()):
        file.rename(file.with_name(file.name.replace("HandStand", "Handstand")))
    found = [e for e in entries(tree) if e.class_name == "HandstandPushups"]
    assert [Path(e.path).parts[-2:] for e in found] == [
        ("HandStandPushups", "v_HandstandPushups_g02_c01.avi"),
        ("HandStandPushups", "v_HandstandPushups_g01_c01.avi"),
    ]


def test_the_users_files_stay_as_they_are(tree):
    def state():
        return [(path, path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(tree.rglob("*"))]

    before = state()
    entries(tree)
    assert state() == before


def test_an_unknown_class_is_refused_with_a_suggestion(tree):
    with pytest.raises(UserError, match=r"'yoyo' is no class of UCF101 \(did you mean 'YoYo'\?\)"):
        entries(tree, classes=["Archery", "yoyo"])


def test_a_missing_tree_is_described(tmp_path):
    with pytest.raises(UserError) as error:
        Ucf101Recipe().contents(tmp_path, tmp_path)
    for expected in (
        "UCF101.rar",
        "UCF-101/<Class>/*.avi",
        "classInd.txt",
        "trainlist01.txt",
        "testlist01.txt",
    ):
        assert expected in str(error.value)
    assert str(tmp_path / "data/raw/ucf101") in str(error.value)


def test_a_missing_list_is_named(tree):
    (tree / "ucfTrainTestlist/testlist02.txt").unlink()
    assert entries(tree, split=1)
    with pytest.raises(UserError, match=r"cannot read \S*testlist02\.txt: No such file"):
        entries(tree, split=2)


def test_missing_clips_are_named_as_the_lists_do(tree):
    (tree / "UCF-101" / CLIPS[0]).unlink()
    found = contents(tree)
    assert found.missing == [CLIPS[0]]
    assert len(found.entries) == 5
    assert contents(tree, classes=["YoYo", "HandstandPushups"]).missing == []


def test_counts_are_held_against_the_official_ones(tree, monkeypatch):
    assert contents(tree, split=2).disagreements == [
        "the lists name 3 train videos, officially there are 9586",
        "the lists name 3 test videos, officially there are 3734",
    ]
    monkeypatch.setattr(Ucf101Recipe, "OFFICIAL", {1: (3, 3)})
    assert contents(tree).disagreements == []
    assert contents(tree).official == {"train": 3, "test": 3}
    for part in ({"classes": ["Archery", "YoYo"]}, {"clips_per_class": 1}):
        assert contents(tree, **part).official == {}


def test_of_several_groups_some_are_held_out_in_place_of_the_tests(tree):
    for number in range(3, 9):
        lines = []
        for name in NUMBERS:
            clip = f"{name}/v_{name}_g{number:02d}_c01.avi"
            (tree / "UCF-101" / clip).touch()
            lines.append(f"{clip} {NUMBERS[name]}")
        with (tree / "ucfTrainTestlist/trainlist01.txt").open("a", encoding="ascii") as stream:
            stream.write("".join(line + "\r\n" for line in lines))
    found = entries(tree, validation=0.25)
    assert Counter((e.class_name, e.split) for e in found) == {
        (name, split): count for name in NUMBERS for split, count in (("train", 5), ("validation", 2))
    }
    assert found != entries(tree, validation=0.25, seed=2)


def test_names_that_are_no_utf8_are_found(tree):
    name = os.fsdecode(b"v_YoYo_g01_\xff.avi")
    (tree / "UCF-101/YoYo" / name).touch()
    (tree / "ucfTrainTestlist/testlist01.txt").write_bytes(b"YoYo/v_YoYo_g01_\xff.avi\r\n")
    assert Path(entries(tree)[-1].path).name == name


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("Archery/v_Archery_g02_c01.avi 3", "disagrees with"),
        ("Bowling/v_Bowling_g02_c01.avi 1", "disagrees with"),
        ("v_Archery_g02_c01.avi 1", "wants `<Class>/<clip>.avi`"),
        ("Archery/v_Archery_g02_c01.avi one", "wants `<Class>/<clip>.avi`"),
    ],
)
def test_a_list_that_contradicts_itself_is_refused_by_line(tree, line, complaint):
    write_list(tree / "ucfTrainTestlist/trainlist01.txt", ["YoYo/v_YoYo_g02_c01.avi 3", line])
    with pytest.raises(UserError, match=r"trainlist01\.txt, line 2") as error:
        entries(tree)
    assert complaint in str(error.value)


@pytest.mark.parametrize("line", ["YoYo", "one YoYo", "3", "3 Bowling", "4 YoYo"])
def test_a_list_of_classes_that_makes_no_sense_is_refused_by_line(tree, line):
    write_list(tree / "ucfTrainTestlist/classInd.txt", ["1 Archery", "2 HandstandPushups", "3 YoYo", line])
    with pytest.raises(UserError, match=r"classInd\.txt, line 4"):
        entries(tree)


@pytest.mark.parametrize(
    "settings", [{"split": 4}, {"classes": ["YoYo"]}, {"allow_missing": "yes"}, {"root": ""}]
)
def test_impossible_settings_are_rejected(settings):
    with pytest.raises(ValidationError, match=next(iter(settings))):
        Ucf101Recipe.model_validate(settings)


def test_ten_real_classes(shared, tmp_path):
    top = shared / "data/ucf101_10"
    listed = (top / "ucfTrainTestlist/classInd.txt").read_text().split()[1::2]
    classes = [name for name in listed if (top / "UCF-101" / name).is_dir()]
    recipe = Ucf101Recipe(root=os.path.relpath(top, tmp_path), classes=classes, allow_missing=True)
    found = recipe.contents(tmp_path, tmp_path).entries
    assert sum(e.split == "train" for e in found) == 528
    assert sum(e.split == "test" for e in found) == 212
    assert {e.label: e.class_name for e in found} == dict(enumerate(classes))

    def groups(split):
        return {Path(e.path).stem.rpartition("_")[0] for e in found if e.split == split}

    assert not groups("train") & groups("test")


def test_all_real_files_of_three_classes_are_indexed(shared, tmp_path):
    # Some clips of these classes hold empty chunks, which AVI headers count as frames.
    classes = ["HandstandPushups", "JumpingJack", "TrampolineJumping"]
    recipe = Ucf101Recipe(root=str(shared / "data/ucf101_10"), classes=classes, allow_missing=True)
    index.build(recipe, tmp_path, tmp_path / "index")
    videos = index.read(tmp_path / "index")
    assert len(videos) == 3 * 74
    assert {min(item.width, item.height) for item in videos} == {128}
    for item in videos[::40]:
        assert len(video.decode(item.path)) == item.frames


def test_originals_as_distributed(shared, tmp_path):
    recipe = Ucf101Recipe(
        root=str(shared / "data/ucf101_original"),
        classes=["HandstandPushups", "JumpRope"],
        allow_missing=True,
    )
    found = recipe.contents(tmp_path, tmp_path).entries
    assert {Path(e.path).name for e in found if e.label == 0} == {
        "v_HandStandPushups_g01_c01.avi",
        "v_HandStandPushups_g01_c02.avi",
    }
    for entry in found:
        info = video.probe(entry.path)
        assert (info.width, info.height) == (320, 240)

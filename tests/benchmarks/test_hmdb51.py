"""HMDB51 in its official layout: a made-up tree, and the official lists where they lie beside the project."""

from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError
from trees import FRAMES, built, contents, hmdb51, pack, write_lines

from kinefract.benchmarks import choose
from kinefract.benchmarks.kinds.hmdb51 import Hmdb51Recipe
from kinefract.benchmarks.official.tree import Tree
from kinefract.common.errors import UserError
from kinefract.video import probe

SUFFIX = "_f_cm_np1_le_med_0.avi"


@pytest.fixture
def top(tmp_path):
    return hmdb51(tmp_path / "data/raw/hmdb51")


def found(root, **settings):
    return [
        (entry.label, entry.class_name, entry.split, Path(entry.path).name.removesuffix(SUFFIX))
        for entry in contents(Hmdb51Recipe(**settings), root).entries
    ]


def test_1_trains_2_tests_and_0_is_left_out(top, tmp_path):
    assert found(tmp_path) == [
        (0, "cartwheel", "train", "(Rad)Schlag_die_Bank!_cartwheel"),
        (0, "cartwheel", "train", "Goldfinger_cartwheel"),
        (1, "clap", "train", "#20_Rhythm_clap"),
        (1, "clap", "train", "Goldfinger_clap"),
        (0, "cartwheel", "test", "Turnk_r_Pippi_Michel_cartwheel"),
        (1, "clap", "test", "Ab_[_6_pack_]_;_&_more_clap"),
    ]
    assert {item[3] for item in found(tmp_path, split=3)} == {
        "(Rad)Schlag_die_Bank!_cartwheel",
        "Turnk_r_Pippi_Michel_cartwheel",
        "#20_Rhythm_clap",
        "Ab_[_6_pack_]_;_&_more_clap",
    }


def test_classes_are_the_names_of_lists_in_alphabetical_order(top, tmp_path):
    lists = top / "testTrainMulti_7030_splits"
    write_lines(lists / "brush_hair_test_split1.txt", [f"April_09_brush_hair{SUFFIX} 1 "])
    assert contents(Hmdb51Recipe(), tmp_path).classes == ["brush_hair", "cartwheel", "clap"]
    assert contents(Hmdb51Recipe(split=2), tmp_path).classes == ["cartwheel", "clap"]


def test_the_index_is_built_from_names_with_any_signs(top, tmp_path):
    videos = built(Hmdb51Recipe(allow_missing=True), tmp_path)
    assert Counter(video.split for video in videos) == {"train": 4, "test": 2}
    assert {video.length for video in videos} == {FRAMES}
    assert all(video.path.is_file() for video in videos)


def test_archives_are_read_as_they_are_handed_out(top, tmp_path):
    """``hmdb51_org.rar`` and ``test_train_splits.rar``; the kind of an archive is told by its content."""
    before = found(tmp_path)
    pack(top, "hmdb51_org.rar", ["hmdb51_org"])
    pack(top, "test_train_splits.rar", ["testTrainMulti_7030_splits"])
    assert found(tmp_path) == before


@pytest.mark.parametrize(
    "name",
    ["Two words and 'quotes'", "кино_映画", 'a"quote', "_clap_in_a_clap"],
    ids=lambda name: ascii(name),
)
def test_other_names_are_taken_as_they_are(top, tmp_path, name):
    clip = f"{name}_clap{SUFFIX}"
    write_lines(top / "testTrainMulti_7030_splits/clap_test_split1.txt", [f"{clip} 1 "])
    (top / "hmdb51_org/clap" / clip).touch()
    assert (1, "clap", "train", f"{name}_clap") in found(tmp_path)


def test_the_group_is_the_film_before_the_last_mention_of_the_class(top, tmp_path):
    lines = [f"_clap_in_a_clap_clap{SUFFIX} 1", f"Goldfinger_clap{SUFFIX} 2", "unnamed.avi 1"]
    write_lines(top / "testTrainMulti_7030_splits/clap_test_split1.txt", lines)
    recipe = Hmdb51Recipe()
    listing = recipe.listing(Tree("HMDB51", "", top, tmp_path, recipe.parts))
    assert [video.group for video in listing.videos if video.class_name == "clap"] == [
        "_clap_in_a_clap",
        "Goldfinger",
        "unnamed.avi",
    ]
    assert "Goldfinger" in {video.group for video in listing.videos if video.class_name == "cartwheel"}


@pytest.mark.parametrize(
    "line",
    ["a.avi 3", "a.avi", "1", "a.avi 1 2 x", "a.avi one", "a.mp4 1", "a.avi1", "clap/a.avi 1", "a.avi -1"],
)
def test_a_line_that_makes_no_sense_is_refused_by_file_and_line(top, tmp_path, line):
    write_lines(top / "testTrainMulti_7030_splits/clap_test_split1.txt", ["a.avi 0 ", "", line])
    with pytest.raises(UserError, match=r"clap_test_split1\.txt, line 3: wants .*0, 1 or 2"):
        found(tmp_path)


def test_lists_of_another_split_are_asked_for(top, tmp_path):
    for path in (top / "testTrainMulti_7030_splits").glob("*_split2.txt"):
        path.unlink()
    with pytest.raises(UserError, match=r"there is no list <class>_test_split2\.txt in .*7030_splits"):
        found(tmp_path, split=2)


def test_counts_are_held_against_3570_and_1530(top, tmp_path):
    listed = contents(Hmdb51Recipe(), tmp_path)
    assert listed.official == {"train": 3570, "test": 1530}
    assert listed.disagreements == [
        "the lists name 4 train videos, officially there are 3570",
        "the lists name 2 test videos, officially there are 1530",
    ]
    with pytest.raises(UserError, match="the lists name 4 train videos"):
        built(Hmdb51Recipe(), tmp_path)


def test_what_is_missing_is_told(tmp_path):
    with pytest.raises(UserError) as error:
        found(tmp_path)
    for name in ("hmdb51_org/<class>/*.avi", "hmdb51_org.rar", "_test_split1.txt", "test_train_splits.rar"):
        assert name in str(error.value)


@pytest.mark.parametrize("settings", [{"split": 0}, {"split": 4}, {"split": "1"}, {"version": "v2"}])
def test_impossible_settings_are_rejected(settings):
    with pytest.raises(ValidationError, match=next(iter(settings))):
        Hmdb51Recipe.model_validate(settings)


@pytest.mark.parametrize("split", [1, 2, 3])
def test_the_official_lists(shared, tmp_path, split):
    top = shared / "data/hmdb51_sample"
    recipe = Hmdb51Recipe(root=str(top), split=split)
    listing = recipe.listing(Tree("HMDB51", "", top, tmp_path, recipe.parts))
    assert len(listing.classes) == 51
    assert listing.classes == sorted(listing.classes)
    # Counted again by another way: the signs at the ends of all lines.
    files = top.glob(f"testTrainMulti_7030_splits/*_test_split{split}.txt")
    signs = Counter(line.split()[-1] for path in files for line in path.read_text().splitlines())
    assert signs == {"1": 3570, "2": 1530, "0": 1666}
    counts = Counter(video.split for video in listing.videos)
    assert counts == {"train": 3570, "test": 1530}
    per_class = Counter((video.class_name, video.split) for video in listing.videos)
    assert set(per_class.values()) == {70, 30}
    assert contents(recipe, tmp_path).disagreements == []
    # The official splits keep clips of one film on one side, within a class.
    sides = {(video.class_name, video.group): set() for video in listing.videos}
    for video in listing.videos:
        sides[video.class_name, video.group].add(video.split)
    assert sum(len(splits) > 1 for splits in sides.values()) == 0


def test_a_validation_part_of_the_official_lists_shares_no_film(shared, tmp_path):
    top = shared / "data/hmdb51_sample"
    recipe = Hmdb51Recipe(root=str(top))
    videos = recipe.listing(Tree("HMDB51", "", top, tmp_path, recipe.parts)).videos
    parted = choose.validation(videos, 0.2, 1, "HMDB51")
    groups = {split: {v.group for v in parted if v.split == split} for split in ("train", "validation")}
    assert not groups["train"] & groups["validation"]
    assert 0.2 <= sum(v.split == "validation" for v in parted) / 3570 < 0.3


def test_official_clips_are_found_and_read(shared, tmp_path):
    """The few original clips that are there: DX50 in .avi, 320 to 560 px wide."""
    top = shared / "data/hmdb51_sample"
    listed = [contents(Hmdb51Recipe(root=str(top), split=split), tmp_path) for split in (1, 2, 3)]
    paths = {entry.path for item in listed for entry in item.entries}
    assert {Path(path) for path in paths} == set((top / "hmdb51_org").rglob("*.avi"))
    assert {probe(path).width for path in paths} <= {320, 432, 560}
    assert all(len(item.entries) + len(item.missing) == 5100 for item in listed)

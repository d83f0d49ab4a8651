"""The summary of an index: counts, duplicates, names that are no text."""

import os
from pathlib import Path

import pytest
from trees import write_videos

from kinefract.benchmarks import index, summary
from kinefract.benchmarks.base import Contents, Video
from kinefract.benchmarks.kinds.own import FolderRecipe
from kinefract.common.terminal import printable


def video(path, label, frames, split, start=0):
    name = ("walk", "two\twords")[label]
    return Video(Path(path), label, name, frames, 12.5, 320, 240, start, frames, split)


VIDEOS = [
    video("../a.avi", 0, 10, "train"),
    video("../b.avi", 1, 30, "train"),
    video("../c.avi", 1, 20, "train", start=5),
    video("../d.avi", 0, 40, "test"),
    video("../e.avi", 1, 7, "test")._replace(fps=25.0, width=100),
]


@pytest.fixture
def facts(tmp_path):
    official, listed = {"train": 3, "test": 9}, {"train": 4, "test": 3}
    contents = Contents(["walk", "two\twords"], [], ["x", "y"], ["the lists are short"], official, listed)
    doubled = [[tmp_path / "one.avi", tmp_path / os.fsdecode(b"t\xffo\n.avi")]]
    return summary.facts(contents.classes, VIDEOS, contents, ["z"], doubled, tmp_path / "index")


def test_facts_are_those_of_the_clips(facts):
    assert facts["videos"] == {"train": 3, "test": 2}
    assert facts["official"] == {"train": 3, "test": 9}
    assert (facts["missing"], facts["unreadable"], facts["classes"]) == (2, 1, 2)
    assert facts["frames"] == {"shortest": 7, "median": 15, "longest": 40, "all": 102}
    assert facts["rates"] == {"12.5": 4, "25": 1}
    assert facts["sizes"] == {"320x240": 4, "100x240": 1}
    assert facts["per_class"] == {"train": {"walk": 1, "two\twords": 2}, "test": {"walk": 1, "two\twords": 1}}
    assert facts["duplicates"] == [["../one.avi", r"../t\udcffo\n.avi"]]


def test_the_page_says_all_of_it_in_utf8(facts):
    page = summary.page(facts).encode().decode()
    lines = [line.split() for line in page.splitlines()]
    for line in (
        ["split", "found", "listed", "official"],
        ["train", "3", "4", "3"],
        ["test", "2", "3", "9"],
        ["missing", "2"],
        ["unreadable", "1"],
        ["duplicates", "1"],
        ["the", "lists", "are", "short"],
        ["walk", "1", "1"],
        [r"two\twords", "2", "1"],
    ):
        assert line in lines
    assert len({len(line) for line in page.splitlines()[-3:]}) == 1


def test_equal_files_on_both_sides_of_a_given_split_are_told(tmp_path, capsys):
    own, folder = tmp_path / "own", tmp_path / "data/benchmarks/own"
    classes = ("train/a", "train/b", "test/a", "test/b")
    names = [f"{place}/{number}.avi" for place in classes for number in "12"]
    write_videos(own, names)
    for copy, original in (("test/a/2", "train/a/2"), ("train/b/2", "train/b/1")):
        (own / f"{copy}.avi").write_bytes((own / f"{original}.avi").read_bytes())
    index.build(FolderRecipe(root="own"), tmp_path, folder)
    told = "equal files on both sides of the split, which makes results too good: 1 group, such as "
    assert told in capsys.readouterr().err and told in (folder / "summary.txt").read_text()
    (group,) = summary.read(folder)["straddling"]
    assert [Path(path).parts[-3:] for path in group] == [("train", "a", "2.avi"), ("test", "a", "2.avi")]


def test_duplicates_are_files_of_equal_bytes(tmp_path):
    for name, data in {"a": b"same", "b": b"same", "c": b"SAME", "d": b"other", "e": b"same"}.items():
        (tmp_path / name).write_bytes(data)
    for name in ("folder", "equal"):
        (tmp_path / name).mkdir()
    paths = [tmp_path / name for name in ("d", "a", "folder", "b", "c", "a", "equal", "e")]
    assert summary.duplicates(paths) == [[tmp_path / name for name in "abe"]]
    assert summary.duplicates([tmp_path / "a", tmp_path / "a"]) == []


@pytest.mark.parametrize("text", ["plain", "two words, 'quotes' \" $(x)", "видео 動画 é"])
def test_text_is_printed_as_it_is(text):
    assert printable(text) == text


def test_what_is_no_text_is_printed_as_escapes():
    assert printable("a\nb\r\t\x1b[31m\udcff\u202e") == r"a\nb\r\t\x1b[31m\udcff\u202e"

"""Official trees: found as they are or in archives, described where they are missing."""

import os
import zipfile

import pytest

from kinefract.benchmarks.official.tree import Part, Tree
from kinefract.common.errors import UserError


def tree(root, *parts, top="raw"):
    return Tree("Some", "https://example.org", root / top, root, parts)


def pack(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def test_folders_and_files_that_are_there_are_taken_as_they_are(tmp_path):
    (tmp_path / "raw/videos").mkdir(parents=True)
    (tmp_path / "raw/list.txt").write_text("a\n")
    pack(tmp_path / "raw/videos.zip", {"videos/other.avi": ""})
    found = tree(tmp_path, Part("videos", ("*.zip",)), Part("list.txt"))
    assert found["videos"] == tmp_path / "raw/videos"
    assert found["list.txt"] == tmp_path / "raw/list.txt"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("above", ["", "videos/", "Official_1.0/videos/"])
def test_archives_hold_the_folder_or_what_is_in_it(tmp_path, above):
    pack(tmp_path / "raw/some.zip", {f"{above}Class/a.avi": "a"})
    found = tree(tmp_path, Part("videos", ("some.rar", "some.zip")))
    assert (found["videos"] / "Class/a.avi").read_text() == "a"
    assert found["videos"].is_relative_to(tmp_path / "data/unpacked")
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["some.zip"]


def test_parts_of_one_archive_are_unpacked_once_and_again_when_it_changes(tmp_path):
    files = {"a/train.txt": "x", "a/test.txt": "y"}
    pack(tmp_path / "raw/lists.v1.zip", files)
    parts = Part("train.txt", ("lists*.zip",)), Part("test.txt", ("lists*.zip",))
    found = tree(tmp_path, *parts)
    assert (found.text("train.txt"), found.text("test.txt")) == ("x", "y")
    assert len(list((tmp_path / "data/unpacked").iterdir())) == 1
    assert tree(tmp_path, *parts)["train.txt"] == found["train.txt"]
    pack(tmp_path / "raw/lists.v1.zip", files | {"a/train.txt": "changed"})
    assert tree(tmp_path, *parts).text("train.txt") == "changed"


def test_a_file_that_its_archive_does_not_hold_is_named(tmp_path):
    pack(tmp_path / "raw/lists.zip", {"other.txt": ""})
    with pytest.raises(UserError, match=r"there is no list\.txt in .*lists\.zip"):
        tree(tmp_path, Part("list.txt", ("lists.zip",)))


def test_all_that_is_missing_is_told_before_anything_is_unpacked(tmp_path):
    pack(tmp_path / "raw/lists.zip", {"lists/a.txt": ""})
    parts = (
        Part("lists", ("lists.zip",)),
        Part("videos", ("a.rar", "b.zip"), "<Class>/*.avi"),
        Part("vocabulary.json"),
    )
    with pytest.raises(UserError) as error:
        tree(tmp_path, *parts)
    assert str(error.value).splitlines() == [
        f"Some is not complete in {tmp_path}/raw. Put there, from https://example.org:",
        f"  {tmp_path}/raw/videos/<Class>/*.avi (or a.rar or b.zip as it is)",
        f"  {tmp_path}/raw/vocabulary.json",
        "or set the benchmark's `root` to the folder that holds them",
    ]
    assert not (tmp_path / "data").exists()


def test_a_folder_that_is_not_there_is_described_too(tmp_path):
    with pytest.raises(UserError, match="nowhere"):
        tree(tmp_path, Part("videos", ("*.zip",)), top="nowhere")


def test_lines_are_numbered_as_an_editor_does(tmp_path):
    # Only line feeds end a line, though Python knows other signs that do.
    (tmp_path / "raw").mkdir()
    text = "\ufeffone\r\n\r\n  two \r\nthr\x0bee\u2028\x85\nfo\udcffur".encode("utf-8", "surrogateescape")
    (tmp_path / "raw/list.txt").write_bytes(text)
    found = tree(tmp_path, Part("list.txt"), Part("."))
    place = f"{tmp_path}/raw/list.txt, line"
    lines = [("one", 1), ("two", 3), ("thr\x0bee", 4), ("fo\udcffur", 5)]
    assert found.lines("list.txt") == [(line, f"{place} {number}") for line, number in lines]
    assert found.lines(".", "list.txt") == found.lines("list.txt")
    with pytest.raises(UserError, match=r"Some: cannot read .*raw/other\.txt: No such file"):
        found.lines(".", "other.txt")


def test_files_are_found_as_spelt_and_without_case(tmp_path):
    names = [
        "A/Two Words.avi",
        "A/$(x)\n'\".avi",
        "B/ß Ä.avi",
        os.fsdecode(b"B/\xff.avi"),
        "B/same",
        "B/SAME",
    ]
    for name in names:
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "raw/link").symlink_to(tmp_path / "raw/A")
    found = tree(tmp_path, Part(".")).files(".")
    for name in (*names, "A", "B", "link/Two Words.avi"):
        assert found[name] == name
    assert found["a/two words.avi"] == "A/Two Words.avi"
    assert found["b/ss ä.avi"] == "B/ß Ä.avi"
    assert "A/two words.avi" not in found

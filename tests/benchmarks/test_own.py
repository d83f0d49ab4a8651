"""One's own videos: a folder for each class, or a CSV file."""

import csv
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from trees import FRAMES, NASTY, built, movie

from kinefract.benchmarks.base import BENCHMARKS
from kinefract.benchmarks.kinds.own import SUFFIXES, CsvRecipe, FolderRecipe
from kinefract.common.errors import UserError
from kinefract.video import decode


def put(top, *names, data=b""):
    for name in names:
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def pictures(folder, count=3):
    folder.mkdir(parents=True)
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 255, (24, 32, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


def contents(recipe, root):
    return recipe.contents(root, root / "data/benchmarks/some")


def listed(recipe, root):
    return sorted((e.class_name, e.split, Path(e.path).name) for e in contents(recipe, root).entries)


def write_csv(path, rows, header="path,label,split"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
        stream.write(header + "\n")
        csv.writer(stream).writerows(rows)


def test_both_kinds_are_known_by_their_names():
    assert (BENCHMARKS["folder"], BENCHMARKS["csv"]) == (FolderRecipe, CsvRecipe)


# Folders


@pytest.mark.parametrize("absolute", [False, True])
def test_videos_under_any_name_are_indexed_from_a_given_split(tmp_path, absolute):
    for number, name in enumerate([*NASTY, "UPPER.MP4"]):
        for split in ("train", "test"):
            put(tmp_path / "own" / split / ("walk", "two words")[number % 2], name, data=movie(number))
    root = str(tmp_path / "own") if absolute else "own"
    videos = built(FolderRecipe(root=root), tmp_path)
    found = Counter((v.class_name, v.split, v.path.name) for v in videos)
    assert found == {
        (("walk", "two words")[number % 2], split, name): 1
        for number, name in enumerate([*NASTY, "UPPER.MP4"])
        for split in ("train", "test")
    }
    assert {(v.class_name, v.label) for v in videos} == {("two words", 0), ("walk", 1)}
    assert {v.length for v in videos} == {FRAMES} and all(v.path.is_file() for v in videos)
    assert not list(tmp_path.rglob("gone")) and not Path("gone").exists()


def test_a_class_whose_name_is_no_text_is_shown_with_escapes(tmp_path):
    odd = os.fsdecode(b"cr\xe8me")
    for split in ("train", "test"):
        put(tmp_path / "own" / split, f"{odd}/a.mp4", "walk/a.mp4", data=movie(0))
    videos = built(FolderRecipe(root="own"), tmp_path)
    assert {v.class_name for v in videos} == {r"cr\udce8me", "walk"}
    assert len(decode(videos[0].path)) == FRAMES
    page = (tmp_path / "data/benchmarks/some/summary.txt").read_text(encoding="utf-8")
    assert r"cr\udce8me" in page


def test_every_suffix_of_videos_counts_in_any_case_and_folders_of_pictures(tmp_path, capsys):
    names = [f"a{suffix}" for suffix in SUFFIXES] + [f"B{suffix.upper()}" for suffix in SUFFIXES]
    for split in ("train", "test"):
        put(tmp_path / "own" / split, *(f"{label}/{name}" for label in "xy" for name in names))
        pictures(tmp_path / "own" / split / "x/pictures.d")
    put(tmp_path / "own/train", "x/notes.txt", "x/more.TXT", "x/noname", "y/.hidden.mp4", ".git/a.mp4")
    put(tmp_path / "own/train/x/deeper", "a.mp4")
    pictures(tmp_path / "own/train/y/thumbnails and/videos")
    found = listed(FolderRecipe(root="own"), tmp_path)
    assert {name for _, _, name in found} == {*names, "pictures.d"}
    assert len(found) == 4 * len(names) + 2
    said = capsys.readouterr().err
    assert "passed over, since they are no videos: 5 entries" in said
    for kind in ("1 .txt", "1 .TXT", "1 without suffix", "2 folders"):
        assert kind in said


def test_a_folder_of_pictures_is_indexed(tmp_path):
    for split in ("train", "test"):
        pictures(tmp_path / f"own/{split}/x/$(a) 'b'")
        pictures(tmp_path / f"own/{split}/y/1", 4)
    assert sorted(v.length for v in built(FolderRecipe(root="own"), tmp_path)) == [3, 3, 4, 4]


def test_thumbnails_beside_videos_make_no_video_of_their_folder(tmp_path):
    for split in ("train", "test"):
        put(tmp_path / "own" / split, "x/1.mp4", "x/2.mp4", "y/1.mp4", data=movie(0))
        Image.new("RGB", (32, 24)).save(tmp_path / "own" / split / "x/thumbnail.jpg")
        pictures(tmp_path / "own" / split / "y/2")
        Image.new("RGB", (32, 24)).save(tmp_path / "own" / split / "y/cover.png")
    found = listed(FolderRecipe(root="own"), tmp_path)
    names = [("x", "1.mp4"), ("x", "2.mp4"), ("y", "1.mp4"), ("y", "2")]
    assert found == sorted((label, split, name) for label, name in names for split in ("train", "test"))


@pytest.mark.parametrize("left", ["clip.xyz", "deeper/1.mp4", ".hidden.mp4"])
def test_a_class_folder_without_videos_is_named(tmp_path, left):
    for split in ("train", "test"):
        put(tmp_path / "own" / split, "x/1.mp4", "y/1.mp4", f"lost/{left}")
    with pytest.raises(UserError, match="folders of classes that hold no video: lost; bring the videos"):
        listed(FolderRecipe(root="own"), tmp_path)
    for settings in ({"classes": ("x", "y")}, {"allow_missing": True}):
        found = listed(FolderRecipe(root="own", **settings), tmp_path)
        assert {label for label, _, _ in found} == {"x", "y"}


@pytest.mark.parametrize("files", [["train/1.mp4", "test/1.mp4"], ["train/x/1.mp4", "test/1.mp4"]])
def test_a_split_without_class_folders_is_no_class(tmp_path, files):
    put(tmp_path / "own", *files, data=movie(0))
    with pytest.raises(UserError, match="holds no folders of classes in test"):
        listed(FolderRecipe(root="own"), tmp_path)


def test_an_empty_split_is_passed_over(tmp_path):
    for split in ("train", "test"):
        put(tmp_path / "own" / split, "x/1.mp4", "y/1.mp4")
    (tmp_path / "own/validation").mkdir()
    assert len(listed(FolderRecipe(root="own"), tmp_path)) == 4


def many(top, classes=("a", "b", "c"), count=200):
    put(top, *(f"{name}/{number}.mp4" for name in classes for number in range(count)))


def test_a_drawn_split_has_the_share_of_each_class_to_the_nearest_video(tmp_path):
    many(tmp_path / "own")
    found = contents(FolderRecipe(root="own", test_share=0.25), tmp_path).entries
    for name in "abc":
        tests = sum(e.class_name == name and e.split == "test" for e in found)
        assert tests == 50
    sides = {
        name: {Path(e.path).stem for e in found if e.class_name == name and e.split == "test"}
        for name in "abc"
    }
    assert sides["a"] != sides["b"]


def test_one_more_video_moves_at_most_one_other_of_its_class(tmp_path):
    many(tmp_path / "own")
    recipe = FolderRecipe(root="own")
    before = set(listed(recipe, tmp_path))
    put(tmp_path / "own", "a/more.mp4", "d/1.mp4", "d/2.mp4")
    moved = before - set(listed(recipe, tmp_path))
    assert len(moved) <= 1 and {name for name, _, _ in moved} <= {"a"}
    assert set(listed(FolderRecipe(root="own", seed=2), tmp_path)) != set(listed(recipe, tmp_path))


def test_equal_files_are_on_one_side_of_a_drawn_split_also_in_two_classes(tmp_path):
    many(tmp_path / "own", count=12)
    for copies in (("a/0", "a/1", "b/7"), ("c/1", "c/2")):
        for path in copies:
            (tmp_path / f"own/{path}.mp4").write_text(f"the film {copies}")
    for seed in range(1, 8):
        found = contents(FolderRecipe(root="own", seed=seed), tmp_path).entries
        split = {"/".join(Path(entry.path).with_suffix("").parts[-2:]): entry.split for entry in found}
        assert split["a/0"] == split["a/1"] == split["b/7"] and split["c/1"] == split["c/2"]
        counts = Counter(entry.class_name for entry in found if entry.split == "test")
        assert all(abs(counts[name] - 4) <= 1 for name in "abc")


def test_a_class_of_one_file_under_two_names_is_refused(tmp_path):
    put(tmp_path / "own", "a/1.mp4", "a/2.mp4", "b/1.mp4", "b/2.mp4")
    for name in ("1", "2"):
        (tmp_path / f"own/b/{name}.mp4").write_text("the film")
    with pytest.raises(UserError, match="that are not the same file: b"):
        contents(FolderRecipe(root="own"), tmp_path)


def test_a_class_that_is_not_wanted_may_have_one_video(tmp_path):
    put(tmp_path / "own", "a/1.mp4", "a/2.mp4", "b/1.mp4", "b/2.mp4", "c/1.mp4")
    for path in (tmp_path / "own").rglob("*.mp4"):
        path.write_text(str(path))
    with pytest.raises(UserError, match="one to train and one to test, that are not the same file: c"):
        contents(FolderRecipe(root="own"), tmp_path)
    found = listed(FolderRecipe(root="own", classes=["a", "b"]), tmp_path)
    assert {(name, split) for name, split, _ in found} == {(n, s) for n in "ab" for s in ("train", "test")}


@pytest.mark.parametrize("share", [0.001, 0.999])
def test_a_small_class_is_on_both_sides(tmp_path, share):
    many(tmp_path / "own", count=3)
    found = listed(FolderRecipe(root="own", test_share=share), tmp_path)
    counts = Counter((name, split) for name, split, _ in found)
    few, more = ("test", "train") if share < 0.5 else ("train", "test")
    assert counts == {(name, split): count for name in "abc" for split, count in ((few, 1), (more, 2))}


def test_a_class_may_be_named_train(tmp_path):
    many(tmp_path / "own", ("bus", "train", "test"), 5)
    assert contents(FolderRecipe(root="own"), tmp_path).classes == ["bus", "test", "train"]


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        ([], "cannot read the folder .*own: No such file"),
        (["a/1.mp4", "a/2.mp4"], "needs videos of two classes, this has a"),
        (["a/1.txt", "b/2.txt"], "folders of classes that hold no video: a, b"),
        (["1.mp4", "2.mp4"], "needs videos of two classes, this has none"),
        (
            ["a/1.mp4", "a/2.mp4", "b/1.mp4", "c d/1.mp4"],
            "that are not the same file: b, c d",
        ),
        (["train/a/1.mp4", "test/a/1.mp4", "val/a/1.mp4"], "are no split: val; rename"),
    ],
)
def test_a_layout_that_makes_no_sense_is_described(tmp_path, names, complaint):
    put(tmp_path / "own", *names)
    with pytest.raises(UserError, match=complaint):
        contents(FolderRecipe(root="own"), tmp_path)


def test_a_class_that_only_trains_is_refused_when_indexed(tmp_path):
    for name in ("train/a", "train/b", "test/a"):
        put(tmp_path / "own" / name, "1.mp4", data=movie(0))
    with pytest.raises(UserError, match="1 of 2 classes have no test videos: b"):
        built(FolderRecipe(root="own"), tmp_path)


def test_validation_videos_are_left_out_or_stand_in_for_the_tests(tmp_path):
    for split in ("train", "validation", "test"):
        many(tmp_path / "own" / split, "ab", 10)

    def counts(**settings):
        return Counter(e.split for e in contents(FolderRecipe(root="own", **settings), tmp_path).entries)

    assert counts() == {"train": 20, "test": 20}
    assert counts(validation="given") == {"train": 20, "validation": 20}
    assert counts(validation=0.3) == {"train": 14, "validation": 6}
    assert counts(clips_per_class=3, validation="given") == {"train": 6, "validation": 20}
    assert counts(classes=["a", "b"], clips_per_class=2) == {"train": 4, "test": 20}


def test_validation_that_is_not_there_cannot_be_asked_for(tmp_path):
    many(tmp_path / "own", count=5)
    with pytest.raises(UserError, match="none of your videos are given for validation"):
        contents(FolderRecipe(root="own", validation="given"), tmp_path)


def test_without_test_videos_the_way_to_those_for_validation_is_told(tmp_path):
    for split in ("train", "validation"):
        many(tmp_path / "own" / split, "ab", 4)
    with pytest.raises(UserError, match="no video is for testing: `validation: given`"):
        contents(FolderRecipe(root="own"), tmp_path)
    assert len(contents(FolderRecipe(root="own", validation="given"), tmp_path).entries) == 16


@pytest.mark.parametrize("name", ["walk\n", "wa\u202elk", "w" * 201, "a\x7f"])
def test_a_folder_whose_name_is_no_name_of_a_class_is_refused(tmp_path, name):
    many(tmp_path / "own", ("run", name), 2)
    with pytest.raises(UserError, match=r"own: .*class.*'(wal?k?\\|wa\\u202elk'; rename|www|a\\x7f)"):
        contents(FolderRecipe(root="own"), tmp_path)


def test_links_that_lead_nowhere_are_videos_that_are_missing(tmp_path):
    for split in ("train", "test"):
        many(tmp_path / "own" / split, "ab", 2)
        (tmp_path / "own" / split / "a/gone.mp4").symlink_to(tmp_path / "unmounted/gone.mp4")
    (tmp_path / "own/train/b/pictures").symlink_to(tmp_path / "unmounted/pictures")
    found = contents(FolderRecipe(root="own"), tmp_path)
    assert found.missing == ["train/a/gone.mp4", "train/b/pictures", "test/a/gone.mp4"]
    assert len(found.entries) == 8
    with pytest.raises(UserError, match="3 of 11 listed videos are not there"):
        built(FolderRecipe(root="own"), tmp_path)


def test_a_link_in_place_of_a_class_or_a_split_that_leads_nowhere_is_told(tmp_path):
    for split in ("train", "test"):
        many(tmp_path / "own" / split, "ab", 2)
    (tmp_path / "own/train/c").symlink_to(tmp_path / "unmounted")
    with pytest.raises(UserError, match="folders of classes that hold no video: c"):
        contents(FolderRecipe(root="own"), tmp_path)
    (tmp_path / "own/validation").symlink_to(tmp_path / "unmounted")
    with pytest.raises(UserError, match=r"cannot read the folder .*validation: No such file"):
        contents(FolderRecipe(root="own"), tmp_path)


def test_links_back_to_a_folder_above_are_not_followed(tmp_path):
    many(tmp_path / "own", "ab", 2)
    for name in ("back", "again"):
        (tmp_path / "own/a" / name).symlink_to(tmp_path / "own/a")
    assert len(contents(FolderRecipe(root="own"), tmp_path).entries) == 4


# CSV files


def test_clips_that_begin_together_are_several_and_other_spellings_are_the_same(tmp_path):
    put(tmp_path / "v", "a.mp4", "b.mp4", data=movie(0))
    (tmp_path / "linked").symlink_to(tmp_path / "v")
    header = "path,label,split,start,end"
    rows = [("a.mp4", "x", "train", 0, 2), ("a.mp4", "y", "train", 0, 4), ("b.mp4", "x", "test", 0, 2)]
    rows.append(("b.mp4", "y", "test", 0, ""))
    write_csv(tmp_path / "v/list.csv", rows, header)
    videos = built(CsvRecipe(file="v/list.csv"), tmp_path)
    assert [item.end for item in videos] == [2, 4, 2, FRAMES]
    for spelt in ("../v/a.mp4", "../linked/a.mp4", str(tmp_path / "linked/a.mp4"), ".//a.mp4"):
        write_csv(tmp_path / "v/list.csv", [*rows, (spelt, "y", "test", 0, 4)], header)
        with pytest.raises(UserError, match=r"line 6: .*a\.mp4 is listed already, in .*line 3"):
            contents(CsvRecipe(file="v/list.csv"), tmp_path)
    write_csv(tmp_path / "v/list.csv", [*rows, ("b.mp4", "y", "train", 0, FRAMES)], header)
    with pytest.raises(UserError, match=r"listed more than once:\n .*b\.mp4"):
        built(CsvRecipe(file="v/list.csv"), tmp_path)


@pytest.mark.parametrize("absolute", [False, True])
def test_videos_that_a_file_names_are_indexed_under_any_name(tmp_path, absolute):
    rows = []
    for number, name in enumerate([*NASTY, "UPPER.MP4"]):
        for split in ("train", "test"):
            put(tmp_path / "own/videos" / split, name, data=movie(number))
            rows.append((f"videos/{split}/{name}", ("walk", "dance, or so")[number % 2], split))
    write_csv(tmp_path / "own/list.csv", rows)
    file = str(tmp_path / "own/list.csv") if absolute else "own/list.csv"
    videos = built(CsvRecipe(file=file), tmp_path)
    assert Counter((v.path.name, v.class_name, v.split) for v in videos) == Counter(
        (Path(path).name, label, split) for path, label, split in rows
    )
    assert {(v.class_name, v.label) for v in videos} == {("dance, or so", 0), ("walk", 1)}
    assert all(v.path.is_file() for v in videos)
    assert not list(tmp_path.rglob("gone")) and not Path("gone").exists()


def test_clips_of_a_file_and_any_order_of_columns(tmp_path):
    put(tmp_path, "a.mp4", "b.mp4", data=movie(0))
    text = (
        "\ufeffsplit, label ,path,start,end\r\n"
        "train,x,a.mp4,,2\r\n\r\ntest , x ,a.mp4,3,\r\ntrain,y,./b.mp4,1,3\r\ntest,y,b.mp4,3,5\r\n"
    )
    (tmp_path / "list.csv").write_bytes(text.encode())
    videos = built(CsvRecipe(file="list.csv"), tmp_path)
    assert [(v.path.name, v.class_name, v.split, v.start, v.end) for v in videos] == [
        ("a.mp4", "x", "train", 0, 2),
        ("b.mp4", "y", "train", 1, 3),
        ("a.mp4", "x", "test", 3, FRAMES),
        ("b.mp4", "y", "test", 3, 5),
    ]


def test_a_group_stays_together_and_is_said_to_be_on_both_sides(tmp_path, capsys):
    rows = [(f"{number}.mp4", "ab"[number % 2], "train", f"film {number // 4}") for number in range(40)]
    put(tmp_path, *(row[0] for row in rows))
    write_csv(tmp_path / "list.csv", rows, "path,label,split,group")
    found = contents(CsvRecipe(file="list.csv", validation=0.3), tmp_path).entries
    assert Counter(e.split for e in found) == {"train": 28, "validation": 12}
    films = {
        split: {int(Path(e.path).stem) // 4 for e in found if e.split == split}
        for split in ("train", "validation")
    }
    assert not films["train"] & films["validation"]
    assert "groups" not in capsys.readouterr().err
    write_csv(tmp_path / "list.csv", [*rows, ("41.mp4", "a", "test", "film 3")], "path,label,split,group")
    contents(CsvRecipe(file="list.csv"), tmp_path)
    assert "in more than one split, which makes results too good: 1 group, film 3" in capsys.readouterr().err


def test_clips_of_a_file_in_two_spellings_are_of_one_group(tmp_path):
    rows = [(f"{n}.mp4", "ab"[n % 2], "train", 0, 2) for n in range(8)]
    rows += [(f"./{n}.mp4", "ab"[n % 2], "train", 2, 4) for n in range(8)]
    put(tmp_path, *(row[0] for row in rows))
    write_csv(tmp_path / "list.csv", rows, "path,label,split,start,end")
    for seed in range(1, 5):
        found = contents(CsvRecipe(file="list.csv", folds=4, fold=1, seed=seed), tmp_path).entries
        sides = [{Path(e.path).name for e in found if e.split == split} for split in ("train", "test")]
        assert all(sides) and not sides[0] & sides[1]


def test_videos_that_are_not_there_are_missing(tmp_path):
    put(tmp_path, "a.mp4")
    long = f"{'a' * 300}.mp4"  # longer than any name of a file
    rows = [("a.mp4", "x", "train"), ("gone.mp4", "y", "train"), ("A.mp4", "x", "test"), (long, "y", "test")]
    write_csv(tmp_path / "list.csv", rows)
    found = contents(CsvRecipe(file="list.csv"), tmp_path)
    assert found.missing == ["gone.mp4", "A.mp4", long] and len(found.entries) == 1


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("b.mp4,x", "has 2 fields, the first line names 6"),
        ("b.mp4,x,train,,,,", "has 7 fields, the first line names 6"),
        (" ,x,train,,,", "wants a path"),
        ("b\0.mp4,x,train,,,", "wants a path"),
        ("b.mp4, ,train,,,", "wants a label"),
        ('b.mp4,"x\ny",train,,,', r"holds control characters or marks of direction: 'x\\ny'; rename"),
        ("b.mp4,x\u202ey,train,,,", r"holds control characters or marks of direction: 'x\\u202ey'; rename"),
        (f"b.mp4,{'x' * 201},train,,,", "a class name has at most 200 characters, got 201"),
        (f"b.mp4,x,train,,,{'9' * 5000}", "end is a frame number"),
        (f"b.mp4,x,train,,{'1' * 13},", "start is a frame number"),
        ("b.mp4,x,Train,,,", "split is one of train, validation, test, got 'Train'"),
        ("b.mp4,x,train,,1.5,", "start is a frame number"),
        ("b.mp4,x,train,,-1,", "start is a frame number"),
        ("b.mp4,x,train,,,²", "end is a frame number"),
        ("b.mp4,x,train,,5,5", "ends at frame 5, before it starts"),
        ("b.mp4,x,train,,,0", "ends at frame 0, before it starts"),
        ("./a.mp4,y,test,g,,", r"\./a\.mp4 is listed already, in .*list\.csv, line 2"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused_by_file_and_line(tmp_path, line, complaint):
    lines = ["path,label,split,group,start,end", "a.mp4,x,train,,,", "", '"new\nline.mp4",y,train,,,', line]
    (tmp_path / "list.csv").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(UserError, match=rf"list\.csv, line 6: .*{complaint}"):
        contents(CsvRecipe(file="list.csv"), tmp_path)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "path,label",
        "path;label;split",
        "a.mp4,x,train",
        "path,label,split,fps",
        "path,label,split,path",
        "\udcff",
    ],
)
def test_a_header_that_names_other_things_is_refused(tmp_path, header):
    write_csv(tmp_path / "list.csv", [], header)
    with pytest.raises(UserError, match=r"list\.csv, line 1: wants the names path,label,split and perhaps"):
        contents(CsvRecipe(file="list.csv"), tmp_path)


def test_an_open_quote_is_refused_by_line(tmp_path):
    write_csv(tmp_path / "list.csv", [])
    with (tmp_path / "list.csv").open("a") as stream:
        stream.write('a.mp4,x,train\n"b.mp4,x,train\nc.mp4,x,train\n')
    with pytest.raises(UserError, match=r"list\.csv, line \d: unexpected end of data"):
        contents(CsvRecipe(file="list.csv"), tmp_path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*nowhere\.csv: No such file"):
        contents(CsvRecipe(file="nowhere.csv"), tmp_path)


# Settings


@pytest.mark.parametrize("recipe", [FolderRecipe(root="a"), CsvRecipe(file="a")])
def test_whether_a_mirror_keeps_labels_is_the_users_to_say(recipe):
    assert recipe.mirror_keeps_label is True
    assert recipe.model_copy(update={"mirror": False}).mirror_keeps_label is False
    assert "mirror_keeps_label" not in recipe.model_dump()


@pytest.mark.parametrize(
    "settings",
    [
        {"root": ""},
        {"test_share": 0.0},
        {"test_share": 1.0},
        {"validation": "test"},
        {"validation": 1.0},
        {"validation": True},
        {"mirror": "no"},
        {"file": "a.csv"},
        {"classes": ["a"]},
    ],
)
def test_impossible_settings_are_rejected(settings):
    with pytest.raises(ValidationError, match=next(iter(settings))):
        FolderRecipe.model_validate({"root": "own"} | settings)

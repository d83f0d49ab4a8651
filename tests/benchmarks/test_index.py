"""The index of a benchmark: any file name comes back, broken files are reported together."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from trees import NASTY

from kinefract import video
from kinefract.benchmarks import index
from kinefract.benchmarks.base import BenchmarkRecipe, Contents, Entry, Video
from kinefract.common.errors import UserError


class Listed(BenchmarkRecipe):
    """A benchmark that is a list."""

    kind: str = "listed"
    listed: tuple[tuple, ...]
    missing: tuple[str, ...] = ()
    disagreements: tuple[str, ...] = ()
    allow_missing: bool = False

    @property
    def tolerant(self):
        return self.allow_missing

    def contents(self, root, folder):
        names = {entry[1]: entry[2] for entry in self.listed}
        entries = [Entry(*entry) for entry in self.listed]
        wrong = list(self.missing), list(self.disagreements)
        return Contents([names[label] for label in sorted(names)], entries, *wrong, {"train": 10})


@pytest.fixture(scope="module")
def movie():
    frames = np.random.default_rng(0).integers(0, 255, (6, 32, 48, 3)).astype(np.uint8)
    return video.encode(frames, fps=12, crf=23)


@pytest.fixture
def nasty(tmp_path, movie):
    """A benchmark of two classes whose files, under ``videos``, have unusual names."""
    (tmp_path / "videos").mkdir()
    listed = []
    for split in ("train", "test"):
        for number, name in enumerate(NASTY):
            (tmp_path / "videos" / f"{split}{name}").write_bytes(movie)
            listed.append(
                (
                    str(tmp_path / f"videos/{split}{name}"),
                    number % 2,
                    ("one", "two, or so")[number % 2],
                    split,
                )
            )
    return Listed(listed=tuple(listed))


def test_any_file_name_round_trips(nasty, tmp_path):
    index.build(nasty, tmp_path, tmp_path / "index")
    videos = index.read(tmp_path / "index")
    assert [(str(v.path), v.label, v.class_name, v.split) for v in videos] == list(nasty.listed)
    assert {v[3:9] for v in videos} == {(6, 12.0, 48, 32, 0, 6)}
    assert not list(tmp_path.rglob("gone"))


def test_the_folder_holds_classes_counts_and_a_sheet(nasty, tmp_path):
    index.build(nasty, tmp_path, tmp_path / "index")
    folder = tmp_path / "index"
    assert json.loads((folder / "classes.json").read_text()) == ["one", "two, or so"]
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["videos"] == {"train": 10, "test": 10}
    assert summary["per_class"]["train"] == {"one": 5, "two, or so": 5}
    assert "train             10        10" in (folder / "summary.txt").read_text(encoding="utf-8")
    sheet = video.probe(folder / "preview.mp4")
    assert sheet.frames == 36
    assert sheet.width % 2 == sheet.height % 2 == 0
    assert (folder / "preview.png").stat().st_size > 1000
    # Four tiles of 96 x 64 side by side show pictures, not paper.
    frame = video.decode(folder / "preview.mp4", [0])[0]
    assert frame.shape[1] == 4 * 96 + 5 * 4
    assert (frame.min(axis=-1) < 200).mean() > 0.5


def test_relative_paths_lead_from_the_index_folder_and_move_with_it(nasty, tmp_path):
    relative = tuple((f"../videos/{Path(entry[0]).name}", *entry[1:]) for entry in nasty.listed)
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "videos").rename(project / "videos")
    index.build(Listed(listed=relative), project, project / "index")
    project.rename(tmp_path / "moved")
    videos = index.read(tmp_path / "moved/index")
    assert [v.path for v in videos] == [tmp_path / "moved/videos" / Path(entry[0]).name for entry in relative]
    assert all(v.path.is_file() for v in videos)


def test_an_index_that_is_not_made_anew_to_its_end_is_gone(nasty, tmp_path, monkeypatch):
    index.build(nasty, tmp_path, tmp_path / "index")
    monkeypatch.setattr("kinefract.viewing.videos.write_sheet", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        index.build(nasty, tmp_path, tmp_path / "index")
    with pytest.raises(UserError, match="is not indexed yet; `kinefract index "):
        index.read(tmp_path / "index")


def test_broken_files_are_reported_together_and_no_index_is_left(nasty, tmp_path, movie):
    broken = {
        "cut.mp4": movie[: len(movie) // 2],
        "empty.mp4": b"",
        "text.mp4": b"This is a page that says the download failed.\n" * 50,
    }
    listed = list(nasty.listed)
    for name, data in broken.items():
        (tmp_path / name).write_bytes(data)
        listed.append((str(tmp_path / name), 0, "one", "train"))
    listed.append((str(tmp_path / "nowhere.mp4"), 0, "one", "train"))
    listed.append((listed[0][0], 0, "one", "train", 3, 7))
    wrong = {"missing": ("absent\n.mp4",), "disagreements": ("the lists are short",)}
    folder = tmp_path / "index"
    with pytest.raises(UserError) as error:
        index.build(Listed(listed=tuple(listed), **wrong), tmp_path, folder)
    message = str(error.value)
    assert message.startswith(
        "the lists are short; 1 of 26 listed videos are not there; 5 of 26 cannot be read:\n"
    )
    for text in (*broken, "nowhere.mp4", "absent\\n.mp4", "frames 3 to 7 are wanted of a video of 6"):
        assert text in message
        assert text in (folder / "problems.txt").read_text(encoding="utf-8")
    assert "`allow_missing: true`" in message
    assert [path.name for path in folder.iterdir()] == ["problems.txt"]


def test_going_on_without_them_is_said_and_leaves_the_rest(nasty, tmp_path, capsys):
    (tmp_path / "broken.mp4").write_bytes(b"")
    listed = (*nasty.listed, (str(tmp_path / "broken.mp4"), 0, "one", "train"))
    recipe = Listed(listed=listed, missing=("absent.mp4",), allow_missing=True)
    index.build(recipe, tmp_path, tmp_path / "index")
    assert [str(item.path) for item in index.read(tmp_path / "index")] == [item[0] for item in nasty.listed]
    said = capsys.readouterr().err
    assert "1 of 22 listed videos are not there; 1 of 22 cannot be read: going on without" in said
    summary = json.loads((tmp_path / "index/summary.json").read_text())
    assert (summary["missing"], summary["unreadable"]) == (1, 1)
    assert len((tmp_path / "index/problems.txt").read_text().splitlines()) == 2
    index.build(nasty, tmp_path, tmp_path / "index")
    assert not (tmp_path / "index/problems.txt").exists()


def test_a_clip_is_a_part_of_its_file(nasty, tmp_path):
    path, label, name, split = nasty.listed[0]
    parts = (path, label, name, split, 1, 3), (path, label, name, split, 3)
    index.build(Listed(listed=(*nasty.listed[1:], *parts)), tmp_path, tmp_path / "index")
    found = [item for item in index.read(tmp_path / "index") if str(item.path) == path]
    assert [(item.start, item.end, item.length, item.frames) for item in found] == [
        (1, 3, 2, 6),
        (3, 6, 3, 6),
    ]


def test_a_benchmark_of_no_class_or_of_unreadable_names_is_refused(tmp_path):
    with pytest.raises(UserError, match="lists no class"):
        index.build(Listed(listed=()), tmp_path, tmp_path / "index")
    for name in ("two\nlines", os.fsdecode(b"\xff")):
        with pytest.raises(UserError, match="holds control characters or marks of direction"):
            index.build(Listed(listed=(("a.mp4", 0, name, "train"),)), tmp_path, tmp_path / "index")


def test_at_most_ten_broken_files_are_listed(tmp_path):
    listed = tuple((str(tmp_path / f"{i}.mp4"), 0, "one", ("train", "test")[i % 2]) for i in range(25))
    with pytest.raises(UserError, match=r"(?s)25 of 25 .*\n  and 15 more"):
        index.build(Listed(listed=listed), tmp_path, tmp_path / "index")


@pytest.mark.parametrize("kept", ["train", "test"])
def test_a_class_needs_training_and_test_videos(nasty, tmp_path, kept):
    listed = tuple(entry for entry in nasty.listed if entry[1] == 0 or entry[3] == kept)
    other = {"train": "test", "test": "training"}[kept]
    with pytest.raises(UserError, match=f"1 of 2 classes have no {other} videos: two, or so"):
        index.build(Listed(listed=listed), tmp_path, tmp_path / "index")


def test_a_video_is_listed_once(nasty, tmp_path):
    path, label, name, _ = nasty.listed[0]
    with pytest.raises(UserError, match="listed more than once"):
        index.build(Listed(listed=(*nasty.listed, (path, label, name, "test"))), tmp_path, tmp_path / "index")


def test_a_missing_index_is_named(tmp_path):
    with pytest.raises(UserError, match=r"index\.csv is missing"):
        index.read(tmp_path)


HEADER = ",".join(Video._fields)


ROW = "a.mp4,1,two,6,12.0,48,32,0,6,train"


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("a.mp4,1,two,6,12.0", "has 5 fields instead of 10"),
        (ROW.replace("a.mp4", ""), "path is '', wants that of a video"),
        (ROW.replace(",1,", ",one,"), "label is 'one', wants a whole number from 0 to 1"),
        (ROW.replace(",1,", ",-1,"), "label is '-1', wants a whole number from 0 to 1"),
        (ROW.replace(",1,", ",99,"), "label is '99', wants a whole number from 0 to 1"),
        (ROW.replace(",1,", ",0,"), r"class_name is 'two', but label 0 is 'one' in classes\.json"),
        (ROW.replace(",6,12", ",0,12"), "frames is '0', wants a whole number from 1 on"),
        (ROW.replace(",6,12", f",{'6' * 5000},12"), "frames is '66666"),
        (ROW.replace("12.0", "nan"), "fps is 'nan', wants a number from 0 on"),
        (ROW.replace("12.0", "1e999"), "fps is '1e999'"),
        (ROW.replace("12.0", "-1"), "fps is '-1'"),
        (ROW.replace("48", "-48"), "width is '-48'"),
        (ROW.replace("32", ""), "height is ''"),
        (ROW.replace(",0,6,train", ",6,6,train"), "start is '6', wants a whole number from 0 to 5"),
        (ROW.replace(",0,6,train", ",4,3,train"), "end is '3', wants a whole number from 5 to 6"),
        (ROW.replace(",0,6,train", ",0,7,train"), "end is '7', wants a whole number from 1 to 6"),
        (ROW.replace("train", "both"), "split is 'both', wants one of train, validation, test"),
        (f'"{ROW}', "unexpected end of data"),
        (f"{ROW},{'x' * 200_000}", "field larger than field limit"),
    ],
)
def test_a_row_that_no_index_has_is_refused_by_file_line_and_field(tmp_path, row, complaint):
    (tmp_path / "classes.json").write_text('["one", "two"]')
    (tmp_path / "index.csv").write_text(f'{HEADER}\n"new\nline.mp4"{ROW[5:]}\n{row}\n')
    with pytest.raises(UserError, match=rf"index\.csv, line 4: {complaint}"):
        index.read(tmp_path)


@pytest.mark.parametrize("text", ["", "path,label\n", "\xff\xfe\x00PK\x03\x04", HEADER, ROW])
def test_a_file_that_is_no_index_is_refused(tmp_path, text):
    (tmp_path / "classes.json").write_text('["one", "two"]')
    (tmp_path / "index.csv").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"index\.csv, line \d: it(s first line is not path| lists no video)"):
        index.read(tmp_path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, r"is missing"),
        (b"", "cannot be read as JSON"),
        (b'["one", "t', "cannot be read as JSON"),
        (b"[" * 100_000, "cannot be read as JSON"),
        (b"9" * 5000, "cannot be read as JSON"),
        (b"\xff\xfe", "cannot be read as JSON"),
        (b'{"one": 0, "two": 1}', "wants "),
        (b'["one", 2]', "wants "),
        (b'["one", "one"]', "each once"),
        (b'["one"]', r"line 2: label is '1', wants a whole number from 0 to 0"),
        (b'["one", "t\\u202ewo"]', r"marks of direction: 't\\u202ewo'"),
    ],
)
def test_classes_that_do_not_fit_their_index_are_refused(tmp_path, content, complaint):
    if content is not None:
        (tmp_path / "classes.json").write_bytes(content)
    (tmp_path / "index.csv").write_text(f"{HEADER}\n{ROW}\n")
    with pytest.raises(UserError, match=rf"(classes\.json|index\.csv).*{complaint}"):
        index.read(tmp_path)


def test_the_index_is_plain_csv(nasty, tmp_path):
    index.build(nasty, tmp_path, tmp_path / "index")
    with (tmp_path / "index/index.csv").open(
        encoding="utf-8", errors="surrogateescape", newline=""
    ) as stream:
        rows = list(csv.DictReader(stream))
    assert rows[4]["path"].endswith("new\nline\r.mp4")


def test_the_catalog_fills_the_registry_without_loading_torch_or_libav():
    program = (
        "import sys; from kinefract.benchmarks.kinds import BENCHMARKS; "
        "print(sorted(BENCHMARKS), sorted({'torch', 'av', 'PIL', 'skvideo'} & set(sys.modules)))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    names, heavy = printed.strip().split("] [")
    assert "'motions'" in names
    assert "'ucf101'" in names
    assert heavy == "]"


class Tolerant(Listed):
    @property
    def tolerant(self):
        return True


def test_a_tolerant_benchmark_is_indexed_though_a_class_lacks_a_side(nasty, tmp_path, capsys):
    listed = tuple(entry for entry in nasty.listed if entry[1] == 0 or entry[3] == "train")
    index.build(Tolerant(listed=listed), tmp_path, tmp_path / "index")
    assert "1 of 2 classes have no test videos: two, or so" in capsys.readouterr().err
    assert {item.split for item in index.read(tmp_path / "index") if item.label == 1} == {"train"}
    only_tests = tuple(entry for entry in nasty.listed if entry[3] == "test")
    index.build(Tolerant(listed=only_tests), tmp_path, tmp_path / "tests")
    assert (tmp_path / "tests/preview.png").exists()
    with pytest.raises(UserError, match="not one of the benchmark's videos is there"):
        index.build(
            Tolerant(listed=((str(tmp_path / "gone.mp4"), 0, "one", "train"),)), tmp_path, tmp_path / "none"
        )

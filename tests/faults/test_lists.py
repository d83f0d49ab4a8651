"""Changed lists give clips that can be or one clear error, never a traceback."""

import csv
import json
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import TEXTS, mutated

from kinefract import video
from kinefract.benchmarks import index
from kinefract.benchmarks.base import SPLITS, Video
from kinefract.benchmarks.kinds.own import CsvRecipe
from kinefract.common import checksums
from kinefract.common.errors import UserError

LIST = (
    "path,label,split,group,start,end\n"
    'a.mp4,walk,train,anna,0,5\n"b, c.mp4",run,train,ben,,\n'
    "a.mp4,run,test,anna,2,12\ne\u0301.mp4,walk,test,eve,3,\n"
).encode()


FIELDS = st.sampled_from(TEXTS) | st.integers(-2, 99).map(str) | st.text(max_size=9)


class Made(NamedTuple):
    """An indexed benchmark: its folder, the bytes of its index, and its videos."""

    folder: Path
    content: bytes
    videos: list[Video]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("lists")
    frames = np.random.default_rng(0).integers(0, 255, (12, 32, 48, 3)).astype(np.uint8)
    for name in ("a.mp4", "b, c.mp4", "e\u0301.mp4"):
        (root / name).write_bytes(video.encode(frames, fps=12, crf=30))
    (root / "list.csv").write_bytes(LIST)
    return root


@pytest.fixture(scope="module")
def made(root) -> Made:
    folder = root / "data/benchmarks/own"
    index.build(CsvRecipe(file="list.csv"), root, folder)
    return Made(folder, (folder / "index.csv").read_bytes(), index.read(folder))


@pytest.fixture(scope="module")
def unsummed(made) -> Made:
    """Return the same without checksums, as version 0.1 made it, so that all else has to be checked."""
    folder = made.folder.with_name("unsummed")
    shutil.copytree(made.folder, folder)
    checksums.remove(folder)
    (folder / "index.csv").write_bytes(made.content)
    return made._replace(folder=folder, videos=index.read(folder))


@given(data=st.data())
def test_a_changed_index_is_named_or_reads_the_same(made, data):
    (made.folder / "index.csv").write_bytes(data.draw(mutated(made.content, TEXTS)))
    try:
        assert index.read(made.folder) == made.videos
    except UserError as error:
        assert "index.csv: changed since it was written" in str(error)


@given(data=st.data())
def test_a_changed_index_gives_videos_that_can_be_or_one_clear_error(unsummed, data):
    (unsummed.folder / "index.csv").write_bytes(data.draw(mutated(unsummed.content, TEXTS)))
    try:
        videos = index.read(unsummed.folder)
    except UserError as error:
        assert "index.csv" in str(error) and "\n" not in str(error) and len(str(error)) < 1000
        return
    classes = index.read_classes(unsummed.folder)
    for item in videos:
        assert 0 <= item.start < item.end <= item.frames
        assert classes[item.label] == item.class_name and item.split in SPLITS
        assert item.fps >= 0 and item.width > 0 and item.height > 0 and item.path.is_absolute()


@given(column=st.sampled_from(Video._fields), text=FIELDS, row=st.integers(0, 3))
def test_a_changed_field_of_an_index_is_named_or_says_the_same(unsummed, column, text, row):
    rows = [[str(cell) for cell in item] for item in unsummed.videos]
    rows[row][Video._fields.index(column)] = text
    with (unsummed.folder / "index.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([Video._fields, *rows])
    try:
        videos = index.read(unsummed.folder)
    except UserError as error:
        # These are checked against fields that follow them, which are named then.
        named = f"index.csv, line {row + 2}: {column} is "
        assert named in str(error) or column in ("label", "start", "frames")
        return
    changed = [(old, new) for old, new in zip(unsummed.videos, videos, strict=True) if old != new]
    assert len(changed) <= 1
    assert all(new._replace(**{column: getattr(old, column)}) == old for old, new in changed)


@given(data=st.data())
def test_changed_names_of_classes_are_names_or_one_clear_error(unsummed, data):
    path = unsummed.folder / "classes.json"
    path.write_bytes(data.draw(mutated(b'[\n  "run",\n  "walk"\n]\n', TEXTS)))
    try:
        names = index.read_classes(unsummed.folder)
    except UserError as error:
        assert "classes.json" in str(error) and "\n" not in str(error) and len(str(error)) < 1000
    else:
        assert names and all(name.isprintable() for name in names) and len(set(names)) == len(names)
    finally:
        path.write_text(json.dumps(["run", "walk"]))


@given(data=st.data())
def test_a_changed_list_of_a_user_gives_clips_or_one_clear_error(root, data):
    (root / "changed.csv").write_bytes(data.draw(mutated(LIST, TEXTS)))
    try:
        found = CsvRecipe(file="changed.csv").contents(root, root / "data/benchmarks/changed")
    except UserError as error:
        assert len(str(error)) < 2000
        return
    assert len(found.classes) >= 2 and all(name.isprintable() for name in found.classes)
    for entry in found.entries:
        assert entry.start >= 0 and (entry.end is None or entry.end > entry.start)
        assert found.classes[entry.label] == entry.class_name and entry.split in SPLITS

"""What recipes of listed benchmarks share, shown by one of two classes with a list of all its videos."""

import os
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from pydantic import ValidationError
from trees import built

from kinefract.benchmarks.choose import Listed
from kinefract.benchmarks.listed import ListedRecipe, Listing
from kinefract.benchmarks.official.tree import Part
from kinefract.common.errors import UserError

NAMES = [
    "two words",
    "quo\"te' $(touch gone) `id`",
    "видео 動画",
    os.fsdecode(b"\xff\xfe"),
    "Upper",
    "%03d*?[0-9]",
]


class SomeRecipe(ListedRecipe):
    """A benchmark whose list has lines of split, class, group and name; classes are not in their order."""

    TITLE: ClassVar[str] = "Some"
    HOME: ClassVar[str] = "https://example.org"

    kind: Literal["some"] = "some"
    root: str = "raw"

    @property
    def parts(self):
        return Part("videos"), Part("list.txt")

    @property
    def official(self):
        return {"train": 12, "test": 12}

    def listing(self, tree):
        videos = []
        for line, _ in tree.lines("list.txt"):
            split, label, group, name = line.split(";")
            videos.append(Listed(f"{label}/{name}.mp4", label, split, group))
        return Listing(["walk", "run"], videos, "videos")


@pytest.fixture
def root(tmp_path):
    """A project whose benchmark has the same names in both classes; tests come first in the list."""
    lines = []
    for split in ("test", "train"):
        for number, name in enumerate(NAMES):
            for label in ("run", "walk"):
                path = tmp_path / f"project/raw/videos/{label}/{split}{name}.mp4"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
                lines.append(f"{split};{label};g{number // 2};{split}{name}\n")
    text = "".join(lines).encode("utf-8", "surrogateescape")
    (tmp_path / "project/raw/list.txt").write_bytes(text)
    return tmp_path / "project"


def contents(project, **settings):
    return SomeRecipe(**settings).contents(project, project / "data/benchmarks/some")


def test_entries_are_training_first_in_the_order_of_the_list(root):
    found = contents(root)
    assert found.classes == ["walk", "run"]
    expected = [
        (label, name, split, f"{split}{stem}.mp4")
        for split in ("train", "test")
        for stem in NAMES
        for label, name in ((1, "run"), (0, "walk"))
    ]
    assert [(e.label, e.class_name, e.split, Path(e.path).name) for e in found.entries] == expected
    assert (found.missing, found.disagreements) == ([], [])
    assert found.official == {"train": 12, "test": 12}
    assert not list(root.parent.rglob("gone"))


@pytest.mark.parametrize("where", ["relative", "outside", "absolute"])
def test_paths_lead_to_the_files_and_relative_ones_move_with_the_project(root, where):
    given = {"relative": "raw", "outside": "../elsewhere", "absolute": str(root / "raw")}[where]
    if where == "outside":
        (root / "raw").rename(root.parent / "elsewhere")
    paths = [Path(entry.path) for entry in contents(root, root=given).entries]
    assert {path.is_absolute() for path in paths} == {where == "absolute"}
    if where == "relative":
        root = root.rename(root.parent / "moved")
    (root / "data/benchmarks/some").mkdir(parents=True)
    assert all((root / "data/benchmarks/some" / path).is_file() for path in paths)


def test_names_are_matched_without_case_but_the_exact_one_goes_first(root):
    videos = root / "raw/videos"
    (videos / "run").rename(videos / "RUN")
    for other in ("trainUPPER.mp4", "trainupper.mp4"):
        (videos / "walk" / other).touch()
    found = contents(root)
    assert found.missing == []
    assert {Path(e.path).parent.name for e in found.entries} == {"RUN", "walk"}
    assert not {"trainUPPER.mp4", "trainupper.mp4"} & {Path(e.path).name for e in found.entries}


def test_missing_clips_are_of_the_part_that_is_wanted(root):
    for label in ("run", "walk"):
        (root / f"raw/videos/{label}/trainUpper.mp4").unlink()
    assert contents(root).missing == ["run/trainUpper.mp4", "walk/trainUpper.mp4"]
    (root / "raw/list.txt").write_text("train;run;g;a\ntest;run;g;b\ntrain;other;g;c\n")
    found = contents(root)
    assert found.missing == ["run/a.mp4", "run/b.mp4"]
    assert found.disagreements == [
        "the lists name 2 train videos, officially there are 12",
        "the lists name 1 test videos, officially there are 12",
    ]


def test_missing_clips_stop_the_index_unless_allowed(root):
    (root / "raw/videos/run/trainUpper.mp4").unlink()
    with pytest.raises(UserError, match=r"1 of 24 listed videos are not there; 23 of 24 cannot be read"):
        built(SomeRecipe(), root)


def test_few_clips_and_a_validation_part_do_not_depend_on_what_is_there(root):
    settings = {"clips_per_class": 2, "validation": 0.3}
    before = contents(root, **settings)
    assert before.official == {} and len(before.entries) == 2 * 2 + 2 * 2
    assert {e.split for e in before.entries} == {"train", "validation"}
    (root / "raw/videos/walk" / Path(before.entries[1].path).name).unlink()
    after = contents(root, **settings)
    assert len(after.missing) == 1
    assert after.entries == [e for e in before.entries if after.missing[0] not in e.path]
    assert contents(root, **settings, seed=2).entries != before.entries


@pytest.mark.parametrize(
    "settings",
    [
        {"classes": ["run"]},
        {"clips_per_class": 0},
        {"validation": 1.0},
        {"validation": -0.1},
        {"validation": "given"},
        {"allow_missing": 1},
        {"seed": -1},
        {"root": 3},
    ],
)
def test_impossible_settings_are_rejected(settings):
    with pytest.raises(ValidationError, match=next(iter(settings))):
        SomeRecipe.model_validate(settings)

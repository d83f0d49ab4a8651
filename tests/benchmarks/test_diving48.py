"""DIVING48 in its official layout: a made-up tree."""

import json
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError
from trees import FRAMES, built, contents, diving48, pack, write_json

from kinefract.benchmarks.kinds.diving48 import Diving48Recipe
from kinefract.benchmarks.official.tree import Tree
from kinefract.common.errors import UserError
from kinefract.common.schema import digest_of

BACK, INWARD = "Back/15som/05Twis/FREE", "Inward/25som/NoTwis/PIKE"


@pytest.fixture
def top(tmp_path):
    return diving48(tmp_path / "data/raw/diving48")


def found(root, **settings):
    listed = contents(Diving48Recipe(**settings), root)
    return [(entry.label, entry.split, Path(entry.path).stem) for entry in listed.entries]


def test_labels_are_places_in_the_vocabulary(top, tmp_path):
    assert contents(Diving48Recipe(), tmp_path).classes == [BACK, INWARD]
    assert found(tmp_path) == [
        (0, "train", "_8Vy3dlHg2w_00000"),
        (1, "train", "_8Vy3dlHg2w_00001"),
        (0, "train", "-mAZ_9quK8_00000"),
        (0, "test", "xyz_00000"),
        (1, "test", "xyz_00001"),
    ]


def test_the_versions_are_other_lists_and_other_benchmarks(top, tmp_path):
    v1, v2 = (found(tmp_path, version=version) for version in ("v1", "v2"))
    assert found(tmp_path) == v2
    assert [label for label, *_ in v1] == [1 - label for label, *_ in v2]
    specs = [Diving48Recipe(version=version).model_dump() for version in ("v1", "v2")]
    assert digest_of(specs[0]) != digest_of(specs[1])


def test_one_version_does_not_need_the_lists_of_the_other(top, tmp_path):
    for split in ("train", "test"):
        (top / f"Diving48_{split}.json").unlink()
    assert found(tmp_path)
    with pytest.raises(UserError, match=r"(?s)Diving48_train\.json.*Diving48_test\.json") as error:
        found(tmp_path, version="v1")
    assert "rgb" not in str(error.value)


def test_the_whole_file_is_the_clip(top, tmp_path):
    """``start_frame`` and ``end_frame`` are of the video that the file was cut from, here beyond its end."""
    videos = built(Diving48Recipe(allow_missing=True), tmp_path)
    assert {(video.start, video.end, video.frames) for video in videos} == {(0, FRAMES, FRAMES)}
    assert Counter(video.class_name for video in videos) == {BACK: 3, INWARD: 2}


def test_the_archive_is_read_as_it_is_handed_out(top, tmp_path):
    before = found(tmp_path)
    pack(top, "Diving48_rgb.tar.gz", ["rgb"])
    assert found(tmp_path) == before


def test_the_group_is_the_source_video_before_the_last_underscore(top, tmp_path):
    """Names of sources begin with and hold ``_`` and ``-``."""
    recipe = Diving48Recipe()
    listing = recipe.listing(Tree("DIVING48", "", top, tmp_path, recipe.parts))
    assert [video.group for video in listing.videos] == ["_8Vy3dlHg2w"] * 2 + ["-mAZ_9quK8"] + ["xyz"] * 2


@pytest.mark.parametrize(
    "entry",
    [
        {"vid_name": "a_00000", "label": 2},
        {"vid_name": "a_00000", "label": -1},
        {"vid_name": "a_00000", "label": "1"},
        {"vid_name": "a_00000", "label": True},
        {"vid_name": "a_00000", "label": 1.0},
        {"vid_name": "a_00000"},
        {"label": 1},
        {"vid_name": "", "label": 1},
        {"vid_name": ["a"], "label": 1},
        ["a_00000", 1],
        None,
    ],
    ids=str,
)
def test_an_entry_that_makes_no_sense_is_refused_by_file_and_place(top, tmp_path, entry):
    write_json(top / "Diving48_V2_test.json", [{"vid_name": "xyz_00000", "label": 0}, entry])
    with pytest.raises(UserError, match=r"Diving48_V2_test\.json, entry 2: wants .* `label` from 0 to 1"):
        found(tmp_path)


@pytest.mark.parametrize(
    ("text", "complaint"), [('[{"vid_name": ', "is no JSON: .*line 1"), ('{"a": 1}', "wants a JSON array")]
)
@pytest.mark.parametrize("file", ["Diving48_V2_train.json", "Diving48_vocab.json"])
def test_what_is_no_array_is_refused(top, tmp_path, file, text, complaint):
    (top / file).write_text(text)
    with pytest.raises(UserError, match=f"{file}.*{complaint}"):
        found(tmp_path)


@pytest.mark.parametrize(
    ("entry", "complaint"), [("Back", "wants"), ([], "wants"), ([1], "wants"), (["A", "B"], "is there twice")]
)
def test_a_vocabulary_that_makes_no_sense_is_refused(top, tmp_path, entry, complaint):
    write_json(top / "Diving48_vocab.json", [["A", "B"], entry])
    with pytest.raises(UserError, match=rf"Diving48_vocab\.json, entry 2: .*{complaint}"):
        found(tmp_path)


@pytest.mark.parametrize("name", ["two words_00000", "о'夢\"_00000", "../Diving48_00000"])
def test_names_are_looked_up_below_the_videos(top, tmp_path, name):
    write_json(top / "Diving48_V2_test.json", [{"vid_name": name, "label": 0}])
    inside = "/" not in name
    (top / f"rgb/{name}.mp4").touch()
    listed = contents(Diving48Recipe(), tmp_path)
    assert [Path(e.path).stem for e in listed.entries if e.split == "test"] == ([name] if inside else [])
    assert listed.missing == ([] if inside else [f"{name}.mp4"])


@pytest.mark.parametrize(("version", "train", "test"), [("v1", 15943, 2096), ("v2", 15027, 1970)])
def test_counts_are_held_against_those_of_the_version(top, tmp_path, version, train, test):
    listed = contents(Diving48Recipe(version=version), tmp_path)
    assert listed.official == {"train": train, "test": test}
    assert listed.disagreements == [
        f"the lists name 3 train videos, officially there are {train}",
        f"the lists name 2 test videos, officially there are {test}",
    ]


def test_lists_of_official_length_agree(top, tmp_path):
    for split, count in (("train", 15027), ("test", 1970)):
        entries = [{"vid_name": f"{split}_{n:05d}", "label": n % 2} for n in range(count)]
        (top / f"Diving48_V2_{split}.json").write_text(json.dumps(entries))
    assert contents(Diving48Recipe(), tmp_path).disagreements == []


@pytest.mark.parametrize("settings", [{"version": "V2"}, {"version": 2}, {"split": 1}])
def test_impossible_settings_are_rejected(settings):
    with pytest.raises(ValidationError, match=next(iter(settings))):
        Diving48Recipe.model_validate(settings)

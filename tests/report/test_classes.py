"""Changes by class, against counts made by hand."""

import csv
import io
import json
from pathlib import Path

import pytest
from madeup import make_up

from kinefract.report import classes, results

HEAD = "path,label,class,predicted,correct,top5\n"


def _line(video: int, label: int, right: bool) -> str:
    predicted = label if right else (label + 1) % 3
    return f"{video}.mp4,{label},{'abc'[label]},{predicted},{int(right)},{predicted}:1.0\n"


@pytest.fixture
def rows(tmp_path: Path) -> list[results.Row]:
    """Two variants and two seeds whose predictions on six videos of three classes are known."""
    made = make_up(tmp_path, [{"one": [0.5, 0.5]}] * 2, previews=False)
    right = {0: ["110100", "110000"], 1: ["001100", "101110"]}
    for variant, seeds in right.items():
        for seed, marks in enumerate(seeds, start=1):
            lines = [_line(video, video // 2, mark == "1") for video, mark in enumerate(marks)]
            folder = made.finetune_folder(variant, "one", seed)
            (folder / "predictions.csv").write_text(HEAD + "".join(lines))
            facts = json.loads((folder / "result.json").read_text())
            facts |= {"videos": 6, "top1": marks.count("1") / 6}
            (folder / "result.json").write_text(json.dumps(facts))
    return results.read(tmp_path, made.study).rows


def test_shares_and_changes_are_counted(rows: list[results.Row]) -> None:
    (found,) = classes.changes(rows)
    assert (found.benchmark, found.label, found.baseline) == ("one", "supervised", "scratch")
    assert [(change.name, change.videos, change.before, change.after) for change in found.classes] == [
        ("b", 2, 0.25, 1.0),
        ("c", 2, 0.0, 0.25),
        ("a", 2, 1.0, 0.25),
    ]
    assert [change.points for change in found.gains] == [0.75, 0.25]
    assert [change.points for change in found.losses] == [-0.75]


def test_files_hold_every_class_and_the_largest(rows: list[results.Row]) -> None:
    found = classes.changes(rows)
    lines = list(csv.DictReader(io.StringIO(classes.classes_csv(found))))
    assert [(line["class"], float(line["change"])) for line in lines] == [
        ("b", 0.75),
        ("c", 0.25),
        ("a", -0.75),
    ]
    text = " ".join(classes.classes_tex(found).split())
    assert r"b & supervised & one & 2 & 25.0 & 100.0 & +75.0 \\" in text


def test_no_more_than_the_largest_are_shown() -> None:
    many = [classes.Change(str(n), 1, 0.5, 0.5 + (6.5 - n) / 100) for n in range(14)]
    found = classes.Changes("one", "x", "y", many)
    assert [change.name for change in found.gains] == ["0", "1", "2", "3", "4"]
    assert [change.name for change in found.losses] == ["9", "10", "11", "12", "13"]


def test_a_run_without_predictions_leaves_its_variant_out(rows: list[results.Row]) -> None:
    (rows[1].cells["one"].runs[2].folder / "predictions.csv").unlink()
    assert classes.changes(rows) == []


def test_sums_that_differ_in_the_last_digit_are_no_change() -> None:
    assert classes.Change("a", 3, 0.1 + 0.2, 0.3).points == 0

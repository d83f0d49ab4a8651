"""Changes by class, against counts made by hand."""

import csv
import io
from pathlib import Path

import pytest
from madeup import make_up

from kinefract.report import classes, results

HEAD = "path,label,class,predicted,correct,top5\n"


@pytest.fixture
def rows(tmp_path: Path) -> list[results.Row]:
    """Two variants and two seeds whose predictions on six videos of three classes are known."""
    made = make_up(tmp_path, [{"one": [0.5, 0.5]}] * 2, previews=False)
    right = {0: ["110100", "110000"], 1: ["001100", "101110"]}
    for variant, seeds in right.items():
        for seed, marks in enumerate(seeds, start=1):
            lines = [f"{v}.mp4,{v // 2},{'abc'[v // 2]},0,{mark},0:1.0\n" for v, mark in enumerate(marks)]
            (made.finetune_folder(variant, "one", seed) / "predictions.csv").write_text(HEAD + "".join(lines))
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

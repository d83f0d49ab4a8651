"""The confusion matrices on a study's page: which, how many, and what they say."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from madeup import MadeUp, make_up

from kinefract import report
from kinefract.report import confusions, page, results

HEAD = "path,label,class,predicted,correct,top5"
NAMES = ["fall", "<rise>", "spin & spin", 'zo"om']


@pytest.fixture
def made(tmp_path: Path) -> MadeUp:
    """Two variants, two benchmarks and two seeds; the order of the means differs."""
    scores = [{"one": [0.4, 0.5], "two": [0.7, 0.8]}, {"one": [0.6, 0.7], "two": [0.5, 0.6]}]
    return make_up(tmp_path, scores, previews=False)


def rows_of(made: MadeUp) -> list[results.Row]:
    return results.read_available(made.root, made.study).rows


def titles(made: MadeUp, room: int = 10_000_000) -> tuple[list[str], int]:
    found, left_out = confusions.chosen(rows_of(made), room)
    return [matrix.title for matrix in found], left_out


def test_one_of_each_variant_and_benchmark_of_the_first_seed(made: MadeUp) -> None:
    assert titles(made) == (
        [
            "scratch on one, seed 1",
            "supervised on one, seed 1",
            "scratch on two, seed 1",
            "supervised on two, seed 1",
        ],
        0,
    )


def test_the_first_seed_that_ran_is_shown(made: MadeUp) -> None:
    (made.finetune_folder(0, "one", 1) / "result.json").unlink()
    assert titles(made)[0][0] == "scratch on one, seed 2"


def test_what_is_not_there_is_left_out(made: MadeUp) -> None:
    (made.finetune_folder(0, "one", 1) / "predictions.csv").unlink()
    assert titles(made) == (
        ["supervised on one, seed 1", "scratch on two, seed 1", "supervised on two, seed 1"],
        0,
    )


def test_room_goes_to_the_best_of_each_benchmark_first(made: MadeUp) -> None:
    sizes = [matrix.size for matrix in confusions.chosen(rows_of(made), 10_000_000)[0]]
    room = sizes[1] + sizes[2]
    assert titles(made, room) == (["supervised on one, seed 1", "scratch on two, seed 1"], 2)
    assert titles(made, min(sizes) - 1) == ([], 4)


def matrix_of(made: MadeUp, guesses: list[tuple[int, int]], classes: int = 4) -> confusions.Matrix:
    """Return the first matrix, of predictions that are pairs of a label and a guess."""
    folder = made.finetune_folder(0, "one", 1)
    names = [NAMES[label] if label < 4 else f"class {label}" for label in range(classes)]
    (folder / "classes.json").write_text(json.dumps(names))
    quoted = [name.replace('"', '""') for name in names]
    lines = [
        f'{number}.mp4,{label},"{quoted[label]}",{guess},{int(label == guess)},{guess}:0.9'
        for number, (label, guess) in enumerate(guesses)
    ]
    (folder / "predictions.csv").write_text("\n".join([HEAD, *lines, ""]))
    right = sum(label == guess for label, guess in guesses) / len(guesses)
    result = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps(result | {"top1": right, "videos": len(guesses)}))
    (matrix, *_), _ = confusions.chosen(rows_of(made), 10_000_000)
    return matrix


GUESSES = [*[(0, 0)] * 5, (0, 1), *[(1, 1)] * 6, *[(2, 0)] * 2, *[(2, 2)] * 4, *[(3, 2)] * 3]


def test_a_cell_says_its_numbers_and_names_stay_text(made: MadeUp) -> None:
    drawn = ElementTree.fromstring(matrix_of(made, GUESSES).svg)
    said = [title.text for title in drawn.iter("title")]
    assert said == [
        "fall recognised: 5 of 6 videos, 83 %",
        "fall taken for <rise>: 1 of 6 videos, 17 %",
        "<rise> recognised: 6 of 6 videos, 100 %",
        "spin & spin taken for fall: 2 of 6 videos, 33 %",
        "spin & spin recognised: 4 of 6 videos, 67 %",
        'zo"om taken for spin & spin: 3 of 3 videos, 100 %',
    ]
    assert {element.tag for element in drawn.iter()} == {"svg", "g", "rect", "text", "title"}
    assert [text.text for text in drawn.iter("text")].count('zo"om') == 2  # at its row and at its column


def test_the_most_frequent_confusions_are_listed(made: MadeUp) -> None:
    numbers = matrix_of(made, GUESSES).numbers
    assert numbers.rows == [
        ['zo"om', "spin & spin", "3", "3"],
        ["spin & spin", "fall", "2", "6"],
        ["fall", "<rise>", "1", "6"],
    ]


def test_a_class_without_videos_keeps_its_place(made: MadeUp) -> None:
    drawn = ElementTree.fromstring(matrix_of(made, [(0, 0), (0, 3), (1, 1)]).svg)
    assert 'fall taken for zo"om: 1 of 2 videos, 50 %' in [title.text for title in drawn.iter("title")]
    rights = [float(cell.attrib["x"]) for cell in drawn.iter("rect") if cell.find("title") is not None]
    assert rights == [0, 3 * 36, 36]


def test_a_hundred_classes_are_small_and_without_percentages(made: MadeUp) -> None:
    matrix = matrix_of(made, [(label, label) for label in range(100)], 100)
    assert 1000 < matrix.width < 1200
    texts = [text.text for text in ElementTree.fromstring(matrix.svg).iter("text")]
    assert "class 99" in texts and "100" not in texts


def test_the_page_folds_them_away_with_ids_of_their_own(made: MadeUp) -> None:
    report.build(made.spec_path)
    html = (made.spec_path.parent / "index.html").read_text(encoding="utf-8")
    assert (
        html.count('aria-label="Confusion matrix of scratch on one, seed 1"') == 2
    )  # the figure and its drawing
    assert "<details>\n      <summary>scratch on one, seed 1</summary>" in html
    ids = re.findall(r'\bid="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(|href=")#([^)"]+)', html)) <= set(ids)
    assert "For want of room" not in html


def test_the_page_stays_below_its_size(made: MadeUp, monkeypatch: pytest.MonkeyPatch) -> None:
    report.build(made.spec_path)
    path = made.spec_path.parent / "index.html"
    whole = path.stat().st_size
    monkeypatch.setattr(page, "LARGEST", whole - 3_000)
    report.build(made.spec_path)
    assert path.stat().st_size < whole - 3_000
    assert re.search("For want of room [12] are not shown here", path.read_text(encoding="utf-8"))


def test_without_any_there_is_no_section(made: MadeUp) -> None:
    for path in made.root.glob("results/finetune/*/predictions.csv"):
        path.unlink()
    report.build(made.spec_path)
    html = (made.spec_path.parent / "index.html").read_text(encoding="utf-8")
    assert "What was taken for what" not in html

"""The confusion matrices on a study's page: which, how many, and nothing but drawings."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from madeup import MadeUp, make_up

from kinefract import report
from kinefract.evaluation.confusion import confusion_svg
from kinefract.report import confusions, page, results

NAMES = ["fall", "<rise>", "spin & spin", 'zo"om']
MATRIX = np.array([[5, 1, 0, 0], [0, 6, 0, 0], [2, 0, 4, 0], [0, 0, 3, 3]])


def draw(made: MadeUp, seeds: tuple[int, ...] = (1, 2)) -> None:
    """Write the drawings of every variant on every benchmark."""
    for variant in range(len(made.study.variants)):
        for benchmark in made.study.benchmarks:
            for seed in seeds:
                path = made.finetune_folder(variant, benchmark, seed) / "confusion.svg"
                path.write_text(confusion_svg(MATRIX + variant, NAMES), encoding="utf-8")


@pytest.fixture
def made(tmp_path: Path) -> MadeUp:
    """Two variants, two benchmarks and two seeds with a drawing each; the order of the means differs."""
    scores = [{"one": [0.4, 0.5], "two": [0.7, 0.8]}, {"one": [0.6, 0.7], "two": [0.5, 0.6]}]
    made = make_up(tmp_path, scores, previews=False)
    draw(made)
    return made


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
    (made.finetune_folder(0, "one", 1) / "confusion.svg").unlink()
    assert titles(made) == (
        ["supervised on one, seed 1", "scratch on two, seed 1", "supervised on two, seed 1"],
        0,
    )


def test_room_goes_to_the_best_of_each_benchmark_first(made: MadeUp) -> None:
    sizes = [len(matrix.svg.encode()) for matrix in confusions.chosen(rows_of(made), 10_000_000)[0]]
    room = sizes[1] + sizes[2]
    assert titles(made, room) == (["supervised on one, seed 1", "scratch on two, seed 1"], 2)
    assert titles(made, min(sizes) - 1) == ([], 4)


def test_the_drawing_on_the_page_is_the_one_of_the_file(made: MadeUp) -> None:
    (matrix, *_), _ = confusions.chosen(rows_of(made), 10_000_000)
    kept = ElementTree.fromstring(matrix.svg)
    drawn = ElementTree.parse(made.finetune_folder(0, "one", 1) / "confusion.svg").getroot()
    texts = [[text.text for text in tree.iter("{http://www.w3.org/2000/svg}text")] for tree in (drawn, kept)]
    assert texts[0] == texts[1]
    assert set(NAMES) <= set(texts[0])
    assert matrix.width == round(float(drawn.attrib["viewBox"].split()[2]))
    # Every corner of every shape lies where it lay, to a hundredth of a point, and nothing loses its colour.
    shapes = [list(tree.iter("{http://www.w3.org/2000/svg}path")) for tree in (drawn, kept)]
    assert len(shapes[0]) == len(shapes[1]) > MATRIX.size
    for before, after in zip(*shapes, strict=True):
        corners = [
            [float(n) for n in re.findall(r"-?\d+\.?\d*", path.attrib["d"])] for path in (before, after)
        ]
        assert corners[1] == pytest.approx(corners[0], abs=0.01)
        fills = [re.search(r"fill: ([^;]*)", path.attrib.get("style", "")) for path in (before, after)]
        assert bool(fills[0]) == bool(fills[1])


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<svg",
        "<html><svg viewBox='0 0 9 9'></html>",
        "<svg viewBox='0 0 9 9'><script>alert(1)</script></svg>",
        "<svg viewBox='0 0 9 9' onload='alert(1)'/>",
        "<svg viewBox='0 0 9 9'><foreignObject/></svg>",
        "<svg viewBox='0 0 9 9'><image href='https://example.org/x.png'/></svg>",
        "<svg viewBox='0 0 9 9'><use href='x.svg'/></svg>",
        "<svg viewBox='0 0 9 9'><g style='fill: url(x.svg)'/></svg>",
        "<svg viewBox='0 0 9 9'><g style='fill: u\\72l(x.svg)'/></svg>",
        "<svg viewBox='0 0 9 9'><style>body { display: none }</style></svg>",
        "<svg viewBox='0 0 9 9'><!-- --><g/></svg>",
        "<svg viewBox='0 0 9 9'><text><![CDATA[<script>]]></text></svg>",
        "<!DOCTYPE svg [<!ENTITY x '<svg onload=\"alert(1)\">'>]><svg viewBox='0 0 9 9'>&x;</svg>",
        "<svg/>",
        "<svg viewBox='wide'/>",
    ],
)
def test_a_file_that_is_more_or_less_than_a_drawing_is_left_out(made: MadeUp, content: str) -> None:
    (made.finetune_folder(0, "one", 1) / "confusion.svg").write_text(content)
    assert "scratch on one, seed 1" not in titles(made)[0]
    assert len(titles(made)[0]) == 3


def test_bytes_that_are_no_text_are_left_out(made: MadeUp) -> None:
    (made.finetune_folder(0, "one", 1) / "confusion.svg").write_bytes(b"<svg\xff\xfe")
    assert len(titles(made)[0]) == 3


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
    monkeypatch.setattr(page, "LARGEST", whole - 5_000)
    report.build(made.spec_path)
    assert path.stat().st_size < whole - 5_000
    assert "For want of room 1 are not shown here." in path.read_text(encoding="utf-8")


def test_without_any_there_is_no_section(single: Path) -> None:
    assert "What was taken for what" not in (single / "index.html").read_text(encoding="utf-8")

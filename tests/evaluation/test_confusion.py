"""The confusion figure, read back from its SVG."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from kinefract.evaluation.confusion import NUMBERED, confusion_svg, shown

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg, beside):
    """Return the names at the ticks of an axis, in its order: beside the rows, or below the columns."""
    name = f"matplotlib.axis_{2 if beside else 1}"
    axis = next(g for g in ElementTree.fromstring(svg).iter(f"{SVG}g") if g.get("id") == name)
    ticks = [g for g in axis.iter(f"{SVG}g") if re.fullmatch(r"[xy]tick_\d+", g.get("id", ""))]
    return [next(tick.iter(f"{SVG}text")).text for tick in ticks]


def cells(svg):
    """Return opacity and colour of each drawn cell by its place (row, column) among those that are drawn."""
    group = next(
        g for g in ElementTree.fromstring(svg).iter(f"{SVG}g") if g.get("id", "").startswith("PolyCollection")
    )
    drawn = []
    for path in group.iter(f"{SVG}path"):
        numbers = [float(n) for n in re.findall(r"-?\d+\.?\d*", path.get("d"))]
        style = path.get("style")
        opacity = re.search(r"fill-opacity: ([\d.]+)", style)
        fill = re.search(r"fill: (#\w+)", style)[1]
        drawn.append((min(numbers[1::2]), min(numbers[0::2]), float(opacity[1]) if opacity else 1.0, fill))
    rows = sorted({round(y, 2) for y, *_ in drawn})
    columns = sorted({round(x, 2) for _, x, *_ in drawn})
    return {
        (rows.index(round(y, 2)), columns.index(round(x, 2))): (opacity, fill)
        for y, x, opacity, fill in drawn
    }


@pytest.mark.parametrize("classes", [2, 3, 24, 51, 106])
def test_every_class_is_named_once_at_the_rows_and_once_at_the_columns(classes):
    names = [f"Name <{label}> & co" for label in range(classes)]
    svg = confusion_svg(np.eye(classes, dtype=np.int64), names)
    assert texts(svg, beside=True) == names
    assert texts(svg, beside=False) == names


def test_cells_are_shares_of_their_row():
    matrix = np.array([[3, 1, 0], [0, 0, 40], [2, 0, 2]])
    drawn = cells(confusion_svg(matrix, ["a", "b", "c"]))
    assert drawn.keys() == {(0, 0), (0, 1), (1, 2), (2, 0), (2, 2)}
    opacity = {place: found[0] for place, found in drawn.items()}
    assert opacity[1, 2] == 1
    assert opacity[0, 0] - opacity[2, 2] == pytest.approx(opacity[2, 2] - opacity[0, 1], abs=1e-5)
    assert opacity[2, 0] == opacity[2, 2]
    right, wrong = drawn[0, 0][1], drawn[0, 1][1]
    assert right != wrong
    assert drawn[2, 2][1] == right and drawn[1, 2][1] == drawn[2, 0][1] == wrong


def test_percentages_stand_in_the_cells_while_there_is_room():
    matrix = np.array([[3, 1], [0, 5]])
    inside = re.findall(r">(\d+)</text>", confusion_svg(matrix, ["a", "b"]))
    assert sorted(inside) == ["100", "25", "75"]
    many = NUMBERED + 1
    assert not re.findall(r">\d+</text>", confusion_svg(np.eye(many, dtype=int), ["name"] * many))


def test_a_class_without_videos_is_an_empty_row():
    drawn = cells(confusion_svg(np.array([[0, 0], [1, 1]]), ["a", "b"]))
    assert drawn.keys() == {(0, 0), (0, 1)}  # the only row that is drawn
    assert "nan" not in confusion_svg(np.zeros((2, 2), int), ["a", "b"])


def test_the_same_matrix_gives_the_same_bytes():
    matrix = np.arange(9).reshape(3, 3)
    svg = confusion_svg(matrix, ["a", "b", "c"])
    assert confusion_svg(matrix, ["a", "b", "c"]) == svg
    assert "<metadata>" not in svg
    assert confusion_svg(matrix.T, ["a", "b", "c"]) != svg


def test_odd_names_stay_text_that_xml_can_hold():
    names = ["a\udcff\x01\nb", "$x_1$ 好", "n" * 200]
    svg = confusion_svg(np.eye(3, dtype=int), names)
    svg.encode("utf-8")
    assert texts(svg, beside=True) == ["a\ufffd\ufffd\ufffdb", "$x_1$ 好", "n" * 35 + "…"]


def test_names_are_shortened_to_their_room():
    assert shown("abcdef") == shown("abcdef", 6) == "abcdef"
    assert shown("abcdef", 4) == "abc…"

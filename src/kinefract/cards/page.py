"""Cards as a page or as text: one dataset, or several beside each other and beside benchmarks."""

import math
import posixpath
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from tabulate import tabulate

from kinefract.cards import diversity, filmed
from kinefract.cards.measure import FIGURES as OF_CLIPS
from kinefract.common.files import in_bytes
from kinefract.common.layout import CARD, INDEX, MANIFEST, MOVING, SHARDS, SPEC_FILE, STILL, SUMMARY_PAGE
from kinefract.common.pages import data_uri, link, rendered
from kinefract.common.words import counted, duration

FIGURES = OF_CLIPS | diversity.FIGURES
MEAN_COLOUR = ("lightness", "green_red", "blue_yellow")


class Column(NamedTuple):
    """A dataset or a benchmark: its name, the folder with its previews, and its card.

    A dataset's card is the content of ``card.json``. A benchmark's card has those of the same keys that
    apply, and no ``recipe``.
    """

    name: str
    folder: Path
    card: dict[str, Any]

    @property
    def made(self) -> bool:
        """Whether this is a dataset, which is made from a recipe."""
        return "recipe" in self.card


class Cell(NamedTuple):
    """One cell of the table: a value, its spread, and its difference from the benchmark's value."""

    value: str = ""
    spread: str = ""
    difference: str = ""


class Row(NamedTuple):
    """A line of the table: its name, its description, and a cell for each column."""

    title: str
    says: str
    cells: list[Cell]


class Group(NamedTuple):
    """A part of the table: the names of its columns, and its lines."""

    heads: list[str]
    rows: list[Row]


FILES = (CARD, SPEC_FILE, MANIFEST, INDEX, SUMMARY_PAGE, MOVING)  # of a column's folder that the page offers


def html(
    columns: list[Column], page: Path, title: str = "", lead: str = "", eyebrow: str = "Data card"
) -> str:
    """Return a page that contains everything it shows, with links to the files of its folders.

    Args:
        columns: The datasets to show, then the benchmarks; differences are to the first benchmark or, without
            one, to the filmed video whose figures come with kinefract.
        page: The path of the page, to which links are relative.
        title: The heading; if empty, one that describes the first column.
        lead: A sentence below the heading; if empty, one that describes the first column.
        eyebrow: The line above the heading.
    """
    first = columns[0]
    return rendered(
        "card.html.jinja",
        eyebrow=eyebrow,
        title=title
        or f"{first.name}: {counted(first.card['clips'], 'clip')} of "
        f"{counted(first.card['classes'], 'class')}",
        lead=lead or _lead(first.card),
        columns=[
            {
                "name": column.name,
                "id": column.card["id"],
                "made": column.made,
                "video": data_uri(column.folder / MOVING, "video/mp4"),
                "still": data_uri(column.folder / STILL, "image/png"),
                "recipe": yaml.safe_dump(column.card["recipe"], sort_keys=False) if column.made else "",
                "made_with": column.card.get("made_with", {}),
                "measured": column.card["measured"],
                "links": _links(column.folder, page),
            }
            for column in columns
        ],
        reference=_reference(columns).name,
        filmed=filmed.reference(first.card["measured"]["side"]),
        groups=groups(columns),
    )


def text(columns: list[Column]) -> str:
    """Return the same figures as a table for the terminal; for a single dataset with differences."""
    reference = _reference(columns)
    differing = reference if sum(column.made for column in columns) == 1 else None
    heads = [column.name for column in _with_filmed(columns)]
    lines = [["", *heads, *([f"to {differing.name}"] if differing else [])]]
    for title, (_, rows) in groups(columns).items():
        lines.append([title])
        for row in rows:
            shown = [" ".join(part for part in cell[:2] if part) for cell in row.cells]
            shown += [""] * (len(heads) - len(shown))
            lines.append([f"  {row.title}", *shown, *([row.cells[0].difference] if differing else [])])
    align = ["left", *["right"] * (len(lines[0]) - 1)]
    table = tabulate(lines, tablefmt="plain", disable_numparse=True, colalign=align, preserve_whitespace=True)
    return "\n".join(line.rstrip() for line in table.splitlines())


def groups(columns: list[Column]) -> dict[str, Group]:
    """Return the parts of the table by heading; rows that are empty in every column are left out.

    The part of figures has one more column than the other: that of filmed video.
    """
    cards, reference = [column.card for column in columns], _reference(columns)
    measured = _with_filmed(columns)
    found = {
        "Contents and cost": [
            Row("Clips", "", [Cell(f"{card['clips']:,}") for card in cards]),
            Row("Classes", "", [Cell(f"{card['classes']:,}") for card in cards]),
            Row("Video", "length of all clips", [Cell(duration(card["seconds"])) for card in cards]),
            Row("Frames", "of all clips", [Cell(f"{card['frames']:,}") for card in cards]),
            Row("Frames per second", "", [Cell(f"{card['fps']:g}") for card in cards]),
            Row("Picture", "height in pixels", [Cell(f"{card['size']}") for card in cards]),
            Row("Size", "of the files", [Cell(in_bytes(card["bytes"])) for card in cards]),
            Row("Shards", "", [Cell(f"{card['shards']:,}" if "shards" in card else "") for card in cards]),
            Row("Drawn again", "clips of which a draw showed nothing", [_redrawn(card) for card in cards]),
            Row(
                "CPU time",
                "of the shard jobs, as Snakemake noted it",
                [_cost(card) for card in cards],
            ),
            Row("CPU time per clip", "", [_cost_per_clip(card) for card in cards]),
        ],
        "How close to filmed video": [
            *(
                Row(figure.title, figure.says, [_figure(column, name, reference) for column in measured])
                for name, figure in FIGURES.items()
            ),
            Row(
                "Colour distance",
                "between the mean colours, CIELAB",
                [_colour_distance(column, reference) for column in measured],
            ),
            Row(
                diversity.DISTANCE.title,
                diversity.DISTANCE.says,
                [_frame_distance(column, reference) for column in measured],
            ),
        ],
    }
    return {
        title: Group(
            [column.name for column in measured][: len(rows[0].cells)],
            [row for row in rows if any(cell.value for cell in row.cells)],
        )
        for title, rows in found.items()
    }


def _reference(columns: list[Column]) -> Column:
    """Return the column to which differences are: the first benchmark or, without one, filmed video."""
    return next(column for column in _with_filmed(columns) if not column.made)


def _with_filmed(columns: list[Column]) -> list[Column]:
    """Return the columns, and one of the figures of filmed video at the scale of the first."""
    known = filmed.reference(columns[0].card["measured"]["side"])
    return [*columns, Column(f"filmed ({known['name']})", filmed.FILE.parent, known)]


def _links(folder: Path, page: Path) -> list[tuple[str, str]]:
    """Return name and address of the files that are there; a manifest of clips is written after its page."""
    there = {name for name in FILES if (folder / name).exists()}
    there |= {MANIFEST} if (folder / SHARDS).is_dir() else set()
    return [(name, posixpath.normpath(f"{link(folder, page)}/{name}")) for name in FILES if name in there]


def _lead(card: dict[str, Any]) -> str:
    sentence = f"{duration(card['seconds'])} of video in {in_bytes(card['bytes'])}, made from formulas"
    seconds = card["cost"]["cpu_seconds"]
    return sentence + (f" in {duration(seconds)} of one processor core's time." if seconds else ".")


def _figure(column: Column, name: str, reference: Column) -> Cell:
    figure, digits = column.card["figures"][name], FIGURES[name].digits
    if figure["mean"] is None:
        return Cell("none", f"({figure['why']})")
    spread = "" if figure["std"] is None else f"± {figure['std']:.{digits}f}"
    if figure["clips"] < column.card["measured"]["clips"]:
        spread += f" ({counted(figure['clips'], 'clip')})"
    there = reference.card["figures"][name]["mean"] if column.made else None
    difference = "" if there is None else f"{figure['mean'] - there:+.{digits}f}"
    return Cell(f"{figure['mean']:.{digits}f}", spread, difference)


def _colour_distance(column: Column, reference: Column) -> Cell:
    if not column.made:
        return Cell()
    own, there = (
        [card["figures"][name]["mean"] for name in MEAN_COLOUR] for card in (column.card, reference.card)
    )
    return Cell(f"{math.dist(own, there):.1f}")


def _frame_distance(column: Column, reference: Column) -> Cell:
    if not column.made:
        return Cell()
    distance = diversity.frame_distance(column.card["figures"], reference.card["figures"])
    return Cell("none" if distance is None else f"{distance:.{diversity.DISTANCE.digits}f}")


def _redrawn(card: dict[str, Any]) -> Cell:
    return Cell(f"{100 * card['redrawn_share']:.1f} %") if "redrawn_share" in card else Cell()


def _cost(card: dict[str, Any]) -> Cell:
    if "cost" not in card:
        return Cell()
    seconds, jobs = card["cost"]["cpu_seconds"], card["cost"]["jobs"]
    if seconds is None:
        return Cell("not known")
    return Cell(
        duration(seconds), "" if jobs == card["shards"] else f"{jobs} of {counted(card['shards'], 'job')}"
    )


def _cost_per_clip(card: dict[str, Any]) -> Cell:
    if "cost" not in card or card["cost"]["jobs"] != card["shards"]:
        return Cell()
    return Cell(f"{1000 * card['cost']['cpu_seconds'] / card['clips']:,.0f} ms")

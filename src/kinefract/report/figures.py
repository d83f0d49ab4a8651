"""A study's figures as SVG: a dot for every seed with mean and interval, and the training curves."""

import itertools
import json
import math
import textwrap
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kinefract.common.style import INK, MUTED, SCRATCH, SERIES, svg
from kinefract.report import cost
from kinefract.report.html import Numbers
from kinefract.report.results import Row, Run, Score, baseline_name, benchmarks
from kinefract.report.words import percent, range_in_words, seeds_in_words, verdict_in_words

WIDTH = 4.8  # inches; about the width that a phone shows without shrinking the text much
PANEL_HEIGHT = 2.7  # inches
MEASURED = {"loss": "loss", "top1": "top-1, %", "validation_top1": "validation top-1, %"}  # key -> title
LISTED = 24  # most epochs in the table of a chart of curves


@dataclass(frozen=True)
class Panel:
    """One chart of training curves: its title, and named groups of runs that differ in the seed only."""

    title: str
    key: str  # "loss", "top1" or "validation_top1"
    groups: list[tuple[str, str, list[Run]]]  # label, colour, runs
    held_out: bool = False  # whether the top-1 of the finished networks on held-out videos is drawn, too

    @property
    def scale(self) -> int:
        """The factor from the metrics of runs to the numbers shown."""
        return 1 if self.key == "loss" else 100


def colours(rows: list[Row]) -> list[str]:
    """Return a colour per variant: grey for the first from scratch, the series in turn for the others."""
    scratch = next((place for place, row in enumerate(rows) if row.scratch), None)
    series = itertools.cycle(SERIES)
    return [SCRATCH if place == scratch else next(series) for place in range(len(rows))]


def top1_svg(rows: list[Row]) -> str:
    """Draw top-1 per variant, with a panel for each benchmark that has a finished run.

    A variant has a bar to the mean, a horizontal line for its 95 % interval over seeds, and a dot for every
    seed. The text below it states its seeds, its compute and its comparison with the baseline.
    """
    names = benchmarks(rows)
    labels = ["\n".join(textwrap.wrap(row.label, 26)[:3]) or " " for row in rows]
    lines = 1 + max(label.count("\n") for label in labels)
    size = 10 if lines == 1 else 7.5  # points of a label
    widest = max(len(line) for label in labels for line in label.split("\n"))
    room = WIDTH - 0.4 - 0.6 * size / 72 * widest  # inches beside the labels
    statuses = {
        (id(row), name): _status(row, name, rows, math.floor(room / 0.06)) for row in rows for name in names
    }
    below = 1 + max((text.count("\n") for text in statuses.values()), default=0)
    each = max(0.46 + 0.1 * lines, 0.4 + 0.16 * below)  # inches of a variant
    height = 0.5 + each * len(rows)
    scores = [row.cells[name].top1 for row in rows for name in names if row.cells[name].runs]
    most = max(map(_right_end, scores), default=0)

    def draw(figure: Figure) -> None:
        figure.set_layout_engine("constrained", h_pad=0.1)
        axes = figure.subplots(max(1, len(names)), 1, sharex=True, squeeze=False)[:, 0]
        for axis, name in zip(axes, names, strict=False):
            for place, (row, colour) in enumerate(zip(rows, colours(rows), strict=True)):
                cell = row.cells[name]
                if cell.runs:
                    _draw_score(axis, place, cell.top1, colour, _mark(names, name, place))
                _write(axis, place + 0.19, statuses[id(row), name])
            axis.set_title(name)
            axis.set_yticks(range(len(rows)), labels, color=INK, fontsize=size)
            axis.set_ylim(len(rows) - 0.4, -0.6)
            axis.set_xlim(0, max(1.14 * most, 1))
            axis.grid(False, axis="y")
            axis.spines["left"].set_visible(False)
        axes[-1].set_xlabel("top-1, %")

    return svg(draw, (WIDTH, height * max(1, len(names)) + 0.5), "top1")


def top1_titles(rows: list[Row]) -> dict[str, str]:
    """Return the groups of ``top1_svg`` -> what each shows: the mean of a variant, and each seed."""
    names, found = benchmarks(rows), {}
    for name in names:
        for place, row in enumerate(rows):
            if not row.cells[name].runs:
                continue
            score, mark = row.cells[name].top1, _mark(names, name, place)
            ends = f"; 95 % interval {range_in_words(score.interval)}" if score.interval else ""
            found[mark] = f"{row.label} on {name}: mean {percent(score.mean)} %{ends}"
            for seed, value in score.by_seed.items():
                found[f"{mark}-{seed}"] = f"{row.label} on {name}, seed {seed}: {percent(value)} %"
    return found


def top1_numbers(rows: list[Row]) -> Numbers:
    """Return the numbers behind ``top1_svg``: top-1 in percent by seed, a row per variant and benchmark."""
    names = benchmarks(rows)
    shown = [(row, name, row.cells[name].top1) for name in names for row in rows if row.cells[name].runs]
    seeds = list(dict.fromkeys(seed for _, _, score in shown for seed in score.by_seed))
    lines = [
        [
            f"{row.label} on {name}" if len(names) > 1 else row.label,
            *(percent(score.by_seed[seed]) if seed in score.by_seed else "" for seed in seeds),
            percent(score.mean, score.std),
        ]
        for row, name, score in shown
    ]
    return Numbers(["Variant", *(f"seed {seed}" for seed in seeds), "mean"], lines)


def _mark(names: list[str], name: str, place: int) -> str:
    """Return the id of the group that holds the bar of a variant; those of its seeds begin with it."""
    return f"score{names.index(name)}-{place}"


def _draw_score(axis: Axes, place: int, score: Score, colour: str, mark: str) -> None:
    mean, ends = 100 * score.mean, score.interval
    axis.barh(place - 0.1, mean, height=0.46, color=colour, alpha=0.28)[0].set_gid(mark)
    axis.plot([mean, mean], [place - 0.33, place + 0.13], color=colour, linewidth=2.4)
    if ends:
        axis.plot([100 * ends.low, 100 * ends.high], [place - 0.1, place - 0.1], color=INK, linewidth=1.3)
    dots: dict[str, Any] = {"markersize": 5.5, "markeredgecolor": INK, "markeredgewidth": 0.6}
    for seed, value in score.by_seed.items():
        axis.plot([100 * value], [place - 0.1], "o", color=colour, gid=f"{mark}-{seed}", **dots)
    text: dict[str, Any] = {"textcoords": "offset points", "va": "center", "color": INK}
    axis.annotate(f"{mean:.1f}", (_right_end(score), place - 0.1), (7, 0), **text)


def _write(axis: Axes, height: float, text: str) -> None:
    """Write a text below a bar, within the panel's width but outside its layout."""
    style: dict[str, Any] = {"textcoords": "offset points", "va": "top", "color": MUTED, "fontsize": 8}
    axis.annotate(text, (0, height), (3, 0), **style).set_in_layout(False)


def _status(row: Row, benchmark: str, rows: list[Row], letters: int) -> str:
    """Return the text below a bar, in lines of ``letters`` letters: seeds, compute and verdict."""
    cell = row.cells[benchmark]
    if not cell.runs:
        return "not finished"
    status = f"{seeds_in_words(cell.top1.n)}, {cost.as_clause(row, cell)}"
    if cell.comparison:
        status += f"; {verdict_in_words(cell.comparison, baseline_name(row, rows))}"
    return textwrap.fill(status, letters)


def _right_end(score: Score) -> float:
    """Return the right end of everything drawn for a score, in percent."""
    ends = score.interval
    return 100 * max(ends.high if ends else 0, *score.by_seed.values(), score.mean)


def panels(rows: list[Row]) -> list[Panel]:
    """Return the charts of curves: pre-training, then each benchmark's fine-tuning.

    Each has a chart of the loss and one of top-1 on the training clips, and one of top-1 on the validation
    part where it was measured.
    """
    shades = colours(rows)
    pretrains: dict[tuple[str, ...], tuple[list[str], str, list[Run]]] = {}
    for row, shade in zip(rows, shades, strict=True):
        if finished := [run for run in row.pretrainings if run.result]:
            key = tuple(run.id for run in finished)
            pretrains.setdefault(key, ([], shade, finished))[0].append(row.label)
    pretrained = [(", ".join(labels), shade, runs) for labels, shade, runs in pretrains.values()]
    charts = [("Pre-training", pretrained)] if pretrained else []
    for benchmark in benchmarks(rows):
        groups = [
            (row.label, shade, list(row.cells[benchmark].runs.values()))
            for row, shade in zip(rows, shades, strict=True)
            if row.cells[benchmark].runs
        ]
        charts.append((f"Fine-tuning on {benchmark}", groups))
    return [
        Panel(f"{title}: {what}", key, shown, held_out=key != "loss" and title != "Pre-training")
        for title, groups in charts
        for key, what in MEASURED.items()
        if (shown := [group for group in groups if curve(group[2], key)[0]])
    ]


def panel_svg(panel: Panel, number: int) -> tuple[str, str]:
    """Draw one chart of training curves without title and legend, which the page adds.

    Returns:
        The text of the SVG file, and its numbers as JSON for the page's script: ``frame`` (left, top, width
        and height of the axes in the drawing), the limits ``x`` and ``y``, the ``unit``, and the ``series``,
        each with the ``id`` of its line on the page, ``label``, ``epochs``, ``mean`` and ``std``.
    """
    drawn: list[Axes] = []

    def draw(figure: Figure) -> None:
        drawn.append(figure.subplots())
        _draw_curves(drawn[0], panel)

    text = svg(draw, (WIDTH, PANEL_HEIGHT), f"curve{number}")
    left, bottom, width, height = drawn[0].get_position().bounds  # shares of the drawing, as it was laid out
    wide, high = 72 * WIDTH, 72 * PANEL_HEIGHT
    series = []
    for place, (label, _, runs) in enumerate(panel.groups):
        epochs, mean, std = curve(runs, panel.key)
        values = {"mean": _shortened(mean, panel.scale), "std": _shortened(std, panel.scale)}
        series.append({"id": f"curve{number}-line{place}", "label": label, "epochs": epochs, **values})
    facts = {
        "frame": [
            round(value, 2)
            for value in (left * wide, (1 - bottom - height) * high, width * wide, height * high)
        ],
        "x": [round(end, 4) for end in drawn[0].get_xlim()],
        "y": [round(end, 6) for end in drawn[0].get_ylim()],
        "unit": " %" if panel.scale == 100 else "",
        "series": series,
    }
    return text, json.dumps(facts, ensure_ascii=False)


def panel_titles(panel: Panel) -> dict[str, str]:
    """Return the groups of ``panel_svg`` -> what each shows: top-1 on the held-out videos."""
    if not panel.held_out:
        return {}
    return {
        f"end{place}": f"{label}: {_held_out(runs):.1f} % on the held-out videos"
        for place, (label, _, runs) in enumerate(panel.groups)
    }


def panel_numbers(panel: Panel) -> Numbers:
    """Return the numbers behind a chart of curves: up to 24 epochs with the last, a column per curve."""
    found = [curve(runs, panel.key) for _, _, runs in panel.groups]
    epochs = sorted({epoch for line, _, _ in found for epoch in line})
    step = -(-len(epochs) // LISTED)
    columns = [dict(zip(line, _shortened(mean, panel.scale), strict=True)) for line, mean, _ in found]
    rows = [
        [str(epoch), *(f"{column[epoch]:g}" if epoch in column else "" for column in columns)]
        for epoch in epochs[::-1][::step][::-1]
    ]
    if panel.held_out:
        rows.append(["held-out videos", *(f"{_held_out(runs):.1f}" for _, _, runs in panel.groups)])
    return Numbers(["Epoch", *(label for label, _, _ in panel.groups)], rows)


def _shortened(values: list[float], scale: int) -> list[float]:
    """Return the numbers as they are shown: percent with one decimal, losses with four digits."""
    return [round(100 * value, 1) if scale == 100 else float(f"{value:.4g}") for value in values]


def _held_out(runs: list[Run]) -> float:
    """Return the mean top-1 of finished networks on the held-out videos, in percent."""
    return 100 * math.fsum(run.result["top1"] for run in runs) / len(runs)


def curves_svg(rows: list[Row]) -> str:
    """Draw all charts of training curves in one figure, two in a line."""
    shown = panels(rows)
    lines = max(1, math.ceil(len(shown) / 2))

    def draw(figure: Figure) -> None:
        axes = figure.subplots(lines, 2, squeeze=False).ravel()
        for axis, panel in zip(axes, shown, strict=False):
            _draw_curves(axis, panel)
            axis.set_title(panel.title)
        for axis in axes[len(shown) :]:
            axis.set_axis_off()
        names = [_short(row.label) for row in rows]
        handles = [Line2D([], [], color=colour, linewidth=2.4) for colour in colours(rows)]
        figure.legend(handles, names, loc="outside lower center", ncols=2 if len(rows) > 2 else len(rows))

    return svg(draw, (2 * WIDTH, 2.9 * lines + 0.25 * math.ceil(len(rows) / 2)), "curves")


def _draw_curves(axis: Axes, panel: Panel) -> None:
    for place, (_, colour, runs) in enumerate(panel.groups):
        epochs, mean, std = curve(runs, panel.key)
        mean, std = [panel.scale * value for value in mean], [panel.scale * value for value in std]
        marker = "o" if len(epochs) == 1 else None
        axis.plot(epochs, mean, color=colour, linewidth=1.8, marker=marker, gid=f"line{place}")
        if panel.held_out:
            diamond: dict[str, Any] = {"markersize": 6, "markeredgecolor": INK, "markeredgewidth": 0.7}
            end = max(len(run.epochs) for run in runs)
            axis.plot(end, _held_out(runs), "D", color=colour, gid=f"end{place}", **diamond)
        if len(runs) > 1:
            low = [m - s for m, s in zip(mean, std, strict=True)]
            high = [m + s for m, s in zip(mean, std, strict=True)]
            axis.fill_between(epochs, low, high, color=colour, alpha=0.2, linewidth=0)
    axis.set_xlabel("epoch")
    axis.locator_params(axis="x", integer=True)
    axis.set_ylim(bottom=0)


def curve(runs: list[Run], key: str) -> tuple[list[int], list[float], list[float]]:
    """Return epochs, and mean and standard deviation over the runs at each (0 for a single run)."""
    at: dict[int, list[float]] = {}
    for run in runs:
        for epoch in run.epochs:
            if isinstance(epoch.get(key), int | float) and math.isfinite(epoch[key]):
                at.setdefault(int(epoch["epoch"]), []).append(float(epoch[key]))
    epochs = sorted(at)
    mean = [math.fsum(at[epoch]) / len(at[epoch]) for epoch in epochs]
    std = [
        math.sqrt(math.fsum((v - m) ** 2 for v in at[epoch]) / (len(at[epoch]) - 1))
        if len(at[epoch]) > 1
        else 0.0
        for epoch, m in zip(epochs, mean, strict=True)
    ]
    return epochs, mean, std


def _short(label: str) -> str:
    return label if len(label) <= 52 else label[:51] + "…"

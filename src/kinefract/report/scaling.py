"""The scaling curve of a study that varies a number: accuracy along that setting."""

import itertools
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from kinefract.common.errors import UserError
from kinefract.common.layout import SPEC_FILE
from kinefract.common.style import INK, MUTED, SCRATCH, SERIES, svg
from kinefract.config.baselines import START
from kinefract.config.plan import INIT_EPOCH
from kinefract.config.specs import FinetuneSpec, PretrainSpec
from kinefract.report.figures import WIDTH
from kinefract.report.html import Numbers
from kinefract.report.results import Row, benchmarks
from kinefract.report.words import percent

LEAST = 3  # least number of values of a curve
WIDE = 4  # ratio of largest to least value from which the axis is logarithmic
HEIGHT = 3.2  # inches of a panel
REST = "all else as the study has it"  # the curve of variants that change nothing else


@dataclass(frozen=True)
class Scaling:
    """A study's variants along one setting: ``lines`` holds the rows of each curve, in order of value.

    ``levels`` holds the variants from scratch that lack the setting.
    """

    key: str
    lines: dict[str, list[tuple[float, Row]]]
    levels: list[Row]


def scaling(rows: list[Row]) -> Scaling | None:
    """Return the curves of a study; None if no setting is varied over three numbers or more.

    The first such setting is taken. A curve consists of the variants that agree in all other settings, apart
    from numbers that follow it, as epochs do if steps are kept equal. A variant that does not name the
    setting has the value of its recipe.
    """
    begun = [row for row in rows if row.begun]
    keys = dict.fromkeys(key for row in begun for key in row.values if _number(row.values[key]))
    for key in keys:
        valued = [(_value(row, key), row) for row in begun]
        with_key = [row for value, row in valued if _number(value)]
        along = [other for other in keys if other != key and _follows(other, key, with_key)]
        lines: dict[str, list[tuple[float, Row]]] = {}
        for row in with_key:
            name = ", ".join(str(value) for other, value in row.values.items() if other not in (key, *along))
            lines.setdefault(name, []).append((float(_value(row, key)), row))
        curves = {name: sorted(line, key=lambda point: point[0]) for name, line in lines.items() if line[1:]}
        distinct = all(len({value for value, _ in line}) == len(line) for line in curves.values())
        if distinct and max(map(len, curves.values()), default=0) >= LEAST:
            return Scaling(key, curves, [row for value, row in valued if row.scratch and value is None])
    return None


def scaling_svg(found: Scaling, rows: list[Row]) -> str:
    """Draw top-1 along the setting, a panel per benchmark: dots for seeds, lines of means, 95 % intervals.

    Variants from scratch are horizontal lines.
    """
    names = benchmarks(rows)

    def draw(figure: Figure) -> None:
        axes = figure.subplots(len(names), 1, squeeze=False)[:, 0]
        for panel, (axis, name) in enumerate(zip(axes, names, strict=True)):
            _draw_panel(axis, found, name, panel)
            axis.set_title(name)
        axes[-1].set_xlabel(found.key)
        if len(found.lines) > 1:
            handles, labels = axes[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower center", ncols=2)

    return svg(draw, (WIDTH, HEIGHT * len(names)), "scaling")


def titles(found: Scaling, rows: list[Row]) -> dict[str, str]:
    """Return the groups of ``scaling_svg`` -> what each shows: a seed of a variant."""
    return {
        f"at{panel}-{place}-{number}-{seed}": f"{row.label} on {name}, seed {seed}: {percent(share)} %"
        for panel, name in enumerate(benchmarks(rows))
        for place, line in enumerate(found.lines.values())
        for number, (_, row) in enumerate(line)
        if row.cells[name].runs
        for seed, share in row.cells[name].top1.by_seed.items()
    }


def numbers(found: Scaling, rows: list[Row]) -> Numbers:
    """Return the numbers behind ``scaling_svg``: a row per value of each curve, a column per benchmark."""
    names = benchmarks(rows)
    points = [(name, f"{value:g}", row) for name, line in found.lines.items() for value, row in line]
    points += [("", row.label, row) for row in found.levels]
    lines = [
        [
            f"{name}, {value}" if name else value,
            *(
                percent(row.cells[of].top1.mean, row.cells[of].top1.std) if row.cells[of].runs else ""
                for of in names
            ),
        ]
        for name, value, row in points
    ]
    return Numbers([found.key, *(f"{name}, top-1 in %" for name in names)], lines)


def _draw_panel(axis: Axes, found: Scaling, benchmark: str, panel: int) -> None:
    for row in found.levels:
        if row.cells[benchmark].runs:
            level = 100 * row.cells[benchmark].top1.mean
            axis.axhline(level, color=SCRATCH, linewidth=1.4, linestyle=(0, (4, 3)))
            axis.annotate(
                row.label,
                (1, level),
                (-2, 3),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                ha="right",
                color=MUTED,
                fontsize=8,
            )
    for place, ((name, line), colour) in enumerate(
        zip(found.lines.items(), itertools.cycle(SERIES), strict=False)
    ):
        points = [
            (number, value, row.cells[benchmark].top1)
            for number, (value, row) in enumerate(line)
            if row.cells[benchmark].runs
        ]
        means = [100 * score.mean for _, _, score in points]
        axis.plot([value for _, value, _ in points], means, color=colour, linewidth=1.8, label=name or REST)
        for number, value, score in points:
            if ends := score.interval:
                axis.plot([value, value], [100 * ends.low, 100 * ends.high], color=colour, linewidth=1.2)
            dots: dict[str, Any] = {"markersize": 4.5, "markeredgecolor": INK, "markeredgewidth": 0.5}
            for seed, share in score.by_seed.items():
                mark = f"at{panel}-{place}-{number}-{seed}"
                axis.plot([value], [100 * share], "o", color=colour, gid=mark, **dots)
    values = sorted({value for line in found.lines.values() for value, _ in line})
    if values[0] > 0 and values[-1] >= WIDE * values[0]:
        axis.set_xscale("log")
    axis.set_xticks(values, [f"{value:g}" for value in values])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_ylim(bottom=0)
    axis.set_ylabel("top-1, %")


def in_words(found: Scaling, rows: list[Row]) -> str:
    """Return a description of the figure, for screen readers."""
    parts = [
        f"{f'{name}, ' if name else ''}{value:g}: {100 * row.cells[benchmark].top1.mean:.1f} % on {benchmark}"
        for benchmark in benchmarks(rows)
        for name, line in found.lines.items()
        for value, row in line
        if row.cells[benchmark].runs
    ]
    return f"Top-1 by {found.key}: " + "; ".join(parts)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _value(row: Row, key: str) -> Any:
    """Return a variant's value of a setting, or that of its recipe; None where it has no such setting."""
    if key in row.values:
        return row.values[key]
    section, _, path = key.partition(".")
    runs = [run for cell in row.cells.values() for run in cell.runs.values()]
    try:
        if section == "finetuning":
            recipe: Any = FinetuneSpec.read(runs[0].folder / SPEC_FILE).recipe
        elif not row.pretrainings:
            return None
        else:
            spec = PretrainSpec.read(row.pretrainings[0].folder / SPEC_FILE)
            recipe = spec.dataset.recipe if section == "dataset" else spec.recipe
    except UserError:
        return None
    for part in ("epochs" if key == INIT_EPOCH else path).split("."):
        recipe = getattr(recipe, part, None)
    return recipe


def _follows(other: str, key: str, rows: list[Row]) -> bool:
    """Return whether each value of ``key`` goes with a single value of ``other`` that is a number."""
    pairs = {(_value(row, key), row.values.get(other)) for row in rows}
    return other not in START and len(pairs) == len({value for value, _ in pairs})

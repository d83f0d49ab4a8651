"""The page of all studies: the question, answer, progress and page of each."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import TypedDict

from kinefract.common.errors import UserError
from kinefract.common.files import write_text
from kinefract.common.layout import ANSWER, PAGE, PARTIAL
from kinefract.common.pages import link, rendered
from kinefract.common.records import read_json
from kinefract.common.words import counted
from kinefract.config.plan import begun
from kinefract.config.specs import StudySpec
from kinefract.report import figures, related, results
from kinefract.report.answer import name_of
from kinefract.report.results import Found, Row, Seen, baseline_of
from kinefract.report.words import percent, range_in_words, seeds_in_words

DONE, UNDER_WAY, NOT_BEGUN = "done", "under way", "not begun"
FEW = 6  # studies of which the page shows the charts at once


class Answer(TypedDict):
    """``answer.json`` of a study: sentences, and the number of finished runs from which they are."""

    answer: list[str]
    finished: int


@dataclass(frozen=True)
class Bar:
    """One bar of a small chart; numbers in percent. ``low`` and ``high`` are None for one seed."""

    label: str
    colour: str
    mean: float
    low: float | None
    high: float | None
    seeds: str
    words: str


@dataclass(frozen=True)
class Entry:
    """One study: ``progress`` in words, its answer and the basis of it, the address of its page if any.

    ``made`` is the number of its runs that are finished, and ``gain`` the greatest of a variant over its
    baseline, in points.
    """

    name: str
    question: str
    state: str
    runs: int
    made: int
    gain: float
    progress: str
    answer: list[str]
    rests_on: str
    link: str | None
    charts: list[tuple[str, list[Bar]]]


def write_overview(root: Path, plan_studies: dict[str, StudySpec], out: Path) -> None:
    """Write the page of all studies.

    The content is read from the studies' folders, and nothing is computed again. The answer is that of the
    study's last report, on the whole study or on its finished part. Studies that have not begun come last,
    also those of which other studies have made some runs.

    Args:
        root: The project's folder.
        plan_studies: Name -> study, in their order on the page.
        out: The HTML file, usually ``results/index.html``; links to the studies' pages are relative to it.

    Raises:
        UserError: the file cannot be written.
    """
    seen: Seen = {}
    found = {name: results.read_available(root, spec, seen) for name, spec in plan_studies.items()}
    runs = {name: each.runs for name, each in found.items()}
    started = begun({name: each.done for name, each in found.items()}, runs)
    entries = [
        _entry(root, name, spec, found[name], name in started, out) for name, spec in plan_studies.items()
    ]
    states = Counter(entry.state for entry in entries)
    html = rendered(
        "overview.html.jinja",
        entries=[entry for entry in entries if entry.state != NOT_BEGUN],
        waiting=[entry for entry in entries if entry.state == NOT_BEGUN],
        states=[(state, states[state]) for state in (DONE, UNDER_WAY, NOT_BEGUN) if states[state]],
        shown_states=[state for state in (DONE, UNDER_WAY) if states[state]],
        few=FEW,
        related=related.RELATED,
        related_benchmarks=related.BENCHMARKS,
        related_note=related.NOTE,
    )
    write_text(out, html)


def _entry(root: Path, name: str, spec: StudySpec, found: Found, started: bool, out: Path) -> Entry:
    folder = root / spec.folder
    if found.missing:
        folder /= PARTIAL
    page = folder / PAGE
    state, progress = _state(found, page.exists(), started)
    answer, answered = _answer(folder) if page.exists() else ([], None)
    return Entry(
        name=name,
        question=spec.question,
        state=state,
        runs=found.runs,
        made=found.finished,
        gain=_gain(found.rows),
        progress=progress,
        answer=answer,
        rests_on=f"From {answered} of {counted(found.runs, 'run')}."
        if found.missing and answered is not None
        else "",
        link=link(page, out),
        charts=_charts(found.rows),
    )


def _answer(folder: Path) -> tuple[list[str], int | None]:
    """Return the sentences of a study's answer, and the number of runs from which they are."""
    try:
        answer = read_json(folder / ANSWER, Answer)
    except FileNotFoundError:
        return [], None
    except UserError as error:  # the page shows it, and other studies are shown all the same
        return [str(error)], None
    return answer["answer"], answer["finished"]


def _state(found: Found, reported: bool, started: bool) -> tuple[str, str]:
    """Return the state and the progress of a study in words."""
    if found.missing and not (started or reported):
        return NOT_BEGUN, NOT_BEGUN
    if found.missing:
        return UNDER_WAY, f"{found.finished} of {counted(found.runs, 'run')}"
    if not reported:
        return UNDER_WAY, f"all {counted(found.runs, 'run')}, but no report yet"
    return DONE, f"done, {counted(found.runs, 'run')}"


def _gain(rows: list[Row]) -> float:
    """Return the greatest gain of a variant over its baseline on a benchmark, in points; -100 without one."""
    pairs = ((row.cells, base.cells) for row in rows if (base := baseline_of(row, rows)))
    gains = (
        cells[name].top1.mean - bases[name].top1.mean
        for cells, bases in pairs
        for name in cells
        if cells[name].runs and bases[name].runs
    )
    return round(100 * max(gains, default=-1.0), 1)


def _charts(rows: list[Row]) -> list[tuple[str, list[Bar]]]:
    """Return a small chart for each benchmark that has a finished run."""
    shades = figures.colours(rows)
    return [
        (
            name,
            [_bar(row, name, shade) for row, shade in zip(rows, shades, strict=True) if row.cells[name].runs],
        )
        for name in results.benchmarks(rows)
    ]


def _bar(row: Row, benchmark: str, colour: str) -> Bar:
    score = row.cells[benchmark].top1
    ends = score.interval
    low, high = (round(100 * ends.low, 1), round(100 * ends.high, 1)) if ends else (None, None)
    words = f"{name_of(row)} on {benchmark}: {percent(score.mean, score.std)} %, {seeds_in_words(score.n)}"
    words += f", 95 % interval {range_in_words(ends)}" if ends else ""
    return Bar(name_of(row), colour, round(100 * score.mean, 1), low, high, seeds_in_words(score.n), words)

"""The page of all studies: the question, answer, progress and page of each."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from typing_extensions import TypedDict

from kinefract.common.errors import UserError
from kinefract.common.files import write_text
from kinefract.common.layout import ANSWER, PAGE, PARTIAL
from kinefract.common.pages import rendered
from kinefract.common.records import read_json
from kinefract.common.words import counted
from kinefract.config.specs import StudySpec
from kinefract.report import figures, related, results
from kinefract.report.answer import name_of
from kinefract.report.results import Found, Row
from kinefract.report.words import seeds_in_words

DONE, UNDER_WAY, NOT_BEGUN = "done", "under way", "not begun"


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


@dataclass(frozen=True)
class Entry:
    """One study: ``progress`` in words, its answer and the basis of it, the address of its page if any."""

    name: str
    question: str
    state: str
    runs: int
    progress: str
    answer: list[str]
    rests_on: str
    link: str | None
    charts: list[tuple[str, list[Bar]]]


def write_overview(root: Path, plan_studies: dict[str, StudySpec], out: Path) -> None:
    """Write the page of all studies.

    The content is read from the studies' folders, and nothing is computed again. The answer is that of the
    study's last report, on the whole study or on its finished part. Studies that have not begun come last.

    Args:
        root: The project's folder.
        plan_studies: Name -> study, in their order on the page.
        out: The HTML file, usually ``results/index.html``; links to the studies' pages are relative to it.

    Raises:
        UserError: the file cannot be written.
    """
    entries = [_entry(root, name, spec, out.parent) for name, spec in plan_studies.items()]
    states = Counter(entry.state for entry in entries)
    html = rendered(
        "overview.html.jinja",
        entries=[entry for entry in entries if entry.state != NOT_BEGUN],
        waiting=[entry for entry in entries if entry.state == NOT_BEGUN],
        states=[(state, states[state]) for state in (DONE, UNDER_WAY, NOT_BEGUN) if states[state]],
        related=related.RELATED,
        related_benchmarks=related.BENCHMARKS,
        related_note=related.NOTE,
    )
    write_text(out, html)


def _entry(root: Path, name: str, spec: StudySpec, start: Path) -> Entry:
    found = results.read_available(root, spec)
    folder = root / spec.folder
    if found.missing:
        folder /= PARTIAL
    page = folder / PAGE
    state, progress = _state(found, page.exists())
    answer, answered = _answer(folder) if page.exists() else ([], None)
    return Entry(
        name=name,
        question=spec.question,
        state=state,
        runs=found.runs,
        progress=progress,
        answer=answer,
        rests_on=f"From {answered} of {counted(found.runs, 'run')}."
        if found.missing and answered is not None
        else "",
        link=quote(Path(os.path.relpath(page, start)).as_posix()) if page.exists() else None,
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


def _state(found: Found, reported: bool) -> tuple[str, str]:
    """Return the state and the progress of a study in words."""
    if found.finished == 0:
        return NOT_BEGUN, NOT_BEGUN
    if found.missing:
        return UNDER_WAY, f"{found.finished} of {counted(found.runs, 'run')}"
    if not reported:
        return UNDER_WAY, f"all {counted(found.runs, 'run')}, but no report yet"
    return DONE, f"done, {counted(found.runs, 'run')}"


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
    return Bar(name_of(row), colour, round(100 * score.mean, 1), low, high, seeds_in_words(score.n))

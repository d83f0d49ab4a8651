"""A study's table for the terminal."""

import csv
import unicodedata
from pathlib import Path

from kinefract.errors import UserError
from kinefract.report import compare, results
from kinefract.report.results import Comparison
from kinefract.report.table import COLUMNS, CSV, joined, p_in_words, percent, printable, range_in_words
from kinefract.schema import not_one_of
from kinefract.specs import SPEC_FILE, StudySpec, project_root


def text_table(folder: Path | str) -> str:
    """Return a finished study's table for the terminal: variants down, benchmarks across, in percent.

    Beside each score stands how it compares with that of the variant that the last column names.

    Args:
        folder: The study's folder.

    Raises:
        UserError: the study is not finished, or its table cannot be read.
    """
    lines = _read(Path(folder) / CSV)
    rows: dict[str, list[dict[str, str]]] = {}
    for line in lines:
        rows.setdefault(line["variant"], []).append(line)
    columns = [_column(["variant", *rows], left=True)]
    for benchmark in dict.fromkeys(line["benchmark"] for line in lines):
        on = [next((line for line in row if line["benchmark"] == benchmark), {}) for row in rows.values()]
        # Padding the spread keeps the decimal points of the means under one another.
        spreads = _column([_percent(line.get("top1_std", "")) for line in on])
        means = [_percent(line.get("top1", "")) or "-" for line in on]
        texts = [f"{m} ± {s}" if s.strip() else m for m, s in zip(means, spreads, strict=True)]
        columns.append(_column([f"{benchmark} top-1, %", *texts]))
        verdicts = [line.get("verdict", "") for line in on]
        if any(verdicts):
            columns.append(_column(["verdict", *verdicts], left=True))
    columns.append(_column(["seeds", *(_shared(row, "seeds") for row in rows.values())]))
    against = [_shared(row, "baseline") for row in rows.values()]
    if any(against):
        columns.append(_column(["against", *against], left=True))
    return _side_by_side(columns)


def against_table(folder: Path | str, label: str) -> str:
    """Return how the variants of a finished study compare with any one of them, for the terminal.

    For each benchmark the difference of top-1 in points with its 95 % interval, the p-value after Holm's
    correction over the other variants, and what that says. Read anew from the runs' predictions.

    Args:
        folder: The study's folder.
        label: The variant, as the study's table calls it.

    Raises:
        UserError: no variant is called so, or runs are missing.
    """
    spec_path = Path(folder) / SPEC_FILE
    spec = StudySpec.read(spec_path)
    rows = results.read(project_root(spec_path), spec).rows
    other = next((row for row in rows if row.label == label), None)
    if other is None:
        raise UserError(not_one_of(label, [row.label for row in rows]) + f" (variants of {spec.study})")
    compared = [row for row in compare.judged(rows, other) if row.label != label]
    columns = [_column([f"against {label}", *(row.label for row in compared)], left=True)]
    for benchmark in rows[0].cells:
        cells = [_compared(row.cells[benchmark].comparison) for row in compared]
        columns.append(_column([f"{benchmark} top-1, points", *(points for points, _, _ in cells)]))
        columns.append(_column(["95 % interval, p", *(tested for _, tested, _ in cells)], left=True))
        columns.append(_column(["verdict", *(verdict for _, _, verdict in cells)], left=True))
    return _side_by_side(columns)


def _compared(comparison: Comparison | None) -> tuple[str, str, str]:
    """Return a difference, what is known of it, and what that says."""
    if comparison is None:
        return "-", "", ""
    tested = ""
    if comparison.difference and comparison.adjusted is not None:
        ends = range_in_words(comparison.difference.interval)
        tested = f"{ends}, {p_in_words(comparison.adjusted)}"
    return f"{100 * comparison.points:+.1f}", tested, comparison.verdict


def _side_by_side(columns: list[list[str]]) -> str:
    texts = ["  ".join(line).rstrip() for line in zip(*columns, strict=True)]
    return "\n".join([texts[0], "-" * max(map(_width, texts)), *texts[1:]]) + "\n"


def _read(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            lines = csv.DictReader(stream, strict=True)
            names, found = lines.fieldnames, list(lines)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; `snakemake <study>` makes a study's table") from None
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read, delete it to make it again ({error})") from error
    if names != COLUMNS or any(None in line or None in line.values() for line in found):
        raise UserError(
            f"{path}: not a table that this version of kinefract makes, delete it to make it again"
        )
    return found


def _percent(share: str) -> str:
    return percent(float(share)) if share else ""


def _shared(lines: list[dict[str, str]], key: str) -> str:
    """Return the values of a variant's benchmarks, each once."""
    return joined(line[key] for line in lines if line["seeds"] != "0")


def _column(texts: list[str], left: bool = False) -> list[str]:
    """Return the texts padded to one width, as a terminal counts it."""
    texts = [printable(text) for text in texts]
    width = max(map(_width, texts))
    padding = [" " * (width - _width(text)) for text in texts]
    return [text + pad if left else pad + text for text, pad in zip(texts, padding, strict=True)]


def _width(text: str) -> int:
    """Return the columns a terminal gives the text; East Asian wide characters take two, accents none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )

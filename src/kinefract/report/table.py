"""A study's numbers as tables: text for the terminal, Markdown, CSV, and metrics for DVC and MLflow."""

import csv
import io
import json
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kinefract.errors import UserError
from kinefract.report.results import Row

METRICS = "metrics.json"
DIGITS = 6  # decimals of a share in files; a test set has fewer than a million videos

Metrics = dict[str, dict[str, dict[str, Any]]]


def metrics_of(rows: list[Row]) -> Metrics:
    """Return variant -> benchmark -> ``top1``, ``top1_std``, ``top5`` (shares from 0 to 1) and ``n`` seeds.

    ``top1_std`` is absent where there is one seed, since nothing is known of the spread then.
    """
    metrics: Metrics = {}
    for row in rows:
        metrics[row.label] = {}
        for benchmark, cell in row.cells.items():
            spread = {} if cell.top1.std is None else {"top1_std": round(cell.top1.std, DIGITS)}
            metrics[row.label][benchmark] = {
                "top1": round(cell.top1.mean, DIGITS),
                **spread,
                "top5": round(cell.top5.mean, DIGITS),
                "n": cell.top1.n,
            }
    return metrics


def percent(mean: float, std: float | None = None) -> str:
    """Return ``61.2 ± 2.1`` of shares from 0 to 1, or ``61.2`` where there is no spread."""
    return f"{100 * mean:.1f}" + (f" ± {100 * std:.1f}" if std is not None else "")


def seeds_in_words(n: int) -> str:
    """Return ``3 seeds`` or ``1 seed``."""
    return f"{n} seed{'s' * (n != 1)}"


def table_csv(rows: list[Row]) -> str:
    """Return the table as CSV, a line per variant and benchmark, scores as shares from 0 to 1."""
    lines = [["variant", "benchmark", "seeds", "top1", "top1_std", "top5", "top5_std", "top1_by_seed"]]
    for row in rows:
        for benchmark, cell in row.cells.items():
            scores = [cell.top1.mean, cell.top1.std, cell.top5.mean, cell.top5.std]
            each = " ".join(f"{seed}:{round(value, DIGITS)}" for seed, value in cell.top1.by_seed.items())
            lines.append(
                [
                    row.label,
                    benchmark,
                    cell.top1.n,
                    *("" if s is None else round(s, DIGITS) for s in scores),
                    each,
                ]
            )
    return _csv(lines)


def curves_csv(rows: list[Row]) -> str:
    """Return every epoch of every run as CSV: phase, variant, benchmark, seed, epoch, loss, top1."""
    lines: list[list[Any]] = [["phase", "variant", "benchmark", "seed", "epoch", "loss", "top1"]]
    for row in rows:
        runs = [("", "", row.pretrain)] if row.pretrain else []
        runs += [(name, seed, run) for name, cell in row.cells.items() for seed, run in cell.runs.items()]
        for benchmark, seed, run in runs:
            for epoch in run.epochs:
                values = [epoch.get("epoch"), epoch.get("loss"), epoch.get("top1")]
                lines.append(
                    [run.phase, row.label, benchmark, seed, *("" if v is None else v for v in values)]
                )
    return _csv(lines)


def table_md(rows: list[Row]) -> str:
    """Return the table as Markdown: a line per variant, top-1 and top-5 in percent per benchmark."""
    benchmarks = list(rows[0].cells)
    head = [
        "variant",
        *(f"{name} {score}, %" for name in benchmarks for score in ("top-1", "top-5")),
        "seeds",
    ]
    lines = [head, ["---", *["--:"] * (len(head) - 1)]]
    for row in rows:
        cells = [row.cells[name] for name in benchmarks]
        scores = [percent(s.mean, s.std) for cell in cells for s in (cell.top1, cell.top5)]
        lines.append([row.label, *scores, _joined(cell.top1.n for cell in cells)])
    return "".join(f"| {' | '.join(_md(text) for text in line)} |\n" for line in lines)


def text_table(folder: Path | str) -> str:
    """Return a finished study's table for the terminal: variants down, benchmarks across, in percent.

    Args:
        folder: The study's folder.

    Raises:
        UserError: the study is not finished.
    """
    path = Path(folder) / METRICS
    try:
        metrics: Metrics = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; `snakemake <study>` makes a study's table") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read, delete it to make it again ({error})") from error
    columns = [_column(["variant", *metrics], left=True)]
    for benchmark in next(iter(metrics.values())):
        scores = [cells[benchmark] for cells in metrics.values()]
        # Padding the spread keeps the decimal points of the means under one another.
        spreads = _column([percent(score["top1_std"]) if "top1_std" in score else "" for score in scores])
        means = [percent(score["top1"]) for score in scores]
        texts = [f"{m} ± {s}" if s.strip() else m for m, s in zip(means, spreads, strict=True)]
        columns.append(_column([f"{benchmark} top-1, %", *texts]))
    columns.append(
        _column(["seeds", *(_joined(s["n"] for s in cells.values()) for cells in metrics.values())])
    )
    lines = ["  ".join(line).rstrip() for line in zip(*columns, strict=True)]
    return "\n".join([lines[0], "-" * max(_width(line) for line in lines), *lines[1:]]) + "\n"


def _joined(counts: Iterable[int]) -> str:
    return ", ".join(str(n) for n in dict.fromkeys(counts))


def _column(texts: list[str], left: bool = False) -> list[str]:
    """Return the texts padded to one width, as a terminal counts it."""
    texts = [_printable(text) for text in texts]
    width = max(map(_width, texts))
    padding = [" " * (width - _width(text)) for text in texts]
    return [text + pad if left else pad + text for text, pad in zip(texts, padding, strict=True)]


def _csv(lines: list[list[Any]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(lines)
    return stream.getvalue()


def _md(text: str) -> str:
    """Keep a cell in its column and on its line, and HTML out of it."""
    text = _printable(text).replace("\\", "\\\\").replace("|", "\\|")
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _width(text: str) -> int:
    """Return the columns a terminal gives the text; East Asian wide characters take two, accents none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )

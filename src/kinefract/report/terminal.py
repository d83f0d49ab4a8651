"""The table of a finished study for the terminal, and comparisons of its variants with a chosen one."""

from pathlib import Path
from typing import Any

import pandas as pd

from kinefract.common.errors import UserError
from kinefract.common.layout import PARAMS_FILE, SPEC_FILE, TABLE
from kinefract.common.records import damaged
from kinefract.common.schema import not_one_of
from kinefract.config import params, plan
from kinefract.config.specs import StudySpec, project_root
from kinefract.report import compare, cost, results
from kinefract.report.formats import frame_of, read_csv, to_text
from kinefract.report.results import Comparison, Row
from kinefract.report.table import COLUMNS, MEAN, WORDS, by_variant, table_of, top1_and_spread
from kinefract.report.words import p_in_words, range_in_words


def folder_of(study: str) -> Path:
    """Return the folder of a study of this project.

    Args:
        study: The folder, or the study's name in the configuration. A name gives the folder of the study as
            it is currently configured.

    Raises:
        UserError: there is no such study, or it is not made yet.
    """
    if Path(study).is_dir():
        return Path(study)
    folder = Path(StudySpec.PARENT) / study
    if Path(PARAMS_FILE).exists():
        read = params.load()
        if study not in read.studies:
            raise UserError(f"{not_one_of(study, read.studies)} (studies of the configuration)")
        folder = Path(plan.resolve(read).study(study).folder)
    elif not folder.is_dir():
        raise UserError(f"{PARAMS_FILE}: no such file; run this from the project's folder")
    if not folder.is_dir():
        raise UserError(f"{folder}: the study is not made yet; make it with `snakemake {study}`")
    return folder


def text_table(folder: Path | str) -> str:
    """Return a finished study's table for the terminal: variants down, benchmarks across, in percent.

    Each score is followed by its comparison with the variant that the last column names.

    Args:
        folder: The study's folder.

    Raises:
        UserError: the study is not finished, or its table cannot be read.
    """
    return to_text(by_variant(_read(Path(folder)), _scores).drop(columns="compute", errors="ignore"))


def against_table(folder: Path | str, label: str) -> str:
    """Return the comparison of a finished study's variants with a chosen one, for the terminal.

    For each benchmark it shows the difference of top-1 in points with its 95 % interval, the p-value after
    Holm's correction over the other variants, and the verdict. It is computed from the runs' predictions.

    Args:
        folder: The study's folder.
        label: The chosen variant's label in the study's table.

    Raises:
        UserError: there is no such variant, or runs are missing.
    """
    compared = [row for row in _against(Path(folder), label) if row.label != label]
    return to_text(frame_of([_differences(row, label) for row in compared]))


def as_json(folder: Path | str, against: str | None = None) -> list[dict[str, Any]]:
    """Return a finished study's table as JSON values: a mapping for each variant and benchmark.

    The keys are the columns of ``table.csv`` (``report.table.table_of``), with null for what is blank.

    Args:
        folder: The study's folder.
        against: The label of a variant, with which all others are compared in place of their baselines.

    Raises:
        UserError: the study is not finished, its table cannot be read, or there is no such variant.
    """
    if against is None:
        table = _read(Path(folder))
    else:
        rows = _against(Path(folder), against)
        table = table_of(cost.with_costs(project_root(Path(folder) / SPEC_FILE), rows))
        table["baseline"] = [("" if variant == against else against) for variant in table["variant"]]
    blank = table.isna() | (table == "")
    return table.astype(object).mask(blank, None).to_dict("records")


def _against(folder: Path, label: str) -> list[Row]:
    """Return the rows of a study, compared with a chosen one."""
    spec_path = folder / SPEC_FILE
    if not spec_path.exists():
        raise UserError(_not_made(folder))
    spec = StudySpec.read(spec_path)
    rows = results.read(project_root(spec_path), spec).rows
    other = next((row for row in rows if row.label == label), None)
    if other is None:
        raise UserError(not_one_of(label, [row.label for row in rows]) + f" (variants of {spec.study})")
    return compare.compared(rows, other)


def _scores(lines: pd.DataFrame) -> dict[str, pd.Series]:
    return {"top-1, %": top1_and_spread(lines), "verdict": lines["verdict"]}


def _differences(row: Row, label: str) -> dict[str, str]:
    line = {f"against {label}": row.label}
    found = {benchmark: cell.comparison for benchmark, cell in row.cells.items()}
    if row.overall:
        found[MEAN] = row.overall.comparison
    for name, comparison in found.items():
        titles = (f"{name} top-1, points", f"{name} 95 % interval, p", f"{name} verdict")
        line |= zip(titles, _compared(comparison), strict=True)
    return line


def _compared(comparison: Comparison | None) -> tuple[str, str, str]:
    """Return a difference, its interval and p-value, and its verdict, as texts."""
    if comparison is None:
        return "-", "", ""
    tested = ""
    if comparison.difference and comparison.adjusted is not None:
        ends = range_in_words(comparison.difference.interval)
        tested = f"{ends}, {p_in_words(comparison.adjusted)}"
    return f"{100 * comparison.points:+.1f}", tested, comparison.verdict


def _read(folder: Path) -> pd.DataFrame:
    path = folder / TABLE
    try:
        table = read_csv(path)
        if list(table.columns) != COLUMNS:
            raise ValueError("its columns are not those that this version of kinefract writes")
        if table.duplicated(["variant", "benchmark"]).any():
            raise ValueError("it has two lines for a variant on a benchmark")
        numbers = [column for column in COLUMNS if column not in WORDS]
        table[numbers] = table[numbers].apply(pd.to_numeric)
        table["seeds"] = table["seeds"].astype(int)
    except FileNotFoundError:
        raise UserError(_not_made(folder)) from None
    except ValueError as error:
        raise damaged(path, str(error)) from error
    return table


def _not_made(folder: Path) -> str:
    spec_path = folder / SPEC_FILE
    study = StudySpec.read(spec_path).study if spec_path.exists() else folder.name
    return f"{folder}: the study is not made yet; make it with `snakemake {study}`"

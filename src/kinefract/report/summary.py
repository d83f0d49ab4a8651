"""The figures of all current studies in fixed places, for `dvc metrics` and `dvc plots`."""

import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from kinefract.common.errors import UserError
from kinefract.common.files import write_json, write_text
from kinefract.common.layout import ALL_CURVES, ALL_METRICS, CURVES, METRICS, STUDIES
from kinefract.common.records import read_json
from kinefract.config.plan import Plan
from kinefract.report.formats import read_csv, to_csv

LONGEST = 100  # characters of the name of a variant's file


def differing(root: Path) -> list[str]:
    """Return a line for the metrics and one for the curves, if they are not the figures of their studies.

    What does not exist is passed over, and so are studies that are not made.

    Raises:
        UserError: a file is damaged.
    """
    problems = []
    if (root / ALL_METRICS).is_dir():
        for held in sorted((root / ALL_METRICS).iterdir()):
            made = root / STUDIES / held.name / METRICS
            if made.exists() and _held(held) != _by_variant(read_json(made, dict[str, Any])):
                problems.append(ALL_METRICS)
    if (root / ALL_CURVES).exists():
        curves = read_csv(root / ALL_CURVES)
        if "study" not in curves:
            return [*problems, ALL_CURVES]
        for name, lines in curves.groupby("study"):
            made = root / STUDIES / str(name) / CURVES
            if made.exists() and not _same(lines.drop(columns="study"), read_csv(made)):
                problems.append(ALL_CURVES)
    remedy = "not the figures of its studies; `kinefract metrics` writes it anew"
    return [f"{root / name}: {remedy}" for name in dict.fromkeys(problems)]


def summarise(root: Path, plan: Plan, studies: list[str]) -> None:
    """Gather ``metrics.json`` and ``curves.csv`` of the named studies, as the configuration defines them.

    ``results/metrics/<study>/<variant>.json`` holds the numbers of a variant by benchmark, so that
    ``dvc metrics show`` has a row for each variant. ``results/curves.csv`` joins the curves.

    Args:
        root: The project's folder; ``results/metrics`` and ``results/curves.csv`` below it are replaced.
        plan: The resolved studies.
        studies: Names of the studies; each is a folder of the metrics and a value in a column of the curves.

    Raises:
        UserError: a study is not finished.
    """
    metrics, curves = {}, []
    for name in studies:
        folder = root / plan.study(name).folder
        try:
            metrics[name] = _by_variant(read_json(folder / METRICS, dict[str, Any]))
            read = read_csv(folder / CURVES)
        except FileNotFoundError as error:
            raise UserError(f"{error.filename}: missing; `snakemake {name}` makes it") from None
        read.insert(0, "study", name)
        curves.append(read)
    if (root / ALL_METRICS).is_dir():
        shutil.rmtree(root / ALL_METRICS)
    for name, files in metrics.items():
        for file, numbers in files.items():
            write_json(root / ALL_METRICS / name / file, numbers)
    write_text(root / ALL_CURVES, to_csv(pd.concat(curves)))


def _same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Return whether two tables hold the same; a column that one lacks is blank there."""
    columns = one.columns.union(other.columns, sort=False)
    rows = [table.reindex(columns=columns, fill_value="").to_numpy().tolist() for table in (one, other)]
    return rows[0] == rows[1]


def _held(folder: Path) -> dict[str, Any]:
    return {path.name: read_json(path, dict[str, Any]) for path in folder.glob("*.json")}


def _by_variant(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return file name -> numbers of each variant; a name has the label's letters, digits and blanks."""
    files: dict[str, Any] = {}
    for label, numbers in metrics.items():
        stem = name = re.sub(r"[^\w,.+-]+", " ", label).strip(" .")[:LONGEST] or "variant"
        count = 1
        while f"{name}.json" in files:
            count += 1
            name = f"{stem} ({count})"
        files[f"{name}.json"] = numbers
    return files

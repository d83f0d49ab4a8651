"""The figures of all current studies in two files with fixed places, for `dvc metrics` and `dvc plots`."""

from pathlib import Path
from typing import Any

import pandas as pd

from kinefract.common.errors import UserError
from kinefract.common.files import write_json, write_text
from kinefract.common.layout import ALL_CURVES, ALL_METRICS, CURVES, METRICS, STUDIES
from kinefract.common.records import read_json
from kinefract.config.plan import Plan
from kinefract.report.formats import read_csv, to_csv


def differing(root: Path) -> list[str]:
    """Return a line for each of the two files that does not hold the figures of its studies.

    A file is passed over if it does not exist, and so is a study of which there is no page.

    Raises:
        UserError: a file is damaged.
    """
    problems = []
    if (root / ALL_METRICS).exists():
        held = read_json(root / ALL_METRICS, dict[str, Any])
        studies = {name: folder for name in held if (folder := root / STUDIES / name).exists()}
        if any(held[name] != read_json(folder / METRICS, Any) for name, folder in studies.items()):
            problems.append(ALL_METRICS)
    if (root / ALL_CURVES).exists():
        curves = read_csv(root / ALL_CURVES)
        if "study" not in curves:
            return [*problems, ALL_CURVES]
        for name, lines in curves.groupby("study"):
            folder = root / STUDIES / str(name)
            if folder.exists() and lines.drop(columns="study").to_numpy().tolist() != (
                read_csv(folder / CURVES).to_numpy().tolist()
            ):
                problems.append(ALL_CURVES)
    remedy = "not the figures of its studies; `kinefract metrics` writes it anew"
    return [f"{root / name}: {remedy}" for name in dict.fromkeys(problems)]


def summarise(root: Path, plan: Plan, studies: list[str]) -> None:
    """Join ``metrics.json`` and ``curves.csv`` of the named studies, as the configuration defines them.

    Args:
        root: The project's folder; ``results/metrics.json`` and ``results/curves.csv`` below it are written.
        plan: The resolved studies.
        studies: Names of the studies; each is a key of the metrics and a value in a column of the curves.

    Raises:
        UserError: a study is not finished.
    """
    metrics, curves = {}, []
    for name in studies:
        folder = root / plan.study(name).folder
        try:
            metrics[name] = read_json(folder / METRICS, dict[str, Any])
            read = read_csv(folder / CURVES)
        except FileNotFoundError as error:
            raise UserError(f"{error.filename}: missing; `snakemake {name}` makes it") from None
        read.insert(0, "study", name)
        curves.append(read)
    write_json(root / ALL_METRICS, metrics)
    write_text(root / ALL_CURVES, to_csv(pd.concat(curves)))

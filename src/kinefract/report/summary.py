"""The figures of all current studies in two files with fixed places, for `dvc metrics` and `dvc plots`."""

import json
from pathlib import Path

import pandas as pd

from kinefract.common.errors import UserError
from kinefract.common.files import write_json, write_text
from kinefract.common.layout import ALL_CURVES, ALL_METRICS, CURVES, METRICS
from kinefract.config.plan import Plan
from kinefract.report.formats import read_csv, to_csv


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
            metrics[name] = json.loads((folder / METRICS).read_text(encoding="utf-8"))
            read = read_csv(folder / CURVES)
        except FileNotFoundError as error:
            raise UserError(f"{error.filename}: missing; `snakemake {name}` makes it") from None
        read.insert(0, "study", name)
        curves.append(read)
    write_json(root / ALL_METRICS, metrics)
    write_text(root / ALL_CURVES, to_csv(pd.concat(curves)))

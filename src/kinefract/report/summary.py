"""The figures of all current studies in two files with fixed places, for `dvc metrics` and `dvc plots`."""

import csv
import io
import json
from pathlib import Path

from kinefract.errors import UserError
from kinefract.files import write_json, write_text
from kinefract.plan import Plan
from kinefract.report import table

METRICS_FILE, CURVES_FILE = "results/metrics.json", "results/curves.csv"


def summarise(root: Path, plan: Plan, studies: list[str]) -> None:
    """Gather ``metrics.json`` and ``curves.csv`` of the studies named, as params.yaml defines them now.

    Args:
        root: The project's folder; ``results/metrics.json`` and ``results/curves.csv`` below it are written.
        plan: The resolved studies.
        studies: Names of the studies; each heads its part of the metrics and fills a column of the curves.

    Raises:
        UserError: a study is not finished.
    """
    metrics, curves = {}, io.StringIO()
    rows = csv.writer(curves, lineterminator="\n")
    for number, name in enumerate(studies):
        folder = root / plan.study(name).folder
        try:
            metrics[name] = json.loads((folder / table.METRICS).read_text(encoding="utf-8"))
            with (folder / "curves.csv").open(newline="", encoding="utf-8") as stream:
                header, *lines = csv.reader(stream)
        except FileNotFoundError as error:
            raise UserError(f"{error.filename}: missing; `snakemake {name}` makes it") from None
        if number == 0:
            rows.writerow(["study", *header])
        rows.writerows([name, *line] for line in lines)
    write_json(root / METRICS_FILE, metrics)
    write_text(root / CURVES_FILE, curves.getvalue())

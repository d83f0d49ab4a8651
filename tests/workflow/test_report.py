"""`snakemake --report`: the studies' pages in the report that Snakemake users know."""

import zipfile

from projects import run


def test_the_report_holds_the_page_and_the_figures_of_the_study(project):
    run(project, "snakemake", "--report", "report.zip")
    study = project / "results/studies/tiny"
    with zipfile.ZipFile(project / "report.zip") as report:
        held = {report.read(name) for name in report.namelist() if "/data/" in name}
    for name in ("index.html", "table.csv", "top1.svg", "curves.svg", "costs.csv", "classes.csv"):
        assert (study / name).read_bytes() in held, name

"""Commands that report on studies, and log them to MLflow."""

import json
from pathlib import Path
from typing import Annotated

import typer

from kinefract.cli.app import ConfigDir, Json, ParamsFile, SpecFile, app
from kinefract.common.errors import UserError
from kinefract.common.layout import OVERVIEW, PAGE, PARAMS_FILE, SPEC_FILE


@app.command()
def study(
    spec: SpecFile,
    partial: Annotated[
        bool, typer.Option("--partial", help="Show the runs that are finished, and name those that are not.")
    ] = False,
    config_dir: ConfigDir = None,
) -> None:
    """Gather a study's runs: table, figures, page."""
    from kinefract import report
    from kinefract.config.specs import StudySpec, project_root

    found, root = StudySpec.read(spec), project_root(spec)
    report.build(spec, partial)
    if not partial:
        report.point(root, found.study, found.folder)
    if (root / PARAMS_FILE).exists():
        _write_overview(root, root / PARAMS_FILE)


@app.command()
def overview(params: ParamsFile = Path(PARAMS_FILE), config_dir: ConfigDir = None) -> None:
    """Write results/index.html, the page of all studies.

    Each link results/studies/<study> then leads to the page of the study as it is configured now.
    """
    print(_write_overview(Path.cwd(), params))


def _write_overview(root: Path, params: Path) -> Path:
    from kinefract.config.params import load
    from kinefract.config.plan import resolve
    from kinefract.report import point
    from kinefract.report.overview import write_overview

    studies = {study.study: study for study in resolve(load(params)).studies.values()}
    for name, study in studies.items():
        if (root / study.folder / PAGE).exists():
            point(root, name, study.folder)
    write_overview(root, studies, root / OVERVIEW)
    return root / OVERVIEW


@app.command()
def table(
    study: Annotated[str, typer.Argument(help="Its name in the configuration, or its folder.")],
    against: Annotated[
        str | None,
        typer.Option(
            metavar="VARIANT",
            help="Compare all variants with this one, not with their baselines; with intervals and p-values.",
        ),
    ] = None,
    as_json: Json = False,
    config_dir: ConfigDir = None,
) -> None:
    """Print a finished study's table."""
    from kinefract.config.specs import project_root
    from kinefract.report import terminal
    from kinefract.tracking import address_of

    folder = terminal.folder_of(study)
    if as_json:
        print(json.dumps(terminal.as_json(folder, against), indent=2))
        return
    print(terminal.text_table(folder) if against is None else terminal.against_table(folder, against))
    name = folder.resolve().name.rpartition("-")[0]
    if address := address_of(project_root(folder / SPEC_FILE), name):
        print(f"In MLflow: {address}")


@app.command()
def metrics(params: ParamsFile = Path(PARAMS_FILE), config_dir: ConfigDir = None) -> None:
    """Gather figures for dvc metrics and dvc plots.

    They are those of the studies under `run:`.
    """
    from kinefract.config.params import load
    from kinefract.config.plan import resolve
    from kinefract.report.summary import summarise

    read = load(params)
    summarise(Path.cwd(), resolve(read), read.run)


@app.command()
def tracking(
    studies: Annotated[list[str] | None, typer.Argument(help="Studies to make an experiment for.")] = None,
) -> None:
    """Make the MLflow store and its experiments before runs.

    Prints the addresses of the runs of all studies begun.
    """
    from kinefract import tracking

    root = Path.cwd()
    tracking.prepare(root, [*tracking.begun(root), *(studies or [])])
    print(tracking.shown_uri(root))
    for study in tracking.begun(root):
        print(f"{study}: {tracking.address_of(root, study) or 'not in MLflow yet'}")


@app.command()
def log_model(
    run: Annotated[str, typer.Argument(help="Its folder, or its name in results/finetune.")],
    register: Annotated[
        str | None,
        typer.Option(
            metavar="STUDY", help="Register it under the name of a finished study that has the run."
        ),
    ] = None,
) -> None:
    """Log a fine-tuned network to MLflow as a model.

    Then `mlflow models predict` names the action of a video. This stores the weights a second time.
    """
    from kinefract.tracking.model import log_model

    print(log_model(Path.cwd(), run, register).text)


@app.command()
def sync(
    folders: Annotated[
        list[str] | None, typer.Argument(help="Folders of runs and studies. Without one: all.")
    ] = None,
) -> None:
    """Log to MLflow what is finished and not there yet.

    For runs and studies made while MLflow could not be reached, or before MLFLOW_TRACKING_URI was changed.
    """
    from kinefract.tracking.sync import sync

    if not Path(PARAMS_FILE).exists():
        raise UserError(f"{PARAMS_FILE}: no such file; run this from the project's folder")
    print(sync(Path.cwd(), folders or None).text)

"""Commands that begin a project and look at the machine."""

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from kinefract.cli.app import ConfigDir, Json, app


@app.command()
def init(
    folder: Annotated[
        Path, typer.Argument(help="The project; made if it is missing, and what it holds stays.")
    ],
) -> None:
    """Begin a project: Snakefile, params.yaml, config/, dvc.yaml.

    `snakemake quickstart` there runs the first study.
    """
    from kinefract.project.init import init

    written = init(folder)
    if not written:
        print(f"{folder}: holds a project already; nothing was written")
        return
    print(f"{folder}: {', '.join(dict.fromkeys(name.partition('/')[0] for name in written))}")
    here = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))} && "
    print(f"next: {here}snakemake quickstart")


@app.command()
def doctor(as_json: Json = False, config_dir: ConfigDir = None) -> None:
    """Say what is installed, and what jobs would use.

    Ends with exit code 1 only if something is broken that jobs need.
    """
    from kinefract.project.doctor import any_broken, examine, facts, text

    findings = examine(Path.cwd())
    print(json.dumps(facts(findings), indent=2) if as_json else text(findings))
    if any_broken(findings):
        raise typer.Exit(1)

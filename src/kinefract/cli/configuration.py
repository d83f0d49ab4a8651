"""Commands about the configuration and its studies: what they ask for, what they take, what is left over."""

import fnmatch
import json
from pathlib import Path
from typing import Annotated

import typer

from kinefract.cli.app import ConfigDir, Json, ParamsFile, app
from kinefract.common.errors import UserError
from kinefract.common.layout import PARAMS_FILE
from kinefract.common.progress import log_line


@app.command()
def check(
    params: ParamsFile = Path(PARAMS_FILE),
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="List the studies, too.")] = False,
    as_json: Json = False,
    config_dir: ConfigDir = None,
) -> None:
    """Check the configuration, and which videos are there.

    Prints one line if all is in order, else one line per problem.
    """
    from kinefract.config.params import load, raise_problems
    from kinefract.config.plan import resolve
    from kinefract.planning import check

    try:
        read = load(params)
        resolved = resolve(read)
        found = check.find(params.parent, read)
    except UserError as error:
        if not as_json:
            raise
        problems = getattr(error, "problems", [str(error)])
        print(json.dumps({"in_order": False, "problems": problems}, indent=2))
        raise typer.Exit(1) from None
    if as_json:
        print(json.dumps(check.as_json(found, read, resolved), indent=2))
        raise typer.Exit(bool(found.problems))
    for warning in found.warnings:
        log_line(f"warning: {warning}")
    raise_problems(found.problems)
    if verbose:
        print(check.listed(resolved))
    print(f"{params} is in order: {check.in_one_line(found, resolved)}")


@app.command()
def studies(as_json: Json = False, config_dir: ConfigDir = None) -> None:
    """List the studies of the configuration, and how far each is."""
    from kinefract.config.params import load
    from kinefract.config.plan import resolve
    from kinefract.planning import estimate

    read = load()
    found = estimate.studies(Path.cwd(), read, resolve(read))
    print(json.dumps(found, indent=2) if as_json else estimate.listed(found))


@app.command()
def plan(
    studies: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="study", help="Names or patterns, such as '*_small'. Without one: those under `run:`."
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every study of the configuration.")] = False,
    as_json: Json = False,
    config_dir: ConfigDir = None,
) -> None:
    """Say what studies will take: runs, clips, disk, hours.

    Hours come from runs that are finished here, and from declared rates where it says so. Also says
    what each job asks a cluster for.
    """
    from kinefract.config.params import load
    from kinefract.config.plan import resolve
    from kinefract.planning import estimate

    read = load()
    patterns = list(read.studies) if everything else studies or read.run
    names = [name for pattern in patterns for name in fnmatch.filter(read.studies, pattern) or [pattern]]
    found = estimate.figures(Path.cwd(), read, resolve(read), list(dict.fromkeys(names)))
    print(json.dumps(found, indent=2) if as_json else estimate.render(found))


@app.command()
def prune(
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask; also remove what a job may still work on.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show.")] = False,
    weights: Annotated[
        bool, typer.Option("--weights", help="Also weights of finished studies; their results stay.")
    ] = False,
    config_dir: ConfigDir = None,
) -> None:
    """Remove data, runs and logs that no study refers to. Shows them and asks first."""
    from kinefract.config.params import load
    from kinefract.config.plan import resolve
    from kinefract.planning import prune

    prune.prune(Path.cwd(), resolve(load()), yes, dry_run, weights)

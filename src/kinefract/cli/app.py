"""The program that the commands belong to, and the options that several of them take."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from kinefract import __version__
from kinefract.common import cores
from kinefract.common.layout import CONFIG_DIR

EXAMPLES = """\
\b
Examples:
  kinefract check                                          is the configuration in order?
  kinefract pretrain results/pretrain/<id>/spec.yaml       do one pre-training run again by hand
  kinefract table quickstart                               show a study's result

The jobs are chained by Snakemake: `snakemake <study>` builds what is missing. `snakemake -n` lists it.
"""

DEBUG = "KINEFRACT_DEBUG"  # the environment variable that has tracebacks printed, also of jobs of Snakemake

app = typer.Typer(
    help="Pre-train video networks on clips made from formulas, and measure what it gains.",
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"kinefract {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help=f"Print the traceback of an error; so does {DEBUG}=1.")
    ] = False,
) -> None:
    if debug:
        os.environ[DEBUG] = "1"


def _use_folder(folder: Path | None) -> Path | None:
    """Have a folder read by all that reads the configuration, here and in processes started here."""
    if folder:
        os.environ[CONFIG_DIR] = str(folder.absolute())
    return folder


Accelerator = Literal["auto", "cpu", "cuda"]
ConfigDir = Annotated[
    Path | None,
    typer.Option(
        "--config-dir",
        envvar=CONFIG_DIR,
        callback=_use_folder,
        help="A folder whose files are read beside params.yaml and config/.",
    ),
]
ParamsFile = Annotated[Path, typer.Argument(metavar="params", help="The main file of the configuration.")]
SpecFile = Annotated[
    Path,
    typer.Argument(metavar="spec", help="The spec.yaml that Snakemake wrote into the folder to be filled."),
]
DatasetName = Annotated[
    str,
    typer.Argument(metavar="dataset", help="Its folder, its spec.yaml or its name in the configuration."),
]
RunName = Annotated[
    str, typer.Argument(metavar="run", help="Its folder, its name in results/finetune, or hf:owner/name.")
]
Workers = Annotated[
    int, typer.Option(min=0, help="Processes that read clips; changes the speed, never the result.")
]
On = Annotated[Accelerator, typer.Option(help="Where to compute; auto is a GPU where there is one.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
WORKERS = max(1, cores.usable() // 2)

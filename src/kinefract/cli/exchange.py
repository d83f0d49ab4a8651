"""Commands that hand networks and datasets to other people and programs."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from kinefract.cli.app import ConfigDir, app


@app.command()
def export_model(
    network: Annotated[
        str,
        typer.Argument(help="A run's folder or id, the name of a released network, or hf:owner/name."),
    ],
    to: Annotated[
        Literal["onnx", "torchscript", "torchvision", "mmaction2", "safetensors"],
        typer.Option(help="The format, with the names of parameters of that library."),
    ],
    output: Annotated[Path, typer.Option(metavar="FILE", help="The file to write.")],
    config_dir: ConfigDir = None,
) -> None:
    """Write a network for other programs.

    A fine-tuned network gives logits of its classes, a pre-trained one features. ONNX and TorchScript
    files take any number of clips, and are run and compared before they are kept.
    """
    from kinefract.exchange.export import export
    from kinefract.exchange.networks import find

    print(export(find(network), to, output))


@app.command()
def push(
    result: Annotated[
        str,
        typer.Argument(
            help="A run's or a dataset's folder or id, a dataset's name in the configuration, or the name "
            "of a released network."
        ),
    ],
    repo: Annotated[str, typer.Option(metavar="OWNER/NAME", help="The repository; made if it is not there.")],
    private: Annotated[bool, typer.Option("--private", help="Make a repository that only you see.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write what would be uploaded into a folder, to look at.")
    ] = False,
    license: Annotated[
        str | None, typer.Option(metavar="ID", help="Licence for the card, as the Hub names it: apache-2.0.")
    ] = None,
    config_dir: ConfigDir = None,
) -> None:
    """Put a network or a dataset on the Hugging Face Hub.

    With a card. Then released.load("hf:owner/name"), `kinefract predict hf:owner/name` and
    studies use it. Needs pip install 'kinefract[hub]', and `hf auth login` once.
    """
    from kinefract.exchange.push import push

    print(push(result, repo, "", private, dry_run, license))

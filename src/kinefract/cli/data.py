"""Commands that make, check and show datasets and benchmarks."""

from pathlib import Path
from typing import Annotated

import typer

from kinefract.cli.app import ConfigDir, DatasetName, SpecFile, app
from kinefract.common import cores
from kinefract.common.errors import UserError
from kinefract.common.layout import MOVING, RAW
from kinefract.common.words import counted


@app.command()
def shard(
    spec: SpecFile, number: Annotated[int, typer.Argument(help="Which shard, counted from 0.")]
) -> None:
    """Render and encode one shard of a dataset."""
    from kinefract.config.specs import DatasetSpec
    from kinefract.synth.store.dataset import write_shard

    recipe = DatasetSpec.read(spec).recipe
    write_shard(recipe, number, spec.parent)


@app.command()
def dataset(spec: SpecFile) -> None:
    """Join a dataset's shards: manifest, preview, data card."""
    from kinefract.config.specs import DatasetSpec
    from kinefract.synth.store.dataset import join

    join(DatasetSpec.read(spec).recipe, spec.parent)


@app.command()
def index(
    benchmark: Annotated[
        str, typer.Argument(help="Its name in the configuration, its folder or its spec.yaml.")
    ],
    config_dir: ConfigDir = None,
) -> None:
    """List a benchmark's videos (a generated one is made first)."""
    from kinefract.benchmarks.index import build
    from kinefract.config.locate import locate_index
    from kinefract.config.specs import BenchmarkSpec, project_root

    spec = locate_index(benchmark)
    build(BenchmarkSpec.read(spec).recipe, project_root(spec), spec.parent)


@app.command()
def download(
    benchmark: Annotated[str, typer.Argument(help="Its name in the configuration, or its kind.")],
    config_dir: ConfigDir = None,
) -> None:
    """Fetch a benchmark's official files, or say where they are.

    Goes on where it was stopped. docs/benchmarks has what licence and server of each allow.
    """
    from kinefract.benchmarks.official.download import fetch
    from kinefract.config.params import load

    recipe = load().benchmarks.get(benchmark)
    kind = recipe.kind if recipe else benchmark
    fetch(kind, Path(getattr(recipe, "root", f"{RAW}/{kind}")))


@app.command()
def preview(
    dataset: Annotated[
        str | None,
        typer.Argument(
            help="Its folder, its spec.yaml or its name in the configuration; outside a project a family."
        ),
    ] = None,
    family: Annotated[
        str | None, typer.Option(help="Show a family as it is by default, without a dataset.")
    ] = None,
    label: Annotated[
        int | None, typer.Option("--class", help="Show one class alone, counted from 0.")
    ] = None,
    variation: Annotated[str | None, typer.Option(help="Show a flame variation, by name or number.")] = None,
    curve: Annotated[
        str | None, typer.Option(help="Show a kind of time curve: linear, sharp, curve or periodic.")
    ] = None,
    out: Annotated[
        str, typer.Option(help="Ending in .png (moments) or .mp4, .webp, .gif (moving).")
    ] = MOVING,
    config_dir: ConfigDir = None,
) -> None:
    """Draw a dataset, a class, a variation or a time curve.

    Writes a picture or an animation. Shows the clips of a dataset that has been made, else renders
    those it would have.
    """
    from kinefract.viewing.preview import preview

    shown = preview(dataset, family, label, variation, curve)
    shown.write(out)
    print(f"{out}: {shown.caption}")


@app.command()
def verify(
    results: Annotated[
        list[str] | None,
        typer.Argument(
            help="Datasets, benchmarks, runs or studies: folders, ids or names. Without one: all.",
            show_default=False,
        ),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", help="Clips to render again, videos to decode again.  [default: 20]"
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Render and decode all of them.")] = False,
    jobs: Annotated[int | None, typer.Option(min=1, help="Threads.  [default: one per core]")] = None,
    config_dir: ConfigDir = None,
) -> None:
    """Check that results are as they were written.

    Compares files with their checksums, clips with their recipe, videos with their index, predictions
    and figures with each other. A study is checked with all on which it rests. Names what is damaged,
    and how to make it again.
    """
    from kinefract.config.locate import locate_results
    from kinefract.report.verify import verify

    if everything and sample is not None:
        raise typer.BadParameter("not together with --sample", param_hint="--all")
    folders = [folder for text in results or () for folder in locate_results(text)]
    chosen = None if everything else 20 if sample is None else sample
    print(verify(Path.cwd(), folders, chosen, jobs or cores.usable()))


@app.command()
def export(
    dataset: DatasetName,
    folder: Annotated[Path, typer.Argument(help="Where to: a folder that is empty or does not exist.")],
    config_dir: ConfigDir = None,
) -> None:
    """Unpack a dataset into class folders of mp4 files.

    For other trainers. Run again, it goes on where it was stopped.
    """
    from kinefract.config.locate import locate_dataset
    from kinefract.synth.store.export import export
    from kinefract.synth.store.shards import Shards

    spec, place = locate_dataset(dataset)
    shards = Shards(place)
    written = export(spec.id, shards, folder)
    print(f"{folder}: {counted(len(shards), 'clip')} of {spec.id}, {written} of them written now")


@app.command()
def card(
    dataset: Annotated[
        str | None, typer.Argument(help="Its folder, its spec.yaml or its name in the configuration.")
    ] = None,
    study: Annotated[
        str | None, typer.Option(help="Show the datasets of a study beside its benchmarks.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="BENCHMARK", help="Measure a benchmark too: its index folder or name."),
    ] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Clips to measure.  [default: 24 to 48]")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The page to write.  [default: results/cards/<dataset or study>.html]"),
    ] = None,
    config_dir: ConfigDir = None,
) -> None:
    """Show a dataset's card: contents, cost, closeness to film.

    Takes the figures from the dataset's card.json and measures what that lacks.
    """
    from kinefract.cards import studies as cards

    if study is not None and dataset is None:
        if against:
            raise UserError("--against: a study's datasets are shown beside its own benchmarks; leave it out")
        page = cards.of_study(study, sample)
    elif dataset is not None and study is None:
        page = cards.of_dataset(dataset, against, sample)
    else:
        raise typer.BadParameter("one of them is wanted", param_hint="dataset, --study")
    print(page.text)
    print(page.write(out))

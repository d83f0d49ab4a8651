"""The command line: one subcommand per job, each of which can be run by hand from its spec file."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from kinefract import __version__, jobs
from kinefract.benchmarks.recipes import SPLITS
from kinefract.errors import UserError

SPEC_HELP = "the spec.yaml in the folder that is to be filled"
DATASET_HELP = "its folder, its spec.yaml or its name in params.yaml"
RUN_HELP = "its folder, or its name in results/finetune"
WORKERS = {
    "type": int,
    "default": max(1, (os.cpu_count() or 2) // 2),
    "help": "processes that read clips; changes the speed, never the result (default: half the cores)",
}
ACCELERATOR = {
    "choices": ("auto", "cpu", "cuda"),
    "default": "auto",
    "help": "where to compute (default: on a GPU where there is one)",
}
EXAMPLES = """\
examples:
  kinefract check                                          is params.yaml in order?
  kinefract pretrain results/pretrain/<id>/spec.yaml       do one pre-training run again by hand
  kinefract table quickstart                               show a study's result

The jobs are chained by Snakemake: `snakemake <study>` builds what is missing. `snakemake -n` lists it.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; return 0, or 1 after a mistake that the user can mend (2 for wrong usage)."""
    options = _parser().parse_args(arguments)
    try:
        options.job(options)
    except UserError as error:
        print(f"error: {_message(error)}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os._exit(1)
    except OSError as error:
        print(f"error: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; run the same command again to go on", file=sys.stderr)
        return 130
    return 0


def _message(error: UserError) -> str:
    """Return what an error says; from a process that reads clips it comes wrapped in that one's traceback."""
    return str(error).rpartition(f"{UserError.__module__}.{UserError.__name__}: ")[2].strip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kinefract",
        description="Pre-train video networks on clips made from formulas, and show what it was worth.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"kinefract {__version__}")
    commands = parser.add_subparsers(title="jobs", metavar="JOB", required=True)

    def add(name: str, job, summary: str, detail: str = "") -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}. {detail}"
        )
        sub.set_defaults(job=job)
        return sub

    check = add("check", jobs.check, "check params.yaml and list its studies", "Prints one line per problem.")
    check.add_argument("params", nargs="?", default="params.yaml", help="default: params.yaml")

    planned = add(
        "plan",
        jobs.plan,
        "say what studies will take before they are run: runs, clips, disk, hours",
        "Hours come from runs that are finished here.",
    )
    planned.add_argument(
        "studies",
        nargs="*",
        metavar="study",
        help="name or pattern, as in '*_small' (default: those under `run:`)",
    )
    planned.add_argument("--all", action="store_true", help="every study of params.yaml")
    planned.add_argument("--json", action="store_true", help="print JSON")
    add("studies", jobs.studies, "list the studies of params.yaml, and how far each is")
    pruned = add(
        "prune",
        jobs.prune,
        "remove data, runs and logs that no study of params.yaml refers to",
        "Shows them and asks first.",
    )
    pruned.add_argument("--yes", action="store_true", help="do not ask; also what a job may still work on")
    pruned.add_argument("--dry-run", action="store_true", help="only show")

    tracking = add(
        "tracking", jobs.tracking, "make the MLflow store and its experiments, once, before any job"
    )
    tracking.add_argument("studies", nargs="*", help="studies to make an experiment for")

    shard = add("shard", jobs.shard, "render and encode one shard of a dataset")
    shard.add_argument("spec", help=SPEC_HELP)
    shard.add_argument("number", type=int, help="which shard, counted from 0")

    add(
        "download",
        jobs.download,
        "fetch a benchmark's official files where its licence and server allow, else say where they are",
        "Goes on where it was stopped.",
    ).add_argument("benchmark", help="its name in params.yaml, or its kind")

    for name, job, summary in (
        ("dataset", jobs.dataset, "join a dataset's shards: manifest, preview, data card"),
        ("index", jobs.index, "list a benchmark's videos (a generated one is made first)"),
    ):
        add(name, job, summary).add_argument("spec", help=SPEC_HELP)

    study = add("study", jobs.study, "gather a study's runs: table, figures, page")
    study.add_argument("spec", help=SPEC_HELP)
    study.add_argument(
        "--partial", action="store_true", help="show the runs that are finished, and name those that are not"
    )
    add(
        "overview", jobs.overview, "write results/index.html, the page of all studies of params.yaml"
    ).add_argument("params", nargs="?", default="params.yaml", help="default: params.yaml")

    look = add(
        "preview",
        jobs.preview,
        "write a picture or an animation of a dataset, a class, a variation or a time curve",
        "Shows the clips of a dataset that has been made, else renders those it would have.",
    )
    look.add_argument("dataset", nargs="?", help=DATASET_HELP)
    look.add_argument("--family", help="show a family as it is by default, without a dataset")
    look.add_argument("--class", dest="label", type=int, help="show one class alone, counted from 0")
    look.add_argument("--variation", help="show a flame variation, by name or number")
    look.add_argument("--curve", help="show a kind of time curve: linear, sharp, curve or periodic")
    look.add_argument(
        "--out",
        default="preview.mp4",
        help="ending in .png (moments) or .mp4, .webp, .gif (moving); default: preview.mp4",
    )

    verify = add(
        "verify",
        jobs.verify,
        "check every byte of a dataset, and clips of it against their recipe",
        "Names the shards that are damaged, and how to make them again.",
    )
    verify.add_argument("dataset", help=DATASET_HELP)
    chosen = verify.add_mutually_exclusive_group()
    chosen.add_argument(
        "--sample",
        type=_at_least(0),
        default=20,
        metavar="N",
        help="clips to decode and render again, evenly spread (default: 20)",
    )
    chosen.add_argument("--all", action="store_true", help="decode and render all of them")
    verify.add_argument("--jobs", type=_at_least(1), help="threads (default: one per core)")

    export = add(
        "export",
        jobs.export,
        "unpack a dataset into class folders of mp4 files, for other trainers",
        "Run again, it goes on where it was stopped.",
    )
    export.add_argument("dataset", help=DATASET_HELP)
    export.add_argument("folder", help="where to: a folder that is empty or does not exist")

    card = add(
        "card",
        jobs.card,
        "print and draw a dataset's card: contents, cost, and how close it is to filmed video",
        "Takes the figures from the dataset's card.json and measures what that lacks.",
    )
    about = card.add_mutually_exclusive_group(required=True)
    about.add_argument("dataset", nargs="?", help=DATASET_HELP)
    about.add_argument("--study", help="show the datasets of a study of params.yaml beside its benchmarks")
    card.add_argument(
        "--against", metavar="BENCHMARK", help="measure a benchmark too: its index folder or name"
    )
    card.add_argument("--sample", type=_at_least(1), metavar="N", help="clips to measure (default: 12 to 24)")
    card.add_argument(
        "--out",
        type=Path,
        help="the page to write (default: results/cards/<dataset or study>.html)",
    )

    for name, job, summary in (
        ("pretrain", jobs.pretrain, "pre-train a network on a dataset"),
        ("finetune", jobs.finetune, "fine-tune a network on a benchmark and evaluate it"),
    ):
        run = add(name, job, summary, "Goes on from the last checkpoint where there is one.")
        run.add_argument("spec", help=SPEC_HELP)
        run.add_argument("--workers", **WORKERS)
        run.add_argument("--accelerator", **ACCELERATOR)
        run.add_argument(
            "--checkpoint-minutes",
            type=float,
            default=10.0,
            help="most minutes between two checkpoints; one is also written after each epoch (default: 10)",
        )
        run.add_argument(
            "--time-limit",
            type=float,
            metavar="MINUTES",
            help="stop with a checkpoint after so many minutes, for schedulers that kill (default: none)",
        )

    evaluate = add(
        "evaluate",
        jobs.evaluate,
        "evaluate a finished fine-tuning run on videos of any benchmark with the same classes",
        "Writes result, predictions, classes, confusion and worst mistakes into a folder of its own.",
    )
    evaluate.add_argument("run", help=RUN_HELP)
    evaluate.add_argument(
        "--on",
        required=True,
        help="a benchmark's name in params.yaml, its index folder, or a folder of class folders",
    )
    evaluate.add_argument(
        "--split", choices=(*SPLITS, "all"), default="test", help="which of its videos (default: test)"
    )
    evaluate.add_argument(
        "--out", type=Path, help="where to (default: results/evaluate/<run>-on-<benchmark>-<split>)"
    )
    predict = add("predict", jobs.predict, "name the action in videos with a finished fine-tuning run")
    predict.add_argument("run", help=RUN_HELP)
    predict.add_argument("videos", nargs="+", help="video files, or folders of pictures")
    predict.add_argument(
        "--top", type=_at_least(1), default=5, metavar="N", help="classes to name (default: 5)"
    )
    predict.add_argument("--json", action="store_true", help="print JSON")
    for reader in (evaluate, predict):
        reader.add_argument("--workers", **WORKERS)
        reader.add_argument("--accelerator", **ACCELERATOR)

    metrics = add(
        "metrics",
        jobs.metrics,
        "gather the figures of the studies under `run:` for dvc metrics and dvc plots",
    )
    metrics.add_argument("params", nargs="?", default="params.yaml", help="default: params.yaml")

    add(
        "sync",
        jobs.sync,
        "log to MLflow the finished runs and studies that it does not hold yet",
        "For runs made while its server could not be reached, or before MLFLOW_TRACKING_URI named another.",
    ).add_argument("folders", nargs="*", help="folders of runs and studies (default: all)")

    release = add(
        "release",
        jobs.release,
        "make a finished pre-training one of the networks that come with kinefract",
        "Writes its weights, matrices in half precision, and what made them.",
    )
    release.add_argument("run", help="results/pretrain/<id>")
    release.add_argument("name", help="what it is to be called, as fractal-tsm-resnet18")
    release.add_argument("--folder", type=Path, help="where the files go (default: the package's own)")

    table = add("table", jobs.table, "print a finished study's table")
    table.add_argument("study", help="its name in params.yaml, or its folder")
    table.add_argument(
        "--against",
        metavar="VARIANT",
        help="compare all variants with this one, in place of their baselines, with intervals and p-values",
    )
    return parser


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"wants at least {least}, got {text}")
        return int(text)

    return number


if __name__ == "__main__":
    sys.exit(main())

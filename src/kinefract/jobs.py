"""What each subcommand does: from its options to the modules that do the work.

Functions are named after their subcommands, which ``cli`` describes. The modules are imported when a job
runs, since torch, numba and MLflow take seconds to load and few jobs need them.
"""

import argparse
import os
from pathlib import Path

from kinefract.errors import UserError
from kinefract.locate import PARAMS_FILE

OVERVIEW = "results/index.html"


def check(options: argparse.Namespace) -> None:
    from kinefract import params, plan

    resolved = plan.resolve(params.load(options.params))
    for study in resolved.studies.values():
        runs = sum(len(by_seed) for variant in study.variants for by_seed in variant.runs.values())
        print(f"{study.study}: {study.question}\n    {len(study.variants)} variants, {runs} fine-tuning runs")
    print(
        f"{options.params} is in order: {len(resolved.datasets)} datasets, "
        f"{len(resolved.benchmarks)} benchmarks, {len(resolved.pretrains)} pre-training and "
        f"{len(resolved.finetunes)} fine-tuning runs in all"
    )


def plan(options: argparse.Namespace) -> None:
    import fnmatch
    import json

    from kinefract import params, plan
    from kinefract.planning import estimate

    read = params.load()
    names = list(read.studies) if options.all else options.studies or read.run
    names = dict.fromkeys(
        name for pattern in names for name in fnmatch.filter(read.studies, pattern) or [pattern]
    )
    found = estimate.figures(Path.cwd(), read, plan.resolve(read), list(names))
    print(json.dumps(found, indent=2) if options.json else estimate.render(found))


def studies(options: argparse.Namespace) -> None:
    from kinefract import params, plan
    from kinefract.planning import estimate

    read = params.load()
    print(estimate.studies(Path.cwd(), read, plan.resolve(read)))


def prune(options: argparse.Namespace) -> None:
    from kinefract import params, plan
    from kinefract.planning import prune

    prune.prune(Path.cwd(), plan.resolve(params.load()), options.yes, options.dry_run)


def tracking(options: argparse.Namespace) -> None:
    from kinefract import tracking

    tracking.prepare(Path.cwd(), options.studies)
    print(tracking.shown_uri(Path.cwd()))
    for name in (*tracking.PHASES, *(f"study/{study}" for study in options.studies)):
        print(name)


def shard(options: argparse.Namespace) -> None:
    from kinefract.specs import DatasetSpec
    from kinefract.synth import dataset

    spec = DatasetSpec.read(options.spec)
    if not 0 <= options.number < spec.recipe.shards:
        raise UserError(f"shard {options.number}: this dataset has shards 0 to {spec.recipe.shards - 1}")
    dataset.write_shard(spec.recipe, options.number, Path(options.spec).parent)


def dataset(options: argparse.Namespace) -> None:
    from kinefract import video
    from kinefract.specs import DatasetSpec
    from kinefract.synth import dataset

    video.require_ffmpeg()
    dataset.join(DatasetSpec.read(options.spec).recipe, Path(options.spec).parent)


def verify(options: argparse.Namespace) -> None:
    from kinefract.locate import locate_dataset
    from kinefract.synth.verify import verify

    spec, folder = locate_dataset(options.dataset)
    sample = None if options.all else options.sample
    print(f"{folder}: {verify(spec.recipe, folder, sample, options.jobs or os.cpu_count() or 1)}")


def export(options: argparse.Namespace) -> None:
    from kinefract.locate import locate_dataset
    from kinefract.synth.export import export
    from kinefract.synth.shards import Shards

    spec, folder = locate_dataset(options.dataset)
    shards = Shards(folder)
    written = export(spec.id, shards, options.folder)
    print(f"{options.folder}: {len(shards)} clips of {spec.id}, {written} of them written now")


def preview(options: argparse.Namespace) -> None:
    from kinefract.viewing.preview import preview

    shown = preview(options.dataset, options.family, options.label, options.variation, options.curve)
    shown.write(options.out)
    print(f"{options.out}: {shown.caption}")


def card(options: argparse.Namespace) -> None:
    from kinefract import cards, video

    video.require_ffmpeg()
    if options.study:
        if options.against:
            raise UserError("--against: a study's datasets are shown beside its own benchmarks; leave it out")
        page = cards.of_study(options.study, options.sample)
    else:
        page = cards.of_dataset(options.dataset, options.against, options.sample)
    print(page.text)
    print(page.write(options.out))


def download(options: argparse.Namespace) -> None:
    from kinefract import params
    from kinefract.benchmarks import download

    recipe = params.load().benchmarks.get(options.benchmark)
    kind = recipe.kind if recipe else options.benchmark
    download.fetch(kind, Path(getattr(recipe, "root", f"data/raw/{kind}")))


def index(options: argparse.Namespace) -> None:
    from kinefract import video
    from kinefract.benchmarks import index
    from kinefract.specs import BenchmarkSpec, project_root

    video.require_ffmpeg()
    spec = BenchmarkSpec.read(options.spec)
    index.build(spec.recipe, project_root(options.spec), Path(options.spec).parent)


def pretrain(options: argparse.Namespace) -> None:
    from kinefract import runs

    runs.pretrain(options.spec, _execution(options))


def finetune(options: argparse.Namespace) -> None:
    from kinefract import runs

    runs.finetune(options.spec, _execution(options))


def release(options: argparse.Namespace) -> None:
    from kinefract import released
    from kinefract.files import in_bytes

    folder = options.folder or released.FOLDER
    facts = released.write(options.run, options.name, folder)
    path = folder / f"{options.name}.safetensors"
    print(f"{path}: {in_bytes(path.stat().st_size)}, SHA-256 {facts.sha256}")


def evaluate(options: argparse.Namespace) -> None:
    from kinefract.evaluation import predict
    from kinefract.locate import locate_benchmark

    folder = locate_benchmark(options.on)
    name = Path(options.on).resolve().name
    out = options.out or Path("results/evaluate") / f"{Path(options.run).name}-on-{name}-{options.split}"
    result = predict.evaluate_run(
        options.run, folder, out, options.split, options.workers, options.accelerator
    )
    shown = {"top-1": "top1", "top-5": "top5", "mean over classes": "mean_class_accuracy"}
    figures = ", ".join(f"{what} {100 * result[key]:.1f} %" for what, key in shown.items())
    print(f"{out}: {figures}, {result['videos']} videos")


def predict(options: argparse.Namespace) -> None:
    from kinefract.evaluation import predict

    found = predict.predict_videos(
        options.run, options.videos, options.top, options.workers, options.accelerator
    )
    print((predict.json_text if options.json else predict.text)(options.videos, found))


def _execution(options: argparse.Namespace):
    from kinefract.training.checkpoint import Pauses
    from kinefract.training.train import Execution

    pauses = Pauses(options.checkpoint_minutes, options.time_limit)
    return Execution(options.workers, options.accelerator, pauses)


def study(options: argparse.Namespace) -> None:
    from kinefract import report
    from kinefract.specs import StudySpec, project_root

    spec = StudySpec.read(options.spec)
    report.build(options.spec, options.partial)
    root = project_root(options.spec)
    if not options.partial:
        report.point(root, spec.study, spec.folder)
    if (root / PARAMS_FILE).exists():
        _write_overview(root, root / PARAMS_FILE)


def overview(options: argparse.Namespace) -> None:
    print(_write_overview(Path.cwd(), options.params))


def _write_overview(root: Path, params_file: Path | str) -> Path:
    """Write the page of all studies, and lead the links to the pages that there are."""
    from kinefract import params, plan, report
    from kinefract.report.overview import PAGE, write_overview

    page = root / OVERVIEW
    studies = {study.study: study for study in plan.resolve(params.load(params_file)).studies.values()}
    for name, study in studies.items():
        if (root / study.folder / PAGE).exists():
            report.point(root, name, study.folder)
    write_overview(root, studies, page)
    return page


def metrics(options: argparse.Namespace) -> None:
    from kinefract import params, plan
    from kinefract.report.summary import summarise

    read = params.load(options.params)
    summarise(Path.cwd(), plan.resolve(read), read.run)


def sync(options: argparse.Namespace) -> None:
    from kinefract.tracking.sync import sync

    if not Path(PARAMS_FILE).exists():
        raise UserError(f"{PARAMS_FILE}: no such file; run this from the project's folder")
    print(sync(Path.cwd(), options.folders or None).text)


def table(options: argparse.Namespace) -> None:
    from kinefract.report import terminal

    folder = terminal.folder_of(options.study)
    if options.against is None:
        print(terminal.text_table(folder))
    else:
        print(terminal.against_table(folder, options.against))

"""What each subcommand does: from its options to the modules that do the work.

Functions are named after their subcommands, which ``cli`` describes. The modules are imported when a job
runs, since torch, numba and MLflow take seconds to load and few jobs need them.
"""

import argparse
import os
from pathlib import Path

from kinefract.errors import UserError


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


def tracking(options: argparse.Namespace) -> None:
    from kinefract import tracking

    tracking.prepare(Path.cwd(), options.studies)
    print(tracking.store_uri(Path.cwd()))
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
    found = verify(spec.recipe, folder, sample, options.jobs or os.cpu_count() or 1)
    if found.problems:
        raise UserError(f"{folder}: {found.complaint}")
    print(f"{folder}: {found.summary}")


def export(options: argparse.Namespace) -> None:
    from kinefract.locate import locate_dataset
    from kinefract.synth.dataset import Shards
    from kinefract.synth.export import export

    spec, folder = locate_dataset(options.dataset)
    shards = Shards(folder)
    written = export(spec.id, shards, options.folder)
    print(f"{options.folder}: {len(shards)} clips of {spec.id}, {written} of them written now")


def preview(options: argparse.Namespace) -> None:
    from kinefract.synth import looks

    shown = looks.looks(options.dataset, options.family, options.label, options.variation, options.curve)
    shown.write(options.out)
    print(f"{options.out}: {shown.caption}")


def augmentations(options: argparse.Namespace) -> None:
    from kinefract.augment import show

    show.write_page(options.folder)


def gallery(options: argparse.Namespace) -> None:
    from kinefract.synth import gallery

    gallery.write_gallery(options.folder)


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


def _execution(options: argparse.Namespace):
    from kinefract.checkpoint import Pauses
    from kinefract.train import Execution

    pauses = Pauses(options.checkpoint_minutes, options.time_limit)
    return Execution(options.workers, options.accelerator, pauses)


def study(options: argparse.Namespace) -> None:
    from kinefract import report
    from kinefract.specs import StudySpec, project_root

    spec = StudySpec.read(options.spec)
    report.build(options.spec)
    report.point(project_root(options.spec), spec.study, spec.folder)


def metrics(options: argparse.Namespace) -> None:
    from kinefract import params, plan
    from kinefract.report.summary import summarise

    read = params.load(options.params)
    summarise(Path.cwd(), plan.resolve(read), read.run)


def table(options: argparse.Namespace) -> None:
    from kinefract import report

    folder = Path(options.study)
    folder = folder if folder.is_dir() else Path("results/studies") / options.study
    print(report.text_table(folder))

"""The exporter: brings MLflow up to date with the folder of a run, or of a study.

Training calls it after each epoch, and ``sync`` calls it afterwards, so MLflow holds the same either way.
Nothing depends on it. If MLflow is not installed, or its store cannot be used, one line is logged and work
continues.
"""

from collections.abc import Iterable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinefract.common.files import sha256
from kinefract.common.layout import CONFUSION, FIRST_BATCH, MISTAKES, MODEL, RECONSTRUCTION
from kinefract.common.progress import log_line
from kinefract.common.provenance import made_with
from kinefract.common.schema import digest_of
from kinefract.config.locate import title_of
from kinefract.config.run_files import Result, weights_removed
from kinefract.config.specs import FinetuneSpec, PretrainSpec, StudySpec
from kinefract.tracking import addresses, labels, view
from kinefract.tracking.labels import RunFiles
from kinefract.tracking.store import (
    attempt,
    drop_older,
    experiments,
    is_deleted,
    log,
    log_files,
    log_input,
    runs,
    tag_texts,
)
from kinefract.tracking.system import SystemMetrics

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PHASES = ("pretrain", "finetune")
PICTURES = (FIRST_BATCH, RECONSTRUCTION, CONFUSION, MISTAKES)  # of a finished folder, where they are there
MARK = "seconds"  # an epoch's metric that no other job repeats, and that every epoch has
NOT_CURVES = {"epoch"}  # of an epoch: the step of its other metrics
EPOCHS_AT_ONCE = 40  # of one request, which holds all metrics of an epoch or none
TESTED = {"top1", "top5", "mean_class_accuracy", "videos"}  # of a fine-tuning's result: on the test videos
TIMES = {"final/seconds", "final/evaluation_seconds", "final/clips_per_second"}  # of one job
NAMES = {"n": "top1_n", "top1_low": "top1_ci95_low", "top1_high": "top1_ci95_high"}  # of a study's numbers


def prepare(root: Path | str, studies: Iterable[str] = ()) -> None:
    """Create the store and its experiments if they are missing.

    It is safe to call this again, and from several processes at once.

    Args:
        root: The project's folder.
        studies: Names of studies, each of which gets an experiment ``study/<name>`` and a page that leads
            there, ``results/mlflow/studies/<name>.html``. The page is written even if MLflow cannot be used.
    """
    names = list(studies)

    def make(client: "MlflowClient") -> list[str]:
        found = experiments(client, root, [*PHASES, *(f"study/{name}" for name in names)])[len(PHASES) :]
        for experiment in found:
            view.show(client, experiment)
        return found

    made = attempt(root, make) or []
    for name, experiment in zip_longest(names, made):
        addresses.write_page(root, name, experiment)


class RunExport:
    """The MLflow run of one spec, found again by the spec's digest.

    The run holds the spec's settings as parameters, and tags to filter by: ``phase``, ``seed``, ``backbone``,
    ``commit``; ``family`` and ``objective`` of the pre-training, where there is one; for a fine-tuning
    ``benchmark`` and ``pretrain_run``. The dataset or the benchmark is its input. Each epoch's numbers are
    curves. What was measured on test videos is ``test/<key>``, other results are ``final/<key>``.

    Args:
        root: The project's folder.
        spec: The run.
        live: Whether this process trains it. The load of the machine is then logged with each epoch, as
            ``system/<key>``.
    """

    def __init__(self, root: Path | str, spec: PretrainSpec | FinetuneSpec, live: bool = False) -> None:
        self._root, self._spec, self._live = Path(root), spec, live
        self._system: SystemMetrics | None = None
        self._folder = self._root / spec.folder
        self._run_id: str | None = None
        self._replaced = False
        self._held: set[int] = set()  # epochs

    def update(self, model: Path | None = None) -> bool:
        """Log what the run's folder holds and MLflow does not; end the run when the folder is finished.

        A run in MLflow whose epochs are the first ones of this folder goes on. One that holds others, or
        another result, is of another job, and the new one replaces it when it is finished. Of two jobs at the
        same time, also of two projects with one store, the one that began last replaces the other.

        Args:
            model: The weights of a run that is finished but for their place; None if they are in their place.

        Returns:
            Whether anything was logged: not if MLflow holds the finished run, or cannot be used.

        Raises:
            UserError: a file of the folder cannot be read.
        """
        files = labels.read_run(self._folder, True if model else None)
        weights = model or self._folder / MODEL

        def write(client: "MlflowClient") -> bool:
            try:
                return self._update(client, files, weights)
            except Exception:
                if self._run_id is None or not is_deleted(client, self._run_id):
                    raise
                self._replaced = True
                log_line(f"{self._spec.id}: another job of this run is finished, and MLflow holds that one")
                return False

        return not self._replaced and bool(attempt(self._root, write))

    def fail(self) -> None:
        """Mark the run as failed, if it was begun."""
        self._end_measuring()
        run_id = self._run_id
        if run_id and not self._replaced:
            attempt(self._root, lambda client: client.set_terminated(run_id, status="FAILED"))

    def _update(self, client: "MlflowClient", files: RunFiles, weights: Path) -> bool:
        run_id = self._run_id = self._run_id or self._open(client, files)
        if run_id is None:
            return False
        new = [line for line in files.epochs if line["epoch"] not in self._held]
        if new and self._system:
            new[-1] = new[-1] | self._system.take()
        for first in range(0, len(new), EPOCHS_AT_ONCE):
            part = new[first : first + EPOCHS_AT_ONCE]
            log(client, run_id, metrics=[point for line in part for point in points(line, line["epoch"])])
            self._held |= {line["epoch"] for line in part}
        if any(line["epoch"] == 1 for line in new):
            log_files(client, run_id, [self._folder / FIRST_BATCH])
        if files.result is not None:
            self._end_measuring()
            self._finish(client, run_id, files.result, weights)
        elif self._live and self._system is None:
            self._system = SystemMetrics()
        return True

    def _end_measuring(self) -> None:
        if self._system:
            self._system.end()

    def _open(self, client: "MlflowClient", files: RunFiles) -> str | None:
        """Return the id of the run to go on with, begun if there is none; None if MLflow holds all of it."""
        spec = self._spec
        phase = Path(spec.PARENT).name
        params, tags, data = labels.described(spec)
        (experiment,) = experiments(client, self._root, [phase])
        earlier = runs(client, experiment, digest=spec.digest)
        if any(_holds(run, files.content) or self._repeats(run, files) for run in earlier):
            return None
        kept = next((run for run in earlier if self._goes_on(client, run, files)), None)
        if kept:
            client.update_run(kept.info.run_id, status="RUNNING")
        else:
            commit = labels.commit_of(files.result["made_with"] if files.result else made_with(self._root))
            tags |= {"phase": phase, "digest": spec.digest, "name": spec.id, "commit": commit}
            tags |= {"mlflow.source.git.commit": commit, "mlflow.source.name": f"kinefract {phase}"}
            tags[labels.NOTE] = labels.note(spec.folder, ())
            kept = client.create_run(
                experiment, tags=tag_texts(tags), run_name=f"{title_of(spec, self._root)}-{spec.digest}"
            )
        missing = {key: value for key, value in params.items() if key not in kept.data.params}
        log(client, kept.info.run_id, params=missing)
        log_input(client, kept.info.run_id, data.name, data.digest, data.folder)
        return kept.info.run_id

    def _repeats(self, run: "Run", files: RunFiles) -> bool:
        """Return whether a finished run of another job, such as another clone's, has the same results."""
        if files.result is None or run.info.status != "FINISHED":
            return False
        return not differing(run, final_values(self._spec, files.result), another=True)

    def _goes_on(self, client: "MlflowClient", run: "Run", files: RunFiles) -> bool:
        """Return whether MLflow's run is of this folder's job; if so, note the epochs that it holds.

        One without epochs may be of a job in another clone, which began a moment ago.
        """
        if run.data.tags.get("content", files.content) != files.content:
            return False
        held = {point.step: point.value for point in client.get_metric_history(run.info.run_id, MARK)}
        if not held or not held.items() <= {line["epoch"]: line[MARK] for line in files.epochs}.items():
            return False
        self._held = set(held)
        return True

    def _finish(self, client: "MlflowClient", run_id: str, result: Result, weights: Path) -> None:
        numbers = final_values(self._spec, result)
        held = client.get_run(run_id)
        new = {key: value for key, value in numbers.items() if key not in held.data.metrics}
        commit = labels.commit_of(result["made_with"])
        tags = {key: value for key, value in result.items() if isinstance(value, str)}
        tags |= {f"made_with.{key}": value for key, value in result["made_with"].items()}
        tags |= {"commit": commit, "mlflow.source.git.commit": commit, "content": digest_of(result)}
        if not weights_removed(weights):
            tags |= {"model": f"{self._spec.folder}/{MODEL}", "model_sha256": sha256(weights)}
        log(client, run_id, metrics=points(new, result["epochs"]))
        log_files(client, run_id, [self._folder / name for name in PICTURES])
        log(client, run_id, tags=tags)
        client.set_terminated(run_id)
        drop_older(client, held.info.experiment_id, self._spec.digest)


def final_values(spec: PretrainSpec | FinetuneSpec, result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run's result holds, by the names of MLflow's metrics; some values are no numbers."""
    tested = TESTED if Path(spec.PARENT).name == "finetune" else set()
    return {f"{'test' if key in tested else 'final'}/{key}": value for key, value in result.items()}


def differing(run: "Run", values: Mapping[str, Any], another: bool) -> str:
    """Return the name of the first number that a run does not hold; empty if it holds all.

    Args:
        run: The run of MLflow.
        values: What it should hold, by the names of MLflow's metrics.
        another: Whether it is of another job, whose times differ.
    """
    for key, value, _ in points(values, 0):
        if run.data.metrics.get(key) != value and not (another and key in TIMES):
            return key
    return ""


def study_values(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return a variant's figures, benchmark -> figure -> value, by the names of MLflow's metrics."""
    return {
        f"{benchmark}/{NAMES.get(key, key)}": value
        for benchmark, scores in metrics.items()
        for key, value in scores.items()
    }


def study_files(folder: Path) -> list[Path]:
    """Return the figures and tables of a study's folder, which MLflow keeps as artifacts."""
    return sorted(path for path in folder.iterdir() if path.suffix in {".svg", ".csv", ".tex", ".md"})


def log_study(
    root: Path | str, spec: StudySpec, metrics: dict[str, dict[str, dict]], artifacts: Iterable[Path]
) -> list[str]:
    """Log a study as one run per variant in ``study/<name>``, and tag its runs ``study.<name>``.

    A variant that MLflow holds as it is stays. One that changed replaces that of an earlier report. Only what
    the study varies becomes parameters, and they are the columns and axes with which the experiment's page
    opens. The page that leads there is written even if MLflow cannot be used. The tag of a run is the labels
    of the variants that it is part of.

    Args:
        root: The project's folder.
        spec: The study.
        metrics: Variant label -> benchmark -> ``{"top1", "top1_std", "top5", "n", ...}``, as in
            ``metrics.json``.
        artifacts: Figures and tables, attached to each variant's run.

    Returns:
        Labels of the variants that were logged; none where MLflow cannot be used.
    """
    root = Path(root)
    files = list(artifacts)
    hashes = {path.name: sha256(path) for path in files}

    def write(client: "MlflowClient") -> list[str]:
        (experiment,) = experiments(client, root, [f"study/{spec.study}"])
        varied = dict.fromkeys(key for variant in spec.variants for key in variant.values)
        view.show(client, experiment, list(varied), [f"{name}/top1" for name in spec.benchmarks])
        addresses.write_page(root, spec.study, experiment)
        logged = []
        for variant in spec.variants:
            tags = labels.variant_tags(root, spec, variant)
            numbers = study_values(metrics.get(variant.label, {}))
            tags["content"] = digest_of([tags, variant.values, numbers, hashes])
            if any(_holds(run, tags["content"]) for run in runs(client, experiment, digest=tags["digest"])):
                continue
            run_id = client.create_run(experiment, tags=tag_texts(tags), run_name=variant.label).info.run_id
            log(client, run_id, params=variant.values, metrics=points(numbers, 0))
            log_files(client, run_id, files)
            client.set_terminated(run_id)
            drop_older(client, experiment, tags["digest"])
            logged.append(variant.label)
        _tag_runs(client, root, spec)
        return logged

    addresses.write_page(root, spec.study, None)
    return attempt(root, write) or []


def _holds(run: "Run", content: str | None) -> bool:
    """Return whether a run of MLflow is finished and has this content."""
    return run.info.status == "FINISHED" and run.data.tags.get("content", "") == content


def points(values: Mapping[str, Any], step: int) -> list[tuple[str, float, int]]:
    """Return the numbers among values as (key, value, step)."""
    return [
        (key, value, step)
        for key, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and key not in NOT_CURVES
    ]


def _tag_runs(client: "MlflowClient", root: Path, spec: StudySpec) -> None:
    """Tag the runs of a study with the labels of its variants, since several studies share a run.

    What it takes depends on the runs of the study, not on those of the store.
    """
    variants: dict[str, dict[str, list[str]]] = {phase: {} for phase in PHASES}
    for variant in spec.variants:
        for run_id in dict.fromkeys(variant.pretrains.values()):
            variants["pretrain"].setdefault(run_id, []).append(variant.label)
        for run_id in (run_id for by_seed in variant.runs.values() for run_id in by_seed.values()):
            variants["finetune"].setdefault(run_id, []).append(variant.label)
    key = f"{labels.STUDY}{spec.study}"
    for phase, experiment in zip(PHASES, experiments(client, root, PHASES), strict=True):
        wanted = {run_id: ", ".join(found) for run_id, found in variants[phase].items()}
        tagged = runs(client, experiment, **{key: "%"}) if wanted else []
        done = {
            (run.data.tags.get("name"), run.data.tags[key]) for run in tagged if labels.NOTE in run.data.tags
        }
        for run_id, tag in wanted.items():
            if (run_id, tag) not in done:
                folder = f"results/{phase}/{run_id}"
                for run in runs(client, experiment, name=run_id):
                    new = labels.noted(run.data.tags, folder, spec.study)
                    log(client, run.info.run_id, tags={key: tag, **new})

"""What MLflow is told: runs of both phases while they train, variants of studies to compare.

Nothing depends on it. Where MLflow is not installed, or its store cannot be used or reached, one line says so
and the process goes on without it; what was measured stands in ``metrics.jsonl`` and ``result.json`` anyway,
from which ``sync`` logs it later, through the functions of this module.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from kinefract.files import sha256
from kinefract.schema import digest_of
from kinefract.specs import MODEL, FinetuneSpec, PretrainSpec, Spec, StudySpec
from kinefract.tracking import labels
from kinefract.tracking.store import attempt, experiments, log, log_input, runs, store_uri, texts

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

__all__ = ["PHASES", "Tracker", "log_study", "prepare", "store_uri", "study_files"]

PHASES = ("pretrain", "finetune")
FIRST_BATCH = "first_batch.png"
PICTURES = (FIRST_BATCH, "confusion.svg", "mistakes.png")  # of a run's folder, where they are there
LARGEST_ARTIFACT = 5_000_000  # bytes; models and data stay with DVC
TESTED = {"top1", "top5", "mean_class_accuracy", "videos"}  # of a fine-tuning's result: on the test videos
NAMES = {"n": "top1_n", "top1_low": "top1_ci95_low", "top1_high": "top1_ci95_high"}  # of a study's numbers


def prepare(root: Path | str, studies: Iterable[str] = ()) -> None:
    """Make the store and its experiments where they are missing.

    Safe to call again and from several processes at once.

    Args:
        root: The project's folder.
        studies: Names of studies, each of which gets an experiment ``study/<name>``.
    """
    attempt(root, lambda client: experiments(client, root, [*PHASES, *(f"study/{name}" for name in studies)]))


class Tracker:
    """One run of a phase in MLflow. Every method is harmless where MLflow is not to be had."""

    def __init__(self, root: Path, run: "Run | None", resumed: bool) -> None:
        self._root = root
        self._run_id = run.info.run_id if run else None
        self._resumed = resumed
        self._steps: dict[str, set[int]] = {}

    @classmethod
    def of(cls, root: Path | str, spec: PretrainSpec | FinetuneSpec, commit: str, resumed: bool) -> Self:
        """Open the run of a spec, with everything that the spec says about it.

        Parameters are all its settings, tags what to filter by: ``phase``, ``seed``, ``backbone``,
        ``commit``; ``family`` and ``objective`` of the pre-training, where there is one; for a fine-tuning
        ``benchmark`` and ``pretrain_run``, the name of the pre-training run it starts from, the file of
        published weights, or ``scratch``. The dataset or the benchmark is the run's input.

        Args:
            root: The project's folder.
            spec: The run.
            commit: Of the code that makes it.
            resumed: As for ``open``.
        """
        params, tags, data = labels.described(spec)
        phase = Path(spec.PARENT).name
        return cls.open(root, phase, spec.id, spec.digest, params, {**tags, "commit": commit}, resumed, data)

    @classmethod
    def open(
        cls,
        root: Path | str,
        phase: str,
        spec_id: str,
        digest: str,
        params: dict[str, Any],
        tags: dict[str, str],
        resumed: bool,
        data: Spec | None = None,
    ) -> Self:
        """Open a run, found again by its digest.

        Args:
            root: The project's folder.
            phase: ``"pretrain"`` or ``"finetune"``.
            spec_id: The run's folder name, which names it in MLflow too.
            digest: The digest of its spec.
            params: Its settings, flat: ``pretraining.lr``, ``dataset.classes``, ...
            tags: What to filter by: benchmark, seed, commit, ...
            resumed: Whether the job goes on from a checkpoint. Then it goes on in its run; otherwise the runs
                an earlier job left are deleted and a new one begins.
            data: The dataset or benchmark that it is trained on.

        Returns:
            The tracker, which logs nothing where MLflow is not to be had.
        """
        root = Path(root)
        tags = {**tags, "phase": phase, "digest": digest, "name": spec_id}
        if "commit" in tags:
            tags["mlflow.source.git.commit"] = tags["commit"]
        tags["mlflow.source.name"] = f"kinefract {phase}"

        def begin(client: "MlflowClient") -> "Run":
            (experiment,) = experiments(client, root, [phase])
            earlier = runs(client, experiment, digest)
            kept = earlier.pop(0) if resumed and earlier else None
            for run in earlier:
                client.delete_run(run.info.run_id)
            if kept:
                client.update_run(kept.info.run_id, status="RUNNING")
            run = kept or client.create_run(experiment, tags=texts(tags), run_name=spec_id)
            missing = {key: value for key, value in params.items() if key not in run.data.params}
            log(client, run.info.run_id, params=missing)
            if data:
                log_input(client, run.info.run_id, data.name, data.digest, data.folder)
            return run

        return cls(root, attempt(root, begin), resumed)

    def log_epoch(self, metrics: dict[str, Any], epoch: int) -> None:
        """Log the numbers of one epoch, each at most once however often the epoch is passed.

        Args:
            metrics: A line of ``metrics.jsonl``; what is not a number is left out.
            epoch: Counted from 1; the step in MLflow.
        """
        self._do(lambda client, run_id: self._log_new(client, run_id, {epoch: metrics}))

    def log_artifact(self, path: Path | str) -> None:
        """Log a small file; one above 5 MB is left to DVC."""
        if Path(path).stat().st_size <= LARGEST_ARTIFACT:
            self._do(lambda client, run_id: client.log_artifact(run_id, str(path)))

    def complete(self, folder: Path | str) -> None:
        """Log what a finished run's folder holds and MLflow does not, and mark the run finished.

        That is every epoch of ``metrics.jsonl``, the pictures, ``result.json``, and the path and hash of the
        model, where it is there.

        Raises:
            UserError: ``metrics.jsonl`` or ``result.json`` cannot be read.
        """
        folder = Path(folder)
        epochs, result = labels.read_run(folder)
        by_step = {int(metrics["epoch"]): metrics for metrics in epochs}
        self._do(lambda client, run_id: self._log_new(client, run_id, by_step))
        for name in PICTURES:
            if (folder / name).exists():
                self.log_artifact(folder / name)
        where = {"content": digest_of(result)}
        if (folder / MODEL).exists():
            place = Path(*folder.resolve().parts[-3:], MODEL)  # results/<phase>/<id>/...
            where |= {"model": str(place), "model_sha256": sha256(folder / MODEL)}
        self.finish({**result, **where})

    def finish(self, result: dict[str, Any]) -> None:
        """Log what came out and mark the run finished.

        Args:
            result: The content of ``result.json``, and what else is to be found in MLflow, such as the
                model's path and hash. What was measured on test videos becomes the metric ``test/<key>``,
                other numbers ``final/<key>``; texts and ``made_with`` become tags.
        """
        tested = TESTED if result.get("phase") == "finetune" else set()
        numbers = {f"{'test' if key in tested else 'final'}/{key}": value for key, value in result.items()}
        tags = {key: value for key, value in result.items() if isinstance(value, str)}
        tags |= {f"made_with.{key}": value for key, value in result.get("made_with", {}).items()}

        def end(client: "MlflowClient", run_id: str) -> None:
            self._log_new(client, run_id, {int(result.get("epochs", 0)): numbers})
            log(client, run_id, tags=tags)
            client.set_terminated(run_id)

        self._do(end)

    def fail(self) -> None:
        """Mark the run failed."""
        self._do(lambda client, run_id: client.set_terminated(run_id, status="FAILED"))

    def _do(self, action: Callable[["MlflowClient", str], None]) -> None:
        run_id = self._run_id
        if run_id:
            attempt(self._root, lambda client: action(client, run_id))

    def _log_new(self, client: "MlflowClient", run_id: str, by_step: dict[int, dict[str, Any]]) -> None:
        new = []
        for step, metrics in by_step.items():
            for key, value in metrics.items():
                if not isinstance(value, int | float) or isinstance(value, bool) or key.endswith("epoch"):
                    continue
                if key not in self._steps:
                    history = client.get_metric_history(run_id, key) if self._resumed else []
                    self._steps[key] = {metric.step for metric in history}
                if step not in self._steps[key]:
                    new.append((key, value, step))
        log(client, run_id, metrics=new)
        for key, _, step in new:
            self._steps[key].add(step)


def study_files(folder: Path) -> list[Path]:
    """Return the figures and tables of a study's folder, which MLflow keeps as artifacts."""
    return sorted(path for path in folder.iterdir() if path.suffix in {".svg", ".csv", ".tex", ".md"})


def log_study(
    root: Path | str, spec: StudySpec, metrics: dict[str, dict[str, dict]], artifacts: Iterable[Path]
) -> list[str]:
    """Log a study as one run per variant in ``study/<name>``, and tag its runs ``study.<name>``.

    A variant that MLflow holds as it is stays; one that changed replaces that of an earlier report. Only what
    the study varies becomes parameters, so that the compare view shows nothing else. The tag of a run is the
    labels of the variants that it is part of.

    Args:
        root: The project's folder.
        spec: The study.
        metrics: Variant label -> benchmark -> ``{"top1", "top1_std", "top5", "n", ...}``, as in
            ``metrics.json``.
        artifacts: Figures and tables, attached to each variant's run.

    Returns:
        Labels of the variants that were logged; none where MLflow is not to be had.
    """
    root = Path(root)
    files = [path for path in artifacts if path.stat().st_size <= LARGEST_ARTIFACT]
    hashes = {path.name: sha256(path) for path in files}

    def write(client: "MlflowClient") -> list[str]:
        (experiment,) = experiments(client, root, [f"study/{spec.study}"])
        logged = []
        for variant in spec.variants:
            tags = labels.variant_tags(root, spec, variant)
            numbers = {
                f"{benchmark}/{NAMES.get(key, key)}": value
                for benchmark, scores in metrics.get(variant.label, {}).items()
                for key, value in scores.items()
                if value is not None
            }
            tags["content"] = digest_of([tags, variant.values, numbers, hashes])
            earlier = runs(client, experiment, tags["digest"])
            if any(is_finished(run, tags["content"]) for run in earlier):
                continue
            for run in earlier:
                client.delete_run(run.info.run_id)
            run = client.create_run(experiment, tags=texts(tags), run_name=variant.label)
            points = [(key, value, 0) for key, value in numbers.items()]
            log(client, run.info.run_id, params=variant.values, metrics=points)
            for path in files:
                client.log_artifact(run.info.run_id, str(path))
            client.set_terminated(run.info.run_id)
            logged.append(variant.label)
        _tag_runs(client, root, spec)
        return logged

    return attempt(root, write) or []


def is_finished(run: "Run", content: str) -> bool:
    """Return whether a run of MLflow holds all that there is, ``content`` being the digest of that."""
    return run.info.status == "FINISHED" and run.data.tags.get("content") == content


def _tag_runs(client: "MlflowClient", root: Path, spec: StudySpec) -> None:
    """Tag the runs of a study with the labels of its variants, since several studies share a run."""
    variants: dict[str, dict[str, list[str]]] = {phase: {} for phase in PHASES}
    for variant in spec.variants:
        for run_id in dict.fromkeys(variant.pretrains.values()):
            variants["pretrain"].setdefault(run_id, []).append(variant.label)
        for run_id in (run_id for by_seed in variant.runs.values() for run_id in by_seed.values()):
            variants["finetune"].setdefault(run_id, []).append(variant.label)
    key = f"study.{spec.study}"
    for phase, experiment in zip(PHASES, experiments(client, root, PHASES), strict=True):
        if not variants[phase]:
            continue
        for run in runs(client, experiment):
            tag = ", ".join(variants[phase].get(run.data.tags.get("name", ""), []))
            if tag and run.data.tags.get(key) != tag:
                log(client, run.info.run_id, tags={key: tag})

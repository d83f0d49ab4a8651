"""Estimates for studies before they are run: runs, clips, disk and hours, from earlier measurements here."""

import shutil
import textwrap
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tabulate import tabulate

from kinefract.common.errors import UserError
from kinefract.common.files import in_bytes
from kinefract.common.layout import PAGE
from kinefract.common.schema import not_one_of
from kinefract.common.words import counted
from kinefract.config.params import Params
from kinefract.config.plan import Plan, begun
from kinefract.config.specs import DatasetSpec, FinetuneSpec, PretrainSpec, StudySpec
from kinefract.planning import jobs, rates
from kinefract.planning.inventory import (
    COMPUTED,
    DECLARED,
    MEASURED,
    SIMILAR,
    UNKNOWN,
    Estimate,
    Inventory,
    Machine,
    Setting,
    clip_keys,
    finished,
)
from kinefract.training.caching import cache_bytes, uses_cache

# What is estimated, by its key in the figures and its name in the text.
BYTES = {"datasets": "clips", "caches": "caches", "weights": "weights"}
HOURS = {
    "rendering": "rendering",
    "pretraining": "pre-training",
    "finetuning": "fine-tuning",
    "evaluation": "evaluation",
}
GPU = "gpu_"  # before the kinds of hours of one GPU
GPU_HOURS = {f"{GPU}{kind}": name for kind, name in HOURS.items() if kind != "rendering"}
COUNTED = {"datasets": "dataset", "caches": "dataset", "rendering": "dataset"}  # all else is of runs


class Need(NamedTuple):
    """Bytes to write or seconds of the whole machine, for one dataset or run; None if unknown."""

    kind: str
    amount: float | None
    how: str
    source: str

    @classmethod
    def of(cls, kind: str, times: float, each: Estimate) -> "Need":
        """Return the need for ``times`` items, of which one takes ``each``."""
        amount = None if each.amount is None else times * each.amount
        return cls(kind, amount, each.how, each.source)


def figures(
    root: Path | str, params: Params, plan: Plan, names: Sequence[str], machine: Machine | None = None
) -> dict[str, Any]:
    """Return the estimates for studies, as JSON values.

    Args:
        root: The project's folder.
        params: The whole configuration.
        plan: All its studies, resolved.
        names: Names of studies; parts that they share are counted once in the total.
        machine: The machine to which hours refer; None for this one.

    Returns:
        ``machine``, ``free_bytes``, and ``studies``, a list, and ``total`` of mappings with

        - ``study`` (not in ``total``), ``variants``;
        - ``pretraining``, ``finetuning``: ``runs`` and how many are ``done``;
        - ``shared``: runs that other studies of the configuration need too;
        - ``clips``: formula-made clips still to make;
        - ``bytes`` still to be written, without what is unknown: ``datasets``, ``caches``, ``weights``;
        - ``hours`` still to compute, all cores busy, without what is unknown: ``rendering``, ``pretraining``,
          ``finetuning``, ``evaluation``;
        - ``gpu_hours`` of one GPU for trainings in mixed precision: ``pretraining``, ``finetuning``,
          ``evaluation``; measured here, or by the declared rates of ``planning.rates``;
        - ``basis`` of all: ``kind`` (those of ``gpu_hours`` begin with ``gpu_``), ``how`` (measured, similar,
          declared, computed, unknown), ``source``, ``count``;

        and ``jobs``, what the jobs still to run ask a scheduler for (``planning.jobs.needed``).

    Raises:
        UserError: there is no such study.
    """
    for name in names:
        if name not in params.studies:
            raise UserError(f"{not_one_of(name, params.studies)} (studies of the configuration)")
    root, machine = Path(root), machine or Machine.here()
    there = Inventory(root, plan, machine)
    studies = [plan.study(name) for name in dict.fromkeys(names)]
    users = Counter(run for study in plan.studies.values() for run in plan.trained(study))
    return {
        "machine": {"cores": machine.cores, "gpu": machine.gpu},
        "free_bytes": shutil.disk_usage(root).free,
        "studies": [
            {"study": study.study, **_together([study], plan, there, machine, users)} for study in studies
        ],
        "total": _together(studies, plan, there, machine, users),
        "jobs": jobs.needed(root, studies, plan, there),
    }


def render(found: dict[str, Any]) -> str:
    """Return the result of ``figures`` as a table, with the basis of the estimates."""
    head = [
        "study",
        "variants",
        "pre-training",
        "fine-tuning",
        "shared",
        "clips to make",
        "disk",
        "hours",
        "GPU hours",
    ]
    rows = [[study["study"], *_cells(study)] for study in found["studies"]]
    if len(found["studies"]) > 1:
        rows.append(["all of them", *_cells(found["total"])])
    total, machine = found["total"], found["machine"]
    cores = f"{counted(machine['cores'], 'core')}{' and a GPU' * machine['gpu']}"
    disk, hours = (
        ", ".join(f"{name} {_sum(total, what, {kind: name})}" for kind, name in kinds.items())
        for what, kinds in (("bytes", BYTES), ("hours", HOURS))
    )
    on_gpus = ", ".join(
        f"{name} {_sum(total, 'gpu_hours', {kind: name})}" for kind, name in GPU_HOURS.items()
    )
    return "\n".join(
        [
            tabulate(rows, head, "plain", disable_numparse=True, colalign=["left", *["right"] * 8]),
            "",
            "Runs: done/all. Shared: with other studies. The rest is what is still to come.",
            f"Disk: {disk}; {in_bytes(found['free_bytes'])} are free.",
            f"Hours of this machine ({cores}), all of it busy: {hours}.",
            *([f"Hours of one GPU: {on_gpus}."] * any(total["gpu_hours"].values())),
            "~ partly from other clips or declared rates; ? without what is unknown",
            *(_basis_line(basis) for basis in total["basis"] if basis["how"] != COMPUTED),
            *(
                ["", "What each job asks a cluster for, at most:", jobs.render(found["jobs"])]
                * bool(found["jobs"])
            ),
        ]
    )


def studies(root: Path | str, params: Params, plan: Plan) -> list[dict[str, Any]]:
    """Return the studies of a configuration and how far each is, as JSON values.

    Returns:
        Mappings with ``study``, ``question``, ``under_run`` (whether it is under ``run:``), ``reported``
        (whether its page is there), ``runs``, how many of them are ``done``, and ``begun`` (whether one was
        made for this study, rather than for another that shares it).
    """
    root = Path(root)
    finished_runs = finished(root, plan)
    specs = [plan.study(name) for name in params.studies]
    runs = {spec.study: plan.trained(spec) for spec in specs}
    done = {name: finished_runs.intersection(ids) for name, ids in runs.items()}
    started = begun(done, {name: len(ids) for name, ids in runs.items()})
    return [
        {
            "study": spec.study,
            "question": spec.question,
            "under_run": spec.study in params.run,
            "reported": (root / spec.folder / PAGE).exists(),
            "runs": len(runs[spec.study]),
            "done": len(done[spec.study]),
            "begun": spec.study in started,
        }
        for spec in specs
    ]


def listed(found: list[dict[str, Any]]) -> str:
    """Return the result of ``studies`` as a line per study; ``*`` marks those under ``run:``."""
    rows = []
    for study in found:
        runs = counted(study["runs"], "run")
        if study["begun"]:
            state = f"{study['done']} of {runs} done"
        else:
            state = f"not begun, {runs}" + f", {study['done']} made for others" * bool(study["done"])
        mark = "*" if study["under_run"] else ""
        short = textwrap.shorten(study["question"], 64)
        rows.append([mark, study["study"], "done" if study["reported"] else state, short])
    table = tabulate(rows, tablefmt="plain", disable_numparse=True)
    return f"{table}\n\n* under `run:`, what `snakemake` builds; `snakemake <study>` builds one"


def _together(
    studies: list[StudySpec], plan: Plan, there: Inventory, machine: Machine, users: Counter[str]
) -> dict[str, Any]:
    """Return the joint estimates for studies, see ``figures``. ``users`` counts the studies of each run."""
    ours = Counter(run for study in studies for run in plan.trained(study))
    pretrains, finetunes = ours.keys() & plan.pretrains.keys(), ours.keys() & plan.finetunes.keys()
    left = [run for run in ours if run not in there.done]
    trained = [plan.pretrains[run] for run in left if run in plan.pretrains]
    todo: list[PretrainSpec | FinetuneSpec] = [*trained]
    todo += [plan.finetunes[run] for run in left if run in plan.finetunes]
    datasets = {spec.dataset.id: spec.dataset for spec in trained if spec.recipe.stored}
    cached = {spec.dataset.id: spec.dataset for spec in trained if uses_cache(spec)}
    needs = [need for spec in datasets.values() for need in _dataset(spec, there, machine)]
    needs += [need for spec in todo for need in _run(spec, there, machine)]
    needs += [
        Need("caches", cache_bytes(spec.recipe), COMPUTED, "")
        for key, spec in cached.items()
        if key not in there.cached
    ]
    sums: dict[str, float] = defaultdict(float)
    for need in needs:
        sums[need.kind] += need.amount or 0.0
    basis = Counter((need.kind, need.how, need.source) for need in needs)
    return {
        "variants": sum(len(study.variants) for study in studies),
        "pretraining": {"runs": len(pretrains), "done": len(pretrains & there.done)},
        "finetuning": {"runs": len(finetunes), "done": len(finetunes & there.done)},
        "shared": sum(users[run] > ours[run] for run in ours),
        "clips": sum(there.clips_left[key] for key in datasets),
        "bytes": {kind: round(sums[kind]) for kind in BYTES},
        "hours": {kind: sums[kind] / 3600 for kind in HOURS},
        "gpu_hours": {kind.removeprefix(GPU): sums[kind] / 3600 for kind in GPU_HOURS},
        "basis": [
            {"kind": kind, "how": how, "source": source, "count": count}
            for (kind, how, source), count in sorted(basis.items())
        ],
    }


def _dataset(spec: DatasetSpec, there: Inventory, machine: Machine) -> list[Need]:
    clips, keys = there.clips_left[spec.id], clip_keys(spec)
    if not clips:
        return []
    seconds = _or_declared(there.clip_seconds.find(*keys), rates.rendering(spec.recipe))
    return [
        Need.of("datasets", clips, there.clip_bytes.find(*keys)),
        Need.of("rendering", clips / machine.cores, seconds),
    ]


def _run(spec: PretrainSpec | FinetuneSpec, there: Inventory, machine: Machine) -> list[Need]:
    setting, recipe = Setting.of(spec), spec.recipe
    weights = Need.of("weights", 1, there.weights_bytes.find(setting.network))
    training = _or_declared(there.training_seconds.find(*setting.keys), rates.training(spec))
    if isinstance(spec, PretrainSpec):
        clips = _clips_seen(recipe, spec.dataset.recipe.clips)
        return [weights, _hours("pretraining", clips, training, recipe, machine)]
    videos = there.videos[spec.benchmark.id] or there.official[spec.benchmark.id]
    if videos is None:
        remedy = "their benchmark is not indexed yet; `kinefract index` with its name"
        unknown = Estimate(None, UNKNOWN, remedy)
        return [weights, Need.of("finetuning", 0, unknown), Need.of("evaluation", 0, unknown)]
    train, test = videos
    forward = rates.training(spec, forward=True)
    window = _or_declared(there.window_seconds.find(*setting.keys), forward)
    every = spec.recipe.evaluate_every
    windows = spec.recipe.windows + (spec.recipe.epochs // every if every else 0)  # of each video
    return [
        weights,
        _hours("finetuning", _clips_seen(recipe, train), training, recipe, machine),
        _hours("evaluation", test * windows, window, recipe, machine),
    ]


def _or_declared(found: Estimate, rate: tuple[float, str] | None) -> Estimate:
    """Return what was measured here, or else a rate of ``planning.rates``, if there is one."""
    return Estimate(rate[0], DECLARED, rate[1]) if found.how == UNKNOWN and rate else found


def _hours(kind: str, times: float, each: Estimate, recipe: Any, machine: Machine) -> Need:
    """Return the need for hours: of one GPU if the rate is one of GPUs, else of this machine."""
    mixed = recipe.precision != "32-true"
    if each.how == DECLARED or (machine.gpu and mixed and each.how != UNKNOWN):
        return Need.of(f"{GPU}{kind}", times, each)
    return Need.of(kind, times * machine.share(recipe.threads), each)


def _clips_seen(recipe: Any, clips: int) -> int:
    """Return the clips of all steps; a last batch of an epoch that is not full is left out."""
    return recipe.epochs * (clips // recipe.batch_size * recipe.batch_size)


def _cells(needs: dict[str, Any]) -> list[str]:
    return [
        f"{needs['variants']:,}",
        *(f"{needs[phase]['done']:,}/{needs[phase]['runs']:,}" for phase in ("pretraining", "finetuning")),
        f"{needs['shared']:,}",
        f"{needs['clips']:,}",
        _sum(needs, "bytes", BYTES),
        _sum(needs, "hours", HOURS),
        _sum(needs, "gpu_hours", GPU_HOURS),
    ]


def _sum(needs: dict[str, Any], what: str, kinds: dict[str, str]) -> str:
    """Return the bytes or hours of some kinds, with ``~`` and ``?`` if parts are similar or unknown."""
    hows = {basis["how"] for basis in needs["basis"] if basis["kind"] in kinds}
    if hows == {UNKNOWN}:
        return "?"
    total = sum(needs[what][kind.removeprefix(GPU)] for kind in kinds)
    text = in_bytes(total) if what == "bytes" else _number(total)
    return f"{'~' * bool(hows & {SIMILAR, DECLARED})}{text}{' ?' * (UNKNOWN in hows)}"


def _basis_line(basis: dict[str, Any]) -> str:
    kind, count = basis["kind"], basis["count"]
    things = counted(count, COUNTED.get(kind, "run"))
    hows = {MEASURED: "measured", SIMILAR: "as of", DECLARED: "declared:", UNKNOWN: "unknown:"}
    how = hows[basis["how"]]
    return f"  {(BYTES | HOURS | GPU_HOURS)[kind]} of {things}: {how} {basis['source']}".rstrip()


def _number(hours: float) -> str:
    if 0 < hours < 0.01:
        return "<0.01"
    return f"{hours:,.0f}" if hours >= 99.5 else f"{hours:.2g}"

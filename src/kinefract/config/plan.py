"""Resolution of studies to specs: every dataset, benchmark and run that the studies need."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from math import prod
from typing import Any

from pydantic import ValidationError

from kinefract.common.problems import in_one_line, problem_lines
from kinefract.common.schema import Section, not_one_of, suggestion
from kinefract.config.baselines import Setup, comparable
from kinefract.config.networks import HUB, NetworkRecipe, WeightsRecipe
from kinefract.config.params import Params, Study, raise_problems
from kinefract.config.phases import FinetuneRecipe, PretrainRecipe
from kinefract.config.specs import (
    BenchmarkSpec,
    DatasetSpec,
    FinetuneSpec,
    PretrainSpec,
    Spec,
    StudySpec,
    Variant,
)

SCRATCH, INIT, OBJECTIVE = "scratch", "init", "pretraining.objective"
INIT_EPOCH = "init_epoch"
MOST_RUNS = 50_000  # of all studies that do not set `max_runs`
SEED = "pretraining.seed"
NETWORK = tuple(f"pretraining.{key}" for key in NetworkRecipe.model_fields)
VARIED = ("pretraining", "finetuning", "dataset")


@dataclass
class Plan:
    """Specs by id; a spec that several studies share occurs once."""

    datasets: dict[str, DatasetSpec] = field(default_factory=dict)
    benchmarks: dict[str, BenchmarkSpec] = field(default_factory=dict)
    pretrains: dict[str, PretrainSpec] = field(default_factory=dict)
    finetunes: dict[str, FinetuneSpec] = field(default_factory=dict)
    studies: dict[str, StudySpec] = field(default_factory=dict)

    def add(self, spec: Spec) -> str:
        """Add a spec and those on which it depends; return its id."""
        shelf: dict[str, Any]
        match spec:
            case DatasetSpec():
                shelf = self.datasets
            case BenchmarkSpec():
                shelf = self.benchmarks
            case PretrainSpec():
                shelf = self.pretrains
                self.add(spec.dataset)
            case FinetuneSpec():
                shelf = self.finetunes
                self.add(spec.benchmark)
                for fold in spec.folds:
                    self.add(fold)
                if isinstance(spec.init, PretrainSpec):
                    self.add(spec.init)
            case StudySpec():
                shelf = self.studies
        spec_id = spec.id
        shelf[spec_id] = spec
        return spec_id

    def find(self, spec_id: str) -> Spec:
        """Return the spec with this id.

        Raises:
            KeyError: no study has such a spec.
        """
        for shelf in (self.datasets, self.benchmarks, self.pretrains, self.finetunes, self.studies):
            if spec_id in shelf:
                return shelf[spec_id]
        raise KeyError(spec_id)

    def study(self, name: str) -> StudySpec:
        """Return the spec of a study by its name under ``studies``."""
        return next(spec for spec in self.studies.values() if spec.study == name)

    def trained(self, study: StudySpec) -> list[str]:
        """Return the ids of a study's runs that train, pre-training first; folds in place of a pooled run."""
        runs = dict.fromkeys(study.pretrains)
        for run in study.runs:
            runs |= dict.fromkeys([fold.id for fold in self.finetunes[run].folds] or [run])
        return list(runs)

    def stored(self, study: StudySpec) -> list[str]:
        """Return the ids of a study's datasets that must lie on disk for one of its runs."""
        runs = (self.pretrains[run] for run in study.pretrains)
        wanted = {spec.dataset.id for spec in runs if spec.recipe.stored}
        return [dataset for dataset in study.datasets if dataset in wanted]


def begun(done: Mapping[str, Collection[str]], runs: Mapping[str, int]) -> set[str]:
    """Return the studies for which a run was made.

    A run that several studies share counts for the one of which most is finished, of equals for the first.

    Args:
        done: Study -> ids of its finished runs.
        runs: Study -> number of its runs.
    """

    def share(name: str) -> float:
        return len(done[name]) / runs[name] if runs[name] else 0.0

    made_for: dict[str, str] = {}
    for name in sorted(done, key=share, reverse=True):  # the order of equals stays
        for run in done[name]:
            made_for.setdefault(run, name)
    return set(made_for.values())


def resolve(params: Params) -> Plan:
    """Resolve every study.

    Raises:
        UserError: a study varies a key that does not exist or gives it an impossible value, or has too many
            runs; one line each.
    """
    _refuse_too_many_runs(params)
    plan, problems = Plan(), []
    for name, study in params.studies.items():
        try:
            _resolve_study(params, name, study, plan)
        except ValueError as error:
            at = f"studies.{name}.{'variants' if study.variants else 'vary'}"
            lines = problem_lines(error, at) if isinstance(error, ValidationError) else [f"{at}: {error}"]
            problems += [params.files.line(line) for line in lines]
    raise_problems(problems)
    return plan


def _refuse_too_many_runs(params: Params) -> None:
    """Raise an error about studies with more runs than they may have, before any run is resolved."""
    problems, total = [], 0
    for name, study in params.studies.items():
        variants = len(study.variants or ()) or prod(len(values) for values in (study.vary or {}).values())
        folds = sum(max(1, params.benchmarks[key].folds_to_pool) for key in study.benchmarks)
        runs = variants * len(study.seeds) * folds
        if runs > study.max_runs:
            count = f"{runs:,}" if runs < 1e15 else "over 10^15"
            problems.append(
                params.files.line(
                    f"studies.{name}.max_runs: {count} runs, with its seeds and benchmarks, are more than "
                    f"{study.max_runs:,}; vary less, or raise it if they are meant"
                )
            )
        elif "max_runs" not in study.model_fields_set:
            total += runs
    if total > MOST_RUNS:
        problems.append(
            f"{total:,} runs of all studies without `max_runs` are more than {MOST_RUNS:,}; set it in those "
            "whose runs are meant"
        )
    raise_problems(problems)


def _resolve_study(params: Params, name: str, study: Study, plan: Plan) -> None:
    variants: list[Variant] = []
    datasets: dict[str, None] = {}
    benchmarks = {key: BenchmarkSpec(recipe=params.benchmarks[key]) for key in study.benchmarks}
    vary = study.vary or {}
    listed = study.variants or {_label(values, vary): values for values in _combinations(params, vary)}
    same: dict[str, str] = {}
    setups: dict[str, list[Setup]] = {}
    for label, values in listed.items():
        if study.seeds_of == "both" and SEED in values:
            raise ValueError(f"{SEED}: leave it out, by `seeds_of: both` each of `seeds` is its value")
        init, network, finetuning = _resolve_variant(params, study, values)
        epoch = _snapshot(values, init)
        starts = {seed: _reseeded(init, seed) if study.seeds_of == "both" else init for seed in study.seeds}
        runs: dict[str, dict[int, str]] = {}
        setups[label] = []
        for key, benchmark in benchmarks.items():
            recipe = finetuning(benchmark.recipe.kind)
            if not benchmark.recipe.mirror_keeps_label:
                recipe = recipe.model_copy(update={"flip": 0.0})
            setups[label].append(Setup.of(network, recipe))
            runs[key] = {
                seed: plan.add(
                    FinetuneSpec(
                        recipe=recipe,
                        network=network,
                        benchmark=benchmark,
                        init=start,
                        init_epoch=epoch,
                        seed=seed,
                    )
                )
                for seed, start in starts.items()
            }
        if (other := same.setdefault(str(runs), label)) != label:
            raise ValueError(f"{other!r} and {label!r} are the same runs: what is varied makes no difference")
        variants.append(
            Variant(
                label=label,
                values=values,
                pretrains={
                    seed: start.id for seed, start in starts.items() if isinstance(start, PretrainSpec)
                },
                weights=init.file if isinstance(init, WeightsRecipe) else None,
                runs=runs,
            )
        )
        if isinstance(init, PretrainSpec):
            datasets[init.dataset.id] = None
    replaced = comparable(variants, setups)
    variants = [variant.model_copy(update={"baseline": replaced.get(variant.label)}) for variant in variants]
    plan.add(
        StudySpec(
            study=name,
            question=study.question,
            variants=variants,
            benchmarks={key: plan.add(benchmark) for key, benchmark in benchmarks.items()},
            datasets=list(datasets),
        )
    )


def _reseeded(init: PretrainSpec | WeightsRecipe | None, seed: int) -> PretrainSpec | WeightsRecipe | None:
    """Return the start of a fine-tuning of this seed if each seed has its own pre-training."""
    if not isinstance(init, PretrainSpec):
        return init
    return init.model_copy(update={"recipe": init.recipe.model_copy(update={"seed": seed})})


def _snapshot(values: dict[str, Any], init: PretrainSpec | WeightsRecipe | None) -> int | None:
    """Return the epoch whose weights a fine-tuning starts from; None for the weights of the end."""
    if INIT_EPOCH not in values or not isinstance(init, PretrainSpec):
        return None
    epoch, kept = values[INIT_EPOCH], [*(init.recipe.snapshots or ()), init.recipe.epochs]
    if epoch not in kept:
        raise ValueError(f"{INIT_EPOCH}: {not_one_of(epoch, map(str, kept))} (pretraining.snapshots, epochs)")
    return None if epoch == init.recipe.epochs else epoch


def _combinations(params: Params, vary: dict[str, list]) -> list[dict[str, Any]]:
    """Return every combination of varied values; without pre-training its settings are dropped."""
    combinations: dict[str, dict[str, Any]] = {}
    for values in product(*vary.values()):
        combination = dict(zip(vary, values, strict=True))
        if SCRATCH in (combination.get(INIT), combination.get(OBJECTIVE)):
            combination = {
                key: value
                for key, value in combination.items()
                if value == SCRATCH or key in NETWORK or key.startswith("finetuning.")
            }
        elif combination.get(INIT) in list(params.weights):  # a value may be no name
            kept = [key for key in combination if key == INIT or key.startswith("finetuning.")]
            combination = {key: combination[key] for key in kept}
        combinations.setdefault(repr(combination), combination)
    return list(combinations.values())


def _resolve_variant(
    params: Params, study: Study, values: dict[str, Any]
) -> tuple[PretrainSpec | WeightsRecipe | None, NetworkRecipe, Callable[[str], FinetuneRecipe]]:
    """Return the start of a variant, its network, and its fine-tuning on each kind of benchmark."""
    changes: dict[str, dict[str, Any]] = {section: {} for section in VARIED}
    for path, value in values.items():
        section, _, key = path.partition(".")
        if path not in (INIT, INIT_EPOCH) and (section not in VARIED or not key):
            wanted = ", ".join([INIT, INIT_EPOCH, *(f"{section}.<key>" for section in VARIED)])
            close = suggestion(section, VARIED) or suggestion(path, (INIT, INIT_EPOCH))
            raise ValueError(f"{path}: a varied key is one of {wanted}{close}")
        if key:
            changes[section][key] = value
    start = values.get(INIT, study.pretraining)
    if start not in (known := [SCRATCH, *params.pretraining, *params.weights]):
        if str(start).startswith(HUB):
            entry = f'published: {{backbone: ..., width: ..., file: "{start}", sha256: ...}}'
            raise ValueError(
                f"{INIT}: {start}: what lies there may change; add `{entry}` under weights:, with the values "
                f"on its card, and write `{INIT}: published`"
            )
        raise ValueError(f"{INIT}: {not_one_of(start, known)}")

    def finetuning(kind: str, name: str = study.finetuning) -> FinetuneRecipe:
        return _changed(params.finetuning[name].recipe(kind), changes["finetuning"], "finetuning")

    if start in params.weights:
        _refuse_idle(values, (), f"beside {INIT}: {start}")
        weights = params.weights[start]
        network = weights.network
        return weights.recipe, network, partial(finetuning, name=weights.finetuning or study.finetuning)
    scratch = SCRATCH in (start, changes["pretraining"].get("objective"))
    if scratch:
        said = (OBJECTIVE,) if values.get(OBJECTIVE) == SCRATCH else ()
        _refuse_idle(values, NETWORK + said, "from scratch")
        changes["pretraining"].pop("objective", None)
        start = study.pretraining if start == SCRATCH else start
    pretraining = _changed(params.pretraining[start], changes["pretraining"], "pretraining")
    network = pretraining.network
    if scratch:
        return None, network, finetuning
    if pretraining.dataset not in params.datasets:
        raise ValueError(f"pretraining.dataset: {not_one_of(pretraining.dataset, params.datasets)}")
    dataset = _changed(params.datasets[pretraining.dataset], changes["dataset"], "dataset")
    recipe = PretrainRecipe.model_validate(pretraining.model_dump(exclude={"dataset"}))
    recipe = recipe.without_other_objectives()
    return PretrainSpec(recipe=recipe, dataset=DatasetSpec(recipe=dataset)), network, finetuning


def _refuse_idle(values: dict[str, Any], more: tuple[str, ...], where: str) -> None:
    """Raise an error about keys of pre-training, except ``more``, if a variant has no pre-training."""
    for path in values:
        if path != INIT and path not in more and not path.startswith("finetuning."):
            raise ValueError(f"{path}: decides nothing {where}, leave it out")


def _changed(recipe: Section, changes: dict[str, Any], section: str) -> Any:
    """Return a recipe with some settings replaced and checked; ``points.steps`` addresses a nested one."""
    settings = recipe.model_dump()
    for path in sorted(changes, key=lambda path: path.count(".")):  # an objective before its settings
        *parts, key = path.split(".")
        place: Any = settings
        for part in parts:
            if part == settings.get("objective") and settings[part] is None:
                settings[part] = {}
            place = place.get(part)
            if not isinstance(place, dict):
                raise ValueError(f"{section}.{path}: unknown key, {part!r} has no parts")
        place[key] = changes[path]
    try:
        return type(recipe).model_validate(settings)
    except ValidationError as error:
        raise ValueError(in_one_line(error, section)) from error


def _label(values: dict[str, Any], varied: Iterable[str]) -> str:
    """Return a variant's label: the value if one key varies, else ``key value`` pairs.

    A key is written without its section, unless it is varied in two sections.
    """
    if len(values) == 1:
        return str(next(iter(values.values())))
    short = {key: key.partition(".")[2] or key for key in varied}
    named = Counter(short.values())
    return ", ".join(
        str(value) if key in (INIT, OBJECTIVE) else f"{key if named[short[key]] > 1 else short[key]} {value}"
        for key, value in values.items()
    )

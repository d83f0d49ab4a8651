"""The whole configuration, read and checked at once; every problem is reported as a line."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

import kinefract.benchmarks.kinds
import kinefract.synth.families  # noqa: F401 (importing it fills the registry, as above)
from kinefract import released
from kinefract.benchmarks.base import BENCHMARKS, BenchmarkRecipe
from kinefract.common.errors import UserError
from kinefract.common.layout import PARAMS_FILE
from kinefract.common.problems import in_one_line, not_taken_over, problem_lines
from kinefract.common.ranges import Seed
from kinefract.common.schema import SHOWN, Section, listed, merged, not_one_of, short
from kinefract.common.words import counted
from kinefract.config import files as config_files
from kinefract.config.files import RUN, Configuration, Files
from kinefract.config.networks import WeightsRecipe
from kinefract.config.phases import FinetuneRecipe, PretrainRecipe
from kinefract.synth.dataset_recipe import FAMILIES, DatasetRecipe

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,99}$"
MOST_SETTINGS = 500_000  # of the whole configuration, those that `like` takes over included
DIFFERENCES = {"vary", "variants"}
COMPARED = ("datasets", "pretraining", "finetuning")  # sections whose settings a study may vary
# Names of the workflow's rules, which studies cannot have, since each study has a rule of its name.
RULES = (
    "all", "datasets", "pretrain", "finetune", "report", "small", "spec", "tracking", "experiment", "shard",
    "dataset", "index", "pretrain_run", "finetune_run", "pool_folds", "study", "links",
)  # fmt: skip
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class NamedPretraining(PretrainRecipe):
    """A recipe under ``pretraining:``, which refers to its dataset by name."""

    dataset: Name


class NamedWeights(WeightsRecipe):
    """A recipe under ``weights:``, which may refer by name to the fine-tuning of its networks."""

    finetuning: Name | None = Field(default=None, description="in place of the study's own")

    @property
    def recipe(self) -> WeightsRecipe:
        """The recipe without its references by name."""
        return WeightsRecipe.model_validate(self.model_dump(exclude={"finetuning"}))


class NamedFinetuning(FinetuneRecipe):
    """A recipe under ``finetuning:``, with exceptions for some kinds of benchmark."""

    exceptions: dict[str, dict[str, Any]] = Field(
        default={}, description="kind of benchmark -> settings that differ"
    )

    @model_validator(mode="after")
    def _exceptions(self) -> Self:
        for kind in self.exceptions:
            if kind not in BENCHMARKS:
                raise ValueError(f"exceptions: {not_one_of(kind, BENCHMARKS)}")
            try:
                self.recipe(kind)
            except ValidationError as error:
                raise ValueError(in_one_line(error, f"exceptions.{kind}")) from error
        return self

    def recipe(self, kind: str) -> FinetuneRecipe:
        """Return the settings on a kind of benchmark."""
        own = self.model_dump(exclude={"exceptions"})
        return FinetuneRecipe.model_validate(merged(own, self.exceptions.get(kind, {})))


class Study(Section):
    """A recipe under ``studies:``."""

    question: str = Field(min_length=1, description="what the study is to answer; the title of its page")
    paper: str = Field(default="", description="what arXiv 2411.17584 did, in a sentence")
    pretraining: Name = Field(description="a recipe under `pretraining:`, which the variants start from")
    finetuning: Name = Field(description="a recipe under `finetuning:`")
    vary: dict[str, Annotated[list, Field(min_length=1)]] | None = Field(
        default=None, min_length=1, description="key -> its values; several keys give every combination"
    )
    variants: dict[str, dict[str, Any]] | None = Field(
        default=None, min_length=1, description="in place of `vary`: label -> keys and their values"
    )
    benchmarks: list[Name] = Field(min_length=1, description="names under `benchmarks:`")
    seeds: list[Seed] = Field(min_length=1, description="each variant is fine-tuned once with each")
    seeds_of: Literal["finetuning", "both"] = Field(
        default="finetuning",
        description="both: each seed has a pre-training of its own; else one serves all seeds of a variant",
    )
    max_runs: int = Field(
        default=10_000,
        ge=1,
        le=50_000,
        description="most fine-tunings that it may have, lest a slip of the keyboard make a million",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.vary is None) == (self.variants is None):
            raise ValueError("vary: wants either `vary` or `variants`, what its runs differ in")
        for key in ("seeds", "benchmarks"):
            if len(set(getattr(self, key))) < len(getattr(self, key)):
                raise ValueError(f"{key}: one is named twice")
        return self


@dataclass(frozen=True)
class Params:
    """The whole configuration, each section by name.

    Attributes:
        files: The file of each name.
    """

    run: list[str]
    datasets: dict[str, DatasetRecipe]
    pretraining: dict[str, NamedPretraining]
    weights: dict[str, NamedWeights]  # including those that come with kinefract
    finetuning: dict[str, NamedFinetuning]
    benchmarks: dict[str, BenchmarkRecipe]
    studies: dict[str, Study]
    files: Files


SECTIONS: dict[str, Callable[[Any], Any]] = {
    "datasets": FAMILIES.parse,
    "pretraining": NamedPretraining.model_validate,
    "weights": NamedWeights.model_validate,
    "finetuning": NamedFinetuning.model_validate,
    "benchmarks": BENCHMARKS.parse,
    "studies": Study.model_validate,
}


def load(
    path: Path | str = PARAMS_FILE, folder: Path | str | None = None, run: list[str] | None = None
) -> Params:
    """Read and check a configuration.

    Args:
        path: A ``params.yaml``; the files of the folder ``config`` beside it belong to it.
        folder: A folder whose files are read as well, as for ``config_files.find``.
        run: Studies that replace those under ``run``.

    Raises:
        UserError: A file is missing or no YAML, a key occurs twice, or a setting is wrong; the message has a
            line for each: the file, the key, the value and what is allowed.
    """
    contents = config_files.read(config_files.find(path, folder))
    whole = config_files.joined(contents, list(SECTIONS), on_disk=True)
    if run is not None:
        whole.run, whole.files[RUN] = run, "--config"
    return _checked(whole)


def parse(data: Any, source: str = PARAMS_FILE) -> Params:
    """Check the content of a single file that holds a whole configuration.

    Raises:
        UserError: A setting is wrong, as of ``load``.
    """
    return _checked(config_files.joined({source: data}, list(SECTIONS)))


def _checked(whole: Configuration) -> Params:
    sections: dict[str, dict[str, Any]] = {}
    inherited = {section: _inherited(whole, section) for section in SECTIONS}
    for section, read in SECTIONS.items():
        sections[section] = {}
        problems: dict[Any, list[str]] = {}
        for name, recipe in inherited[section].items():
            at, wrong = f"{section}.{name}", []
            if not (isinstance(name, str) and re.fullmatch(NAME_PATTERN, name)):
                shown = (
                    name if isinstance(name, str) and re.fullmatch(r"[\w -]{1,100}", name) else short(name)
                )
                wrong.append(
                    f"{section}.{shown}: a name is lower-case letters, digits and _, a letter first, "
                    "at most 100 of them"
                )
            try:
                if section == "datasets":
                    recipe = _with_parts(recipe, whole, inherited)
                sections[section][name] = read(recipe)
            except ValidationError as error:
                wrong += problem_lines(error, at, vary=section in COMPARED)
            except ValueError as error:
                wrong.append(f"{at}: {error}")
            problems[name] = wrong
        for line in not_taken_over(problems, whole.sections[section], section):
            whole.add(line)
    run = whole.run
    if not (isinstance(run, list) and run):
        whole.add(f"{RUN}: wants a list of study names, got {short(run)}")
        run = []
    _check_names(run, whole, sections)
    raise_problems(whole.problems)
    ours = {name: NamedWeights(**dict(released.recipe(name))) for name in released.names()}
    sections["weights"] = ours | sections["weights"]
    return Params(run=run, files=whole.files, **sections)


class ConfigurationError(UserError):
    """The problems of a configuration; ``problems`` has a line for each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        lines = "".join(f"\n  {problem}" for problem in listed(problems))
        super().__init__(f"the configuration has {counted(len(problems), 'problem')}{lines}")


def raise_problems(problems: list[str]) -> None:
    """Raise an error about a configuration's problems, if there are any.

    Raises:
        ConfigurationError: (a UserError) There are problems; the message counts them and lists the first.
    """
    if problems:
        raise ConfigurationError(problems)


def _inherited(whole: Configuration, section: str) -> dict[str, Any]:
    """Return the recipes of a section, each completed with the settings of the one that its ``like`` names.

    Each recipe is completed once, after the one it is like.

    Raises:
        UserError: The recipes have more than ``MOST_SETTINGS`` keys and values.
    """
    recipes = whole.sections[section]
    completed: dict[str, Any] = {}
    size = 0
    for name in recipes:
        chain: dict[Any, None] = {}  # recipes, each like the next, that are not completed yet
        base: Any = {}
        while name not in completed:
            chain[name] = None
            recipe = recipes[name]
            if not (isinstance(recipe, dict) and "like" in recipe):
                break
            if problem := _no_parent(recipe["like"], chain, whole, section):
                whole.add(f"{section}.{name}.like: {problem}")
                break
            name = recipe["like"]
        else:
            base = completed[name]
        for child in reversed(chain):
            completed[child] = base = _completed(recipes[child], base)
            size += _size(base)
            if size > MOST_SETTINGS:
                raise UserError(
                    whole.files.line(
                        f"{section}.{child}: {section} have more than {MOST_SETTINGS:,} keys and values up "
                        "to here, those that `like` takes over included; write less",
                    )
                )
    return {name: completed[name] for name in recipes}


def _no_parent(parent: Any, chain: dict[Any, None], whole: Configuration, section: str) -> str:
    """Return why a recipe cannot be like another; empty if it can."""
    recipes = whole.sections[section]
    if not (isinstance(parent, str) and isinstance(recipes.get(parent), dict)):
        return whole.not_one_of(parent, (name for name in recipes if name not in chain))
    if parent in chain:
        circle = [*list(chain)[list(chain).index(parent) :], parent]
        if len(circle) > SHOWN:
            circle[SHOWN // 2 : -SHOWN // 2] = ["..."]
        return f"goes round in a circle: {' -> '.join(circle)}"
    return ""


def _completed(recipe: Any, base: Any) -> Any:
    """Return a recipe with the settings of ``base`` that it does not give, and without ``like``."""
    if not (isinstance(recipe, dict) and "like" in recipe):
        return recipe
    own = {key: value for key, value in recipe.items() if key != "like"}
    if own.keys() & DIFFERENCES:  # the keys that describe variants are replaced as a whole
        base = {key: value for key, value in base.items() if key not in DIFFERENCES}
    return merged(base, own)


def _with_parts(recipe: Any, whole: Configuration, inherited: dict[str, dict[str, Any]]) -> Any:
    """Return a dataset; where its ``parts`` are names with shares, with the recipes of those names.

    Raises:
        ValueError: a name is that of no dataset, or of one that has parts itself.
    """
    parts, datasets = recipe.get("parts") if isinstance(recipe, dict) else None, inherited["datasets"]
    if not isinstance(parts, dict):
        return recipe
    for name in parts:
        if name not in datasets:
            raise ValueError(f"parts: {whole.not_one_of(name, datasets)}")
        if isinstance(datasets[name], dict) and "parts" in datasets[name]:
            raise ValueError(f"parts: {name} is a mixture itself; name the parts of that one")
    return recipe | {"parts": [{"share": share, "recipe": datasets[name]} for name, share in parts.items()]}


def _size(value: Any) -> int:
    """Return the number of keys and values that a value consists of."""
    size, waiting = 0, [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            size += len(part)
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
        size += 1
    return size


def _check_names(run: list, whole: Configuration, sections: dict[str, dict[str, Any]]) -> None:
    """Report each name that refers to nothing. Names with an invalid recipe count as existing."""
    references = [(f"{RUN}[{place}]", study, "studies") for place, study in enumerate(run)]
    for name, recipe in sections["pretraining"].items():
        references.append((f"pretraining.{name}.dataset", recipe.dataset, "datasets"))
    for name, weights in sections["weights"].items():
        if weights.finetuning:
            references.append((f"weights.{name}.finetuning", weights.finetuning, "finetuning"))
    for name, study in sections["studies"].items():
        references.append((f"studies.{name}.pretraining", study.pretraining, "pretraining"))
        references.append((f"studies.{name}.finetuning", study.finetuning, "finetuning"))
        references += [
            (f"studies.{name}.benchmarks", benchmark, "benchmarks") for benchmark in study.benchmarks
        ]
    for at, name, section in references:
        known = whole.sections[section]
        if not known:
            whole.add(f"{at}: {short(name)}, but `{section}:` has no names")
        elif not (isinstance(name, str) and name in known):
            whole.add(f"{at}: {whole.not_one_of(name, known)}")
    for name in sections["weights"]:
        if name in whole.sections["pretraining"]:
            whole.add(f"weights.{name}: a pre-training is called that too, choose another")
    for name in RULES:
        if name in sections["studies"]:
            whole.add(f"studies.{name}: the name of a rule of the workflow, choose another")

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
from kinefract.common.schema import Section, merged, not_one_of, problem_lines
from kinefract.config import files as config_files
from kinefract.config.files import RUN, Configuration
from kinefract.config.phases import FinetuneRecipe, PretrainRecipe, WeightsRecipe
from kinefract.synth.dataset_recipe import FAMILIES, DatasetRecipe

NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
DIFFERENCES = {"vary", "variants"}
COMPARED = ("datasets", "pretraining", "finetuning")  # sections whose settings a study may vary
# Names of the workflow's rules, which studies cannot have, since each study has a rule of its name.
RULES = (
    *("all", "datasets", "pretrain", "finetune", "report", "small"),
    *("spec", "tracking", "shard", "dataset", "index", "pretrain_run", "finetune_run", "pool_folds"),
    *("study", "links"),
)
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
                raise ValueError("; ".join(problem_lines(error, f"exceptions.{kind}"))) from error
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
    seeds: list[Annotated[int, Field(ge=0)]] = Field(
        min_length=1, description="each variant is fine-tuned once with each"
    )
    seeds_of: Literal["finetuning", "both"] = Field(
        default="finetuning",
        description="both: each seed has a pre-training of its own; else one serves all seeds of a variant",
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
        files: Section and name, as ``"studies.quickstart"`` -> its file.
    """

    run: list[str]
    datasets: dict[str, DatasetRecipe]
    pretraining: dict[str, NamedPretraining]
    weights: dict[str, NamedWeights]  # including those that come with kinefract
    finetuning: dict[str, NamedFinetuning]
    benchmarks: dict[str, BenchmarkRecipe]
    studies: dict[str, Study]
    files: dict[str, str]


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
    whole = config_files.joined(config_files.read(config_files.find(path, folder)), list(SECTIONS))
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
    problems = whole.problems
    sections: dict[str, dict[str, Any]] = {}
    for section, read in SECTIONS.items():
        sections[section] = {}
        found = whole.sections[section]
        for name in found:
            at, wrong = f"{section}.{name}", []
            if not (isinstance(name, str) and re.match(NAME_PATTERN, name)):
                wrong.append(f"{at}: a name is lower-case letters, digits and _, a letter first")
            try:
                sections[section][name] = read(_inherited(found, name, section, wrong))
            except ValidationError as error:
                wrong += problem_lines(error, at, vary=section in COMPARED)
            except ValueError as error:
                wrong.append(f"{at}: {error}")
            problems += [f"{whole.files[at]}: {line}" for line in wrong]
    run = whole.run
    if not (isinstance(run, list) and run):
        problems.append(whole.line(RUN, f"wants a list of study names, got {run!r}"))
        run = []
    problems += _name_problems(run, whole, sections)
    raise_problems(problems)
    ours = {name: NamedWeights(**dict(released.recipe(name))) for name in released.names()}
    sections["weights"] = ours | sections["weights"]
    return Params(run=run, files=whole.files, **sections)


def raise_problems(problems: list[str]) -> None:
    """Raise an error about a configuration's problems, if there are any.

    Raises:
        UserError: There are problems; the message counts and lists them.
    """
    if problems:
        lines = "".join(f"\n  {problem}" for problem in problems)
        count = f"{len(problems)} problem{'s' * (len(problems) > 1)}"
        raise UserError(f"the configuration has {count}{lines}")


def _inherited(recipes: dict, name: str, section: str, problems: list[str]) -> Any:
    """Return a recipe completed with the settings of the one that its ``like`` names."""
    recipe, seen = recipes[name], [name]
    while isinstance(recipe, dict) and "like" in recipe:
        parent = recipe["like"]
        known = isinstance(parent, str) and isinstance(recipes.get(parent), dict)
        if not known or parent in seen:
            others = [str(other) for other in recipes if other not in seen]
            problems.append(f"{section}.{name}.like: {not_one_of(parent, others)}")
            parent = None
        seen.append(parent)
        own = {key: value for key, value in recipe.items() if key != "like"}
        if own.keys() & DIFFERENCES and parent:  # the keys that describe variants are replaced as a whole
            base = {key: value for key, value in recipes[parent].items() if key not in DIFFERENCES}
        else:
            base = recipes[parent] if parent else {}
        recipe = merged(base, own)
    return recipe


def _name_problems(run: list, whole: Configuration, sections: dict[str, dict[str, Any]]) -> list[str]:
    """Return a line for each name that refers to nothing. Names with an invalid recipe count as existing."""
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
    problems = [
        whole.line(at, not_one_of(name, known) if known else f"{name!r}, but `{section}:` has no names")
        for at, name, section in references
        if name not in (known := list(whole.sections[section]))
    ]
    problems += [
        whole.line(f"weights.{name}", "a pre-training is called that too, choose another")
        for name in sections["weights"]
        if name in whole.sections["pretraining"]
    ]
    problems += [
        whole.line(f"studies.{name}", "the name of a rule of the workflow, choose another")
        for name in RULES
        if name in sections["studies"]
    ]
    return problems

"""params.yaml: every parameter, once. Reading it, checking it whole, and naming each problem in a line."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

import kinefract.benchmarks.catalog
import kinefract.synth.families  # noqa: F401 (importing it fills the registry, as above)
from kinefract import released
from kinefract.benchmarks.recipes import BENCHMARKS, BenchmarkRecipe
from kinefract.errors import UserError
from kinefract.recipes import FinetuneRecipe, PretrainRecipe, WeightsRecipe
from kinefract.schema import Section, merged, not_one_of, problem_lines
from kinefract.synth.recipes import FAMILIES, DatasetRecipe

NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
DIFFERENCES = {"vary", "variants"}
MERGE = "tag:yaml.org,2002:merge"  # of `<<`, of which YAML takes all
COMPARED = ("datasets", "pretraining", "finetuning")  # sections whose settings a study may vary
# Of the workflow, whose rules for studies have the names of the studies.
RULES = (
    *("all", "datasets", "pretrain", "finetune", "report", "small"),
    *("spec", "tracking", "shard", "dataset", "index", "pretrain_run", "finetune_run", "pool_folds", "study"),
)
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class NamedPretraining(PretrainRecipe):
    """A recipe under ``pretraining:``, which says by name what it is trained on."""

    dataset: Name


class NamedWeights(WeightsRecipe):
    """A recipe under ``weights:``, which may say by name how networks that start from it are fine-tuned."""

    finetuning: Name | None = Field(default=None, description="in place of the study's own")

    @property
    def recipe(self) -> WeightsRecipe:
        """The recipe without what is said by name."""
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
    """The whole of params.yaml, each section by name."""

    run: list[str]
    datasets: dict[str, DatasetRecipe]
    pretraining: dict[str, NamedPretraining]
    weights: dict[str, NamedWeights]  # those that come with kinefract too
    finetuning: dict[str, NamedFinetuning]
    benchmarks: dict[str, BenchmarkRecipe]
    studies: dict[str, Study]


SECTIONS = {
    "datasets": FAMILIES.parse,
    "pretraining": NamedPretraining.model_validate,
    "weights": NamedWeights.model_validate,
    "finetuning": NamedFinetuning.model_validate,
    "benchmarks": BENCHMARKS.parse,
    "studies": Study.model_validate,
}


class _Loader(yaml.SafeLoader):
    """Safe, and strict about a key that stands twice, of which YAML would take the last without a word."""

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: dict[tuple[str, str], yaml.Node] = {}
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.tag == MERGE:
                continue
            if (first := seen.setdefault((key.tag, key.value), key)) is not key:
                lines = f"{first.start_mark.line + 1} and {key.start_mark.line + 1}"
                raise UserError(f"{key.value}: the key stands twice, in lines {lines}; make them one")
        return node


def load(path: Path | str = "params.yaml") -> Params:
    """Read and check a params file.

    Raises:
        UserError: as of ``read`` and ``parse``.
    """
    return parse(read(path), str(path))


def read(path: Path | str = "params.yaml") -> Any:
    """Return the content of a params file, unchecked.

    Raises:
        UserError: the file is missing or no YAML, or a key stands twice in one mapping.
    """
    try:
        return yaml.load(Path(path).read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run this from the project's folder") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def parse(data: Any, source: str = "params.yaml") -> Params:
    """Check the content of a params file.

    Raises:
        UserError: one line per problem: the key's path, the value and what is allowed.
    """
    if not isinstance(data, dict):
        raise UserError(f"{source}: holds no settings")
    problems = [
        f"{key}: unknown key, {not_one_of(str(key), ['run', *SECTIONS])}"
        for key in data
        if key not in ("run", *SECTIONS)
    ]
    sections: dict[str, dict[str, Any]] = {}
    for section, read in SECTIONS.items():
        sections[section] = {}
        recipes = data.get(section)
        if not isinstance(recipes, dict):
            problems.append(f"{section}: {'missing' if section not in data else 'not a mapping of names'}")
            continue
        recipes = {name: _inherited(recipes, name, section, problems) for name in recipes}
        for name, recipe in recipes.items():
            at = f"{section}.{name}"
            if not (isinstance(name, str) and _is_name(name)):
                problems.append(f"{at}: a name is lower-case letters, digits and _, a letter first")
            try:
                sections[section][name] = read(recipe)
            except ValidationError as error:
                problems += problem_lines(error, at, vary=section in COMPARED)
            except ValueError as error:
                problems.append(f"{at}: {error}")
    run = data.get("run", [])
    if not (isinstance(run, list) and run):
        problems.append(f"run: wants a list of study names, got {run!r}")
        run = []
    problems += _name_problems(run, data, sections)
    if problems:
        raise UserError(
            f"{source}: {len(problems)} problem{'s' * (len(problems) > 1)}\n"
            + "\n".join(f"  {problem}" for problem in problems)
        )
    ours = {name: NamedWeights(**dict(released.recipe(name))) for name in released.names()}
    sections["weights"] = ours | sections["weights"]
    return Params(run=run, **sections)


def _inherited(recipes: dict, name: str, section: str, problems: list[str]) -> Any:
    """Return a recipe with the settings of the one that its ``like`` names, as far as it has none itself."""
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
        if own.keys() & DIFFERENCES and parent:  # what a study varies is replaced whole
            base = {key: value for key, value in recipes[parent].items() if key not in DIFFERENCES}
        else:
            base = recipes[parent] if parent else {}
        recipe = merged(base, own)
    return recipe


def _name_problems(run: list, data: dict, sections: dict[str, dict[str, Any]]) -> list[str]:
    """Return a line for each name that refers to nothing. Names whose recipe is broken are not missing."""
    known = {
        section: list(data[section]) if isinstance(data.get(section), dict) else [] for section in SECTIONS
    }
    references = [(f"run[{place}]", study, "studies") for place, study in enumerate(run)]
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
        f"{at}: {not_one_of(name, known[section])}"
        for at, name, section in references
        if name not in known[section]
    ]
    problems += [
        f"weights.{name}: a pre-training is called that too, choose another"
        for name in sections["weights"]
        if name in known["pretraining"]
    ]
    problems += [
        f"studies.{name}: the name of a rule of the workflow, choose another"
        for name in RULES
        if name in sections["studies"]
    ]
    return problems


def _is_name(text: str) -> bool:

    return re.match(NAME_PATTERN, text) is not None

"""params.yaml: every parameter, once. Reading it, checking it whole, and naming each problem in a line."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError

import kinefract.benchmarks.catalog
import kinefract.synth.families  # noqa: F401 (importing it fills the registry, as above)
from kinefract.benchmarks.recipes import BENCHMARKS, BenchmarkRecipe
from kinefract.errors import UserError
from kinefract.recipes import FinetuneRecipe, PretrainRecipe
from kinefract.schema import Section, not_one_of, problem_lines
from kinefract.synth.recipes import FAMILIES, DatasetRecipe

NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
PHASES = ("tracking", "datasets", "pretrain", "finetune", "report")
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class NamedPretraining(PretrainRecipe):
    """A recipe under ``pretraining:``, which says by name what it is trained on."""

    dataset: Name


class Study(Section):
    """A recipe under ``studies:``."""

    question: str = Field(min_length=1)
    pretraining: Name
    finetuning: Name
    vary: dict[str, Annotated[list, Field(min_length=1)]] = Field(min_length=1)
    benchmarks: list[Name] = Field(min_length=1)
    seeds: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)


@dataclass(frozen=True)
class Params:
    """The whole of params.yaml, each section by name."""

    run: list[str]
    datasets: dict[str, DatasetRecipe]
    pretraining: dict[str, NamedPretraining]
    finetuning: dict[str, FinetuneRecipe]
    benchmarks: dict[str, BenchmarkRecipe]
    studies: dict[str, Study]


SECTIONS = {
    "datasets": FAMILIES.parse,
    "pretraining": NamedPretraining.model_validate,
    "finetuning": FinetuneRecipe.model_validate,
    "benchmarks": BENCHMARKS.parse,
    "studies": Study.model_validate,
}


def load(path: Path | str = "params.yaml") -> Params:
    """Read and check a params file.

    Raises:
        UserError: the file is missing or no YAML, or it has problems: one line each.
    """
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run this from the project's folder") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error
    return parse(data, str(path))


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
        for name, recipe in recipes.items():
            at = f"{section}.{name}"
            if not (isinstance(name, str) and _is_name(name)):
                problems.append(f"{at}: a name is lower-case letters, digits and _, a letter first")
            try:
                sections[section][name] = read(recipe)
            except ValidationError as error:
                problems += problem_lines(error, at)
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
    return Params(run=run, **sections)


def _name_problems(run: list, data: dict, sections: dict[str, dict[str, Any]]) -> list[str]:
    """Return a line for each name that refers to nothing. Names whose recipe is broken are not missing."""
    known = {
        section: list(data[section]) if isinstance(data.get(section), dict) else [] for section in SECTIONS
    }
    references = [(f"run[{place}]", study, "studies") for place, study in enumerate(run)]
    for name, recipe in sections["pretraining"].items():
        references.append((f"pretraining.{name}.dataset", recipe.dataset, "datasets"))
    for name, study in sections["studies"].items():
        references.append((f"studies.{name}.pretraining", study.pretraining, "pretraining"))
        references.append((f"studies.{name}.finetuning", study.finetuning, "finetuning"))
        references += [
            (f"studies.{name}.benchmarks", benchmark, "benchmarks") for benchmark in study.benchmarks
        ]
    problems = [
        f"{at}: {not_one_of(str(name), known[section])}"
        for at, name, section in references
        if name not in known[section]
    ]
    problems += [
        f"studies.{name}: the name of a phase, choose another"
        for name in PHASES
        if name in sections["studies"]
    ]
    return problems


def _is_name(text: str) -> bool:

    return re.match(NAME_PATTERN, text) is not None

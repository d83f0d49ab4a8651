"""Writes docs/parameters.md anew: every key of params.yaml, with its value, default and description."""

import inspect
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin

import yaml

from kinefract.augment.effects import EFFECTS, Filmed
from kinefract.benchmarks.base import BENCHMARKS
from kinefract.benchmarks.listed import ChosenRecipe
from kinefract.common.files import write_text
from kinefract.common.schema import Section
from kinefract.config.params import NAME_PATTERN, NamedFinetuning, NamedPretraining, NamedWeights, Study
from kinefract.models import BACKBONES
from kinefract.objectives import OBJECTIVES
from kinefract.synth.dataset_recipe import FAMILIES, DatasetRecipe

PAGE, WIDTH = Path(__file__).parents[1] / "parameters.md", 118
HEAD = "| key | value | default | means |\n|---|---|---|---|"
WORDS = {"integer": "integer", "number": "number", "string": "text", "null": "`null`", "object": "mapping"}
LIMITS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
}


class Row(NamedTuple):
    """A key as the page shows it."""

    key: str
    value: str
    default: str
    means: str

    def __str__(self) -> str:
        cells = [cell.replace("|", "\\|") for cell in (f"`{self.key}`", *self[1:])]
        return f"| {' | '.join(cells)} |"


def page() -> str:
    """Return the text of the page."""
    families = sorted(FAMILIES, key=lambda family: (family != "fractal", family))
    kinds = sorted(BENCHMARKS, key=lambda kind: (kind != "motions", kind))
    text = [
        "# Parameters",
        _prose(
            "Every key of `params.yaml` and `config/` with what the code says of it; "
            "[config/README.md](../config/README.md) says how the sections work together."
        ),
        _prose(
            "A key with a dot belongs to a part: `points.steps` is `points: {steps: ...}`. In every section "
            "`like: <name>` takes over another recipe's settings. `seed` decides all that is drawn. "
            "`run`, beside the sections, lists the studies that `snakemake` and `dvc repro` build."
        ),
        "## datasets",
        _prose(f"`family` is {_listed(families)}. Of every family:"),
        _table(DatasetRecipe),
        *(part for family in families for part in _family(family)),
        "## pretraining",
        _prose(
            f"`dataset` is a name under `datasets`, `objective` one of {_listed(OBJECTIVES)}, "
            f"`backbone` of {_listed(BACKBONES)}."
        ),
        _table(NamedPretraining),
        "### filmed",
        _prose(
            "`p` is the probability of an effect; `mixing`, which says how clip and background become one "
            "picture, has none. `{without: [zoom]}` leaves effects out, `{only: [zoom]}` all others; they "
            f"are {_listed(EFFECTS, 'and')}. `tint` is not of the paper, and `tint: {{}}` adds it. Pairs "
            "`[start, end]` grow over the curriculum."
        ),
        _table(Filmed),
        "## weights",
        _table(NamedWeights),
        "## finetuning",
        _table(NamedFinetuning),
        "## benchmarks",
        _prose(
            f"`kind` is {_listed(kinds)}. Of all but `motions`, where their own tables do not say otherwise:"
        ),
        _table(ChosenRecipe),
        *(part for kind in kinds for part in _benchmark(kind)),
        "## studies",
        _prose(
            "`pretraining`, `finetuning` and `benchmarks` are names under the sections called so. Every "
            "variant is fine-tuned once with each of `seeds`. "
            "[config/README.md](../config/README.md#studies) says what `vary` and `variants` take."
        ),
        _table(Study),
    ]
    return "\n\n".join(text) + "\n"


def rows(section: type[Section], prefix: str = "") -> Iterator[Row]:
    """Yield the keys of a section, each part followed by its own keys.

    Args:
        section: What is set.
        prefix: What leads to the part, with its dot.
    """
    shapes = section.model_json_schema()["properties"]
    for key, field in section.model_fields.items():
        shape, part = shapes[key], _part(field.annotation)
        if key in (FAMILIES.key, BENCHMARKS.key):
            continue
        value = _value(shape) + _limits(_span(field.metadata))
        means = described(section, key) or (_first_line(part) if part else "")
        default = "" if part else f"`{_yaml(shape['default'])}`" if "default" in shape else "required"
        if part and shape["default"] is None:
            default = "`null`"
        yield Row(prefix + key, value, default, means)
        if part and part is not Filmed:
            yield from rows(part, f"{prefix}{key}.")


def described(section: type[Section], key: str) -> str:
    """Return a key's description: its own, or that of the class which its section refines."""
    fields = [base.model_fields.get(key) for base in section.__mro__ if issubclass(base, Section)]
    return next((field.description for field in fields if field and field.description), "")


def _family(family: str) -> Iterator[str]:
    yield f"### {family}"
    yield _prose(_first_line(FAMILIES[family], sentence=True))
    yield _table(FAMILIES[family], DatasetRecipe)


def _benchmark(kind: str) -> Iterator[str]:
    recipe = BENCHMARKS[kind]
    yield f"### {kind}"
    yield f"[Its page](benchmarks/{recipe.__module__.rpartition('.')[2]}.md)."
    yield _table(recipe, *([ChosenRecipe] if issubclass(recipe, ChosenRecipe) else []))


def _table(section: type[Section], *said: type[Section]) -> str:
    """Return the table of a section's keys, without those that are the same in sections shown before."""
    before = {row for other in said for row in rows(other)}
    return "\n".join([HEAD, *(str(row) for row in rows(section) if row not in before)])


def _value(shape: dict[str, Any]) -> str:
    """Say in words what a JSON schema takes."""
    match shape:
        case {"anyOf": shapes}:
            first, *others = map(_value, shapes)
            return f"{first}{',' * (',' in first)} or {' or '.join(others)}"
        case {"enum": values}:
            return _listed(values)
        case {"const": value}:
            return f"`{value}`"
        case {"$ref": _}:
            return "mapping"
        case {"prefixItems": items}:
            return f"[{', '.join(map(_value, items))}]"
        case {"items": items, "type": "array"}:
            word, comma, rest = _value(items).partition(",")
            return f"list of {word}{'s' * word.isalpha()}{comma}{rest}"
        case {"type": "boolean"}:
            return "`true` or `false`"
        case {"pattern": pattern} if pattern == NAME_PATTERN:
            return "name"
    return WORDS[shape["type"]] + _limits(shape)


def _limits(shape: dict[str, Any]) -> str:
    """Return the least and the greatest value of a JSON schema as words that follow a comma."""
    if {"minimum", "maximum"} <= shape.keys():
        words = [f"{shape['minimum']:,} to {shape['maximum']:,}"]
    else:
        words = [f"{word} {shape[name]:,}" for name, word in LIMITS.items() if name in shape]
    if "multipleOf" in shape:
        words.append(f"a multiple of {shape['multipleOf']}")
    return "".join(f", {word}" for word in words)


def _span(metadata: list) -> dict[str, Any]:
    """Return the limits of a range that ``ranges.within`` made; JSON schema does not know of them."""
    for entry in metadata:
        if getattr(getattr(entry, "func", None), "__module__", "") == "kinefract.common.ranges":
            within = inspect.getclosurevars(entry.func).nonlocals
            return {"minimum": within["least"], "maximum": within["most"]}
    return {}


def _part(annotation: Any) -> type[Section] | None:
    """Return the section that a key holds, if it holds one rather than a list of them."""
    of_union = () if get_origin(annotation) in (tuple, list, dict) else get_args(annotation)
    for kind in (annotation, *of_union):
        if isinstance(kind, type) and issubclass(kind, Section):
            return kind
    return None


def _first_line(section: type[Section], sentence: bool = False) -> str:
    line = inspect.getdoc(section).splitlines()[0]
    return line if sentence else line[0].lower() + line[1:].removesuffix(".")


def _yaml(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"))
    return text.removesuffix("\n").removesuffix("\n...")


def _listed(names: Iterable[str], word: str = "or") -> str:
    *first, last = (f"`{name}`" for name in names)
    return f"{', '.join(first)} {word} {last}" if first else last


def _prose(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    write_text(PAGE, page())

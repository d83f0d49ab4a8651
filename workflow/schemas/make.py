"""Writes config.schema.json: what params.yaml and the files in config/ may hold, for editors.

Run `python workflow/schemas/make.py` after a change of a recipe; a test says if it was forgotten.
"""

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from kinefract.augment.effects import EFFECTS
from kinefract.benchmarks.base import BENCHMARKS
from kinefract.config.params import NAME_PATTERN, NamedFinetuning, NamedPretraining, NamedWeights, Study
from kinefract.models import BACKBONES
from kinefract.objectives import OBJECTIVES
from kinefract.synth.dataset_recipe import FAMILIES

FILE = Path(__file__).with_name("config.schema.json")
SECTIONS = {
    "datasets": tuple(FAMILIES.values()),
    "pretraining": (NamedPretraining,),
    "weights": (NamedWeights,),
    "finetuning": (NamedFinetuning,),
    "benchmarks": tuple(BENCHMARKS.values()),
    "studies": (Study,),
}
CHOICES = {"objective": OBJECTIVES, "backbone": BACKBONES}  # of keys that registries hold the values of


def schema() -> dict[str, Any]:
    """Return the JSON schema of a file of the configuration."""
    models = [(model, "validation") for group in SECTIONS.values() for model in group]
    places, shared = models_json_schema(models, ref_template="#/$defs/{model}")
    parts = shared["$defs"]
    recipes = {place["$ref"].rpartition("/")[2] for place in places.values()}
    for name, part in parts.items():
        needed = part.pop("required", None)  # what `like` takes over may be left out, parts of it too
        for key, values in CHOICES.items():
            if key in part.get("properties", {}):
                part["properties"][key]["enum"] = sorted(values)
        if name in recipes:
            part["properties"]["like"] = {
                "type": "string",
                "description": "another recipe of the section, whose settings are taken over",
            }
            if needed:
                part["anyOf"] = [{"required": ["like"]}, {"required": needed}]
    effects = {"type": "array", "items": {"enum": list(EFFECTS)}}
    parts["Filmed"]["properties"] |= {
        "only": {**effects, "description": "no effects but these"},
        "without": {**effects, "description": "all effects but these"},
    }
    # A part of a mixture takes over what it lacks, so that its family alone is certain.
    family = {"properties": {"family": {"enum": sorted(FAMILIES)}}, "required": ["family"]}
    parts["DatasetRecipe"] = {"type": "object", **family}
    mixture = parts["MixtureRecipe"]["properties"]
    shares = {"type": "object", "additionalProperties": parts["Part"]["properties"]["share"]}
    names = {"propertyNames": {"pattern": NAME_PATTERN}, "minProperties": 1}
    mixture["parts"] = {
        "description": mixture["parts"].pop("description"),
        "anyOf": [{**shares, **names}, mixture["parts"]],
    }
    sections = {
        section: _section([places[m, "validation"] for m in group]) for section, group in SECTIONS.items()
    }
    run = {
        "type": "array",
        "items": {"type": "string"},
        "description": "studies to build, in params.yaml only",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of kinefract",
        "type": "object",
        "properties": {"run": run, **sections},
        "additionalProperties": False,
        "$defs": dict(sorted(parts.items())),
    }


def _section(kinds: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": ["object", "null"],
        "propertyNames": {"pattern": NAME_PATTERN},
        "additionalProperties": kinds[0] if len(kinds) == 1 else {"anyOf": kinds},
    }


def text() -> str:
    """Return the content of the file."""
    return json.dumps(schema(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")

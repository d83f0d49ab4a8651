"""The JSON schema that editors check the configuration by is current, and takes what kinefract takes."""

import json
import subprocess
import sys

import jsonschema
import pytest
from projects import REPOSITORY

from kinefract.common import strict_yaml
from kinefract.common.layout import PARAMS_FILE
from kinefract.config import files as config_files

MAKE = REPOSITORY / "workflow/schemas/make.py"
FILE = MAKE.with_name("config.schema.json")


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_schema_is_that_of_the_recipes():
    # In a process of its own, since other tests register families.
    program = "import runpy, sys; print(runpy.run_path(sys.argv[1])['text'](), end='')"
    made = subprocess.run([sys.executable, "-c", program, MAKE], capture_output=True, text=True, check=True)
    assert made.stdout == FILE.read_text(encoding="utf-8"), "run `python workflow/schemas/make.py`"


def test_what_the_project_holds_is_in_order(validator):
    for file in config_files.find(REPOSITORY / PARAMS_FILE):
        validator.validate(strict_yaml.read(file))


@pytest.mark.parametrize(
    "content",
    [
        {"stdies": {}},
        {"datasets": {"a": {"family": "fractl", "classes": 3, "clips_per_class": 4}}},
        {"datasets": {"a": {"family": "fractal", "clips_per_class": 4}}},
        {"datasets": {"a": {"like": "b", "sise": 3}}},
        {"pretraining": {"a": {"dataset": "b", "backbone": "resnet"}}},
        {"pretraining": {"a": {"dataset": "b", "filmed": {"only": ["zom"]}}}},
        {"finetuning": {"A": {}}},
        {"benchmarks": {"a": {"kind": "folder"}}},
        {"studies": {"a": {"question": "Why?"}}},
    ],
)
def test_what_kinefract_would_refuse_is_underlined(validator, content):
    assert not validator.is_valid(content)


@pytest.mark.parametrize(
    "content",
    [
        {"datasets": {"a": {"like": "b", "classes": 3}}, "studies": None},
        {"pretraining": {"a": {"dataset": "b", "filmed": {"without": ["zoom"], "group": {"p": 0.5}}}}},
        {"finetuning": {"a": {}}, "studies": {"a": {"like": "b", "seeds": [1]}}},
    ],
)
def test_what_kinefract_takes_is_not(validator, content):
    validator.validate(content)


def test_files_of_the_configuration_name_the_schema_to_editors():
    for file in config_files.find(REPOSITORY / PARAMS_FILE):
        named = file.read_text(encoding="utf-8").partition("$schema=")[2].split()
        assert not named or (file.parent / named[0]).resolve() == FILE
    assert "$schema=" in (REPOSITORY / PARAMS_FILE).read_text(encoding="utf-8")

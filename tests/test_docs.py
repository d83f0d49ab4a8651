"""The documentation: snippets run, links lead somewhere, and the page of parameters is what there is."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Annotated, Literal

import pytest
import yaml
from pydantic import Field

from kinefract import parameters_page, params
from kinefract.schema import Section, merged
from kinefract.synth.families import FAMILIES
from kinefract.synth.ranges import FloatRange, within

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "python-api.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "config").glob("*.md"))]
SECTION = re.MULTILINE | re.DOTALL
SNIPPET = re.compile(r"^```python\n(.*?)^```$", SECTION)


@pytest.fixture
def families():
    """Put the registry back as it was, since the page adds a family."""
    before = dict(FAMILIES)
    yield
    FAMILIES.clear()
    FAMILIES.update(before)


def test_the_snippets_of_the_python_page_run(tmp_path, monkeypatch, families):
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    names = {"__name__": "page"}
    for found in SNIPPET.finditer(text):
        # Empty lines before it make a traceback name the line of the page.
        lines = "\n" * (text.count("\n", 0, found.start()) + 1)
        exec(compile(lines + found.group(1), str(PAGE), "exec"), names)
    for name in ("classes.png", "moving.webp", "clip.mp4", "fractals/manifest.csv", "exported/labels.csv"):
        assert (tmp_path / name).stat().st_size


def test_every_study_that_a_page_tells_to_build_is_there():
    """In params.yaml, on the page itself, or a target of the Snakefile."""
    there = set(params.load(ROOT / "params.yaml").studies)
    there |= {"datasets", "pretrain", "finetune", "report", "small"}
    told = 0
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for line in re.findall(r"^snakemake .*$|`snakemake [^`]*`", text, re.MULTILINE):
            words = line.strip("`").partition("#")[0].split()[1:]
            for name in (word for word in words if re.fullmatch("[a-z][a-z0-9_]*", word)):
                told += 1
                assert name in there or re.search(rf"^ +{name}:", text, re.MULTILINE), f"{page}: {name}"
    assert told >= 15


def test_what_pages_add_to_the_parameters_is_in_order():
    ours = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    found = 0
    for page in PAGES:
        added = ours
        for block in re.findall(r"^ *```yaml\n(.*?)^ *```$", page.read_text(encoding="utf-8"), SECTION):
            found += 1
            added = merged(added, yaml.safe_load(textwrap.dedent(block)))
        params.parse(added, str(page))
    assert found >= 9


def test_every_link_to_a_file_leads_to_one():
    followed = 0
    for page in PAGES:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if not link.startswith(("http:", "https:", "#")):
                followed += 1
                assert (page.parent / link.partition("#")[0]).exists(), f"{page}: {link}"
    assert followed >= 40


def test_the_page_of_parameters_is_what_the_schema_makes(tmp_path):
    # In a process of its own, since other tests register families.
    subprocess.run([Path(sys.executable).with_name("kinefract"), "parameters", tmp_path], check=True)
    made = (tmp_path / parameters_page.PAGE).read_text(encoding="utf-8")
    there = (ROOT / "docs" / parameters_page.PAGE).read_text(encoding="utf-8")
    assert there == made, "run `kinefract parameters docs`"


class Wheel(Section):
    """What it rolls on."""

    spokes: int = Field(default=8, ge=3, le=1000, description="of one")
    tyre: Annotated[float, Field(gt=0, lt=1)] | None = 0.5


class Cart(Section):
    load: int = Field(ge=1, description="in tons")


class Wagon(Cart):
    load: int = Field(default=2, ge=1)
    speed: Annotated[FloatRange, within(-1, 1)] = Field(default=(0.0, 1e-6), description="a | b")
    kinds: tuple[Literal["hay", "coal"], ...] = ("hay",)
    wheel: Wheel = Wheel()
    spare: Wheel | None = None


def test_a_key_is_shown_with_values_default_and_description():
    assert [str(row) for row in parameters_page.rows(Cart)] == [
        "| `load` | integer, at least 1 | required | in tons |"
    ]
    assert [str(row) for row in parameters_page.rows(Wagon)] == [
        "| `load` | integer, at least 1 | `2` | in tons |",
        "| `speed` | [number, number], -1 to 1 | `[0.0, 1.0e-06]` | a \\| b |",
        "| `kinds` | list of `hay` or `coal` | `[hay]` |  |",
        "| `wheel` | mapping |  | what it rolls on |",
        "| `wheel.spokes` | integer, 3 to 1,000 | `8` | of one |",
        "| `wheel.tyre` | number, above 0, below 1, or `null` | `0.5` |  |",
        "| `spare` | mapping or `null` | `null` | what it rolls on |",
        "| `spare.spokes` | integer, 3 to 1,000 | `8` | of one |",
        "| `spare.tyre` | number, above 0, below 1, or `null` | `0.5` |  |",
    ]

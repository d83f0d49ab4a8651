"""The documentation: snippets run, links lead somewhere, and the page of parameters is what there is."""

import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import augmentations_page
import gallery_page
import nbformat
import parameters_page
import pytest
import yaml
from nbclient import NotebookClient
from pydantic import Field

import kinefract
from kinefract.augment.effects import EFFECTS
from kinefract.common.ranges import FloatRange, within
from kinefract.common.schema import Section, merged
from kinefract.config import params, plan
from kinefract.synth.dataset_recipe import Points
from kinefract.synth.families import FAMILIES
from kinefract.synth.families.fractal import FractalRecipe
from kinefract.viewing import curves

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "docs" / "scripts"
PAGE = ROOT / "docs" / "python-api.md"
NOTEBOOK = ROOT / "docs" / "notebooks" / "first_steps.ipynb"
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "config").glob("*.md")),
]
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


@pytest.mark.long
def test_the_notebook_runs_and_shows_pictures(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells), "stored with outputs"
    there = {"metadata": {"path": str(NOTEBOOK.parent)}}
    NotebookClient(notebook, kernel_name="python3", timeout=300, resources=there).execute()
    shown = [kind for cell in cells for output in cell.outputs for kind in output.get("data", {})]
    assert (shown.count("image/png"), shown.count("image/gif"), shown.count("text/html")) == (2, 1, 1)


def test_every_study_that_a_page_tells_to_build_is_there():
    """In the configuration (that of version 0.1, or as it is now), on the page itself, or a target."""
    there = set(params.load(ROOT / "params.yaml").studies)
    there |= params.load(ROOT / "tests/params_0.1.yaml").studies.keys()
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


def test_every_run_that_a_page_names_is_one_of_a_study():
    """In the configuration of version 0.1, or as it is now."""
    plans = [plan.resolve(params.load(ROOT / name)) for name in ("params.yaml", "tests/params_0.1.yaml")]
    there = {run for found in plans for run in (*found.pretrains, *found.finetunes)}
    told = set()
    for page in (*PAGES, *ROOT.glob("src/kinefract/released/*.md")):
        runs = r"\b[a-z][\w-]*-(?:scratch|supervised|moco)-[\w-]*[0-9a-f]{12}\b"
        told |= {(run, page.name) for run in re.findall(runs, page.read_text(encoding="utf-8"))}
    assert not [(run, page) for run, page in told if run not in there]
    assert len(told) >= 2


def test_what_pages_add_to_the_configuration_is_in_order(own_settings):
    found = 0
    for page in PAGES:
        added = own_settings
        for block in re.findall(r"^ *```yaml\n(.*?)^ *```$", page.read_text(encoding="utf-8"), SECTION):
            found += 1
            added = merged(added, yaml.safe_load(textwrap.dedent(block)))
        params.parse(added, str(page))
    assert found >= 9


def test_every_link_to_a_file_leads_to_one():
    followed = 0
    for page in (*PAGES, NOTEBOOK):
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if not link.startswith(("http:", "https:", "#")):
                followed += 1
                assert (page.parent / link.partition("#")[0]).exists(), f"{page}: {link}"
    assert followed >= 40


def test_the_page_of_parameters_is_what_the_schema_makes():
    # In a process of its own, since other tests register families.
    program = "import sys, parameters_page; sys.stdout.write(parameters_page.page())"
    made = subprocess.run(
        [sys.executable, "-c", program], cwd=SCRIPTS, capture_output=True, text=True, check=True
    )
    assert parameters_page.PAGE.read_text(encoding="utf-8") == made.stdout, "run `make pages`"


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


def test_the_gallery_shows_every_family_and_every_picture_is_there(tmp_path, monkeypatch):
    points = Points(steps=300, discard=50, window_steps=300)
    small = FractalRecipe(classes=3, clips_per_class=4, size=32, frames=(4, 5), points=points)
    monkeypatch.setattr(curves, "SIZE", 32)
    monkeypatch.setattr(gallery_page, "CLIPS", 2)
    for module in (curves, gallery_page):
        monkeypatch.setattr(module, "POINTS", points)
    monkeypatch.setattr(gallery_page, "FAMILIES", {"fractal": FractalRecipe})
    monkeypatch.setattr(gallery_page, "example", lambda family, settings: small)
    gallery_page.write_gallery(tmp_path)
    text = (tmp_path / "gallery.md").read_text()
    pictures = [line.partition("(")[2].rstrip(")") for line in text.splitlines() if line.startswith("![")]
    assert len(pictures) == len(FractalRecipe.EXAMPLES) + len(curves.CURVES) + 1
    assert all((tmp_path / picture).stat().st_size > 500 for picture in pictures)
    assert "motion: still" in text


def test_every_augmentation_has_its_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(augmentations_page, "SIZE", 32)
    monkeypatch.setattr(augmentations_page, "CLIPS", 2)
    augmentations_page.write_page(tmp_path)
    text = (tmp_path / "augmentations.md").read_text()
    assert set(augmentations_page.CAPTIONS) == set(EFFECTS)
    for name in (*EFFECTS, "tint", "all"):
        assert f"augmentations/{name}.webp" in text
        assert (tmp_path / "augmentations" / f"{name}.webp").stat().st_size > 500


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert project["version"] == citation["version"] == kinefract.__version__
    assert re.search(r"^## (.*)", changes, re.MULTILINE)[1] == kinefract.__version__

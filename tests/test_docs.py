"""The snippets of the documentation run as they stand, one after the other, in an empty folder."""

import re
from pathlib import Path

import pytest

from kinefract import params
from kinefract.synth.families import FAMILIES

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "python-api.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "config").glob("*.md"))]
SNIPPET = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


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

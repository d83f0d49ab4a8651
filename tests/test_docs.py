"""The snippets of the documentation run as they stand, one after the other, in an empty folder."""

import re
from pathlib import Path

import pytest

from kinefract.synth.families import FAMILIES

PAGE = Path(__file__).parents[1] / "docs" / "python-api.md"
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

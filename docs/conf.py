"""The site of the documentation, which `make docs` builds from the Markdown files and the docstrings.

The pages are those that GitHub shows. The site adds a table of contents, a search, and pages of the modules
that programs import.
"""

import re
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]

project, author = "kinefract", "the authors of kinefract"
version = release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
root_doc = "README"
include_patterns = [
    "*.md",
    "config/README.md",
    "results/README.md",
    "docs/**.md",
    "src/kinefract/released/*.md",
]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinxcontrib.mermaid"]

myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]
suppress_warnings = ["myst.header"]  # pages may begin with what looks best on GitHub

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring, napoleon_numpy_docstring = True, False

html_theme = "furo"
html_title = f"kinefract {version}"
html_copy_source = False

# What the table of contents has, in the order in which people need it.
CONTENTS = {
    "First steps": ["docs/tutorial", "docs/installing", "docs/words", "docs/gallery", "docs/augmentations"],
    "Benchmarks": ["docs/benchmarks/own", "docs/benchmarks/*"],
    "Settings": ["config/README", "docs/parameters"],
    "Results": [
        "docs/evidence",
        "docs/guidelines",
        "docs/masked",
        "docs/evidence/notebook",
        "docs/evidence/videos",
        "src/kinefract/released/*",
        "docs/performance",
        "docs/reliability",
        "results/README",
    ],
    "Other places": [
        "docs/clusters",
        "docs/stores",
        "docs/mlflow",
        "docs/weights",
        "docs/json",
    ],
    "From Python": ["docs/python-api", "docs/api"],
    "The project": [
        "docs/related",
        "docs/architecture",
        "docs/decisions",
        "CONTRIBUTING",
        "SECURITY",
        "CHANGELOG",
    ],
}
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#:]+)\)")


def contents() -> str:
    """Return the table of contents, which GitHub would show as code."""
    parts = []
    for caption, pages in CONTENTS.items():
        lines = "\n".join(f"/{page}" for page in pages)
        parts.append(f"```{{toctree}}\n:hidden:\n:glob:\n:caption: {caption}\n\n{lines}\n```\n")
    return "\n".join(parts)


def prepared(app: Sphinx, name: str, source: list[str]) -> None:
    """Add the table of contents to the first page, and turn links to folders into names: a site has none."""
    folder = (ROOT / name).parent

    def shown(link: re.Match[str]) -> str:
        return link[1] if (folder / link[2]).is_dir() else link[0]

    source[0] = LINK.sub(shown, source[0]) + (contents() if name == root_doc else "")


def setup(app: Sphinx) -> None:
    """Register what is done to a page before it is read."""
    app.connect("source-read", prepared)

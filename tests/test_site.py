"""The site of the documentation: it builds without a warning, and no link of it leads nowhere."""

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[1]


class Links(HTMLParser):
    """Collects the addresses and the anchors of a page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.addresses: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.addresses |= {value for key in ("href", "src") if (value := values.get(key))}
        self.anchors |= {value for key in ("id", "name") if (value := values.get(key))}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    options = ["-q", "-W", "--keep-going", "-c", "docs", "-d", folder / "cache", ".", folder / "html"]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


def test_no_link_leads_nowhere(site):
    pages = {page.resolve(): Links(page) for page in site.rglob("*.html")}
    dead = []
    for page, links in pages.items():
        for address in links.addresses:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if not target.exists() or (
                parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors
            ):
                dead.append(f"{page.relative_to(site.resolve())}: {address}")
    assert sorted(dead) == []
    assert len(pages) > 25


def test_every_page_is_in_the_table_of_contents_and_docstrings_are_there(site):
    first = Links(site / "README.html").addresses
    pages = {str(page.relative_to(site)) for page in site.rglob("*.html") if page.parent != site / "_static"}
    generated = {"README.html", "genindex.html", "py-modindex.html", "search.html"}
    assert {page for page in pages - generated if not page.startswith("_")} <= first
    text = (site / "docs/api.html").read_text(encoding="utf-8")
    assert "kinefract.released.load" in text and "kinefract.synth.RenderedClips" in text

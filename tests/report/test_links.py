"""Every link of every page leads to something that is there."""

import os
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from site_made import make_site


class Links(HTMLParser):
    """Collects the addresses of a page's links, and its ids."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids.add(found.get("id") or "")
        if tag == "a":
            self.addresses.append(found["href"] or "")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, unlogged: None) -> dict[str, Path]:
    return make_site(tmp_path_factory.mktemp("site"))


def targets(path: Path) -> dict[str, Path]:
    """Return the links to files -> their places; links within the page must have their id."""
    page, found = Links(path), {}
    for address in page.addresses:
        if address.startswith("#"):
            assert address[1:] in page.ids, address
        elif not address.startswith("https://arxiv.org/abs/"):
            assert not address.startswith("/") and ":" not in address, address
            found[address] = Path(os.path.normpath(path.parent / unquote(address)))
    return found


@pytest.mark.parametrize("kind", ["study", "overview", "card"])
def test_every_link_leads_somewhere(pages: dict[str, Path], kind: str) -> None:
    found = targets(pages[kind])
    assert found
    assert [address for address, place in found.items() if not place.exists()] == []


def test_a_study_leads_to_all_on_which_it_rests(pages: dict[str, Path]) -> None:
    path = pages["study"]
    root, places = path.parents[3], set(targets(path).values())
    wanted = {pages["overview"], pages["card"], path.with_name("spec.yaml")}
    wanted |= {path.with_name(name) for name in ("table.csv", "table.tex", "curves.csv", "classes.csv")}
    folders = {place for place in places if place.parent == root / "results/finetune"}
    logs = {place for place in places if place.parent == root / "results/logs/finetune"}
    assert wanted <= places
    assert len(folders) == len(logs) == 4 * 2 * 3
    assert {place.name for place in places if place.parent.parent == root / "data/benchmarks"} == {
        "preview.mp4",
        "summary.txt",
    }
    assert "https://arxiv.org/abs/2411.17584" in Links(path).addresses


def test_what_is_not_there_is_not_linked(single: Path) -> None:
    found = targets(single / "index.html")
    assert not any("logs/" in address or "card" in address for address in found)
    assert all(place.exists() for place in found.values())

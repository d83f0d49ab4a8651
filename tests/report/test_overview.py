"""The page over all studies: what it says of each, and that its links lead somewhere."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from madeup import make_up, write_run

from kinefract import report
from kinefract.config.specs import StudySpec
from kinefract.report.overview import write_overview
from kinefract.report.related import RELATED


class Page(HTMLParser):
    """Collects a page's links, texts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "a" and not (href := dict(attrs).get("href") or "").startswith("https://arxiv.org/abs/"):
            self.links.append(href)

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(root: Path, studies: dict[str, StudySpec]) -> Page:
    write_overview(root, studies, root / "results/index.html")
    return Page((root / "results/index.html").read_text(encoding="utf-8"))


def article(root: Path, name: str) -> str:
    """Return the text of one study's part, or of its line where it has not begun."""
    html = (root / "results/index.html").read_text(encoding="utf-8")
    parts = re.findall(r"<(article.*?)</article>|<(tr>.*?)</tr>", html, re.DOTALL)
    (part,) = [part for part in map("".join, parts) if f">{name}<" in part]
    return Page(f"<{part}").text


@pytest.fixture
def three(tmp_path: Path) -> dict[str, StudySpec]:
    """A finished and reported study, one of which a run is missing, and one that has not begun."""
    whole = make_up(
        tmp_path, [{"a": [0.4, 0.44]}, {"a": [0.7, 0.72]}], "Whole?", previews=False, name="whole"
    )
    report.build(whole.spec_path)
    half = make_up(tmp_path, [{"b": [0.4, 0.44]}, {"b": [0.7, 0.72]}], "Half?", previews=False, name="half",
                   vary={"pretraining.epochs": [5, 6]})  # fmt: skip
    (half.finetune_folder(1, "b", 2) / "result.json").unlink()
    bare = make_up(tmp_path, [{"c": [0.4]}, {"c": [0.7]}], "Bare?", previews=False, name="bare",
                   vary={"pretraining.epochs": [7, 8]})  # fmt: skip
    for folder in [bare.finetune_folder(place, "c", 1) for place in (0, 1)]:
        (folder / "result.json").unlink()
    for variant in bare.study.variants:
        (tmp_path / "results/pretrain" / variant.pretrains[1] / "result.json").unlink()
    return {"whole": whole.study, "half": half.study, "bare": bare.study}


def test_states_answers_and_links(tmp_path: Path, three: dict[str, StudySpec]) -> None:
    page = page_of(tmp_path, three)
    assert "3 in all, 1 done, 1 under way, 1 not begun." in page.text
    whole, half, bare = (article(tmp_path, name) for name in three)
    assert "done, 5 runs" in whole
    assert "better than scratch" in whole
    assert "42.0" in whole
    assert "71.0" in whole
    assert "5 of 6 runs" in half
    assert "epochs 6" in half
    assert "70.0, 1 seed" in half
    assert "No answer yet." in half
    assert (bare, "Not begun" in page.text) == ("bareBare?4", True)
    (link,) = page.links
    assert (tmp_path / "results" / link).resolve() == tmp_path / three["whole"].folder / "index.html"


def test_studies_that_have_begun_come_first(tmp_path: Path, three: dict[str, StudySpec]) -> None:
    text = page_of(tmp_path, dict(reversed(three.items()))).text
    assert text.index("Half?") < text.index("Whole?") < text.index("Not begun") < text.index("Bare?")
    alone = page_of(tmp_path, {"bare": three["bare"]}).text
    assert "No study has begun yet." in alone and "There are no studies yet." not in alone


def test_a_study_that_only_shares_runs_has_not_begun(tmp_path: Path, three: dict[str, StudySpec]) -> None:
    top1, objectives = [{"a": [0.4, 0.44]}, {"a": [0.7, 0.72]}], ("scratch", "byol")
    made = make_up(tmp_path, top1, "Shares?", objectives, previews=False, name="shares")
    for seed in (1, 2):
        (made.finetune_folder(1, "a", seed) / "result.json").unlink()
    (tmp_path / "results/pretrain" / made.study.variants[1].pretrains[1] / "result.json").unlink()
    for studies in ({**three, "shares": made.study}, {"shares": made.study, **three}):
        page_of(tmp_path, studies)
        assert article(tmp_path, "shares") == "sharesShares?52 made for others"
        assert "done, 5 runs" in article(tmp_path, "whole")
    write_run(made.finetune_folder(1, "a", 2), "finetune", 0.7, 4)
    page_of(tmp_path, {**three, "shares": made.study})
    assert "3 of 5 runs" in article(tmp_path, "shares")


def test_half_a_study_shows_the_answer_of_its_part(tmp_path: Path, three: dict[str, StudySpec]) -> None:
    report.build(tmp_path / three["half"].folder / "spec.yaml", partial=True)
    page = page_of(tmp_path, three)
    half = article(tmp_path, "half")
    assert "With one seed there is no interval" in half
    assert "From 5 of 6 runs." in half
    places = [(tmp_path / "results" / link).resolve() for link in page.links]
    assert places[1] == tmp_path / three["half"].folder / "partial/index.html"
    assert all(place.exists() for place in places)


def test_a_study_whose_report_was_not_made_says_so(tmp_path: Path, three: dict[str, StudySpec]) -> None:
    (tmp_path / three["whole"].folder / "index.html").unlink()
    page = page_of(tmp_path, three)
    assert "all 5 runs, but no report yet" in article(tmp_path, "whole")
    assert page.links == []


def test_bars_are_as_long_as_the_numbers(tmp_path: Path, three: dict[str, StudySpec]) -> None:
    page_of(tmp_path, three)
    html = (tmp_path / "results/index.html").read_text(encoding="utf-8")
    widths = [float(width) for width in re.findall(r"<i style=\"width:([\d.]+)%", html)]
    assert widths == [42, 71, 42, 70]
    # One variant of `half` has one seed and no interval.
    ends = [
        tuple(map(float, found)) for found in re.findall(r"<b style=\"left:([\d.]+)%;right:([\d.]+)%", html)
    ]
    assert len(ends) == 3
    assert all(0 <= left < 100 - right <= 100 for left, right in ends)


def test_related_work_stands_apart_with_its_sources(tmp_path: Path) -> None:
    page = page_of(tmp_path, {})
    assert "There are no studies yet." in page.text
    assert "Other backbones and protocols" in page.text
    for line in RELATED:
        for words in (line.work, line.data, line.source, *line.top1.values()):
            assert words in page.text


def test_names_from_outside_stay_text(tmp_path: Path) -> None:
    hostile = '<script>alert("1")</script> & more'
    made = make_up(tmp_path, [{"a": [0.4]}, {"a": [0.7]}], hostile, previews=False)
    page = page_of(tmp_path, {"little": made.study})
    assert page.tags.count("script") == 1  # the page's own
    assert hostile in page.text


def test_the_same_studies_give_the_same_bytes(tmp_path: Path, three: dict[str, StudySpec]) -> None:
    page_of(tmp_path, three)
    first = (tmp_path / "results/index.html").read_bytes()
    page_of(tmp_path, three)
    assert (tmp_path / "results/index.html").read_bytes() == first
    assert b"http:" not in first and first.count(b"https:") == first.count(b"https://arxiv.org/abs/")

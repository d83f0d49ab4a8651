"""The pages in a real browser: what axe-core finds, what fits a phone, and what answers a pointer."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from site_made import make_site

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on the PATH")
KINDS = ("study", "overview", "card")
PHONE, DESK = {"width": 375, "height": 800}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, unlogged: None) -> dict[str, Path]:
    return make_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def browser() -> Iterator:
    """One browser for all tests."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def shown(browser, pages: dict[str, Path]) -> Iterator:
    """Return a function that opens a page, which may say nothing on the console."""
    contexts, said = [], []

    def shown(kind: str, viewport: dict = DESK, scheme: str = "light", motion: str = "no-preference"):
        context = browser.new_context(viewport=viewport, color_scheme=scheme, reduced_motion=motion)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.goto(pages[kind].as_uri())
        return tab

    yield shown
    for context in contexts:
        context.close()
    assert said == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("viewport", "scheme"), [(DESK, "light"), (DESK, "dark"), (PHONE, "light")])
def test_axe_finds_no_violation(shown, kind: str, viewport: dict, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    tab = shown(kind, viewport, scheme, "reduce")
    tab.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    found = Axe().run(tab).response["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in found] == []


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_wider_than_a_phone(shown, kind: str) -> None:
    tab = shown(kind, PHONE)
    assert tab.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_a_phone_shows_the_numbers_of_the_result_without_scrolling(shown) -> None:
    tab = shown("study", PHONE)
    boxes = [one.bounding_box() for one in tab.locator(".results .top1").all()]
    assert len(boxes) == 12  # two benchmarks and their mean, of four variants
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"] for box in boxes)
    box = tab.locator(".scroll", has=tab.locator(".results"))
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth")


@pytest.mark.parametrize("viewport", [DESK, PHONE])
def test_the_column_of_filmed_video_is_seen_without_scrolling(shown, viewport: dict) -> None:
    tab = shown("card", viewport)
    for box in tab.locator(".tables .scroll").all():
        assert box.evaluate("box => box.scrollWidth <= box.clientWidth")


def test_the_page_of_all_studies_is_short_on_a_phone(shown) -> None:
    assert shown("overview", PHONE).evaluate("document.documentElement.scrollHeight") < 3000


def test_dark_mode_is_dark(shown) -> None:
    colours = [
        shown("study", scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    ]
    assert colours == ["rgb(246, 247, 249)", "rgb(17, 20, 26)"]


PLAYS = "[...document.querySelectorAll('video')].map((video) => !video.paused)"


@pytest.mark.parametrize(("motion", "plays"), [("no-preference", True), ("reduce", False)])
def test_videos_play_in_view_unless_less_motion_is_wished(shown, motion: str, plays: bool) -> None:
    tab = shown("card", motion=motion)
    tab.wait_for_timeout(400)
    assert tab.evaluate(PLAYS) == [plays]
    assert tab.evaluate("document.querySelector('video').videoWidth") == 96
    tab.emulate_media(reduced_motion="reduce")
    tab.wait_for_timeout(200)
    assert tab.evaluate(PLAYS) == [False]


def test_thumbnails_of_mistakes_move(shown) -> None:
    tab = shown("study")
    first = tab.locator(".mistakes video").first
    first.scroll_into_view_if_needed()
    tab.wait_for_timeout(500)
    assert not first.evaluate("video => video.paused")
    assert tab.locator(".mistakes video").count() == 12


def test_charts_and_matrices_say_their_values_under_the_pointer(shown) -> None:
    tab = shown("study")
    tip = tab.locator("#tip")
    tab.locator("#top1-score0-0-2").scroll_into_view_if_needed()
    tab.locator("#top1-score0-0-2 use").hover()
    assert tip.inner_text() == "scratch on motions, seed 2: 44.0 %"
    tab.locator("#confusions ~ details summary").first.click()
    tab.locator("#confusions ~ details rect[data-tip]").first.hover()
    assert tip.inner_text().startswith("fall recognised: ")


def test_curves_say_all_variants_at_an_epoch_and_can_be_smoothed(shown) -> None:
    tab = shown("study")
    chart = tab.locator("[data-curves] svg").nth(2)
    chart.scroll_into_view_if_needed()
    chart.hover()
    lines = tab.locator("#tip").inner_text().split("\n")
    assert lines[0].startswith("epoch ") and len(lines) == 5
    before = chart.locator("#curve2-line0 path").last.get_attribute("d")
    tab.locator("#smooth").fill("0.9")
    assert chart.locator("#curve2-line0 path").last.get_attribute("d") != before
    tab.locator("#smooth").fill("0")
    assert tab.locator("output").inner_text() == "none"


def test_the_contents_stay_in_view_and_mark_the_section(shown) -> None:
    for viewport in (DESK, PHONE):
        tab = shown("study", viewport)
        tab.locator(".contents a", has_text="Cost").click()
        tab.wait_for_timeout(200)
        box = tab.locator(".contents").bounding_box()
        assert 0 <= box["y"] < 60
        assert tab.locator("#cost").bounding_box()["y"] < viewport["height"]
        assert tab.locator(".contents [aria-current]").count() == 1


def test_studies_are_filtered_sorted_and_chosen_by_state(shown) -> None:
    tab = shown("overview")
    names = "[...document.querySelectorAll('article:not([hidden])')].map((one) => one.dataset.name)"
    assert tab.evaluate(names) == ["longer", "other"]
    tab.locator("select").select_option("gain")
    assert tab.evaluate(names) == ["longer", "other"]
    tab.locator("select").select_option("name")
    tab.locator("input[type=search]").fill("another")
    assert tab.evaluate(names) == ["other"]
    assert tab.locator("#shown").inner_text() == "1 of 2 shown"
    tab.locator("input[type=search]").fill("7 wait")
    assert tab.locator("#waiting tbody tr:visible").count() == 1
    tab.locator("input[type=search]").fill("")
    tab.locator("input[value=done]").uncheck()
    assert tab.evaluate(names) == []


def test_without_scripts_all_is_shown_and_told(browser, pages: dict[str, Path]) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(pages["study"].as_uri())
    assert tab.locator(".results .top1").first.is_visible()
    assert not tab.locator("#smooth").is_visible()
    assert tab.locator("#top1-score0-0-2 title").count() == 1
    context.close()

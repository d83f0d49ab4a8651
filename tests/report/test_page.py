"""The page: whole in one file, safe from what it quotes, and the same each time."""

import base64
import csv
import hashlib
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from madeup import MadeUp, make_up

from kinefract import report
from kinefract.common.files import write_json

REFERRING = {"src", "href", "xlink:href", "poster", "action", "data", "srcset", "formaction", "background"}


class Page(HTMLParser):
    """Collects a page's tags and texts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def html(folder: Path) -> str:
    return (folder / "index.html").read_text(encoding="utf-8")


def test_it_loads_nothing_from_elsewhere(html: str) -> None:
    for tag, attributes in Page(html).tags:
        for name, value in attributes.items():
            if name in REFERRING and tag != "a":
                assert (value or "").startswith(("data:", "#")), f"<{tag} {name}={value}>"
    without_data = re.sub(r"data:[a-z0-9/]+;base64,[A-Za-z0-9+/=]*", "", html)
    without_namespaces = re.sub(r'xmlns(:\w+)?="[^"]*"', "", without_data)
    without_papers = re.sub(r'<a href="https://arxiv.org/abs/[0-9.]+">', "", without_namespaces)
    assert "//" not in without_papers
    assert not re.search(r"@import|url\((?!#)", without_papers)


def test_its_policy_lets_its_own_script_run_alone(html: str) -> None:
    page = Page(html)
    assert page.all("script") == [{}]
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    (policy,) = [str(meta["content"]) for meta in page.all("meta") if "http-equiv" in meta]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert (
        policy.startswith("default-src 'none';") and "unsafe-inline" not in policy.partition("script-src")[2]
    )
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_moving_samples_of_dataset_and_benchmark_are_embedded(html: str) -> None:
    page = Page(html)
    videos = page.all("video")
    assert len(videos) == 2
    for attributes in videos:
        # The page's script starts them, for those who do not ask for less motion.
        assert {"loop", "muted", "playsinline", "controls"} <= attributes.keys() - {"autoplay"}
        assert "autoplay" not in attributes
        assert str(attributes["poster"]).startswith("data:image/png;base64,")
    assert all(str(source["src"]).startswith("data:video/mp4;base64,") for source in page.all("source"))


def test_pictures_are_described_and_table_headers_scoped(html: str) -> None:
    page = Page(html)
    charts = page.all("svg")
    assert len(charts) == 7  # every seed; loss and top-1 of pre-training and of fine-tuning; two confusions
    assert all(chart["role"] == "img" and chart["aria-label"] for chart in charts)
    assert "scratch on motions 47.3 ± 3.1 %" in str(charts[0]["aria-label"])
    assert all(header.get("scope") for header in page.all("th"))
    assert all(image.get("alt") for image in page.all("img"))


def test_charts_say_their_values_and_have_their_numbers_below(html: str) -> None:
    for words in (
        '<g id="top1-score0-0-2"><title>scratch on motions, seed 2: 50.0 %</title>',
        "<title>supervised on motions: mean 61.7 %; 95 % interval 54.1 to 69.3</title>",
        "<title>supervised: 61.7 % on the held-out videos</title>",
    ):
        assert words in html
    tables = [
        " ".join(Page(part.partition("</details>")[0].replace("</t", " </t")).text.split())
        for part in html.split('<details class="numbers">')[1:]
    ]
    assert tables[0] == (
        "The numbers Variant seed 1 seed 2 seed 3 mean "
        "scratch 44.0 50.0 48.0 47.3 ± 3.1 supervised 61.0 59.0 65.0 61.7 ± 3.1"
    )
    assert tables[4].endswith("held-out videos 47.3 61.7")


def test_top1_on_the_validation_part_is_a_chart_of_the_variants_that_measured_it(tmp_path: Path) -> None:
    made = make_up(tmp_path, [{"motions": [0.4, 0.5]}, {"motions": [0.6, 0.7]}], previews=False)
    for seed in (1, 2):
        path = made.finetune_folder(1, "motions", seed) / "metrics.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines[3:8:4]:
            line["validation_top1"] = 0.1 * line["epoch"] - 0.02 * seed
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    report.build(made.spec_path)
    html = (made.spec_path.parent / "index.html").read_text(encoding="utf-8")
    charts = [json.loads(str(f["data-curves"])) for f in Page(html).all("figure") if "data-curves" in f]
    (line,) = charts[-1]["series"]
    assert (line["label"], line["epochs"], line["mean"]) == ("supervised", [4, 8], [37.0, 77.0])
    assert charts[-1]["unit"] == " %" and "Fine-tuning on motions: validation top-1, %" in Page(html).text
    assert "supervised: 65.0 % on the held-out videos" in html  # the diamond, after the last of 12 epochs
    assert charts[-1]["x"][1] > 12
    assert "on the middle window of each video of the validation part" in " ".join(html.split())
    with (made.spec_path.parent / "curves.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["validation_top1"]]
    assert [(row["variant"], row["seed"], row["epoch"]) for row in rows] == [
        ("supervised", seed, epoch) for seed in "12" for epoch in "48"
    ]


def test_curves_hold_the_numbers_of_all_variants_for_the_script(html: str) -> None:
    data = [
        json.loads(str(figure["data-curves"]))
        for figure in Page(html).all("figure")
        if "data-curves" in figure
    ]
    assert [len(chart["series"]) for chart in data] == [1, 1, 2, 2]
    last = data[3]
    assert [line["label"] for line in last["series"]] == ["scratch", "supervised"]
    assert all(f'<g id="{line["id"]}">' in html for chart in data for line in chart["series"])
    assert last["series"][1]["epochs"] == list(range(1, 13)) and len(last["series"][1]["mean"]) == 12
    # The last point lies where the drawing has it.
    left, top, width, height = last["frame"]
    line = last["series"][0]
    (path,) = re.findall(rf'<g id="{line["id"]}">\s*<path d="([^"]*)"', html)
    x, y = map(float, path.split()[-2:])
    assert x == pytest.approx(left + width * (12 - last["x"][0]) / (last["x"][1] - last["x"][0]), abs=0.1)
    low, high = last["y"]
    assert y == pytest.approx(top + height * (high - line["mean"][-1]) / (high - low), abs=0.3)


def test_what_not_distinguishable_means_is_said_in_words(tmp_path: Path) -> None:
    made = make_up(
        tmp_path, [{"motions": [0.44, 0.50, 0.48]}, {"motions": [0.45, 0.51, 0.49]}], previews=False
    )
    report.build(made.spec_path)
    page = (made.spec_path.parent / "index.html").read_text(encoding="utf-8")
    found = json.loads((made.spec_path.parent / "metrics.json").read_text())["supervised"]["motions"]
    low, high = -100 * found["difference_low"], 100 * found["difference_high"]
    words = f"agree with anything from a loss of {low:.1f} to a gain of {high:.1f} points, also with no"
    assert page.count(words) == 2  # in the answer and beside the number


def test_ids_are_unique(html: str) -> None:
    ids = [attributes["id"] for _, attributes in Page(html).tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"(?:url\(|href=\")#([^)\"]+)", html)) <= set(ids)


def test_it_shows_numbers_commands_versions_and_specs(html: str, little: MadeUp) -> None:
    text = Page(html).text
    shown = [
        "47.3 ± 3.1",
        "61.7 ± 3.1",
        "3 seeds",
        "a gain of 14.3 points: better than scratch",
        "+14.3 points",  # the same in the table, though the means differ by 14.4 when rounded
        "95 % interval 39.7 to 54.9",
        "3 seeds, compute 1.0x",
        "supervised against scratch on motions",
        "snakemake little",
        "0123456789ab",
    ]
    shown += ["Some Processor, 2 cores", "4 min 36 s", little.study.id, *little.study.datasets]
    shown += [f"kinefract finetune results/finetune/{little.study.variants[0].runs['motions'][3]}/spec.yaml"]
    for words in shown:
        assert words in text


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    hostile = '</title><script>alert(1)</script> & "quoted" $\\frac{$ -->'
    made = make_up(tmp_path, [{"motions": [0.4, 0.5]}] * 2, hostile, vary={"finetuning.dropout": [0.1, 0.2]})
    variants = [
        variant.model_copy(update={"label": f"<img src=x onerror=alert({number})> {hostile}"})
        for number, variant in enumerate(made.study.variants)
    ]
    study = made.study.model_copy(update={"variants": variants})
    report.build(study.write(tmp_path))
    page = Page((tmp_path / study.folder / "index.html").read_text(encoding="utf-8"))
    assert len(page.all("script")) == 1
    assert not page.all("img")
    assert page.text.count(hostile) >= 3
    for name in ("top1.svg", "curves.svg"):
        assert "<script" not in (tmp_path / study.folder / name).read_text(encoding="utf-8")


def test_a_page_without_previews_says_so(single: Path) -> None:
    page = Page((single / "index.html").read_text(encoding="utf-8"))
    assert not page.all("video")
    assert page.text.count("No preview is at hand.") == 2


def test_a_rebuild_in_another_process_gives_the_same_bytes(little: MadeUp, folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    program = (
        "from kinefract import report, tracking; tracking.log_study = lambda *_: None; "
        f"report.build({str(little.spec_path)!r})"
    )
    subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": ":".join(sys.path)},
    )
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_one_seed_is_said_where_an_interval_would_be(single: Path) -> None:
    text = Page((single / "index.html").read_text(encoding="utf-8")).text
    assert text.count("one seed, so no interval") == 2
    assert "One seed, so no interval and no test: scratch on motions, supervised on motions." in text
    assert "With one seed there is no interval" in text


def test_means_over_classes_are_shown_where_runs_have_them(tmp_path: Path) -> None:
    made = make_up(tmp_path, [{"motions": [0.4, 0.5]}, {"motions": [0.6, 0.7]}], previews=False)
    for seed, value in ((1, 0.55), (2, 0.65)):
        path = made.finetune_folder(1, "motions", seed) / "result.json"
        write_json(path, json.loads(path.read_text()) | {"mean_class_accuracy": value})
    report.build(made.spec_path)
    text = Page((made.spec_path.parent / "index.html").read_text(encoding="utf-8")).text
    assert text.count("mean of classes") == 1
    assert "mean of classes 60.0 ± 7.1" in text
    metrics = json.loads((made.spec_path.parent / "metrics.json").read_text())
    assert metrics["supervised"]["motions"]["mean_class_accuracy"] == 0.6
    assert "mean_class_accuracy" not in metrics["scratch"]["motions"]


def test_the_mean_over_benchmarks_has_a_column_of_its_own(tmp_path: Path) -> None:
    scores = [{"one": [0.20, 0.22], "two": [0.40, 0.40]}, {"one": [0.50, 0.53], "two": [0.60, 0.63]}]
    made = make_up(tmp_path, scores, previews=False)
    report.build(made.spec_path)
    html = (made.spec_path.parent / "index.html").read_text(encoding="utf-8")
    cells = re.findall(r'<td data-of="(.*?), top-1 in %">.*?class="top1.*?">(.*?)<', html, re.DOTALL)
    assert [name for name, _ in cells] == 2 * ["one", "two", "mean of 2"]
    assert [text for name, text in cells if name == "mean of 2"] == ["30.5 ± 0.7", "56.5 ± 2.1"]
    assert "top-1 on average over the 2 benchmarks" in Page(html).text
    assert "says nothing of" in Page(html).text


def test_samples_name_the_variants_of_each_dataset(tmp_path: Path) -> None:
    vary = {"dataset.clips_per_class": [5, 6]}
    made = make_up(tmp_path, [{"motions": [0.4, 0.5]}, {"motions": [0.6, 0.7]}], vary=vary)
    report.build(made.spec_path)
    text = Page((made.spec_path.parent / "index.html").read_text(encoding="utf-8")).text
    assert text.count("Pre-training clips: fractal") == 2
    assert "of 5, 20 clips" in text
    assert "of 6, 20 clips" in text


def test_clips_that_were_never_stored_are_rendered_and_their_spec_is_shown(tmp_path: Path) -> None:
    vary = {"pretraining.objective": ["scratch", "supervised"], "pretraining.source": ["online"]}
    made = make_up(tmp_path, [{"motions": [0.4, 0.5]}, {"motions": [0.6, 0.7]}], vary=vary, previews=False)
    shutil.rmtree(tmp_path / "data/synthetic")
    report.build(made.spec_path)
    first = (made.spec_path.parent / "index.html").read_text(encoding="utf-8")
    page, (dataset,) = Page(first), made.study.datasets
    (video,) = page.all("video")
    assert str(video["poster"]).startswith("data:image/png;base64,")
    assert "4 classes, 32 x 32 px, rendered as training went, new ones each epoch" in page.text
    assert page.text.count("No preview is at hand.") == 1  # of the benchmark
    assert f"Dataset: {dataset}" in page.text and f"id: {dataset}" in page.text
    assert not (tmp_path / "data/synthetic").exists()
    report.build(made.spec_path)
    assert (made.spec_path.parent / "index.html").read_text(encoding="utf-8") == first


def test_several_baselines_are_named_in_table_chart_and_answer(tmp_path: Path) -> None:
    vary = {"pretraining.objective": ["scratch", "supervised"], "finetuning.method": ["linear_probe", "full"]}
    scores = [{"one": values} for values in ([0.20, 0.22], [0.50, 0.53], [0.60, 0.63], [0.52, 0.51])]
    made = make_up(tmp_path, scores, vary=vary, previews=False)
    report.build(made.spec_path)
    folder = made.spec_path.parent
    text = Page((folder / "index.html").read_text(encoding="utf-8")).text
    for words in (
        "better than scratch, method linear_probe",
        "not distinguishable from scratch, method full",
        "compared with its baseline, the variant from scratch that shares its other settings, on the same",
        "supervised, method full against scratch, method full on one",
        "With method linear_probe: pre-training on fractal clips reached 61.5 % top-1 on one",
        "With method full: pre-training on fractal clips reached 51.5 % top-1 on one",
    ):
        assert words in " ".join(text.split())
    drawn = [node.text for node in ElementTree.parse(folder / "top1.svg").iter() if node.text]
    said = " ".join(" ".join(drawn).split())
    for words in (
        "better than scratch, method linear_probe",
        "not distinguishable from scratch, method full",
    ):
        assert words in said

"""The card of a dataset: its figures are those of its clips, and its page is whole and safe."""

import json
import re
import shutil
import statistics
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from kinefract.benchmarks import index
from kinefract.cards import card, diversity, filmed, measure
from kinefract.cards import page as card_page
from kinefract.cards import studies as cards
from kinefract.cli import main
from kinefract.common import checksums
from kinefract.common.errors import UserError
from kinefract.config import params
from kinefract.config.specs import BenchmarkSpec, DatasetSpec
from kinefract.synth.store.dataset import join, write_shard
from kinefract.synth.store.shards import Shards, shard_files

REFERRING = {"src", "href", "poster", "action", "data", "srcset", "background"}
NOTED = "s\th:m:s\tcpu_time\n{}\t0:00:01\t{}\n"


class Page(HTMLParser):
    """Collects a page's tags and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def make(root: Path, settings: dict) -> Path:
    """Make the tiny params file's dataset and benchmark in a project folder; return the dataset's."""
    read = params.parse(settings)
    spec = DatasetSpec(recipe=read.datasets["fractal"])
    folder = spec.write(root).parent
    for shard in range(spec.recipe.shards):
        write_shard(spec.recipe, shard, folder)
    notes = root / "results/benchmarks/shard"
    notes.mkdir(parents=True)
    (notes / f"{spec.id}-00000.tsv").write_text(NOTED.format(9.0, 1.25))
    (notes / f"{spec.id}-00001.tsv").write_text(NOTED.format(0.5, "NA"))
    join(spec.recipe, folder)
    benchmark = BenchmarkSpec(recipe=read.benchmarks["motions"])
    index.build(benchmark.recipe, root, benchmark.write(root).parent)
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory, tiny_params) -> Path:
    """A project folder with a dataset and a benchmark. Not to be changed by a test."""
    root = tmp_path_factory.mktemp("project")
    (root / "params.yaml").write_text(json.dumps(tiny_params))
    make(root, tiny_params)
    return root


@pytest.fixture
def folder(project) -> Path:
    return next((project / "data/synthetic").iterdir())


@pytest.fixture
def copy(project, tmp_path) -> Path:
    """A project folder to be damaged; returns the dataset's."""
    shutil.copytree(project, tmp_path / "copy")
    return next((tmp_path / "copy/data/synthetic").iterdir())


def test_contents_and_cost(folder):
    written, clips = json.loads((folder / "card.json").read_text()), Shards(folder)
    assert (written["id"], written["family"]) == (folder.name, "fractal")
    assert (written["clips"], written["classes"], written["shards"], written["size"]) == (12, 3, 2, 48)
    assert written["frames"] == clips.frames.sum() and written["bytes"] == clips.sizes.sum()
    assert written["seconds"] == pytest.approx(clips.frames.sum() / 12, abs=1e-3)
    assert written["redrawn_share"] == pytest.approx((clips.redrawn > 0).mean(), abs=1e-6)
    assert written["cost"] == {"cpu_seconds": 1.75, "jobs": 2}
    assert written["recipe"]["points"]["steps"] == 300
    assert {"kinefract", "commit", "numpy", "machine"} <= written["made_with"].keys()


def test_figures_are_those_of_the_clips(folder):
    written = json.loads((folder / "card.json").read_text())
    clips = Shards(folder)
    assert written["measured"] == {"clips": 12, "frames": 20, "side": 48}
    assert written["figures"].keys() == card.FIGURES.keys()
    for name in ("frame_diversity", "ssim", "block_motion", "scene_cuts", "viideo", "spectral_exponent"):
        values = [float(getattr(measure, name)(clips.read(number))) for number in range(12)]
        found = written["figures"][name]
        assert found["mean"] == pytest.approx(statistics.fmean(values), abs=1e-5), name
        assert found["std"] == pytest.approx(statistics.stdev(values), abs=1e-5), name
        assert found["clips"] == 12 and "why" not in found
    for name in ("green_red", "blue_yellow", "colour_spread", "colourfulness"):
        assert written["figures"][name] == {"mean": 0, "std": 0, "clips": 12}


def test_what_cannot_be_measured_is_said_and_left_out_of_the_mean():
    still, moving = np.full((5, 32, 32), 90, np.uint8), np.zeros((5, 32, 32), np.uint8)
    moving[:] = np.random.default_rng(0).integers(0, 256, moving.shape)
    figures = card.summary([still, moving])
    assert figures["viideo"]["clips"] == 1 and figures["viideo"]["std"] is None
    assert figures["viideo"]["mean"] == pytest.approx(measure.viideo(moving), abs=1e-5)
    assert figures["viideo"]["why"] == "nothing moves"
    assert card.summary([still])["viideo"] == {"mean": None, "std": None, "clips": 0, "why": "nothing moves"}


@pytest.mark.parametrize(("count", "wanted"), [(5, 12), (12, 12), (576, 24), (100_000, 48)])
def test_a_sample_is_the_same_each_time_without_repeats_and_of_many_classes(count, wanted):
    chosen = card.choose(count, wanted)
    assert chosen == card.choose(count, wanted) == sorted(set(chosen))
    assert len(chosen) == min(count, wanted) and 0 <= chosen[0] <= chosen[-1] < count
    if count == 576:
        assert len({number % 24 for number in chosen}) > 10


def test_every_card_has_a_column_of_filmed_video_at_its_scale(project, folder):
    known = filmed.reference(48)
    assert known["measured"] == {"clips": 96, "frames": 20, "side": 48}
    assert known["figures"].keys() == card.FIGURES.keys()
    assert all(figure["clips"] >= 90 for figure in known["figures"].values())
    (column,) = cards.of_dataset("fractal", root=project).columns
    heads, rows = card_page.groups([column])["How close to filmed video"]
    assert heads == ["fractal", "filmed (UCF101)"]
    (line,) = (row for row in rows if row.title == "Frame diversity")
    own, there = (card["figures"]["frame_diversity"]["mean"] for card in (column.card, known))
    assert line.cells[0].difference == f"{own - there:+.3f}"
    assert line.cells[1].value == f"{there:.3f}" and not line.cells[1].difference
    text = " ".join(Page((folder / "card.html").read_text(encoding="utf-8")).text.split())
    assert f"The column of filmed video is of {known['source']}, at 48 px" in text
    assert "Δ is the difference to filmed (UCF101)" in text


@pytest.mark.parametrize(
    ("side", "nearest"), [(16, 48), (64, 64), (71, 64), (72, 80), (112, 128), (128, 128)]
)
def test_filmed_video_is_taken_at_the_nearest_scale(side, nearest):
    assert filmed.reference(side)["measured"]["side"] == nearest


def test_frames_are_measured_from_the_middle():
    assert list(card.middle(7)) == list(range(7))
    assert list(card.middle(31)) == list(range(5, 25))


def test_cost_without_notes_is_not_known(tmp_path):
    assert card.cost(tmp_path, "fractal-0") == {"cpu_seconds": None, "jobs": 0}


def test_the_page_holds_all_it_shows(folder):
    html = (folder / "card.html").read_text(encoding="utf-8")
    page = Page(html)
    linked = {attributes.get("href") for tag, attributes in page.tags if tag == "a"}
    assert {"card.json", "manifest.csv", "preview.mp4"} <= linked  # the manifest is written after the page
    tags = [tag for tag, _ in page.tags]
    assert tags.count("script") == tags.count("video") == tags.count("img") == 1
    for tag, attributes in page.tags:
        for name in REFERRING & attributes.keys():
            there = tag == "a" and (folder / (attributes[name] or "")).exists()
            paper = tag == "a" and (attributes[name] or "").startswith("https://arxiv.org/abs/")
            assert there or paper or (attributes[name] or "").startswith("data:"), f"<{tag} {name}>"
    bare = re.sub(r"data:[a-z0-9/]+;base64,[A-Za-z0-9+/=]*", "", html).replace("https://arxiv.org/abs/", "")
    assert "//" not in bare and "@import" not in bare and "url(" not in bare
    assert all(attributes.get("scope") for tag, attributes in page.tags if tag == "th")
    for words in (folder.name, "12 clips of 3 classes", "clips_per_class: 4", "1.8 s", "146 ms", "at 48 px"):
        assert words in page.text
    for figure in (*card.FIGURES.values(), diversity.DISTANCE):
        assert figure.title in page.text


def test_hostile_names_stay_text(folder):
    hostile = '</title><script>alert(1)</script> & "quoted" -->'
    written = json.loads((folder / "card.json").read_text())
    written |= {"id": hostile, "recipe": {"family": hostile}, "made_with": {hostile: hostile}}
    columns = [card_page.Column(hostile, folder, written)] * 2
    html = card_page.html(columns, folder / "card.html", title=hostile, lead=hostile, eyebrow=hostile)
    assert [tag for tag, _ in Page(html).tags].count("script") == 1
    assert Page(html).text.count(hostile) >= 8


def test_the_terminal_shows_what_the_json_says(project, folder, monkeypatch, capsys):
    monkeypatch.chdir(project)
    assert main(["card", "fractal", "--out", "shown.html"]) == 0
    shown = capsys.readouterr().out
    own = json.loads((folder / "card.json").read_text())["figures"]["ssim"]
    film = filmed.reference(48)["figures"]["ssim"]
    figures = [f"{found['mean']:.3f} ± {found['std']:.3f}" for found in (own, film)]
    difference = re.escape(f"{own['mean'] - film['mean']:+.3f}")
    assert re.search(rf"SSIM +{' +'.join(figures)} +{difference}\n", shown)
    assert shown.endswith("shown.html\n")
    assert "12 clips of 3 classes" in (project / "shown.html").read_text(encoding="utf-8")
    other = cards.of_dataset(str(folder / "spec.yaml"), root=project)
    assert other.place == project / "results/cards" / f"{folder.name}.html"
    assert other.columns[0].card == cards.of_dataset(str(folder), root=project).columns[0].card


def test_a_benchmark_is_measured_alike_and_the_difference_shown(project, monkeypatch, capsys):
    monkeypatch.chdir(project)
    assert main(["card", "fractal", "--against", "motions", "--sample", "5"]) == 0
    shown = capsys.readouterr().out
    (page,) = (project / "results/cards").glob("fractal-*-against-motions-*.html")
    clips, videos = cards.of_dataset("fractal", "motions", 5).columns
    assert clips.card["measured"]["clips"] == videos.card["measured"]["clips"] == 5
    listed = index.read(videos.folder)
    assert videos.card["clips"] == len(listed) and videos.card["classes"] == len({v.label for v in listed})
    assert videos.card["measured"]["side"] == 48 and not videos.card["filmed"]
    own, there = (column.card["figures"]["frame_diversity"]["mean"] for column in (clips, videos))
    (line,) = (line for line in shown.splitlines() if "Frame diversity" in line)
    assert f"{own:.3f} ±" in line and f"{there:.3f} ±" in line and line.endswith(f" {own - there:+.3f}")
    text = Page(page.read_text(encoding="utf-8")).text
    assert f"Δ {own - there:+.3f}" in text and "Δ is the difference to motions" in text
    assert cards.of_dataset("fractal", str(videos.folder), 5).columns[1].card == videos.card


def test_videos_that_lie_elsewhere_are_taken_for_filmed(project, tmp_path):
    (motions,) = (project / "data/benchmarks").iterdir()
    rows = [[str(cell) for cell in item] for item in index.read(motions)]
    lines = [(motions / "index.csv").read_text().splitlines()[0], *(",".join(row) for row in rows)]
    (tmp_path / "index.csv").write_text("\n".join(lines) + "\n")
    shutil.copy(motions / "classes.json", tmp_path)
    like = cards.of_dataset("fractal", root=project).columns[0]
    here, there = (cards.measured_benchmark(str(folder), like, 3) for folder in (motions, tmp_path))
    assert not here.card["filmed"] and there.card["filmed"]
    assert here.card["figures"] == there.card["figures"]


def test_a_study_shows_its_datasets_beside_its_benchmarks(project, folder, monkeypatch, capsys):
    monkeypatch.chdir(project)
    monkeypatch.setattr(Shards, "read", None)  # what card.json says is not measured again
    assert cards.of_dataset("fractal", sample=50).columns[0].card["measured"]["clips"] == 12
    assert main(["card", "--study", "tiny"]) == 0
    assert capsys.readouterr().out.split()[:2] == ["fractal", "motions"]
    (page,) = (project / "results/cards").glob("tiny-*.html")
    text = Page(page.read_text(encoding="utf-8")).text
    assert "Does the chain hold?" in text and folder.name in text and "motions" in text


def test_a_card_without_figures_is_made_anew_and_the_folder_left_alone(copy):
    card = json.loads((copy / "card.json").read_text())
    text = json.dumps(card | {"figures": {}})
    (copy / "card.json").write_text(text)
    checksums.remove(copy)  # it is of a version that measured other figures, and kept no checksums
    root = copy.parents[2]
    (column,) = cards.of_dataset("fractal", root=root).columns
    assert column.card["figures"]["ssim"]["clips"] == 12
    assert (copy / "card.json").read_text() == text


def test_damage_is_named_by_file(copy):
    root = copy.parents[2]
    (copy / "card.json").write_text("{")
    with pytest.raises(UserError, match=r"card\.json: changed since it was written"):
        cards.of_dataset("fractal", root=root)
    checksums.remove(copy)
    with pytest.raises(UserError, match=r"card\.json: cannot be read"):
        cards.of_dataset("fractal", root=root)
    tar_path, _ = shard_files(copy, 1)
    tar_path.write_bytes(tar_path.read_bytes()[:-512])
    with pytest.raises(UserError, match=r"00001\.tar: truncated"):
        cards.of_dataset("fractal", root=root)
    (copy / "manifest.csv").unlink()
    with pytest.raises(UserError, match=r"manifest\.csv: no such file"):
        cards.of_dataset("fractal", root=root)


def test_what_does_not_exist_is_named_with_what_does(project, monkeypatch, capsys):
    monkeypatch.chdir(project)
    for words, message in (
        (["fractl"], "did you mean 'fractal'?"),
        (["data/synthetic/none"], "data/synthetic/none: no such dataset"),
        (["fractal", "--against", "motion"], "did you mean 'motions'?"),
        (["fractal", "--against", "data/benchmarks/none"], "index.csv is missing"),
        (["--study", "tny"], "did you mean 'tiny'?"),
        (["--study", "tiny", "--against", "motions"], "leave it out"),
    ):
        assert main(["card", *words]) == 1
        assert message in capsys.readouterr().err

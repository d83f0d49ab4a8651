"""Building a study's folder, and the link that gives its page a fixed place."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from madeup import MadeUp, make_up, read_csv, write_run

from kinefract import report, tracking
from kinefract.common import checksums
from kinefract.common.errors import UserError


def test_all_files_are_there(folder: Path) -> None:
    expected = {
        "spec.yaml",
        "table.md",
        "curves.csv",
        "metrics.json",
        "answer.json",
        "top1.svg",
        "curves.svg",
    }
    expected |= {f"{name}.{suffix}" for name in ("table", "costs", "classes") for suffix in ("csv", "tex")}
    assert {path.name for path in folder.iterdir()} == {*expected, "index.html", "SHA256SUMS"}


def test_figures_are_files_of_their_own(folder: Path) -> None:
    for name in ("top1.svg", "curves.svg"):
        text = (folder / name).read_text(encoding="utf-8")
        assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
        assert "supervised" in text
        assert "dc:date" not in text


def test_mlflow_and_checksums_come_before_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_up(tmp_path, [{"motions": [0.4]}, {"motions": [0.6]}], previews=False)
    seen = {}

    def log_study(root: Path, spec: object, metrics: dict, artifacts: list[Path]) -> None:
        assert all(path.exists() for path in artifacts)
        assert not (made.spec_path.parent / "index.html").exists()
        seen.update(metrics)

    monkeypatch.setattr(tracking, "log_study", log_study)
    report.build(made.spec_path)
    written = sorted(made.spec_path.parent.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert written[-1].name == "SHA256SUMS"  # of the page, which had been written and got its name after it
    assert checksums.differing(made.spec_path.parent) == []
    assert seen["supervised"]["motions"]["top1"] == 0.6


def test_the_page_says_what_the_paper_did_as_params_yaml_has_it(
    tmp_path: Path, tiny: dict, write_params
) -> None:
    made = make_up(tmp_path, [{"motions": [0.4]}, {"motions": [0.6]}], previews=False)
    page = made.spec_path.parent / "index.html"
    report.build(made.spec_path)
    assert "What the paper did" not in page.read_text(encoding="utf-8")
    tiny["studies"]["little"] = tiny["studies"]["tiny"] | {"paper": "It trained at 112 & 224 px."}
    params_file = write_params(tmp_path, tiny)
    report.build(made.spec_path)
    cited = '(<a href="https://arxiv.org/abs/2411.17584">arXiv 2411.17584</a>)'
    assert f"{cited}: It trained at 112 &amp; 224 px." in page.read_text(encoding="utf-8")
    params_file.write_text("studies: [", encoding="utf-8")
    report.build(made.spec_path)
    assert "What the paper did" not in page.read_text(encoding="utf-8")


def test_missing_runs_leave_no_report(tmp_path: Path) -> None:
    made = make_up(tmp_path, [{"motions": [0.4]}, {"motions": [0.6]}], previews=False)
    (made.finetune_folder(0, "motions", 1) / "result.json").unlink()
    with pytest.raises(UserError, match="1 of 3 runs are missing"):
        report.build(made.spec_path)
    assert [path.name for path in made.spec_path.parent.iterdir()] == ["spec.yaml"]


def finish_half(made: MadeUp) -> None:
    """Take away the last variant's runs, its pre-training's too, and one run of the one before it."""
    last = len(made.study.variants) - 1
    for seed in (1, 2):
        (made.finetune_folder(last, "motions", seed) / "result.json").unlink()
    (made.root / "results/pretrain" / made.study.variants[last].pretrains[1] / "result.json").unlink()
    (made.finetune_folder(last - 1, "motions", 2) / "result.json").unlink()


@pytest.fixture
def half(tmp_path: Path) -> MadeUp:
    """A study of three variants and two seeds of which four of eight runs are missing."""
    scores = [{"motions": [0.4, 0.5]}, {"motions": [0.6, 0.7]}, {"motions": [0.5, 0.6]}]
    made = make_up(tmp_path, scores, objectives=("scratch", "supervised", "moco"), previews=False)
    finish_half(made)
    return made


def test_half_a_study_names_what_is_missing_and_shows_the_rest(half: MadeUp) -> None:
    report.build(half.spec_path, partial=True)
    folder = half.spec_path.parent / "partial"
    html = (folder / "index.html").read_text(encoding="utf-8")
    assert "Half-finished: 4 of 8 runs are missing." in html
    assert "Without any finished run: moco." in html
    for seed in (1, 2):
        assert f"{half.finetune_folder(2, 'motions', seed).name}: not begun" in html
    assert half.study.variants[2].pretrains[1] in html
    assert "45.0 ± 7.1" in html
    assert "60.0" in html
    assert "One seed, so no interval and no test: supervised on motions." in html
    lines = read_csv(folder / "table.csv")
    assert [(line["variant"], line["seeds"], line["top1"]) for line in lines] == [
        ("scratch", "2", "0.45"),
        ("supervised", "1", "0.6"),
        ("moco", "0", ""),
    ]
    assert "not finished" in (folder / "table.tex").read_text()
    assert "not finished" in (folder / "top1.svg").read_text()


def test_half_a_study_is_not_taken_for_a_finished_one(half: MadeUp, monkeypatch: pytest.MonkeyPatch) -> None:
    logged = []
    monkeypatch.setattr(tracking, "log_study", lambda *_: logged.append(1))
    report.build(half.spec_path, partial=True)
    assert {path.name for path in half.spec_path.parent.iterdir()} == {"spec.yaml", "partial"}
    assert not logged
    with pytest.raises(UserError, match="4 of 8 runs are missing"):
        report.build(half.spec_path)


def test_a_finished_study_takes_the_place_of_its_half(half: MadeUp) -> None:
    report.build(half.spec_path, partial=True)
    for folder in half.root.glob("results/*/*"):
        if (folder / "metrics.jsonl").exists() and not (folder / "result.json").exists():
            write_run(folder, folder.parent.name, 0.5, 4)
    report.build(half.spec_path, partial=True)
    names = {path.name for path in half.spec_path.parent.iterdir()}
    assert "index.html" in names
    assert "partial" not in names
    assert "Half-finished" not in (half.spec_path.parent / "index.html").read_text(encoding="utf-8")


def test_a_study_without_any_run_has_a_page(half: MadeUp) -> None:
    for path in half.root.glob("results/*/*/result.json"):
        path.unlink()
    report.build(half.spec_path, partial=True)
    html = (half.spec_path.parent / "partial/index.html").read_text(encoding="utf-8")
    assert "8 of 8 runs are missing" in html
    assert "No fine-tuning has finished yet." in html


def test_point_leads_to_the_page_also_after_a_move(little: MadeUp, tmp_path: Path) -> None:
    root = tmp_path / "project"
    older, newer = (root / "results/studies" / name for name in ("little-1", "little-2"))
    for number, folder in enumerate((older, newer)):
        folder.mkdir(parents=True)
        (folder / "index.html").write_text(str(number))
    report.point(root, "little", older)
    report.point(root, "little", older)
    link = root / "results/studies/little"
    assert str(link.readlink()) == "little-1"
    report.point(root, "little", "results/studies/little-2")
    assert (root.rename(tmp_path / "moved") / "results/studies/little/index.html").read_text() == "1"
    assert {path.name for path in (tmp_path / "moved/results/studies").iterdir()} == {
        "little", "little-1", "little-2",
    }  # fmt: skip


def test_point_replaces_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    folder = tmp_path / "results/studies/little-1"
    folder.mkdir(parents=True)
    (folder.parent / "little").symlink_to("gone")
    report.point(tmp_path, "little", folder)
    assert (folder.parent / "little").resolve() == folder.resolve()


def test_point_refuses_to_replace_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "results/studies/little-1"
    folder.mkdir(parents=True)
    (folder.parent / "little").mkdir()
    with pytest.raises(UserError, match="move it away"):
        report.point(tmp_path, "little", folder)
    assert not (folder.parent / "little").is_symlink()


def test_seeds_with_a_pre_training_each(tmp_path: Path) -> None:
    scores = [{"one": [0.44, 0.50, 0.48]}, {"one": [0.61, 0.59, 0.65]}]
    made = make_up(tmp_path, scores, previews=False, seeds_of="both")
    report.build(made.spec_path)
    folder = made.spec_path.parent
    html = (folder / "index.html").read_text(encoding="utf-8")
    assert "Each seed is a pre-training and a fine-tuning of its own." in html
    pretrains = list(made.study.variants[1].pretrains.values())
    assert len(set(pretrains)) == 3
    for seed, run_id in enumerate(pretrains, start=1):
        assert run_id in html
        assert f"supervised, seed {seed}" in html
    curves = [line for line in read_csv(folder / "curves.csv") if line["phase"] == "pretrain"]
    assert {(line["variant"], line["seed"]) for line in curves} == {
        ("supervised", str(seed)) for seed in (1, 2, 3)
    }
    _, cost = read_csv(folder / "costs.csv")
    assert float(cost["pretrain_seconds"]) == 3 * 3.5 * 4
    (made.root / "results/pretrain" / pretrains[1] / "result.json").unlink()
    with pytest.raises(UserError, match=f"1 of 9 runs are missing:\n  results/pretrain/{pretrains[1]}"):
        report.build(made.spec_path)


def test_seeds_of_fine_tuning_alone_say_so(little: MadeUp) -> None:
    html = (little.spec_path.parent / "index.html").read_text(encoding="utf-8")
    assert "Seeds are of fine-tuning; each pre-trained variant has one pre-training." in html

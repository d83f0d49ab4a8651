"""Building a study's folder, and the link that gives its page a fixed place."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from madeup import MadeUp, make_up

from kinefract import report, tracking
from kinefract.errors import UserError


def test_all_files_are_there(folder: Path) -> None:
    expected = {"spec.yaml", "table.csv", "table.md", "curves.csv", "metrics.json", "top1.svg", "curves.svg"}
    assert {path.name for path in folder.iterdir()} == {*expected, "index.html"}


def test_figures_are_files_of_their_own(folder: Path) -> None:
    for name in ("top1.svg", "curves.svg"):
        text = (folder / name).read_text(encoding="utf-8")
        assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
        assert "supervised" in text
        assert "dc:date" not in text


def test_the_page_comes_last_and_mlflow_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_up(tmp_path, [{"motions": [0.4]}, {"motions": [0.6]}], previews=False)
    seen = {}

    def log_study(root: Path, spec: object, metrics: dict, artifacts: list[Path]) -> None:
        assert all(path.exists() for path in artifacts)
        seen.update(metrics)

    monkeypatch.setattr(tracking, "log_study", log_study)
    report.build(made.spec_path)
    written = sorted(made.spec_path.parent.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert written[-1].name == "index.html"
    assert seen["supervised"]["motions"]["top1"] == 0.6


def test_missing_runs_leave_no_report(tmp_path: Path) -> None:
    made = make_up(tmp_path, [{"motions": [0.4]}, {"motions": [0.6]}], previews=False)
    (made.finetune_folder(0, "motions", 1) / "result.json").unlink()
    with pytest.raises(UserError, match="1 of 3 runs are missing"):
        report.build(made.spec_path)
    assert [path.name for path in made.spec_path.parent.iterdir()] == ["spec.yaml"]


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

"""What a user does with a finished run: evaluate it on other videos, name actions, see all studies."""

import json
import shutil

import pytest
from projects import NOTHING, refused, run


def a_run(project):
    return next(iter(sorted((project / "results/finetune").glob("*-supervised-*"))))


def test_evaluated_again_a_run_gives_what_it_gave(project):
    folder = a_run(project)
    printed = run(project, "kinefract", "evaluate", folder.name, "--on", "motions").stdout
    assert "top-1" in printed
    out = project / f"results/evaluate/{folder.name}-on-motions-test"
    for name in ("predictions.csv", "per_class.csv", "confusion.svg", "mistakes.png"):
        assert (out / name).read_bytes() == (folder / name).read_bytes(), name
    first, again = (json.loads((place / "result.json").read_text()) for place in (folder, out))
    for key in ("top1", "top5", "mean_class_accuracy", "videos"):
        assert first[key] == again[key]


def test_a_folder_of_class_folders_is_evaluated_as_it_is(project, tmp_path):
    (videos,) = (project / "data/benchmarks").glob("motions-*/videos/test")
    mine = tmp_path / "my videos"
    for name in ("up", "down"):
        shutil.copytree(videos / name, mine / name)
    out = tmp_path / "out"
    folder = a_run(project)
    run(project, "kinefract", "evaluate", folder, "--on", mine, "--split", "all", "--out", out)
    rows = (out / "predictions.csv").read_text().splitlines()
    assert len(rows) == 1 + 2
    (mine / "up").rename(mine / "sideways")
    text = refused(project, "kinefract", "evaluate", folder, "--on", mine, "--split", "all", "--out", out)
    assert "sideways" in text


@pytest.mark.long
def test_actions_are_named_in_any_video(project):
    (video,) = (project / "data/benchmarks").glob("motions-*/videos/test/up/*.mp4")
    folder = a_run(project)
    printed = run(project, "kinefract", "predict", folder.name, video, "--top", "3").stdout
    assert printed.count(" %") == 3
    found = json.loads(run(project, "kinefract", "predict", folder, video, "--json").stdout)
    assert [len(entry["classes"]) for entry in found] == [5]
    assert "cannot" in refused(project, "kinefract", "predict", folder, project / "params.yaml")


@pytest.mark.long
def test_what_an_error_says_makes_a_damaged_result_again(project):
    """In a project whose study is finished, where `snakemake` by itself has nothing to do."""
    (dataset,) = (project / "data/synthetic").glob("*-*")
    for folder, name in ((a_run(project), "predictions.csv"), (dataset, "card.json")):
        before = (folder / name).read_bytes()
        (folder / name).write_bytes(before + b"#")
        error = refused(project, "kinefract", "verify", folder)
        assert f"delete {folder} and run `snakemake " in error
        shutil.rmtree(folder)
        assert NOTHING in run(project, "snakemake", "-n").stdout
        run(project, "snakemake", "--cores", "1", error.rpartition("`snakemake ")[2].partition("`")[0])
        run(project, "kinefract", "verify", folder)
        assert (folder / name).read_bytes() == before or name == "card.json"


def test_all_studies_are_on_one_page(project):
    page = project / "results/index.html"
    assert "Does the chain hold?" in page.read_text(encoding="utf-8")
    page.unlink()
    assert run(project, "kinefract", "overview").stdout.strip().endswith("results/index.html")
    assert page.stat().st_size < 5_000_000


@pytest.mark.long
def test_without_weights_results_stay_and_nothing_is_made_again(project):
    table = next((project / "results/studies").glob("tiny-*/table.csv"))
    before = table.read_bytes()
    folder = a_run(project)
    paths = [folder / "model.safetensors", *(project / "results/pretrain").glob("*/model.safetensors")]
    weights = [path.read_bytes() for path in paths]
    printed = run(project, "kinefract", "prune", "--weights", "--yes").stdout
    assert "model.safetensors" in printed
    assert NOTHING in run(project, "snakemake", "-n", "tiny").stdout
    run(project, "kinefract", "verify")
    table.with_name("index.html").unlink()
    run(project, "snakemake", "-c", "1", "tiny")
    assert table.read_bytes() == before
    (video,) = (project / "data/benchmarks").glob("motions-*/videos/test/up/*.mp4")
    text = refused(project, "kinefract", "predict", folder, video)
    assert "these weights were removed" in text
    wanted = f"results/finetune/{folder.name}/model.safetensors"
    assert f"/{wanted} and run `snakemake {wanted}`" in text
    for path in paths:
        path.unlink()
    run(project, "snakemake", "-c", "1", wanted)
    assert [path.read_bytes() for path in paths] == weights

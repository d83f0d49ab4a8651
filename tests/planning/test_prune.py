"""Pruning removes what no study refers to, and nothing else, wherever links lead."""

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from kinefract.common.errors import UserError
from kinefract.common.files import written_whole
from kinefract.common.layout import CACHES
from kinefract.config import params, plan
from kinefract.config.specs import BenchmarkSpec, DatasetSpec, FinetuneSpec, PretrainSpec, StudySpec
from kinefract.planning import prune

STALE = "fractal-0123456789ab"
PARENTS = [spec.PARENT for spec in (DatasetSpec, BenchmarkSpec, PretrainSpec, FinetuneSpec, StudySpec)]


def put(path: Path, size: int = 10, hours: float = 24) -> Path:
    """Write a file that was last changed so many hours ago, as was its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    age(path, hours)
    return path


def age(path: Path, hours: float) -> None:
    for part in (path, path.parent, path.parent.parent):
        os.utime(part, (time.time() - 3600 * hours,) * 2)


def everything(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


@pytest.fixture
def resolved(tiny):
    return plan.resolve(params.parse(tiny))


@pytest.fixture
def project(tmp_path, resolved) -> Path:
    """A project in which everything that its studies need is there, a file in each folder."""
    root = tmp_path / "project"
    runs = {**resolved.pretrains, **resolved.finetunes}
    for spec in {**resolved.datasets, **resolved.benchmarks, **runs, **resolved.studies}.values():
        put(root / spec.folder / "deep/file")
        put(root / f"results/logs/some/{spec.id}.log")
        put(root / f"results/logs/spec/{spec.PARENT}/{spec.id}.log")
        put(root / f"results/benchmarks/shard/{spec.id}-00001.tsv")
    put(root / CACHES / next(iter(resolved.datasets)) / "frames.bin")
    put(root / CACHES / f"{next(iter(resolved.benchmarks))}-64" / "frames.bin")
    (root / "results/studies/tiny").symlink_to(next(iter(resolved.studies)))
    return root


@pytest.fixture
def run(project, resolved):
    def run(yes: bool = True, dry_run: bool = False) -> None:
        prune.prune(project, resolved, yes, dry_run)

    return run


def test_what_studies_refer_to_stays(project, run, capsys):
    before = everything(project)
    run()
    assert everything(project) == before
    assert capsys.readouterr().out == "0 B that no study refers to, or that killed jobs left\n"


def test_what_no_study_refers_to_goes(project, run, capsys):
    before = everything(project)
    for parent in PARENTS:
        put(project / parent / STALE / "deep/er/file", 400)
        put(project / parent / STALE / "file", 600)
    put(project / CACHES / STALE / "frames.bin", 2000)
    put(project / CACHES / f"{STALE}-128" / "frames.bin", 3000)
    put(project / f"results/logs/shard/{STALE}-00000.log", 100)
    put(project / f"results/logs/spec/data/synthetic/{STALE}.log", 100)
    put(project / f"results/benchmarks/finetune/{STALE}.tsv", 100)
    run()
    assert not [path for path in everything(project) - before if "0123456789ab" in path]
    assert before <= everything(project)
    text = capsys.readouterr().out
    assert f"   1.0 kB  data/synthetic/{STALE}\n" in text
    assert f"   3.0 kB  data/cache/{STALE}-128\n" in text
    assert "    300 B  3 logs, times of jobs included\n" in text
    assert text.endswith("removed 10.3 kB\n")


@pytest.mark.parametrize("parent", [*PARENTS, CACHES])
@pytest.mark.parametrize(
    "name",
    [
        "mine",
        "fractal-0123456789abc",
        "fractal-0123456789a",
        "fractal-0123456789AB",
        "fractal-0123456789ab\n",
        "fractal 2-0123456789ab",
        "früh-0123456789ab",
        "-0123456789ab x",
        "0123456789ab",
        "caf\udce9-0123456789ab",
        ".hidden",
        "probes",
    ],
)
def test_names_that_kinefract_does_not_give_are_left(project, run, parent, name):
    put(project / parent / name / "file")
    before = everything(project)
    run()
    assert everything(project) == before


def test_files_with_the_name_of_a_folder_are_left(project, run):
    put(project / "data/synthetic" / STALE)
    put(project / "data/synthetic" / f"{STALE}-64" / "file")  # such a name is only a cache's
    put(project / f"results/logs/finetune/{STALE}.txt")
    put(project / "results/logs/finetune/mine.log")
    put(project / "results/evaluate" / STALE / "result.json")
    put(project / "data/unpacked/UCF-101-0123456789ab" / "a.avi")
    before = everything(project)
    run()
    assert everything(project) == before


def test_links_out_of_the_project_are_not_followed(project, run, tmp_path, capsys):
    outside = put(tmp_path / "outside" / STALE / "precious").parent
    for parent in PARENTS:
        (project / parent / STALE).symlink_to(outside)
    inner = put(project / "data/synthetic/perlin-0123456789ab/file").parent
    (inner / "out").symlink_to(outside)
    (inner / "file_out").symlink_to(outside / "precious")
    (project / "results/logs/out").symlink_to(outside.parent)
    put(tmp_path / "outside" / f"{STALE}.log")
    before = everything(tmp_path / "outside")
    run()
    assert everything(tmp_path / "outside") == before
    assert not inner.exists()
    assert all((project / parent / STALE).is_symlink() for parent in PARENTS)
    assert capsys.readouterr().out.endswith("removed 10 B\n")  # what links lead to is not counted


@pytest.mark.parametrize("linked", ["data", "results"])
def test_data_or_results_on_another_disk_are_pruned_and_the_place_is_named(
    project, run, tmp_path, linked, capsys
):
    stale = put(project / linked / "cache" / "x" / "kept")
    folder = {"data": "data/synthetic", "results": "results/finetune"}[linked]
    put(project / folder / STALE / "file")
    (project / linked).rename(tmp_path / "elsewhere")
    (project / linked).symlink_to(tmp_path / "elsewhere")
    before = everything(tmp_path / "elsewhere")
    run()
    gone = before - everything(tmp_path / "elsewhere")
    assert gone == {f"{Path(folder).name}/{STALE}", f"{Path(folder).name}/{STALE}/file"}
    assert f"{linked}: a link to {tmp_path / 'elsewhere'}" in capsys.readouterr().out
    assert stale.exists()


@pytest.mark.parametrize("linked", ["data/synthetic", "results/logs"])
def test_a_parent_that_is_a_link_is_left_alone(project, run, tmp_path, linked, capsys):
    put(project / "data/synthetic" / STALE / "file")
    put(project / f"results/logs/shard/{STALE}-00000.log")
    (project / linked).rename(tmp_path / "elsewhere")
    (project / linked).symlink_to(tmp_path / "elsewhere")
    before = everything(tmp_path / "elsewhere")
    run()
    assert everything(tmp_path / "elsewhere") == before
    assert ": reached through a link, left alone" in capsys.readouterr().out


def test_links_to_studies_go_with_them(project, run):
    folder = project / "results/studies"
    (folder / "mine").symlink_to("/tmp")
    put(folder / STALE / "index.html")
    (folder / "old").symlink_to(STALE)
    run()
    assert {path.name for path in folder.iterdir() if path.is_symlink()} == {"mine", "tiny"}


def test_a_run_that_may_go_on_keeps_all_that_it_builds_on_unless_yes_is_said(
    project, run, resolved, tiny, capsys
):
    tiny["datasets"]["fractal"]["seed"] = 7
    before = plan.resolve(params.parse(tiny))
    pretrain = next(iter(before.pretrains.values()))
    pretrain.write(project)
    needed = [
        project / pretrain.folder,
        put(project / pretrain.dataset.folder / "manifest.csv").parent,
        put(project / CACHES / pretrain.dataset.id / "frames.bin").parent,
        put(project / f"results/logs/pretrain/{pretrain.id}.log"),
    ]
    making = put(project / "data/synthetic" / STALE / "shards/00000.tar", hours=0).parents[1]
    done = put(project / "results/pretrain/other-0123456789ab/model.safetensors").parent
    found = prune.find(project, resolved)
    assert {item.path for item in found} == {*needed, making, done}
    run(dry_run=True, yes=False)
    text = capsys.readouterr().out
    assert "other-0123456789ab" in text and pretrain.dataset.id not in text and STALE not in text
    assert "5 more changed within the hour" in text
    run()
    assert not any(path.exists() for path in (*needed, making, done))


def test_without_anybody_to_ask_nothing_is_removed(project, run, monkeypatch):
    put(project / "data/synthetic" / STALE / "file")
    before = everything(project)
    with Path(os.devnull).open() as nobody, pytest.raises(UserError, match="nobody to ask"):
        monkeypatch.setattr(sys, "stdin", nobody)
        run(yes=False)
    run(yes=False, dry_run=True)
    run(dry_run=True)
    assert everything(project) == before


@pytest.mark.parametrize(
    ("answer", "removed"), [("y", True), ("YES", True), ("n", False), ("", False), ("sure", False)]
)
def test_a_terminal_is_asked(project, tiny, answer, removed):
    stale = put(project / "data/synthetic" / STALE / "file").parent
    program = (
        "import sys, yaml; from kinefract.config import params, plan; from kinefract.planning import prune\n"
        "prune.prune(sys.argv[1], plan.resolve(params.parse(yaml.safe_load(sys.argv[2]))))"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(project), yaml.safe_dump(tiny)],
        stdin=theirs,
        stdout=subprocess.PIPE,
        text=True,
    )
    os.write(ours, f"{answer}\n".encode())
    text = process.communicate(timeout=60)[0]
    os.close(ours), os.close(theirs)
    assert process.returncode == 0
    assert "remove 10 B? [y/N]" in text
    assert stale.exists() != removed


def test_a_removal_that_was_killed_is_finished_by_the_next(project, run, monkeypatch):
    stale = put(project / "data/synthetic" / STALE / "file").parent

    def killed(path):
        assert not stale.exists()  # it has lost its name before its files
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(prune.shutil, "rmtree", killed)
        run()
    put(stale / "file")  # made again since
    before = everything(project)
    run()
    assert {path for path in before - everything(project)} == {
        f"data/synthetic/{name}{file}" for name in (STALE, f".{STALE}.removed") for file in ("", "/file")
    }


def test_what_killed_jobs_left_goes_and_what_living_ones_write_stays(project, run, resolved, capsys):
    kept = project / next(iter(resolved.finetunes.values())).folder
    before = everything(project)
    left = [
        put(project / "data/synthetic/any/shards/.00001.0a1b2c3d.partial.tar"),
        put(project / "results/.metrics.4711.partial.json"),
        put(kept / ".model.0a1b2c3d.partial.safetensors"),
    ]
    with written_whole(kept / "predictions.csv") as partial:
        run()
        assert partial.exists()
    assert not any(path.exists() for path in left)
    assert before <= everything(project)
    assert f"     10 B  {left[2].relative_to(project)}\n" in capsys.readouterr().out


def test_partial_files_of_others_are_left(project, run):
    for name in ("UCF101.zip.partial", ".a.4711.partial.avi"):
        put(project / "data/raw/deep" / name)
    put(project / "data/unpacked/.bench.partial/a.avi")
    before = everything(project)
    run()
    assert everything(project) == before


def test_a_checkpoint_stays_until_its_run_is_finished_and_for_one_made_again(project, run, resolved):
    folders = [project / spec.folder for spec in resolved.finetunes.values()]
    checkpoints = [put(folder / "checkpoint.pt") for folder in folders[:3]]
    for folder in folders[1:3]:
        for name in ("metrics.jsonl", "result.json", "model.safetensors"):
            put(folder / name)
    put(folders[2] / "progress.jsonl")
    run()
    assert [path.exists() for path in checkpoints] == [True, False, True]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may remove anything")
def test_what_cannot_be_removed_is_named(tmp_path):
    stale = put(tmp_path / "parent" / STALE / "file").parent
    stale.parent.chmod(0o555)
    with pytest.raises(UserError, match=f"cannot remove .*{STALE}"):
        prune.remove(stale)
    stale.parent.chmod(0o755)


def test_a_project_without_anything_has_nothing_to_remove(tmp_path, resolved):
    assert prune.find(tmp_path / "nothing", resolved) == []

"""Pruning removes what no study refers to, and nothing else, wherever links lead."""

import os
import pty
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import yaml

from kinefract import params, plan
from kinefract.benchmarks.tree import UNPACKED, Tree
from kinefract.errors import UserError
from kinefract.planning import prune
from kinefract.planning.outlook import CACHES
from kinefract.specs import BenchmarkSpec, DatasetSpec, FinetuneSpec, PretrainSpec, StudySpec

STALE = "fractal-0123456789ab"
PARENTS = [spec.PARENT for spec in (DatasetSpec, BenchmarkSpec, PretrainSpec, FinetuneSpec, StudySpec)]
LONG_AGO = time.time() - 24 * 3600


def put(path: Path, size: int = 10, age: float | None = LONG_AGO) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    if age is not None:
        for part in (path, path.parent):
            os.utime(part, (age, age))
    return path


def everything(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "project"


@pytest.fixture
def kernels(tmp_path) -> Path:
    return put(tmp_path / "user/kinefract/aaaaaaaaaaaa/kernel.nbi").parent


@pytest.fixture
def resolved(tiny):
    return plan.resolve(params.parse(tiny))


@pytest.fixture
def project(root, resolved) -> Path:
    """A project in which everything that its studies need is there, a file in each folder."""
    for shelf in (
        resolved.datasets,
        resolved.benchmarks,
        resolved.pretrains,
        resolved.finetunes,
        resolved.studies,
    ):
        for spec in shelf.values():
            put(root / spec.folder / "deep/file")
            put(root / f"results/logs/some/{spec.id}.log")
            put(root / f"results/logs/spec/{spec.PARENT}/{spec.id}.log")
            put(root / f"results/benchmarks/shard/{spec.id}-00001.tsv")
    put(root / CACHES / next(iter(resolved.datasets)) / "frames.bin")
    put(root / CACHES / f"{next(iter(resolved.benchmarks))}-64" / "frames.bin")
    (root / "results/studies/tiny").symlink_to(next(iter(resolved.studies)))
    return root


@pytest.fixture
def run(project, resolved, kernels):
    def run(yes: bool = True, **options) -> None:
        prune.prune(project, resolved, kernels, yes=yes, **options)

    return run


def test_what_studies_refer_to_stays(project, run, capsys, kernels):
    before = everything(project)
    run()
    assert everything(project) == before
    assert kernels.is_dir()
    assert capsys.readouterr().out == "0 B that no study of params.yaml refers to\n"


def test_what_no_study_refers_to_goes(project, run, capsys, kernels):
    before = everything(project)
    for parent in PARENTS:
        put(project / parent / STALE / "deep/er/file", 400)
        put(project / parent / STALE / "file", 600)
    put(project / CACHES / STALE / "frames.bin", 2000)
    put(project / CACHES / f"{STALE}-128" / "frames.bin", 3000)
    put(project / UNPACKED / "UCF-101-0123456789ab" / "a.avi", 4000)
    put(project / f"results/logs/shard/{STALE}-00000.log", 100)
    put(project / f"results/logs/spec/data/synthetic/{STALE}.log", 100)
    put(project / f"results/benchmarks/finetune/{STALE}.tsv", 100)
    put(kernels.parent / "bbbbbbbbbbbb/kernel.nbi", 500)
    run()
    added = everything(project) - before
    assert not [path for path in added if "0123456789ab" in path]
    assert before <= everything(project)
    assert [path.name for path in kernels.parent.iterdir()] == [kernels.name]
    text = capsys.readouterr().out
    assert f"data/synthetic/{STALE}" in text
    assert "logs and times of jobs: 3, 300 B" in text
    assert "old compiled kernels: 1, 500 B" in text
    assert "folders in data/cache: 2, 5.0 kB" in text
    assert text.endswith("removed 14.8 kB\n")


@pytest.mark.parametrize("parent", [*PARENTS, CACHES, UNPACKED])
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
        "..-.-0123456789ab/..",
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
    put(project / f"results/logs/finetune/{STALE}.txt")
    put(project / "results/logs/finetune/mine.log")
    put(project / "results/evaluate" / STALE / "result.json")
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
    assert "removed 42 B" not in capsys.readouterr().out  # nor are they counted


@pytest.mark.parametrize("linked", ["data", "data/synthetic", "results/logs", "results"])
def test_a_parent_that_is_a_link_is_left_alone(project, run, tmp_path, linked, capsys):
    put(project / "data/synthetic" / STALE / "file")
    put(project / f"results/logs/shard/{STALE}-00000.log")
    (project / linked).rename(tmp_path / "elsewhere")
    (project / linked).symlink_to(tmp_path / "elsewhere")
    before = everything(tmp_path / "elsewhere")
    run()
    assert everything(tmp_path / "elsewhere") == before
    assert ": a link, left alone" in capsys.readouterr().out


def test_links_to_studies_go_with_them(project, run, resolved):
    folder, current = project / "results/studies", next(iter(resolved.studies))
    (folder / "old").symlink_to(current)  # of a study that has another name now
    (folder / "mine").symlink_to("/tmp")
    run()
    assert sorted(path.name for path in folder.iterdir()) == sorted([current, "mine", "tiny"])
    (folder / "tiny").unlink()
    put(folder / STALE / "index.html")
    (folder / "tiny").symlink_to(STALE)  # as params.yaml was before
    run()
    assert sorted(path.name for path in folder.iterdir()) == sorted([current, "mine"])


def test_a_young_checkpoint_keeps_a_run_and_what_it_builds_on(project, run, tiny, kernels, resolved):
    tiny["datasets"]["fractal"]["seed"] = 7
    before = plan.resolve(params.parse(tiny))
    pretrain, finetune = next(iter(before.pretrains.values())), next(iter(before.finetunes.values()))
    pretrain.write(project)
    put(project / pretrain.folder / "checkpoint.pt", age=None)
    put(project / pretrain.dataset.folder / "manifest.csv")
    put(project / CACHES / pretrain.dataset.id / "frames.bin")
    put(project / f"results/logs/pretrain/{pretrain.id}.log")
    put(project / "results/pretrain/other-0123456789ab/checkpoint.pt")  # a day old
    run(dry_run=True)
    found = {item.path: item.busy for item in prune.find(project, resolved, kernels)}
    assert found == {
        project / pretrain.folder: True,
        project / pretrain.dataset.folder: True,
        project / CACHES / pretrain.dataset.id: True,
        project / "results/pretrain/other-0123456789ab": False,
    }
    assert finetune.id not in found
    run(yes=True)
    assert not (project / pretrain.dataset.folder).exists()


def test_a_dataset_that_is_being_made_is_busy_and_a_finished_one_is_not(project, resolved, kernels):
    put(project / "data/synthetic" / STALE / "shards/00000.tar", age=None)
    assert [item.busy for item in prune.find(project, resolved, kernels)] == [True]
    put(project / "data/synthetic" / STALE / "manifest.csv", age=None)
    assert [item.busy for item in prune.find(project, resolved, kernels)] == [False]


def test_without_anybody_to_ask_nothing_is_removed(project, run, monkeypatch):
    put(project / "data/synthetic" / STALE / "file")
    before = everything(project)
    with open(os.devnull) as nobody, pytest.raises(UserError, match="nobody to ask"):  # noqa: PTH123
        monkeypatch.setattr(sys, "stdin", nobody)
        run(yes=False)
    run(yes=False, dry_run=True)
    run(dry_run=True)
    assert everything(project) == before


@pytest.mark.parametrize(
    ("answer", "removed"), [("y", True), ("YES", True), ("n", False), ("", False), ("sure", False)]
)
def test_a_terminal_is_asked(project, tiny, kernels, answer, removed):
    stale = put(project / "data/synthetic" / STALE / "file").parent
    busy = put(project / "results/finetune/motions-0123456789ab/checkpoint.pt", age=None).parent
    program = (
        "import sys; from pathlib import Path; from kinefract import plan, params\n"
        "from kinefract.planning import prune\n"
        "import yaml; resolved = plan.resolve(params.parse(yaml.safe_load(sys.argv[2])))\n"
        "prune.prune(sys.argv[1], resolved, Path(sys.argv[3]))"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(project), yaml.safe_dump(tiny), str(kernels)],
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
    assert busy.exists()


def test_a_removal_that_was_killed_is_finished_by_the_next(project, run, tmp_path):
    hidden = put(project / "data/synthetic" / f".{STALE}.removed" / "half").parent
    put(project / "data/synthetic" / STALE / "file")  # made again since
    put(project / CACHES / f".{STALE}.removed" / "half")
    run()
    assert not hidden.exists()
    assert not (project / "data/synthetic" / STALE).exists()
    assert not list((project / CACHES).glob(".*"))


def test_a_folder_has_a_hidden_name_before_its_files_go(tmp_path, monkeypatch):
    stale, seen = put(tmp_path / STALE / "file").parent, []

    def killed(path, *args, **kwargs):
        seen.append((path, stale.exists()))
        raise KeyboardInterrupt

    monkeypatch.setattr(prune.shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        prune.remove(stale)
    assert seen == [(tmp_path / f".{STALE}.removed", False)]
    assert (tmp_path / f".{STALE}.removed/file").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may remove anything")
def test_what_cannot_be_removed_is_named(tmp_path):
    stale = put(tmp_path / "parent" / STALE / "file").parent
    stale.parent.chmod(0o555)
    with pytest.raises(UserError, match=f"cannot remove .*{STALE}"):
        prune.remove(stale)
    stale.parent.chmod(0o755)


def test_removing_a_link_leaves_its_target(tmp_path):
    target = put(tmp_path / "target/file")
    (tmp_path / "link").symlink_to(target.parent)
    prune.remove(tmp_path / "link")
    assert target.exists()
    assert not (tmp_path / "link").is_symlink()


def test_archives_in_use_stay_unpacked(project, tiny, kernels):
    top = project / "data/raw/volleyball"
    top.mkdir(parents=True)
    with zipfile.ZipFile(top / "volleyball_.zip", "w") as archive:
        archive.writestr("videos/0/annotations.txt", "line\n")
    tiny["benchmarks"]["volleyball"] = {"kind": "volleyball", "root": "data/raw/volleyball"}
    tiny["studies"]["tiny"]["benchmarks"] = ["motions", "volleyball"]
    resolved = plan.resolve(params.parse(tiny))
    recipe = next(spec.recipe for spec in resolved.benchmarks.values() if spec.recipe.kind == "volleyball")
    Tree("Volleyball", "home", top, project, recipe.parts)
    (unpacked,) = (project / UNPACKED).iterdir()

    def found():
        return [
            item.path
            for item in prune.find(project, resolved, kernels)
            if item.path.parent.name == "unpacked"
        ]

    assert found() == []
    (top / "volleyball_.zip").rename(top / "other.zip")
    assert found() == [unpacked]


def test_a_project_without_anything_has_nothing_to_remove(tmp_path, resolved, kernels):
    assert prune.find(tmp_path / "nothing", resolved, kernels) == []

"""The tutorial as it is written: its commands and its file, with a smaller recipe and fewer videos."""

import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from projects import REPOSITORY, jobs, resolved, run

from kinefract import video
from kinefract.cli import main

SMALL = "own_small: {like: evidence, epochs: 1, warmup_epochs: 0, batch_size: 2, size: 32, resize: 32}"


@pytest.fixture(scope="module")
def page() -> str:
    return (REPOSITORY / "docs/tutorial.md").read_text(encoding="utf-8")


def videos(folder: Path) -> None:
    """Write two videos for each of two classes, by the names that the page has."""
    for number, name in enumerate(("bend/daria", "bend/eli", "wave1/daria", "wave1/eli")):
        frames = np.random.default_rng(number).integers(0, 255, (9, 32, 48, 3)).astype(np.uint8)
        path = folder / f"{name}_{name.partition('/')[0]}.avi"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(video.encode(frames, fps=12, crf=30))


def made(project: Path) -> None:
    """Do what `snakemake mine` does, in this process, since each of its jobs would load torch and MLflow."""
    plan = resolved(project)
    study = plan.study("mine")
    for name in study.runs:
        assert main(["finetune", str(plan.finetunes[name].write(project))]) == 0
    assert main(["study", str(study.write(project))]) == 0


def test_its_commands_lead_from_an_empty_folder_to_a_page_and_a_name(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "mlflow", None)  # as if not installed, which saves its database
    lines = re.findall(r"^(?:kinefract|snakemake) .*$", page, re.MULTILINE)
    commands = [shlex.split(line, comments=True) for line in lines]
    assert [" ".join(words[:2]) for words in commands] == [
        "kinefract init",
        "kinefract check",
        "kinefract index",
        "kinefract plan",
        "snakemake mine",
        "kinefract table",
        "kinefract predict",
    ]
    said = {}
    for program, *words in commands:
        if program == "snakemake":
            assert jobs(run(Path.cwd(), program, "-n", *words).stdout)["finetune_run"] == 2
            made(Path.cwd())
            continue
        found = [match for word in words for match in sorted(map(str, Path().glob(word))) or [word]]
        assert main(found) == 0
        said[words[0]] = "".join(capsys.readouterr())
        if words[0] == "init":
            monkeypatch.chdir(tmp_path / words[1])
            videos(Path("data/raw/actions"))
            block = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[0]
            Path("config/studies/mine.yaml").write_text(block.replace("[1, 2, 3]", "[1]"))
            recipes = Path("config/finetuning.yaml")
            text, count = re.subn(r"^  own_small: .*$", f"  {SMALL}", recipes.read_text(), flags=re.MULTILINE)
            assert count == 1
            recipes.write_text(text)
    assert "is in order" in said["check"]
    assert "2 train videos, 2 test videos of 2 classes" in said["index"]
    assert re.search(r"^mine +2 +0/0 +0/2 ", said["plan"], re.MULTILINE)
    assert "released" in said["table"] and "scratch" in said["table"]
    assert re.search(r"eli_wave1\.avi\n +(bend|wave1) ", said["predict"])
    html = next(Path("results/studies").glob("mine-*/index.html")).read_text(encoding="utf-8")
    assert "What is the released network worth on my videos?" in html

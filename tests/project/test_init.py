"""`kinefract init` writes a project from the package, and leaves alone what is there."""

import os
import re
import shutil
from pathlib import Path

import pytest

import kinefract
from kinefract.cli import main
from kinefract.common.errors import UserError
from kinefract.config import params, plan
from kinefract.project import FILES
from kinefract.project.init import init

ROOT = Path(__file__).parents[2]


def test_a_new_project_has_the_studies_of_the_checkout(tmp_path):
    written = init(tmp_path / "new")
    assert {"Snakefile", "params.yaml", "dvc.yaml", ".gitignore", ".dvc/config"} <= set(written)
    here, there = (plan.resolve(params.load(place / "params.yaml")) for place in (ROOT, tmp_path / "new"))
    assert there.studies == here.studies and there.finetunes.keys() == here.finetunes.keys()


def test_files_that_are_there_stay_and_missing_ones_come(tmp_path, capsys):
    (tmp_path / "params.yaml").write_text("run: []\n")
    assert "params.yaml" not in init(tmp_path)
    assert (tmp_path / "params.yaml").read_text() == "run: []\n"
    shutil.rmtree(tmp_path / "profiles")
    assert set(map(Path, init(tmp_path))) == set(
        path.relative_to(ROOT) for path in (ROOT / "profiles").glob("*/config.yaml")
    )
    assert main(["init", str(tmp_path)]) == 0
    assert "nothing was written" in capsys.readouterr().out


def test_links_of_its_pages_lead_somewhere_and_other_pages_are_named(tmp_path):
    init(tmp_path)
    for page in tmp_path.rglob("*.md"):
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            assert ":" in link or (page.parent / link.partition("#")[0]).exists(), f"{page}: {link}"
    assert "docs/weights.md of kinefract" in (tmp_path / "config/README.md").read_text(encoding="utf-8")


def test_the_line_for_editors_leads_to_the_schema(tmp_path):
    init(tmp_path)
    for name in ("params.yaml", "config/datasets.yaml", "config/studies/paper.yaml"):
        file = tmp_path / name
        schema = file.read_text().splitlines()[0].partition("$schema=")[2]
        assert (file.parent / schema).is_file()


def test_a_folder_that_cannot_be_a_project_is_refused(tmp_path):
    with pytest.raises(UserError, match="braces"):
        init(tmp_path / "{id}")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write"):
        init(tmp_path / "file")


def test_what_installs_the_package_elsewhere_takes_this_version_and_all_of_it():
    """The script for conda names the version, and an image gets all files that the package links to."""
    script = (ROOT / "workflow/envs/kinefract.post-deploy.sh").read_text()
    assert f"kinefract=={kinefract.__version__}}}" in script
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    links = [os.path.normpath(path.parent / path.readlink()) for path in FILES.iterdir() if path.is_symlink()]
    assert len(links) == 10 and {Path(link).relative_to(ROOT).as_posix() for link in links} <= kept

"""The files of a new project, copied from the package."""

import os
import re
import shutil
from pathlib import Path

from kinefract.common.errors import UserError
from kinefract.common.files import written_whole
from kinefract.common.layout import CONFIG, PARAMS_FILE, RESULTS_README
from kinefract.project import FILES

SNAKEFILE, OTHER_SNAKEFILE = "Snakefile", "workflow/Snakefile"  # snakedeploy writes the other one

# Files and folders of the package -> where they go in a project; a dot would hide a file in the package.
PLACES = {
    SNAKEFILE: SNAKEFILE,
    PARAMS_FILE: PARAMS_FILE,
    CONFIG: CONFIG,
    "dvc.yaml": "dvc.yaml",
    "dvc-config": ".dvc/config",
    "dvc-gitignore": ".dvc/.gitignore",
    "dvcignore": ".dvcignore",
    "gitignore": ".gitignore",
    "workflow/profiles": "profiles",
    "workflow/schemas/config.schema.json": "workflow/schemas/config.schema.json",
    "parameters.md": "docs/parameters.md",
    "results.md": RESULTS_README,
}
SUFFIXES = {".yaml", ".yml", ".md"}  # of files in folders
LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")


def init(folder: Path | str) -> list[str]:
    """Write the files of a project. Those that are there stay as they are.

    Args:
        folder: The project; it is created if it does not exist.

    Returns:
        The paths of the files that were written, relative to ``folder``.

    Raises:
        UserError: The folder cannot be written, or Snakemake could not work in a folder of that name.
    """
    folder = Path(folder)
    if set(str(folder.absolute())) & set("{}"):
        raise UserError(f"{folder}: Snakemake takes braces for wildcards; name another folder")
    written = []
    for source, target in _files():
        place = folder / target
        if place.exists() or (target == SNAKEFILE and (folder / OTHER_SNAKEFILE).exists()):
            continue
        with written_whole(place) as partial:
            if place.suffix == ".md":
                partial.write_text(_page(source, target), encoding="utf-8")
            else:
                shutil.copyfile(source, partial)
        written.append(target)
    return written


def _page(source: Path, target: str) -> str:
    """Return a page of the package with links to pages that the project has not, as names of kinefract's."""
    there = {place for _, place in _files()}

    def shown(link: re.Match[str]) -> str:
        page = os.path.normpath(Path(target).parent / link[2].partition("#")[0])
        if ":" in link[2] or page in there or link[2].startswith("#"):
            return link[0]
        return (
            f"{page} of kinefract"
            if link[1] in (page, Path(page).name)
            else f"{link[1]}, {page} of kinefract"
        )

    return LINK.sub(shown, source.read_text(encoding="utf-8"))


def _files() -> list[tuple[Path, str]]:
    """Return each file of the package that a project gets, with its path in the project."""
    found = []
    for name, place in PLACES.items():
        source = FILES / name
        inside = sorted(path for path in source.glob("**/*") if path.suffix in SUFFIXES)
        found += [(path, f"{place}/{path.relative_to(source).as_posix()}") for path in inside]
        if not source.is_dir():
            found.append((source, place))
    return found

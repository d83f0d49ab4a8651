"""The files of the configuration: params.yaml, those in config/ beside it, and those of a user's folder.

Every file may hold any section. A name may occur in one file only, and ``run`` only in a ``params.yaml``.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kinefract.common import strict_yaml
from kinefract.common.errors import UserError
from kinefract.common.layout import CONFIG, CONFIG_DIR, PARAMS_FILE
from kinefract.common.schema import SHOWN, not_one_of, short

RUN = "run"
SUFFIXES = {".yaml", ".yml"}
FOLDERS = 500  # most folders that are searched for files


class Files(dict[str, str]):
    """Section and name, as ``"datasets.fractal"`` -> the file that holds it; also ``"run"`` -> its file.

    Attributes:
        on_disk: Whether the files can be read again, to find the lines of problems.
    """

    def __init__(self, on_disk: bool = False) -> None:
        super().__init__()
        self.on_disk = on_disk
        self._nodes: dict[str, Any] = {}

    def line(self, problem: str) -> str:
        """Return a problem with its place before it: ``<file>: line <n>: <key>: <problem>``.

        Args:
            problem: ``<key>: <problem>``; the file is found by the first two parts of the key.
        """
        section, _, rest = problem.partition(": ")[0].partition(".")
        at = f"{section}.{rest.partition('.')[0]}"
        return self.line_in(self.get(at) or self.get(section.partition("[")[0], PARAMS_FILE), problem)

    def line_in(self, file: str, problem: str) -> str:
        """Return the same of a problem in a file."""
        line = strict_yaml.line_of(self._read(file), problem) if self.on_disk else None
        return f"{file}: line {line}: {problem}" if line else f"{file}: {problem}"

    def _read(self, file: str) -> Any:
        if file not in self._nodes:
            self._nodes[file] = None
            with suppress(OSError, ValueError):  # `--config` is no file
                self._nodes[file] = strict_yaml.compose(Path(file).read_text(encoding="utf-8"))
        return self._nodes[file]


@dataclass
class Configuration:
    """The joined content of all files. Only the places of keys are checked.

    Attributes:
        run: The value of ``run``; None if it is not given.
        sections: Section -> name -> recipe.
        files: The file of each name.
        problems: A line for each key that is misplaced or occurs twice; it begins with the file.
    """

    run: Any = None
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: Files = field(default_factory=Files)
    problems: list[str] = field(default_factory=list)

    def add(self, problem: str) -> None:
        """Add the problem of a key, ``<key>: <problem>``, with its file; the first with their line."""
        self._limit()
        self.problems.append(self.files.line(problem))

    def add_in(self, file: str, problem: str) -> None:
        """Add a problem in a file that is not the one of its key."""
        self._limit()
        self.problems.append(self.files.line_in(file, problem))

    def _limit(self) -> None:
        """Stop to look lines up when there are more problems than are shown."""
        self.files.on_disk &= len(self.problems) < SHOWN

    def not_one_of(self, value: Any, allowed: Iterable[str]) -> str:
        """Return that a name is not known; with the known ones while there are few problems.

        Only the first problems are shown, and a search for a close name among thousands takes its time.
        """
        return not_one_of(value, allowed) if len(self.problems) < SHOWN else f"{short(value)} is not known"


def find(path: Path | str = PARAMS_FILE, folder: Path | str | None = None) -> list[Path]:
    """Return the files of a configuration, in the order in which they are read.

    Args:
        path: A ``params.yaml``; the files of the folder ``config`` beside it belong to it.
        folder: A folder whose files are read as well; None for the one in the environment variable
            ``KINEFRACT_CONFIG_DIR``, if it is set.

    Raises:
        UserError: There is no such folder.
    """
    path = Path(path)
    files = [path, *_files_in(path.parent / CONFIG)]
    folder = folder or os.environ.get(CONFIG_DIR)
    if folder:
        if not Path(folder).is_dir():
            raise UserError(f"{folder}: no such folder; the folder of a configuration is wanted")
        known = {file.resolve() for file in files}
        files += [file for file in _files_in(Path(folder)) if file.resolve() not in known]
    return files


def read(files: Sequence[Path]) -> dict[str, Any]:
    """Return the content of each file.

    Raises:
        UserError: A file is missing or no YAML, or a key occurs twice in one mapping.
    """
    try:
        return {str(file): strict_yaml.read(file) for file in files}
    except FileNotFoundError as error:
        raise UserError(f"{error.filename}: no such file; run this from the project's folder") from None


def joined(contents: Mapping[str, Any], sections: Sequence[str], on_disk: bool = False) -> Configuration:
    """Join the content of files, the main one first.

    Args:
        contents: File -> content.
        sections: The names of the known sections.
        on_disk: Whether the contents are those of the files, so that problems have lines.
    """
    whole = Configuration(sections={section: {} for section in sections}, files=Files(on_disk))
    whole.files[RUN] = next(iter(contents), PARAMS_FILE)  # where it belongs, if no file has it
    for number, (file, content) in enumerate(contents.items()):
        if content is None and number:  # a file of comments
            continue
        if not isinstance(content, dict):
            whole.problems.append(f"{file}: holds no settings")
            continue
        for key, value in content.items():
            if key == RUN:
                if number and Path(file).name != PARAMS_FILE:
                    whole.add_in(file, f"{RUN}: stands in {PARAMS_FILE} alone, move it there")
                    continue
                whole.run, whole.files[RUN] = value, file  # the user's folder takes precedence
            elif key not in sections:
                whole.add_in(file, f"{key}: unknown key, {whole.not_one_of(key, [RUN, *sections])}")
            elif isinstance(value, dict):
                _add(whole, key, value, file)
            elif value is not None:  # an empty section
                whole.add_in(file, f"{key}: not a mapping of names")
    return whole


def _add(whole: Configuration, section: str, recipes: dict, file: str) -> None:
    for name, recipe in recipes.items():
        if (first := whole.files.setdefault(f"{section}.{name}", file)) != file:
            whole.add_in(file, f"{section}.{name}: the name stands in {first} too; give one of them another")
            continue
        whole.sections[section][name] = recipe


def _files_in(folder: Path) -> list[Path]:
    """Return the YAML files in a folder and its subfolders, including linked ones, sorted.

    Raises:
        UserError: A subfolder cannot be read, or there are more than ``FOLDERS`` of them.
    """
    found: list[Path] = []
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, onerror=_unreadable, followlinks=True):
        seen.add(os.path.realpath(place))
        if len(seen) > FOLDERS:
            raise UserError(f"{folder}: has more than {FOLDERS} subfolders; name a folder of settings alone")
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(Path(place, name)) not in seen
        )
        found += [
            Path(place, name) for name in names if Path(name).suffix in SUFFIXES and not name.startswith(".")
        ]
    return sorted(found)


def _unreadable(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise UserError(f"{error.filename}: cannot be read: {error.strerror}") from error

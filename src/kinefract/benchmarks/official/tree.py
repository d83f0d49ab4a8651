"""The official files of a benchmark on disk: in folders, or in the archives in which they are published."""

import os
from pathlib import Path
from typing import NamedTuple

from kinefract.benchmarks.official.archives import unpack
from kinefract.common.errors import UserError
from kinefract.common.layout import UNPACKED
from kinefract.common.schema import digest_of


class Part(NamedTuple):
    """A folder or file of a benchmark's official tree.

    Attributes:
        name: Its path from the benchmark's folder, e.g. ``UCF-101``.
        archives: Patterns of the archive that holds it, e.g. ``UCF101.rar``. The first match is used.
        holds: Its contents as a pattern for messages, e.g. ``<Class>/*.avi``.
    """

    name: str
    archives: tuple[str, ...] = ()
    holds: str = ""


class Tree:
    """A benchmark's official tree; archives are unpacked if their folders do not exist.

    Archives are unpacked once, into ``data/unpacked`` of the project; the user's files are not changed.
    """

    def __init__(self, what: str, home: str, top: Path, root: Path, parts: tuple[Part, ...]) -> None:
        """Find the parts.

        Args:
            what: The benchmark, for messages.
            home: The address of its home page.
            top: The folder where the user put the files.
            root: The project's folder.
            parts: All parts that are needed.

        Raises:
            UserError: parts exist neither as folders or files nor in an archive (all in one message), or an
                archive cannot be unpacked.
        """
        self.what, self.top, self._root = what, top, root
        absent = [part for part in parts if not (top / part.name).exists()]
        archives = {part: archive for part in absent if (archive := self._archive(part))}
        missing = [part for part in absent if part not in archives]
        if missing:
            lines = [
                f"  {top / part.name}{f'/{part.holds}' if part.holds else ''}"
                + (f" (or {' or '.join(part.archives)} as it is)" if part.archives else "")
                for part in missing
            ]
            raise UserError(
                f"{what} is not complete in {top}. Put there, from {home}:\n"
                + "\n".join(lines)
                + "\nor set the benchmark's `root` to the folder that holds them"
            )
        self._found = {part.name: top / part.name for part in parts}
        self._found |= {part.name: self._unpacked(part, archive) for part, archive in archives.items()}

    def __getitem__(self, name: str) -> Path:
        """Return the path of a part by its name."""
        return self._found[name]

    def text(self, part: str, file: str = "") -> str:
        """Return the text of a part, or of a file in it; bytes that are no UTF-8 pass through as surrogates.

        Raises:
            UserError: the file does not exist; the message names it.
        """
        path = self[part] / file if file else self[part]
        try:
            return path.read_text(encoding="utf-8-sig", errors="surrogateescape")
        except OSError as error:
            raise UserError(f"{self.what}: cannot read {path}: {error.strerror or error}") from None

    def lines(self, part: str, file: str = "") -> list[tuple[str, str]]:
        """Return the lines that are not blank, each with its place: ``(line, "<path>, line 3")``."""
        place = self[part] / file if file else self[part]
        numbered = enumerate(self.text(part, file).split("\n"), start=1)
        return [(line.strip(), f"{place}, line {number}") for number, line in numbered if line.strip()]

    def files(self, part: str) -> dict[str, str]:
        """Return every path below a part as spelt on disk, with ``/``, by itself and by its caseless form.

        Folders count too, since a folder of pictures is a video. Links are followed, except those back to a
        folder above; links that lead nowhere do not count.
        """
        found: dict[str, str] = {}
        top = self[part]
        for folder, folders, names in os.walk(top, followlinks=True):
            base = Path(folder).relative_to(top)
            folders[:] = sorted(name for name in folders if not leads_back(Path(folder, name)))
            for name in (*folders, *(name for name in names if Path(folder, name).exists())):
                path = (base / name).as_posix()
                found[path] = path
                found.setdefault(path.casefold(), path)
        return found

    def _archive(self, part: Part) -> Path | None:
        return min((path for pattern in part.archives for path in self.top.glob(pattern)), default=None)

    def _unpacked(self, part: Part, archive: Path) -> Path:
        facts = [[os.fsencode(archive).hex(), archive.stat().st_size, archive.stat().st_mtime_ns]]
        # Parts of the same archive share a folder, which is unpacked once.
        folder = self._root / UNPACKED / f"{archive.name.partition('.')[0]}-{digest_of(facts)}"
        unpack(archive, folder, self.what)
        # Some archives hold the folder, others only its contents.
        name = Path(part.name).name
        for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
            if (place / name).exists():
                return place / name
        if Path(name).suffix:
            raise UserError(f"{self.what}: there is no {name} in {archive}")
        return folder


def leads_back(folder: Path) -> bool:
    """Return whether a folder is a link to one that holds it."""
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())

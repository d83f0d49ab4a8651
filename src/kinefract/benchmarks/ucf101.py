"""The benchmark UCF101 (Soomro et al., arXiv 1212.0402), read in its official layout where the user put it.

::

    data/raw/ucf101/
      UCF-101/<Class>/*.avi                        from UCF101.rar
      ucfTrainTestlist/classInd.txt                from UCF101TrainTestSplits-RecognitionTask.zip
      ucfTrainTestlist/trainlist01.txt, testlist01.txt, ...

Names are matched without case: the folder ``HandstandPushups`` holds files named ``HandStandPushups``, and
distributions differ in it.
"""

import difflib
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from kinefract.benchmarks.recipes import BENCHMARKS, BenchmarkRecipe, Entry
from kinefract.errors import UserError
from kinefract.progress import say

VIDEOS, LISTS = "UCF-101", "ucfTrainTestlist"
PROBLEMS_SHOWN = 10


@BENCHMARKS.register
class Ucf101Recipe(BenchmarkRecipe):
    """Settings of UCF101: where it is, which of its three splits, which of its classes."""

    kind: Literal["ucf101"] = "ucf101"
    root: str = Field(default="data/raw/ucf101", min_length=1, description="folder of the official tree")
    split: Literal[1, 2, 3] = Field(default=1, description="which official split")
    classes: Annotated[tuple[str, ...], Field(strict=False, min_length=2)] | None = Field(
        default=None, description="only these classes, labelled in alphabetical order; all where not given"
    )
    allow_missing: bool = Field(default=False, description="go on without listed clips that are not there")

    def entries(self, root: Path, folder: Path) -> list[Entry]:
        """List the videos of the split, training before test, in the order of the official lists.

        Where ``root`` of the recipe is relative, so are the paths: from the index folder, so that the project
        can be moved as a whole.

        Raises:
            UserError: the tree, a list or listed clips are missing, or a class is unknown.
        """
        top = root / self.root
        lists = {split: top / LISTS / f"{split}list{self.split:02d}.txt" for split in ("train", "test")}
        class_list = top / LISTS / "classInd.txt"
        _require(top, [class_list, *lists.values()])

        official = _read_classes(class_list)
        names = self._chosen(list(official.values()))
        labels = {name: label for label, name in enumerate(names)}
        canonical = {name.casefold(): name for name in official.values()}
        there = _videos_on_disk(top / VIDEOS)
        prefix = Path(self.root)
        if not prefix.is_absolute():
            prefix = Path(os.path.relpath(root.resolve() / prefix, folder.resolve()))

        found, absent = [], []
        for split, path in lists.items():
            for number, line in enumerate(
                path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1
            ):
                if not line.strip():
                    continue
                clip, stated = _parse(line, split, f"{path}, line {number}")
                name = canonical.get(clip.partition("/")[0].casefold())
                if name is None or (stated is not None and official.get(stated) != name):
                    raise UserError(f"{path}, line {number}: {line.strip()!r} disagrees with {class_list}")
                if name not in labels:
                    continue
                actual = there.get(clip.casefold())
                if actual is None:
                    absent.append(f"{VIDEOS}/{clip}")
                else:
                    found.append(Entry(str(prefix / VIDEOS / actual), labels[name], name, split))
        self._report(absent, found, names, top)
        return found

    def _chosen(self, official: list[str]) -> list[str]:
        """Return the class names in label order."""
        if self.classes is None:
            return official
        for name in self.classes:
            if name not in official:
                raise UserError(f"benchmark ucf101, classes: {_not_a_class(name, official)}")
        if len(set(self.classes)) < len(self.classes):
            raise UserError("benchmark ucf101, classes: a class is named twice")
        return sorted(self.classes)

    def _report(self, absent: list[str], found: list[Entry], names: list[str], top: Path) -> None:
        """Raise a UserError about listed clips that are not there, or say so where the recipe allows it."""
        if not absent:
            return
        message = f"{len(absent)} of {len(absent) + len(found)} listed UCF101 clips are not in {top}"
        present = {entry.class_name for entry in found}
        empty = [name for name in names if name not in present]
        if self.allow_missing and not empty:
            say(f"{message}: going on without them (allow_missing: true), so results are not official")
            return
        shown = [f"  {clip}" for clip in absent[:PROBLEMS_SHOWN]]
        if len(absent) > PROBLEMS_SHOWN:
            shown.append(f"  ... and {len(absent) - PROBLEMS_SHOWN} more")
        advice = f"Unpack UCF101.rar so that {top / VIDEOS}/<Class>/*.avi are all there"
        if empty and present:
            advice += f"; or, as {len(empty)} whole classes are absent, name those wanted in `classes:`"
        elif present:
            advice += "; or set `allow_missing: true` to go on without them"
        raise UserError("\n".join([f"{message}:", *shown, advice]))


def _not_a_class(name: str, official: list[str]) -> str:
    """Word the mistake; of 101 names only a near one is worth showing."""
    spelt = {known.casefold(): known for known in official}
    close = difflib.get_close_matches(name.casefold(), spelt, n=1)
    return f"{name!r} is no class of UCF101" + (f" (did you mean {spelt[close[0]]!r}?)" if close else "")


def _require(top: Path, lists: list[Path]) -> None:
    wanted = [top / VIDEOS, *lists]
    missing = [path for path in wanted if not (path.is_dir() if path.name == VIDEOS else path.is_file())]
    if missing:
        raise UserError(
            f"UCF101 is not complete in {top}: there is no {', no '.join(str(p) for p in missing)}\n"
            f"Put there, from https://www.crcv.ucf.edu/data/UCF101.php:\n"
            f"  {top / VIDEOS}/<Class>/*.avi (101 folders, unpacked from UCF101.rar)\n"
            + "\n".join(f"  {path}" for path in lists)
            + "\n  (unpacked from UCF101TrainTestSplits-RecognitionTask.zip)\n"
            "or set the benchmark's `root` to the folder that holds both."
        )


def _read_classes(path: Path) -> dict[int, str]:
    """Return class names by their official number, which counts from 1."""
    try:
        pairs = [
            line.split()
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
            if line.strip()
        ]
        classes = {int(number): name for number, name in pairs}
    except ValueError:
        raise UserError(f"{path}: wants lines of a number and a class name, as `1 ApplyEyeMakeup`") from None
    return classes


def _parse(line: str, split: str, where: str) -> tuple[str, int | None]:
    """Return clip and official number of a list's line; test lists give no number."""
    clip, *rest = line.split()
    if clip.count("/") != 1 or len(rest) > 1 or (rest and not rest[0].isdecimal()):
        raise UserError(f"{where}: wants `<Class>/<clip>.avi` and in {split} lists a number, got {line!r}")
    return clip, int(rest[0]) if rest else None


def _videos_on_disk(top: Path) -> dict[str, str]:
    """Return ``<Class>/<clip>`` as spelt on disk, by its form without case."""
    return {
        f"{folder.name}/{file.name}".casefold(): f"{folder.name}/{file.name}"
        for folder in sorted(top.iterdir())
        if folder.is_dir()
        for file in folder.iterdir()
    }

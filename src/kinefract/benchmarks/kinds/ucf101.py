"""The benchmark UCF101 (Soomro et al., arXiv 1212.0402), read in its official layout.

::

    UCF-101/<Class>/*.avi                               from UCF101.rar
    ucfTrainTestlist/classInd.txt                       from UCF101TrainTestSplits-RecognitionTask.zip
    ucfTrainTestlist/trainlist01.txt, testlist01.txt    (and 02, 03)

Lines of training lists end in a class number that counts from 1, those of test lists do not; lines end in
CR LF. Names are matched without case: the folder ``HandstandPushups`` holds files named ``HandStandPushups``,
and distributions differ in it. The ``g01`` of a name is the group: clips cut from one recording.
"""

import re
from typing import ClassVar, Literal

from pydantic import Field

from kinefract.benchmarks.base import BENCHMARKS, TEST, TRAIN
from kinefract.benchmarks.choose import Listed
from kinefract.benchmarks.listed import ListedRecipe, Listing
from kinefract.benchmarks.official.tree import Part, Tree
from kinefract.common.errors import UserError
from kinefract.common.layout import RAW

VIDEOS, LISTS, CLASSES = "UCF-101", "ucfTrainTestlist", "classInd.txt"
GROUP = re.compile(r"_(g\d+)_c\d+")


@BENCHMARKS.register
class Ucf101Recipe(ListedRecipe):
    """Settings of UCF101: its place on disk, one of its three splits, and the part to use."""

    TITLE: ClassVar[str] = "UCF101"
    HOME: ClassVar[str] = "https://www.crcv.ucf.edu/data/UCF101.php"
    OFFICIAL: ClassVar[dict[int, tuple[int, int]]] = {1: (9537, 3783), 2: (9586, 3734), 3: (9624, 3696)}

    kind: Literal["ucf101"] = "ucf101"
    root: str = Field(default=f"{RAW}/ucf101", min_length=1, description="folder of the official files")
    split: Literal[1, 2, 3] = Field(default=1, description="which official split")

    @property
    def parts(self) -> tuple[Part, ...]:
        lists = ("UCF101TrainTestSplits-RecognitionTask*.zip",)
        files = f"{{{CLASSES},trainlist0{self.split}.txt,testlist0{self.split}.txt}}"
        return Part(VIDEOS, ("UCF101.rar",), "<Class>/*.avi"), Part(LISTS, lists, files)

    @property
    def official(self) -> dict[str, int]:
        return dict(zip((TRAIN, TEST), self.OFFICIAL[self.split], strict=True))

    def listing(self, tree: Tree) -> Listing:
        numbered = _classes(tree)
        canonical = {name.casefold(): name for name in numbered.values()}
        videos = []
        for split in (TRAIN, TEST):
            for line, where in tree.lines(LISTS, f"{split}list{self.split:02d}.txt"):
                clip, stated = _parse(line, split, where)
                name = canonical.get(clip.partition("/")[0].casefold())
                if name is None or (stated is not None and numbered.get(stated) != name):
                    raise UserError(f"{where}: {line!r} disagrees with {tree[LISTS] / CLASSES}")
                group = GROUP.search(clip)
                videos.append(Listed(clip, name, split, f"{name}/{group[1] if group else clip}"))
        return Listing(list(numbered.values()), videos, VIDEOS)


def _classes(tree: Tree) -> dict[int, str]:
    """Return class names by their official number, which counts from 1."""
    names: dict[int, str] = {}
    for line, where in tree.lines(LISTS, CLASSES):
        number, _, name = line.partition(" ")
        if not (number.isdecimal() and name.strip()):
            raise UserError(f"{where}: wants a number and a class name, as `1 ApplyEyeMakeup`, got {line!r}")
        if int(number) in names or name.strip() in names.values():
            raise UserError(f"{where}: {line!r} repeats the number or the name of a line above")
        names[int(number)] = name.strip()
    return dict(sorted(names.items()))


def _parse(line: str, split: str, where: str) -> tuple[str, int | None]:
    """Return clip and official number of a list's line; test lists give no number."""
    clip, *rest = line.split()
    if clip.count("/") != 1 or len(rest) > 1 or (rest and not rest[0].isdecimal()):
        raise UserError(f"{where}: wants `<Class>/<clip>.avi` and in {split} lists a number, got {line!r}")
    return clip, int(rest[0]) if rest else None

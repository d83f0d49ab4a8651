"""The benchmark HMDB51 (Kuehne et al., ICCV 2011), read in its official layout.

::

    hmdb51_org/<class>/*.avi                                     from hmdb51_org.rar, a rar of one rar a class
    testTrainMulti_7030_splits/<class>_test_split{1,2,3}.txt     from test_train_splits.rar

A list names all clips of its class, each with 1 (train), 2 (test) or 0 (in neither) and a blank at the line's
end. Names of clips hold ``;``, ``#``, ``&``, ``!`` and brackets, and begin with the film they are cut from:
``<film>_<class>_<visible parts>_<camera>_<people>_<direction>_<quality>_<number>.avi``. Clips of one film
stay together when a validation part is split off.
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

VIDEOS, LISTS = "hmdb51_org", "testTrainMulti_7030_splits"
LINE = re.compile(r"([^/]+\.avi)\s+([012])")
SPLIT_OF = {"0": None, "1": TRAIN, "2": TEST}


@BENCHMARKS.register
class Hmdb51Recipe(ListedRecipe):
    """Settings of HMDB51: its place on disk, one of its three splits, and the part to use."""

    TITLE: ClassVar[str] = "HMDB51"
    HOME: ClassVar[str] = "https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database/"

    kind: Literal["hmdb51"] = "hmdb51"
    root: str = Field(default=f"{RAW}/hmdb51", min_length=1, description="folder of the official files")
    split: Literal[1, 2, 3] = Field(default=1, description="which official split")

    @property
    def parts(self) -> tuple[Part, ...]:
        lists = f"<class>_test_split{self.split}.txt"
        return (
            Part(VIDEOS, ("hmdb51_org.rar",), "<class>/*.avi"),
            Part(LISTS, ("test_train_splits.rar",), lists),
        )

    @property
    def official(self) -> dict[str, int]:
        return {TRAIN: 3570, TEST: 1530}

    def listing(self, tree: Tree) -> Listing:
        suffix = f"_test_split{self.split}.txt"
        classes = sorted(path.name.removesuffix(suffix) for path in tree[LISTS].glob(f"*{suffix}"))
        if not classes:
            raise UserError(f"{self.TITLE}: there is no list <class>{suffix} in {tree[LISTS]}")
        videos = []
        for name in classes:
            for line, where in tree.lines(LISTS, name + suffix):
                clip, split = _parse(line, where)
                if split:
                    film = clip.rpartition(f"_{name}_")[0]
                    videos.append(Listed(f"{name}/{clip}", name, split, film or clip))
        return Listing(classes, videos, VIDEOS)


def _parse(line: str, where: str) -> tuple[str, str | None]:
    """Return clip and split of a list's line; the split is None for a clip that is in neither."""
    match = LINE.fullmatch(line)
    if not match:
        raise UserError(f"{where}: wants `<clip>.avi` and 0, 1 or 2, got {line!r}")
    return match[1], SPLIT_OF[match[2]]

"""The benchmark EGTEA Gaze+ (Li et al., ECCV 2018), read in its official layout.

::

    cropped_clips/<session>/<clip>.mp4                       from video_clips.tar
    action_idx.txt                                           from action_annotation.zip, as the lists
    train_split1.txt, test_split1.txt                        (and 2, 3)

Lines of ``action_idx.txt`` are a name of several words, which hold commas and slashes, and a number that
counts from 1: ``Divide/Pull Apart lettuce 47``. Lines of lists are a clip, the number of its action, and
numbers of verb and nouns, which are not used. The first three parts of a clip's name are its session, the
recording of one person at one dish: ``OP01-R01-PastaSalad`` of
``OP01-R01-PastaSalad-66680-68130-F001597-F001639``. Clips of one session stay together when a validation part
is split off.
"""

from typing import ClassVar, Literal

from pydantic import Field

from kinefract.benchmarks.base import BENCHMARKS, TEST, TRAIN
from kinefract.benchmarks.choose import Listed
from kinefract.benchmarks.listed import ListedRecipe, Listing
from kinefract.benchmarks.official.tree import Part, Tree
from kinefract.common.errors import UserError
from kinefract.common.layout import RAW

VIDEOS, CLASSES = "cropped_clips", "action_idx.txt"
ANNOTATIONS = ("action_annotation.zip",)


@BENCHMARKS.register
class EgteaRecipe(ListedRecipe):
    """Settings of EGTEA Gaze+: its place on disk, one of its three splits, and the part to use."""

    TITLE: ClassVar[str] = "EGTEA Gaze+"
    HOME: ClassVar[str] = "https://cbs.ic.gatech.edu/fpv/"
    OFFICIAL: ClassVar[dict[int, dict[str, int]]] = {1: {TRAIN: 8299, TEST: 2022}}

    kind: Literal["egtea"] = "egtea"
    root: str = Field(default=f"{RAW}/egtea", min_length=1, description="folder of the official files")
    split: Literal[1, 2, 3] = Field(default=1, description="which official split")

    @property
    def parts(self) -> tuple[Part, ...]:
        texts = (CLASSES, *(self._list(split) for split in (TRAIN, TEST)))
        videos = Part(VIDEOS, ("video_clips.tar",), "<session>/<clip>.mp4")
        return videos, *(Part(name, ANNOTATIONS) for name in texts)

    @property
    def official(self) -> dict[str, int]:
        return self.OFFICIAL.get(self.split, {})

    def listing(self, tree: Tree) -> Listing:
        classes = _classes(tree)
        videos = []
        for split in (TRAIN, TEST):
            for line, where in tree.lines(self._list(split)):
                clip, session, number = _parse(line, where)
                if not 1 <= number <= len(classes):
                    raise UserError(f"{where}: {tree[CLASSES]} has no action {number}")
                videos.append(Listed(f"{session}/{clip}.mp4", classes[number - 1], split, session))
        return Listing(classes, videos, VIDEOS)

    def _list(self, split: str) -> str:
        return f"{split}_split{self.split}.txt"


def _classes(tree: Tree) -> list[str]:
    """Return class names in the order of their official numbers, which run from 1."""
    names: dict[int, str] = {}
    for line, where in tree.lines(CLASSES):
        name, _, number = line.rpartition(" ")
        if not (name.strip() and number.isdecimal()):
            raise UserError(f"{where}: wants a name and a number, as `Take eating_utensil 2`, got {line!r}")
        if int(number) in names or name.strip() in names.values():
            raise UserError(f"{where}: {line!r} repeats the name or the number of a line above")
        names[int(number)] = name.strip()
    if sorted(names) != list(range(1, len(names) + 1)):
        raise UserError(
            f"{tree[CLASSES]}: the numbers of its actions, {len(names)} in all, do not run from 1"
        )
    return [names[number] for number in sorted(names)]


def _parse(line: str, where: str) -> tuple[str, str, int]:
    """Return clip, session and official number of a list's line."""
    clip, *numbers = line.split()
    parts = clip.split("-")
    if len(parts) < 4 or not numbers or not all(number.isdecimal() for number in numbers):
        raise UserError(f"{where}: wants `<session>-<times>-<frames>` and numbers, got {line!r}")
    return clip, "-".join(parts[:3]), int(numbers[0])

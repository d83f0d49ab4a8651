"""The benchmark Volleyball (Ibrahim et al., CVPR 2016; arXiv 1607.02643), read in its official layout.

::

    videos/<video>/annotations.txt                       from volleyball_.zip
    videos/<video>/<frame>/<n>.jpg                       41 pictures: 20 before the frame, it, 20 after

Lines of ``annotations.txt`` are ``<frame>.jpg <class> <players>``; what players do is not used. A folder of
pictures is a video, of which all frames are the clip. Classes name left and right, so that clips are not
mirrored; their names mix separators, and they are in the order of the readers that others published.

The home page counts 4830 frames, but 4831 labels in its classes. A frame that is annotated twice counts once,
and the later line holds, as in those readers.

Which videos are for training, validation and testing is part of the benchmark: training is on the training
videos alone, where the home page counts validation among them.
"""

import re
from typing import ClassVar, Literal

from pydantic import Field

from kinefract.benchmarks import choose
from kinefract.benchmarks.base import BENCHMARKS, TEST, TRAIN, VALIDATION
from kinefract.benchmarks.choose import Listed
from kinefract.benchmarks.listed import ListedRecipe, Listing
from kinefract.benchmarks.official.tree import Part, Tree
from kinefract.common.errors import UserError
from kinefract.common.layout import RAW
from kinefract.common.progress import log_line
from kinefract.common.words import counted

VIDEOS, ANNOTATIONS = "videos", "annotations.txt"
CLASSES = ("r_set", "r_spike", "r-pass", "r_winpoint", "l_set", "l-spike", "l-pass", "l_winpoint")
VIDEOS_OF = {
    TRAIN: (1, 3, 6, 7, 10, 13, 15, 16, 18, 22, 23, 31, 32, 36, 38, 39, 40, 41, 42, 48, 50, 52, 53, 54),
    VALIDATION: (0, 2, 8, 12, 17, 19, 24, 26, 27, 28, 30, 33, 46, 49, 51),
    TEST: (4, 5, 9, 11, 14, 20, 21, 25, 29, 34, 35, 37, 43, 44, 45, 47),
}
LINE = re.compile(r"(\d+)\.jpg\s+(\S+)(?:\s.*)?", re.ASCII)


@BENCHMARKS.register
class VolleyballRecipe(ListedRecipe):
    """Settings of Volleyball: its place on disk, and the part to use."""

    TITLE: ClassVar[str] = "Volleyball"
    HOME: ClassVar[str] = "https://github.com/mostafa-saad/deep-activity-rec"
    kind: Literal["volleyball"] = "volleyball"
    root: str = Field(default=f"{RAW}/volleyball", min_length=1, description="folder of the official files")
    validation: bool = Field(
        default=False, description="evaluate on the official validation videos in place of the test videos"
    )

    @property
    def mirror_keeps_label(self) -> bool:
        return False

    @property
    def parts(self) -> tuple[Part, ...]:
        return (Part(VIDEOS, ("volleyball_.zip",), f"<video>/{{{ANNOTATIONS},<frame>/*.jpg}}"),)

    @property
    def official(self) -> dict[str, int]:
        return {TRAIN: 2152, VALIDATION: 1341, TEST: 1337}

    def listing(self, tree: Tree) -> Listing:
        """Read the annotations of the official videos, or of the existing ones if videos may be missing.

        Raises:
            UserError: a line is invalid, or required annotations are missing.
        """
        absent = [
            str(number)
            for number in sorted(sum(VIDEOS_OF.values(), ()))
            if not (tree[VIDEOS] / f"{number}/{ANNOTATIONS}").is_file()
        ]
        if absent and not self.allow_missing:
            raise UserError(
                f"{self.TITLE}: {tree[VIDEOS]}/<video>/{ANNOTATIONS} is missing of "
                f"{counted(len(absent), 'video')}: "
                f"{', '.join(absent)}; `allow_missing: true` goes on without them"
            )
        videos = [
            Listed(f"{number}/{frame}", name, split, str(number))
            for split, numbers in VIDEOS_OF.items()
            for number in numbers
            if str(number) not in absent
            for frame, name in _annotated(tree, number).items()
        ]
        return Listing(list(CLASSES), videos, VIDEOS)

    def _held_out(self, videos: list[Listed]) -> list[Listed]:
        return choose.official_validation(videos, bool(self.validation))


def _annotated(tree: Tree, number: int) -> dict[str, str]:
    """Return the class of each annotated frame of a video, in the order of the lines."""
    found: dict[str, str] = {}
    for line, where in tree.lines(VIDEOS, f"{number}/{ANNOTATIONS}"):
        match = LINE.fullmatch(line)
        if not match:
            raise UserError(f"{where}: wants `<frame>.jpg <class> <players>`, got {line!r:.80}")
        frame, name = match.groups()
        if name not in CLASSES:
            raise UserError(f"{where}: {name!r} is no class; classes are {', '.join(CLASSES)}")
        if found.setdefault(frame, name) != name:
            log_line(f"{where}: frame {frame} was {found[frame]} in a line above, counts as {name}")
            found[frame] = name
    return found

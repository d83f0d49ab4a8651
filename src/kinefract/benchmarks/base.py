"""What every benchmark's recipe has in common, and the registry of benchmarks."""

from abc import abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import SerializeAsAny

from kinefract.common.registry import RecipeRegistry
from kinefract.common.schema import Section

BENCHMARKS: RecipeRegistry["BenchmarkRecipe"] = RecipeRegistry("kind", "kinefract.benchmarks")
TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")


class Entry(NamedTuple):
    """One labelled video of a benchmark: a file, or a folder of numbered pictures.

    ``path`` is absolute, or relative to the benchmark's index folder; ``label`` counts classes from 0. The
    clip is frames ``start`` to ``end`` of the file, ``end`` not included; ``None`` is the file's end.
    """

    path: str
    label: int
    class_name: str
    split: str  # one of SPLITS
    start: int = 0
    end: int | None = None


class Video(NamedTuple):
    """One video as the index lists it, probed; otherwise as ``Entry``."""

    path: Path  # absolute once read
    label: int
    class_name: str
    frames: int  # of the whole file
    fps: float
    width: int
    height: int
    start: int
    end: int
    split: str

    @property
    def length(self) -> int:
        """The number of the clip's frames."""
        return self.end - self.start


@dataclass(frozen=True)
class Contents:
    """What a benchmark lists, and what is wrong with it.

    Attributes:
        classes: Names in label order.
        entries: Training before the others, in the order of the lists.
        missing: Listed clips that are not there, as the lists name them.
        disagreements: A line each: counts or files that are not as they officially are.
        official: Split -> how many videos the benchmark has officially; empty where there is no such number.
        listed: Split -> how many videos are listed, there or not; empty where all are there.
    """

    classes: list[str]
    entries: list[Entry]
    missing: list[str] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)
    official: dict[str, int] = field(default_factory=dict)
    listed: dict[str, int] = field(default_factory=dict)


class BenchmarkRecipe(Section):
    """Settings of a benchmark: where its videos are and which split is meant.

    ``mirror_keeps_label`` says whether a video seen in a mirror still has its label. Where a class is told
    by left and right it is False, and training does not flip clips.
    """

    kind: str

    @property
    def folds_to_pool(self) -> int:
        """How many folds are run in place of this benchmark as a whole; 0 where it is run as it is."""
        return 0

    @property
    def mirror_keeps_label(self) -> bool:
        return True

    @property
    def tolerant(self) -> bool:
        """Whether videos that are missing or unreadable are left out rather than refused."""
        return False

    @abstractmethod
    def contents(self, root: Path, folder: Path) -> Contents:
        """List every video of the split.

        Args:
            root: The folder that relative paths of the recipe start from (the project's).
            folder: The index folder, for benchmarks that make their own videos.

        Raises:
            UserError: files without which nothing can be listed are not there, or make no sense.
        """


AnyBenchmark = Annotated[SerializeAsAny[BenchmarkRecipe], BENCHMARKS.validator()]

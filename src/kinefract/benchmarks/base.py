"""The base class of every benchmark's recipe, and the registry of benchmarks."""

from abc import abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple

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
    """One probed video of the index; the other fields are those of ``Entry``."""

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
    """The entries that a benchmark lists, and the problems that were found.

    Attributes:
        classes: Names in label order.
        entries: Training entries before the others, in the order of the lists.
        missing: Listed clips that do not exist, as the lists name them.
        disagreements: A line for each count or file that differs from the official one.
        official: Split -> official number of videos; empty if there is no such number.
        listed: Split -> number of listed videos, existing or not; empty if all exist.
    """

    classes: list[str]
    entries: list[Entry]
    missing: list[str] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)
    official: dict[str, int] = field(default_factory=dict)
    listed: dict[str, int] = field(default_factory=dict)


class BenchmarkRecipe(Section):
    """Settings of a benchmark: the place of its videos, and the split.

    ``mirror_keeps_label`` states whether a mirrored video keeps its label. It is False if classes differ by
    left and right; then training does not flip clips.

    ``VERSION`` enters the digest of an index. It is raised by hand if the same settings choose other videos.
    """

    VERSION: ClassVar[int] = 2
    MADE: ClassVar[bool] = False  # whether its videos are made here, so that nobody has to bring them

    kind: str

    @property
    def folds_to_pool(self) -> int:
        """The number of folds that replace this benchmark in runs; 0 if it is run as a whole."""
        return 0

    @property
    def is_fold(self) -> bool:
        """Whether this is one of the folds of another benchmark."""
        return False

    @property
    def mirror_keeps_label(self) -> bool:
        return True

    @property
    def has_validation(self) -> bool:
        """Whether networks are evaluated on a validation part, which replaces the test videos."""
        return False

    @property
    def tolerant(self) -> bool:
        """Whether missing or unreadable videos are left out; otherwise they raise an error."""
        return False

    @abstractmethod
    def contents(self, root: Path, folder: Path) -> Contents:
        """List every video of the split.

        Args:
            root: The folder that relative paths of the recipe start from (the project's).
            folder: The index folder, for benchmarks that make their own videos.

        Raises:
            UserError: files that are needed to list the videos are missing or invalid.
        """


AnyBenchmark = Annotated[SerializeAsAny[BenchmarkRecipe], BENCHMARKS.validator()]

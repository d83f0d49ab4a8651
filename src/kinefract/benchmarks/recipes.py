"""What every benchmark's recipe has in common, and the registry of benchmarks."""

from abc import abstractmethod
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple

from pydantic import SerializeAsAny

from kinefract.schema import Registry, Section

BENCHMARKS = Registry("kind")


class Entry(NamedTuple):
    """One labelled video of a benchmark.

    ``path`` is absolute, or relative to the benchmark's index folder; ``label`` counts classes from 0.
    """

    path: str
    label: int
    class_name: str
    split: str  # "train" or "test"


class Video(NamedTuple):
    """One video as the index lists it, probed; ``label`` and ``split`` as in ``Entry``."""

    path: Path  # absolute once read
    label: int
    class_name: str
    split: str
    frames: int
    fps: float
    width: int
    height: int


class BenchmarkRecipe(Section):
    """Settings of a benchmark: where its videos are and which split is meant.

    ``mirror_keeps_label`` says whether a video seen in a mirror still has its label. Where a class is told
    by left and right it is False, and training does not flip clips.
    """

    mirror_keeps_label: ClassVar[bool] = True

    kind: str

    @abstractmethod
    def entries(self, root: Path, folder: Path) -> list[Entry]:
        """List every video of the split.

        Args:
            root: The folder that relative paths of the recipe start from (the project's).
            folder: The index folder, for benchmarks that make their own videos.

        Raises:
            UserError: files are missing or disagree with the official lists; the message says which files
                to put where.
        """


AnyBenchmark = Annotated[SerializeAsAny[BenchmarkRecipe], BENCHMARKS.validator()]

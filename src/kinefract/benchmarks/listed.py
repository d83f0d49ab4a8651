"""The common base of recipes whose benchmarks are read from lists."""

import os
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple, Self

from pydantic import Field, model_validator

from kinefract.benchmarks import choose
from kinefract.benchmarks.base import SPLITS, TEST, TRAIN, VALIDATION, BenchmarkRecipe, Contents, Entry
from kinefract.benchmarks.choose import Listed
from kinefract.benchmarks.official.tree import Part, Tree
from kinefract.common.ranges import Count, Folds, Seed
from kinefract.common.schema import Section, is_none


class Listing(NamedTuple):
    """The content of a benchmark's lists.

    Attributes:
        classes: All class names in label order.
        videos: All videos of the split.
        folder: The name of the part to which the videos' paths are relative.
    """

    classes: list[str]
    videos: list[Listed]
    folder: str


class TrainingFolds(Section):
    """Settings of folds of the training videos alone, for tuning; the test videos are left out."""

    folds: Folds = Field(description="so many, by whole groups; each is evaluated on once")


Share = Annotated[float, Field(ge=0, lt=1)]


class ChosenRecipe(BenchmarkRecipe):
    """Settings that choose a part of a benchmark on the user's disk.

    ``TITLE`` names it in messages.
    """

    TITLE: ClassVar[str]

    classes: Annotated[tuple[str, ...], Field(strict=False, min_length=2)] | None = Field(
        default=None, description="only these classes, labelled in the benchmark's order; all where not given"
    )
    clips_per_class: Count | None = Field(
        default=None, description="few-shot: so many training videos of each class, drawn by `seed`"
    )
    validation: Share | TrainingFolds = Field(
        default=0.0,
        description="share of the training videos, by whole groups, to evaluate on in place of the tests; "
        "or `{folds: 4}`: each quarter of them in turn",
    )
    folds: Folds | None = Field(
        default=None,
        exclude_if=is_none,
        description="in place of the given split: so many folds by whole groups, each tested once by a "
        "network that trained on the others; as many as there are groups leaves one group out",
    )
    fold: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        default=None, exclude_if=is_none, description="one of the folds alone; all where not given"
    )
    allow_missing: bool = Field(
        default=False, description="go on without videos that are missing or unreadable, and say so"
    )
    seed: Seed = Field(default=1, description="of `clips_per_class`, `validation` and `folds`")

    @model_validator(mode="after")
    def _folds_fit(self) -> Self:
        if self.folds and self.validation:
            raise ValueError("folds: are of all videos; for folds of the training videos leave it out")
        if self.fold and self.fold > (self._folds or 0):
            raise ValueError(f"fold: {self.fold} of {self._folds or 'no'} folds")
        return self

    @property
    def _folds(self) -> int | None:
        return self.validation.folds if isinstance(self.validation, TrainingFolds) else self.folds

    @property
    def folds_to_pool(self) -> int:
        return 0 if self.fold else self._folds or 0

    @property
    def is_fold(self) -> bool:
        return bool(self.fold)

    @property
    def has_validation(self) -> bool:
        return bool(self.validation)

    @property
    def tolerant(self) -> bool:
        return self.allow_missing

    @property
    def official(self) -> dict[str, int]:
        """Split -> number of videos that the authors state; empty if they state none."""
        return {}

    def chosen(self, listing: Listing, base: Path, find: Callable[[str], str | None]) -> Contents:
        """Choose the part of a benchmark that the settings describe.

        Args:
            listing: The content of its lists.
            base: The path to the folder of the videos, see ``leading_to``.
            find: A function that returns a listed path as it is spelt on disk, or None if it does not exist.

        Returns:
            The videos, training before the others, in the order of the lists.

        Raises:
            UserError: a class is unknown, or no validation part can be held out.
        """
        names = choose.classes(listing.classes, self.classes, self.TITLE)
        labels = {name: label for label, name in enumerate(names)}
        videos = self._part([video for video in listing.videos if video.class_name in labels])
        if self.clips_per_class:
            videos = choose.few(videos, self.clips_per_class, self.seed)
        entries, missing = [], []
        for video in sorted(videos, key=lambda video: SPLITS.index(video.split)):
            actual = find(video.path)
            if actual is None:
                missing.append(video.path)
            else:
                head = (str(base / actual), labels[video.class_name], video.class_name)
                entries.append(Entry(*head, video.split, video.start, video.end))
        whole = names == listing.classes and not (self._folds or self.validation or self.clips_per_class)
        official = self.official if whole else {}
        listed = Counter(video.split for video in videos)
        return Contents(names, entries, missing, self._counted(listing.videos), official, listed)

    def _part(self, videos: list[Listed]) -> list[Listed]:
        """Return the videos with the splits that the settings give."""
        if isinstance(self.validation, TrainingFolds):
            train = [video for video in videos if video.split == TRAIN]
            return self._dealt(train, self.validation.folds, VALIDATION)
        if self.folds:
            return self._dealt(videos, self.folds, TEST)
        return self._held_out(videos)

    def _dealt(self, videos: list[Listed], folds: int, split: str) -> list[Listed]:
        return choose.folds(videos, folds, self.fold, split, self.seed, self.TITLE)

    def _held_out(self, videos: list[Listed]) -> list[Listed]:
        """Return the videos with a share of the training videos held out, if the settings ask for it."""
        if isinstance(self.validation, float) and self.validation:
            return choose.validation(videos, self.validation, self.seed, self.TITLE)
        return videos

    def _counted(self, videos: list[Listed]) -> list[str]:
        """Return a line for each split whose number of videos differs from the authors'."""
        counts = Counter(video.split for video in videos)
        return [
            f"the lists name {counts[split]} {split} videos, officially there are {number}"
            for split, number in self.official.items()
            if counts[split] != number
        ]


class ListedRecipe(ChosenRecipe):
    """Settings of a published benchmark with official lists; ``HOME`` is the address of its home page."""

    HOME: ClassVar[str]

    root: str = Field(min_length=1, description="folder of the official files or archives")

    @property
    @abstractmethod
    def parts(self) -> tuple[Part, ...]:
        """The official folders and files that are read."""

    @abstractmethod
    def listing(self, tree: Tree) -> Listing:
        """Read the lists.

        Raises:
            UserError: a line is invalid; the message names file and line.
        """

    def contents(self, root: Path, folder: Path) -> Contents:
        """List the videos of the split, training before the others, in the order of the lists.

        Raises:
            UserError: official files are missing or invalid, or a class is unknown.
        """
        root = Path(root)
        tree = Tree(self.TITLE, self.HOME, root / self.root, root, self.parts)
        listing = self.listing(tree)
        videos, there = tree[listing.folder], tree.files(listing.folder)
        absolute = Path(self.root).is_absolute() and videos.is_relative_to(self.root)
        base = videos if absolute else leading_to(videos, root, folder)
        return self.chosen(listing, base, lambda path: there.get(path) or there.get(path.casefold()))


def leading_to(videos: Path, root: Path, folder: Path) -> Path:
    """Return the path relative to the index folder of a folder given relative to the project's.

    With relative paths, a project can be moved as a whole.
    """
    return Path(os.path.relpath(root.resolve() / videos.relative_to(root), Path(folder).resolve()))

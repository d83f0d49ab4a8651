"""Benchmarks of a user's own videos: a folder for each class, or a CSV file that names them.

::

    <root>/<class>/*                       kind: folder; a share of each class is for testing
    <root>/{train,test}/<class>/*          the same, the split given; also validation/<class>/*
    path,label,split[,group,start,end]     kind: csv; the header of the file

A folder does not show which videos were recorded together, so every video counts as a recording of its own.
Clips that were cut from one recording are alike; if some are for training and others for testing, results are
too good. In that case the recording must be named in the column ``group`` of a CSV file.
"""

import csv
from abc import abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from kinefract.benchmarks import choose, summary
from kinefract.benchmarks.base import BENCHMARKS, SPLITS, TEST, VALIDATION, Contents
from kinefract.benchmarks.choose import Listed
from kinefract.benchmarks.fields import check_class_name, same_place, whole_number
from kinefract.benchmarks.listed import ChosenRecipe, Listing, Share, TrainingFolds, leading_to
from kinefract.benchmarks.official.tree import leads_back
from kinefract.common.errors import UserError
from kinefract.common.progress import log_line
from kinefract.common.terminal import printable
from kinefract.common.words import counted
from kinefract.video import pictures

SUFFIXES = (
    *(".avi", ".mp4", ".mkv", ".mov", ".webm", ".mpg", ".mpeg", ".m4v", ".wmv"),
    *(".flv", ".gif", ".ts", ".mts", ".m2ts", ".3gp", ".ogv", ".asf", ".vob"),
)
NEEDED, OPTIONAL = ("path", "label", "split"), ("group", "start", "end")


class OwnRecipe(ChosenRecipe):
    """Settings of a user's own videos, common to both ways of listing them."""

    TITLE: ClassVar[str] = "your videos"

    # Official benchmarks do not accept "given", so this type is wider than theirs.
    validation: Share | Literal["given"] | TrainingFolds = Field(  # type: ignore[assignment]
        default=0.0,
        description="share of the training videos, by whole groups, to evaluate on in place of the test "
        "videos; or `given`: those given for validation; or `{folds: 4}`: each quarter of them in turn",
    )
    mirror: bool = Field(
        default=True, description="whether a mirrored video keeps its label; if so, training flips clips"
    )

    @property
    def mirror_keeps_label(self) -> bool:
        return self.mirror

    @abstractmethod
    def listed(self, place: Path) -> list[Listed]:
        """List all videos; paths start from the folder that holds them.

        Args:
            place: The folder or the CSV file that the recipe names.

        Raises:
            UserError: an entry is invalid; the message names its place.
        """

    def _contents(self, given: str, root: Path, folder: Path) -> Contents:
        root = Path(root)
        place = root / given
        videos = self.listed(place)
        classes = sorted({video.class_name for video in videos})
        if len(classes) < 2:
            raise UserError(f"{place}: a benchmark needs videos of two classes, this has {_named(classes)}")
        _say_shared(videos, place)
        top = place if place.is_dir() else place.parent
        base = top if Path(given).is_absolute() else leading_to(top, root, folder)
        return self.chosen(
            Listing(classes, videos, "."), base, lambda path: path if _exists(top / path) else None
        )

    def _held_out(self, videos: list[Listed]) -> list[Listed]:
        given = {video.split for video in videos}
        if self.validation != "given":
            if not self.validation and VALIDATION in given and TEST not in given:
                raise UserError(
                    "no video is for testing: `validation: given` evaluates on those for validation"
                )
            return super()._held_out(choose.official_validation(videos, False))
        if VALIDATION not in given:
            raise UserError("validation: given, but none of your videos are given for validation")
        return choose.official_validation(videos, True)


@BENCHMARKS.register
class FolderRecipe(OwnRecipe):
    """Settings of videos in a folder for each class; a folder of pictures inside counts as a video."""

    VERSION: ClassVar[int] = 3  # 2 drew each test video alone

    kind: Literal["folder"] = "folder"
    root: str = Field(
        min_length=1, description="folder of `<class>/*`, or of `train/<class>/*` and `test/<class>/*`"
    )
    test_share: float = Field(
        default=0.3,
        gt=0,
        lt=1,
        description="share of each class, to the nearest video, that is for testing where the split is not "
        "given, drawn by `seed`; equal files stay on one side",
    )

    def contents(self, root: Path, folder: Path) -> Contents:
        """List the videos. Hidden files are ignored; the number of other files is logged.

        Raises:
            UserError: the folder is missing, or its layout is neither of the two; a class is unknown or its
                folder holds no video.
        """
        return self._contents(self.root, root, folder)

    def listed(self, place: Path) -> list[Listed]:
        videos, empty = in_class_folders(place)
        empty = [name for name in empty if name in (self.classes or empty)]
        if empty and not self.allow_missing:
            raise UserError(
                f"{place}: folders of classes that hold no video: {_named(empty)}; "
                "bring the videos, name the classes wanted in `classes:`, or set `allow_missing: true`"
            )
        return videos if all(video.split for video in videos) else self._drawn(videos, place)

    def _drawn(self, videos: list[Listed], place: Path) -> list[Listed]:
        """Draw the test videos. Files that are equal byte for byte are a group, which stays on one side."""
        first: dict[Path, str] = {}
        for equal in summary.duplicates([place / video.path for video in videos]):
            first |= dict.fromkeys(equal, equal[0].relative_to(place).as_posix())
        grouped = [video._replace(group=first.get(place / video.path, video.group)) for video in videos]
        return choose.test_part(grouped, self.test_share, self.seed, str(place), self.classes)


@BENCHMARKS.register
class CsvRecipe(OwnRecipe):
    """Settings of videos that a CSV file names, or clips of them."""

    kind: Literal["csv"] = "csv"
    file: str = Field(
        min_length=1, description="CSV file of `path,label,split` and perhaps `group,start,end`; UTF-8"
    )

    def contents(self, root: Path, folder: Path) -> Contents:
        """List the videos.

        Raises:
            UserError: the file is missing, a line is invalid, or a class is unknown.
        """
        return self._contents(self.file, root, folder)

    def listed(self, place: Path) -> list[Listed]:
        lines: dict[tuple[str, int, int | None], str] = {}
        spelt_once, videos = same_place(place.parent), []
        spellings: dict[str, str] = {}  # of each file the first one, which is its group if no other is given
        for row, where in _rows(place):
            video = _parse(row, where)
            file = spelt_once(video.path)
            if video.group == video.path:
                video = video._replace(group=spellings.setdefault(file, video.path))
            clip = file, video.start, video.end
            if (before := lines.setdefault(clip, where)) != where:
                raise UserError(f"{where}: {printable(video.path)} is listed already, in {before}")
            videos.append(video)
        return videos


def in_class_folders(place: Path) -> tuple[list[Listed], list[str]]:
    """List the videos of ``<class>/*``, with an empty split, or of ``<split>/<class>/*``.

    Hidden files are ignored; the number of other files that are no videos is logged. A link that leads
    nowhere counts as what its name says: a video that is missing, or a class whose folder holds no video.

    Returns:
        The videos, and the classes whose folders hold no video.

    Raises:
        UserError: the folder is missing, its layout is neither of the two, or a folder's name is no name of a
            class.
    """
    others: Counter[str] = Counter()
    found = [path.name for path in _visible(place) if _is_folder(path)]
    given = [split for split in SPLITS if split in found and _has_folders(place / split)]
    if given and (strange := sorted(set(found) - set(SPLITS))):
        raise UserError(
            f"{place}: beside {', '.join(SPLITS)} there are folders that are no split: "
            f"{_named(strange)}; rename or move them"
        )
    without = sorted(set(found) - set(given)) if set(found) <= set(SPLITS) else []
    if flat := [split for split in without if _visible(place / split)]:
        raise UserError(f"{place}: holds no folders of classes in {', '.join(flat)}")
    videos: list[Listed] = []
    classes = set()
    for split in given or [""]:
        for name, own in _in_classes(place / split, others):
            classes.add(name)
            paths = [path.relative_to(place).as_posix() for path in own]
            videos += [Listed(path, name, split, path) for path in paths]
    if others:
        kinds = ", ".join(f"{count} {kind}" for kind, count in others.most_common(5))
        log_line(
            f"{place}: passed over, since they are no videos: {counted(others.total(), 'entry')} ({kinds})"
        )
    return videos, sorted(classes - {video.class_name for video in videos})


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise UserError(f"cannot read the folder {folder}: {error.strerror or error}") from None


def _has_folders(folder: Path) -> bool:
    """Return whether a folder holds folders that are not videos, as the folder of a split does."""
    return any(_is_folder(path) and not _is_video(path) for path in _visible(folder))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long for any file, or a folder that may not be read
        return False


def _is_folder(path: Path) -> bool:
    """Return whether a path is a folder, or a link to nowhere that is named like one, without a suffix."""
    return path.is_dir() or (_leads_nowhere(path) and not path.suffix[1:2].isalpha())


def _leads_nowhere(path: Path) -> bool:
    return path.is_symlink() and not path.exists()


def _is_video(path: Path) -> bool:
    """Return whether a path is a video file, or a folder of pictures without videos in it."""
    if path.is_dir():
        if leads_back(path):
            return False
        inside = _visible(path)
        others = [entry for entry in inside if entry.suffix.lower() not in pictures.SUFFIXES]
        return len(others) < len(inside) and not any(map(_is_video, others))
    return path.suffix.lower() in SUFFIXES and (path.is_file() or _leads_nowhere(path))


def _in_classes(top: Path, others: Counter[str]) -> Iterator[tuple[str, list[Path]]]:
    """Yield the name of every class folder and its videos; count other files by suffix."""
    for folder in _visible(top):
        if not _is_folder(folder):
            others[_kind(folder)] += 1
            continue
        name = folder.name.encode(errors="backslashreplace").decode()  # bytes that are no UTF-8
        check_class_name(name, folder.parent)
        paths = [] if _leads_nowhere(folder) else _visible(folder)
        inside = [(path, _is_video(path) or (_leads_nowhere(path) and _is_folder(path))) for path in paths]
        others.update(_kind(path) for path, is_video in inside if not is_video)
        yield name, [path for path, is_video in inside if is_video]


def _kind(path: Path) -> str:
    return "folders" if path.is_dir() else printable(path.suffix) or "without suffix"


def _rows(path: Path) -> Iterator[tuple[dict[str, str], str]]:
    """Yield the rows of a CSV file as mappings by column name, each with its place."""
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            header = [name.strip() for name in next(reader, [])]
            unknown = set(header) - set(NEEDED) - set(OPTIONAL)
            if unknown or not set(NEEDED) <= set(header) or len(set(header)) < len(header):
                raise UserError(
                    f"{path}, line 1: wants the names {','.join(NEEDED)} and perhaps {','.join(OPTIONAL)}, "
                    f"got {printable(','.join(header))!r:.100}"
                )
            line = reader.line_num + 1  # the line where the next row begins; a name may contain line breaks
            for row in reader:
                where, line = f"{path}, line {line}", reader.line_num + 1
                if len(row) not in (0, len(header)):
                    raise UserError(
                        f"{where}: has {counted(len(row), 'field')}, the first line names {len(header)}"
                    )
                if row:
                    yield dict(zip(header, row, strict=True)), where
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: {error}") from None


def _parse(row: dict[str, str], where: str) -> Listed:
    # Blanks are part of a path.
    path, label, split = row["path"], row["label"].strip(), row["split"].strip()
    if not path.strip() or "\0" in path:
        raise UserError(f"{where}: wants a path, got {path!r:.60}")
    check_class_name(label, where)
    if split not in SPLITS:
        raise UserError(f"{where}: split is one of {', '.join(SPLITS)}, got {split!r:.60}")
    start, end = (_frame(row.get(name, ""), name, where) for name in ("start", "end"))
    if end is not None and end <= (start or 0):
        raise UserError(f"{where}: the clip ends at frame {end}, before it starts")
    return Listed(path, label, split, row.get("group", "").strip() or path, start or 0, end)


def _frame(text: str, name: str, where: str) -> int | None:
    text = text.strip()
    if text and whole_number(text) is None:
        raise UserError(f"{where}: {name} is a frame number, counted from 0, or empty; got {text!r:.60}")
    return whole_number(text)


def _say_shared(videos: list[Listed], place: Path) -> None:
    """Log the groups that are on more than one side of the split, if any."""
    sides: dict[str, set[str]] = defaultdict(set)
    for video in videos:
        sides[video.group].add(video.split)
    if shared := sorted(group for group, splits in sides.items() if len(splits) > 1):
        log_line(
            f"{place}: in more than one split, which makes results too good: "
            f"{counted(len(shared), 'group')}, {_named(shared)}"
        )


def _named(names: list[str]) -> str:
    shown = ", ".join(printable(name) for name in names[:10])
    return (shown or "none") + (", ..." if len(names) > 10 else "")

"""The choice of parts of a benchmark: some classes, a few training clips of each, a validation part.

The choice is a function of the seed and the clips' listed names; the files on disk do not matter.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from kinefract.benchmarks.base import TEST, TRAIN, VALIDATION
from kinefract.common.errors import UserError
from kinefract.common.schema import digest_of, suggestion
from kinefract.common.words import counted


class Listed(NamedTuple):
    """One video as a benchmark's lists name it.

    Attributes:
        path: The path from the folder of the videos, with ``/``; its case may differ from that on disk.
        class_name: One of the benchmark's class names.
        split: ``"train"``, ``"test"`` or ``"validation"``.
        group: The name of clips that were recorded together (a person, a film, a session), across classes.
            Clips of one group are never on both sides of a validation split.
        start, end: Frames of the file, as for ``Entry``.
    """

    path: str
    class_name: str
    split: str
    group: str
    start: int = 0
    end: int | None = None


def classes(names: Sequence[str], wanted: Sequence[str] | None, what: str) -> list[str]:
    """Return class names in label order: all, or those in ``wanted``, in the order of the benchmark.

    Raises:
        UserError: a wanted class is unknown or named twice; the message suggests a similar name.
    """
    if wanted is None:
        return list(names)
    for name in wanted:
        if name not in names:
            raise UserError(f"classes: {name!r} is no class of {what}{suggestion(name, names)}")
    if len(set(wanted)) < len(wanted):
        raise UserError(f"classes: a class of {what} is named twice")
    return [name for name in names if name in wanted]


def few(videos: list[Listed], clips_per_class: int, seed: int) -> list[Listed]:
    """Keep ``clips_per_class`` training videos of each class, drawn by the seed, and all other videos."""
    by_class: dict[str, list[Listed]] = defaultdict(list)
    for video in videos:
        if video.split == TRAIN:
            by_class[video.class_name].append(video)
    kept: set[Listed] = set()
    for own in by_class.values():
        own.sort(key=lambda video: digest_of([seed, video.path, video.start, video.end]))
        kept.update(own[:clips_per_class])
    return [video for video in videos if video.split != TRAIN or video in kept]


def validation(videos: list[Listed], share: float, seed: int, what: str) -> list[Listed]:
    """Split a validation part off the training videos, by whole groups, and leave the test videos out.

    Classes are handled one by one, those with few groups first. Groups, in an order drawn by the seed, go to
    validation until it holds the given share of the class. A group stays if a class would have no training
    videos without it.

    Args:
        videos: The videos of all splits.
        share: Share of each class's training videos, above 0 and below 1; whole groups seldom give it
            exactly.
        seed: The seed of the order of groups.
        what: The benchmark, for messages.

    Raises:
        UserError: no video of some class can be held out, for example because all are of one group.
    """
    train = [video for video in videos if video.split == TRAIN]
    sizes: dict[str, Counter[str]] = defaultdict(Counter)  # class -> group -> videos
    for video in train:
        sizes[video.class_name][video.group] += 1
    holders: dict[str, list[str]] = defaultdict(list)  # group -> classes
    for name, own in sizes.items():
        for group in own:
            holders[group].append(name)
    left = {name: len(own) for name, own in sizes.items()}  # groups that are still in training
    out: set[str] = set()
    for name in sorted(sizes, key=lambda name: (len(sizes[name]), name)):
        own = sizes[name]
        held = sum(own[group] for group in own if group in out)
        for group in sorted(own.keys() - out, key=lambda group: digest_of([seed, group])):
            if held >= share * own.total():
                break
            if all(left[other] > 1 for other in holders[group]):
                out.add(group)
                held += own[group]
                for other in holders[group]:
                    left[other] -= 1
    empty = [name for name, own in sizes.items() if not own.keys() & out]
    if empty:
        raise UserError(
            f"validation: of {counted(len(empty), 'class')} of {what} none can be held out: "
            f"{', '.join(empty[:10])}; "
            "clips that were recorded together stay on one side, and each side needs a group of every class"
        )
    return [video._replace(split=VALIDATION if video.group in out else TRAIN) for video in train]


def test_part(
    videos: list[Listed], share: float, seed: int, what: str, classes: Collection[str] | None = None
) -> list[Listed]:
    """Split a part for testing off videos without a split, by whole groups and class by class.

    Groups, in an order drawn by the seed, go to the tests as long as that brings their number in the class
    nearer to the share, rounded to whole videos. Each class keeps a group on both sides.

    Args:
        videos: The videos.
        share: Share of each class that is for testing, above 0 and below 1.
        seed: The seed of the order of groups.
        what: The benchmark, for messages.
        classes: The classes that must have videos on both sides; all where None.

    Raises:
        UserError: the videos of such a class are of one group.
    """
    sizes: dict[str, Counter[str]] = defaultdict(Counter)  # class -> group -> videos
    holders: dict[str, set[str]] = defaultdict(set)  # group -> classes
    for video in videos:
        sizes[video.class_name][video.group] += 1
        holders[video.group].add(video.class_name)
    left = {name: len(own) for name, own in sizes.items()}  # groups that are not for testing
    out: set[str] = set()

    settled: set[str] = set()  # groups of classes that are done; another class does not move them

    def may_go(group: str) -> bool:
        return group not in out and all(left[name] > 1 for name in holders[group])

    for name in sorted(sizes, key=lambda name: (len(sizes[name]), name)):
        own = sizes[name]
        wanted = min(max(math.floor(share * own.total() + 0.5), 1), own.total() - 1)
        drawn = sorted(own.keys() - settled, key=lambda group: digest_of([seed, group]))
        smallest = sorted(own, key=lambda group: (own[group], digest_of([seed, group])))
        for place, group in enumerate([*drawn, *smallest]):
            held = sum(own[group] for group in own if group in out)
            nearer = abs(held + own[group] - wanted) < abs(held - wanted)
            if may_go(group) and (nearer or (place >= len(drawn) and not held)):
                out.add(group)
                for other in holders[group]:
                    left[other] -= 1
        settled |= own.keys()
    both = sizes.keys() if classes is None else sizes.keys() & set(classes)
    one_sided = (name for name in both if not sizes[name].keys() & out or sizes[name].keys() <= out)
    if single := sorted(one_sided):
        raise UserError(
            f"{what}: a class needs two videos, one to train and one to test, that are not the same file: "
            f"{', '.join(single[:10])}"
        )
    return [video._replace(split=TEST if video.group in out else TRAIN) for video in videos]


def folds(
    videos: list[Listed], count: int, fold: int | None, split: str, seed: int, what: str
) -> list[Listed]:
    """Divide videos into folds by whole groups; one fold is for evaluation, the others are for training.

    Groups are dealt by size, the largest first, each to the fold that has the fewest videos of its classes.
    With as many folds as groups this is leave-one-group-out.

    Args:
        videos: All videos; their own splits are ignored.
        count: The number of folds.
        fold: The number of the fold for evaluation, from 1; None marks all videos for evaluation.
        split: The name of the split for evaluation: ``"test"`` or ``"validation"``.
        seed: The seed of the order of groups of equal size.
        what: The benchmark, for messages.

    Raises:
        UserError: there are fewer groups than folds, or all videos of a class are in one fold.
    """
    sizes: dict[str, Counter[str]] = defaultdict(Counter)  # group -> class -> videos
    for video in videos:
        sizes[video.group][video.class_name] += 1
    if len(sizes) < count:
        raise UserError(
            f"folds: {counted(count, 'fold')} of {what}, whose videos are of "
            f"{counted(len(sizes), 'group')}; clips that were "
            "recorded together stay in one fold, so there are at most as many folds as groups"
        )
    held: list[Counter[str]] = [Counter() for _ in range(count)]
    fold_of: dict[str, int] = {}
    for group in sorted(sizes, key=lambda group: (-sizes[group].total(), digest_of([seed, group]))):
        own = sizes[group]
        crowded = [(sum(have[name] for name in own), have.total(), place) for place, have in enumerate(held)]
        fold_of[group] = min(crowded)[2]
        held[fold_of[group]].update(own)
    single = sorted({video.class_name for video in videos if _folds_of(video.class_name, held) < 2})
    if single:
        raise UserError(
            f"folds: of {what} all videos of {', '.join(single[:10])} are of one fold; "
            "each class needs videos of two groups"
        )
    return [
        video._replace(split=split if fold in (None, fold_of[video.group] + 1) else TRAIN) for video in videos
    ]


def _folds_of(class_name: str, held: list[Counter[str]]) -> int:
    return sum(class_name in have for have in held)


def official_validation(videos: list[Listed], wanted: bool) -> list[Listed]:
    """Leave out the official validation videos, or the test videos if validation is ``wanted``."""
    return [video for video in videos if video.split != (TEST if wanted else VALIDATION)]

"""Parts of a benchmark: classes, few clips, a validation part by whole groups."""

from collections import Counter

import numpy as np
import pytest

from kinefract.benchmarks import choose
from kinefract.benchmarks.choose import Listed
from kinefract.common.errors import UserError


def many(seed=0, classes=6, groups=30, clips=600):
    """Clips of random classes and groups that classes share, a quarter of them for testing."""
    rng = np.random.default_rng(seed)
    videos = []
    for number in range(clips):
        name, group = f"class {rng.integers(classes)}", f"group {rng.integers(groups)}"
        videos.append(Listed(f"{number}.avi", name, ("train", "train", "train", "test")[number % 4], group))
    return videos


def of_groups(**classes):
    """Training clips of classes by the groups they are of, a letter each: ``a="xxy"``."""
    return [
        Listed(f"{name}/{number}.avi", name, "train", group)
        for name, groups in classes.items()
        for number, group in enumerate(groups)
    ]


def test_classes_are_all_or_those_wanted_in_the_order_of_the_benchmark():
    names = ["b", "a", "c"]
    assert choose.classes(names, None, "X") == names
    assert choose.classes(names, ("c", "b"), "X") == ["b", "c"]


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        (("b", "A"), r"'A' is no class of X \(did you mean 'a'\?\)"),
        (("b", "zzzz"), "'zzzz' is no class of X$"),
        (("b", "b"), "a class of X is named twice"),
    ],
)
def test_wrong_classes_are_refused(wanted, complaint):
    with pytest.raises(UserError, match=complaint):
        choose.classes(["b", "a"], wanted, "X")


def test_few_clips_are_so_many_of_each_class_and_all_tests():
    videos = many()
    kept = choose.few(videos, 5, 1)
    assert Counter(v.class_name for v in kept if v.split == "train") == {f"class {i}": 5 for i in range(6)}
    assert [v for v in kept if v.split == "test"] == [v for v in videos if v.split == "test"]
    assert [v for v in videos if v in set(kept)] == kept
    assert choose.few(videos, 10_000, 1) == videos


def test_few_clips_depend_on_seed_and_names_alone():
    videos = many()
    kept = set(choose.few(videos, 5, 1))
    assert set(choose.few(videos[::-1], 5, 1)) == kept
    assert set(choose.few(videos, 5, 2)) != kept
    assert kept < set(choose.few(videos, 6, 1))
    # A clip that is not drawn may be gone.
    unused = next(v for v in videos if v.split == "train" and v not in kept)
    assert set(choose.few([v for v in videos if v != unused], 5, 1)) == kept


def test_clips_of_one_file_are_drawn_each_for_itself():
    videos = [Listed("a.avi", "a", "train", "a", start, start + 5) for start in range(0, 50, 5)]
    drawn = [choose.few(videos, 3, seed) for seed in range(5)]
    assert [len(set(kept)) for kept in drawn] == [3] * 5
    assert len({tuple(kept) for kept in drawn}) == 5


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.9])
def test_a_validation_part_is_of_whole_groups_and_every_class_is_on_both_sides(seed, share):
    videos = many(seed)
    parted = choose.validation(videos, share, seed, "X")
    assert [v._replace(split="train") for v in parted] == [v for v in videos if v.split == "train"]
    sides = {split: {v.group for v in parted if v.split == split} for split in ("train", "validation")}
    assert not sides["train"] & sides["validation"]
    counts = Counter((v.class_name, v.split) for v in parted)
    assert len(counts) == 12
    if share <= 0.5:
        for name in {v.class_name for v in parted}:
            held, kept = counts[name, "validation"], counts[name, "train"]
            assert share * (held + kept) <= held


def test_a_validation_part_depends_on_seed_and_names_alone():
    videos = many()
    first = set(choose.validation(videos, 0.3, 1, "X"))
    assert set(choose.validation(videos[::-1], 0.3, 1, "X")) == first
    assert set(choose.validation(videos, 0.3, 2, "X")) != first


def test_of_own_groups_the_share_is_the_least_that_is_not_below():
    videos = [Listed(f"{i}", "ab"[i % 2], "train", f"{i}") for i in range(40)]
    parted = choose.validation(videos, 0.26, 1, "X")
    assert Counter((v.class_name, v.split) for v in parted)["a", "validation"] == 6


def test_a_rare_class_keeps_a_group_that_others_could_have_held_out():
    # Of `a` only x and y are there: whichever is held out, the other has to stay though `b` wants four.
    for seed in range(20):
        parted = choose.validation(of_groups(b="xyzuv", a="xy"), 0.8, seed, "X")
        assert Counter(v.split for v in parted if v.class_name == "a") == {"train": 1, "validation": 1}
        assert Counter(v.split for v in parted if v.class_name == "b") == {"train": 1, "validation": 4}


def test_a_rare_class_has_the_first_choice():
    # Where `a` and `b` hold out all but x and y first, neither may leave any more.
    for seed in range(20):
        parted = choose.validation(of_groups(a="xuw", b="yvz", c="xy"), 0.6, seed, "X")
        assert {v.class_name for v in parted if v.split == "validation"} == {"a", "b", "c"}


def test_classes_of_one_group_are_refused_by_name():
    with pytest.raises(UserError, match=r"of 2 classes of X none can be held out: b, c; .*recorded together"):
        choose.validation(of_groups(a="xyz", b="xx", c="u"), 0.3, 1, "X")


def test_official_validation_videos_stand_in_for_the_tests():
    videos = [Listed(split, "a", split, "g") for split in ("train", "validation", "test")]
    assert [v.split for v in choose.official_validation(videos, True)] == ["train", "validation"]
    assert [v.split for v in choose.official_validation(videos, False)] == ["train", "test"]

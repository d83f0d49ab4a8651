"""Folds by group: each video is evaluated on once, by a network that did not see its group."""

from collections import Counter

import projects
import pytest
from pydantic import ValidationError

from kinefract.benchmarks import choose, index
from kinefract.benchmarks.choose import Listed
from kinefract.benchmarks.kinds.own import CsvRecipe
from kinefract.common.errors import UserError

GROUPS = {"ada": 7, "bo": 5, "cy": 4, "di": 3, "eve": 3, "flo": 2}  # videos of each class


def videos() -> list[Listed]:
    return [
        Listed(f"{name}/{group}{number}.mp4", name, "train", group)
        for name in ("run", "walk")
        for group, count in GROUPS.items()
        for number in range(count)
    ]


def dealt(fold, count=3, split="test", of=None):
    return choose.folds(of or videos(), count, fold, split, 1, "gestures")


def test_each_video_is_evaluated_on_in_one_fold_and_never_beside_its_group():
    tested = Counter()
    for fold in (1, 2, 3):
        sides = {side: {v.group for v in dealt(fold) if v.split == side} for side in ("train", "test")}
        assert sides["train"] | sides["test"] == set(GROUPS) and not sides["train"] & sides["test"]
        tested.update(video.path for video in dealt(fold) if video.split == "test")
    assert tested == Counter(video.path for video in videos())


def test_folds_are_as_even_as_groups_allow():
    # The largest first, each to the emptiest: 7, 5, 4; then 3 beside 4, 3 beside 5, 2 beside 7 or 4 and 3.
    sizes = sorted(sum(video.split == "test" for video in dealt(fold)) // 2 for fold in (1, 2, 3))
    assert sizes == [7, 8, 9]


def test_another_seed_deals_groups_of_equal_size_in_another_way():
    equal = [Listed(f"run/{group}.mp4", "run", "train", str(group)) for group in range(40)]
    tested = [
        {
            video.group
            for video in choose.folds(equal, 4, 1, "test", seed, "gestures")
            if video.split == "test"
        }
        for seed in (1, 2)
    ]
    assert [len(groups) for groups in tested] == [10, 10] and tested[0] != tested[1]


def test_as_many_folds_as_groups_leaves_one_group_out():
    for fold in range(1, 7):
        assert len({video.group for video in dealt(fold, 6) if video.split == "test"}) == 1


def test_without_a_fold_all_are_evaluated_on():
    assert {video.split for video in dealt(None, split="validation")} == {"validation"}


def test_more_folds_than_groups_are_refused():
    with pytest.raises(UserError, match="7 folds of gestures, whose videos are of 6 groups"):
        dealt(1, 7)


def test_a_class_of_one_group_cannot_be_folded():
    with pytest.raises(UserError, match="all videos of sit are of one fold"):
        dealt(1, of=[*videos(), Listed("sit/0.mp4", "sit", "train", "ada")])


def test_folds_of_the_training_part_leave_the_test_videos_out(tmp_path):
    lines = ["path,label,split,group"]
    for video in videos():
        (tmp_path / video.path).parent.mkdir(exist_ok=True)
        (tmp_path / video.path).touch()
        split = "test" if video.group == "ada" else "train"
        lines.append(f"{video.path},{video.class_name},{split},{video.group}")
    (tmp_path / "videos.csv").write_text("\n".join(lines))
    recipe = CsvRecipe(file="videos.csv", validation={"folds": 2})
    assert recipe.folds_to_pool == 2
    for fold in (1, 2):
        one = recipe.model_copy(update={"fold": fold})
        entries = one.contents(tmp_path, tmp_path / "index").entries
        assert not one.folds_to_pool
        assert {entry.split for entry in entries} == {"train", "validation"}
        assert not any("ada" in entry.path for entry in entries)


def test_a_group_without_a_class_is_a_fold_that_evaluates_on_the_others(tmp_path):
    """In practice not every person does everything."""
    lines = projects.write_noise(tmp_path, [6] * 6)  # of class a those at even places, of b the others
    groups = ["ada", "ada", "bo", "bo", "cy", "ada"]  # cy only does a
    rows = [f"{line},train,{group}" for line, group in zip(lines, groups, strict=True)]
    (tmp_path / "videos.csv").write_text("\n".join(["path,label,split,group", *rows]))
    recipe = CsvRecipe(file="videos.csv", folds=3)
    held_out = set()
    for fold in (1, 2, 3):
        folder = tmp_path / f"index{fold}"
        index.build(recipe.model_copy(update={"fold": fold}), tmp_path, folder)
        found = index.read(folder)
        held_out.add(frozenset(item.path.name for item in found if item.split == "test"))
        assert {item.class_name for item in found if item.split == "train"} == {"a", "b"}
    assert held_out == {
        frozenset({"0.mp4", "1.mp4", "5.mp4"}),
        frozenset({"2.mp4", "3.mp4"}),
        frozenset({"4.mp4"}),
    }


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"folds": 1}, "greater than or equal to 2"),
        ({"folds": 3, "fold": 4}, "fold: 4 of 3 folds"),
        ({"fold": 1}, "fold: 1 of no folds"),
        ({"folds": 3, "validation": 0.5}, "folds: are of all videos"),
        ({"validation": {"folds": "all"}}, "valid integer"),
    ],
)
def test_folds_that_make_no_sense_are_refused(settings, said):
    with pytest.raises(ValidationError, match=said):
        CsvRecipe(file="videos.csv", **settings)


def test_a_benchmark_without_folds_has_the_spec_that_it_had():
    assert not {"folds", "fold"} & CsvRecipe(file="videos.csv").model_dump().keys()

"""A mixture holds clips of its parts' own datasets, in the shares asked for."""

import numpy as np
import pytest
from pydantic import ValidationError

from kinefract.synth.families.mixture import MixtureRecipe, class_counts

SMALL = {"classes": 6, "clips_per_class": 3, "size": 32, "frames": (4, 6)}
SHAPES = {"family": "shapes", "seed": 5}
PERLIN = {"family": "perlin", "frequencies": (2, 3, 5), "seed": 7}


def mixture(*parts, **settings):
    listed = [{"share": share, "recipe": recipe} for share, recipe in parts]
    return MixtureRecipe(**{**SMALL, "parts": listed, **settings})


@pytest.mark.parametrize(
    ("shares", "classes", "counts"),
    [((1, 1), 6, (3, 3)), ((0.25, 0.75), 8, (2, 6)), ((1, 1, 1), 10, (4, 3, 3)), ((70, 30), 10, (7, 3))],
)
def test_classes_are_dealt_by_share_and_none_is_lost(shares, classes, counts):
    parts = [(share, SHAPES | {"seed": seed}) for seed, share in enumerate(shares)]
    assert class_counts(mixture(*parts, classes=classes)) == counts


def test_clips_are_those_of_the_parts_class_after_class():
    made = mixture((1, SHAPES | {"classes": 9}), (2, PERLIN))
    shapes, perlin = (part.recipe for part in made.parts)
    for index in range(made.clips):
        instance, label = divmod(index, 6)
        recipe, own = (shapes, label) if label < 2 else (perlin, label - 2)
        expected = recipe.clip(instance * recipe.classes + own)
        expected = expected if expected.ndim == 4 else np.repeat(expected[..., None], 3, axis=3)
        np.testing.assert_array_equal(made.clip(index), expected)
        np.testing.assert_array_equal(made.render(index, 0), expected)
        assert made.label(index) == label


def test_clips_stay_grey_if_all_parts_are():
    assert mixture((1, PERLIN), (1, PERLIN | {"seed": 8})).clip(0).ndim == 3


def test_a_part_takes_over_what_it_does_not_give_and_keeps_what_it_gives():
    first, second = (part.recipe for part in mixture((1, {"family": "shapes"}), (1, PERLIN), seed=3).parts)
    assert (first.size, first.frames, first.seed, first.classes) == (32, (4, 6), 3, 6)
    assert second.seed == 7


def test_a_mixture_read_back_from_its_spec_is_the_same():
    made = mixture((1, SHAPES), (2, PERLIN))
    assert MixtureRecipe.model_validate(made.model_dump(mode="json")) == made


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        ([(1, SHAPES | {"size": 64}), (1, PERLIN)], "shapes (part 1) has size 64, the mixture 32"),
        ([(1, SHAPES), (1, PERLIN | {"frames": (4, 9)})], "perlin (part 2) has frames (4, 9)"),
        ([(1, SHAPES), (1, PERLIN | {"fps": 25})], "perlin (part 2) has fps 25"),
        ([(1, SHAPES | {"classes": 2}), (1, PERLIN)], "has 2 classes, its share of 6 is 3"),
        ([(1, SHAPES), (100, PERLIN)], "shapes (part 1) has 6 classes, its share of 6 is 0"),
        ([(1, SHAPES | {"family": "cubes"})], "'cubes' is not one of"),
        ([(0, SHAPES)], "greater than 0"),
        ([], "at least 1"),
    ],
)
def test_parts_that_do_not_fit_are_refused(parts, line):
    with pytest.raises(ValidationError) as caught:
        mixture(*parts)
    assert line in str(caught.value)


def test_a_mixture_in_a_mixture_is_refused():
    inner = {"family": "mixture", "parts": [{"share": 1, "recipe": SHAPES}]}
    with pytest.raises(ValidationError, match="is a mixture itself"):
        mixture((1, inner), (1, PERLIN))

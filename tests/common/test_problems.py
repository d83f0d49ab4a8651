"""What is wrong with settings, in words for people who never heard of pydantic."""

from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from kinefract.common.problems import problem_lines
from kinefract.common.schema import Section


class Inner(Section):
    """Settings within settings."""

    folds: Annotated[int, Field(ge=2)]


class Outer(Section):
    """Settings of every kind that recipes have."""

    epochs: Annotated[int, Field(ge=1, le=9)] = 1
    names: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] = ("a",)
    kind: Literal["still", "moving"] = "still"
    inner: Inner | None = None
    share: Annotated[float, Field(ge=0)] | Literal["given"] | Inner = 0.5


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        ({"epochs": 0}, ["epochs: wants at least 1, got 0"]),
        ({"epochs": "2"}, ["epochs: wants a whole number, got '2'"]),
        ({"epoch": 3}, ["epoch: unknown key (did you mean 'epochs'?), got 3"]),
        ({"colour": 3}, ["colour: unknown key, got 3"]),
        ({"names": []}, ["names: wants at least 1 entry, got []"]),
        ({"kind": "movin"}, ["kind: wants 'still' or 'moving' (did you mean 'moving'?), got 'movin'"]),
        ({"inner": {"folds": 1}}, ["inner.folds: wants at least 2, got 1"]),
        (
            {"inner": {"fold": 2}},
            ["inner.folds: missing", "inner.fold: unknown key (did you mean 'folds'?), got 2"],
        ),
        (
            {"share": "givn"},
            ["share: wants a number or 'given' or a mapping of settings (did you mean 'given'?), got 'givn'"],
        ),
        ({"share": -1.0}, ["share: wants at least 0.0 or 'given' or a mapping of settings, got -1.0"]),
        ({"share": {"folds": 1}}, ["share.folds: wants at least 2, got 1"]),
    ],
)
def test_each_key_has_one_line_in_plain_words(settings, lines):
    with pytest.raises(ValidationError) as error:
        Outer.model_validate(settings)
    assert problem_lines(error.value) == lines

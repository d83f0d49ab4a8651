"""Types of numbers in settings. All are bounded, so that a slip of the keyboard is no job without an end.

A range, [lowest, highest], from which values are drawn uniformly, is declared as
``Annotated[FloatRange, within(0, 1)]``.
"""

from typing import Annotated

from pydantic import AfterValidator, Field

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Small = Annotated[int, Field(ge=1, le=1000)]  # a count of what is held in memory at once
Folds = Annotated[int, Field(ge=2, le=10_000)]
Layer = Annotated[int, Field(ge=2, le=65_536)]  # the width of a layer
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]  # what a word of NumPy's ``SeedSequence`` holds
Probability = Annotated[float, Field(ge=0, le=1)]
Epochs = Annotated[float, Field(ge=0, le=1_000_000)]
Rate = Annotated[float, Field(ge=0, le=1000)]
Temperature = Annotated[float, Field(ge=1e-4, le=1000)]
IntRange = Annotated[tuple[int, int], Field(strict=False)]
FloatRange = Annotated[tuple[float, float], Field(strict=False)]


def within(least: float, most: float) -> AfterValidator:
    """Return the check that a range is ordered and within limits.

    Args:
        least: Smallest lowest value.
        most: Largest highest value.
    """

    def check(values: tuple[float, float]) -> tuple[float, float]:
        low, high = values
        if not least <= low <= high <= most:
            raise ValueError(f"wants [lowest, highest] with {least} <= lowest <= highest <= {most}")
        return values

    return AfterValidator(check)

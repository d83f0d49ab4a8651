"""Settings that are a range, [lowest, highest], from which values are drawn uniformly.

A field is declared as ``Annotated[FloatRange, within(0, 1)]``.
"""

from typing import Annotated

from pydantic import AfterValidator, Field

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

"""Settings that are a range, [lowest, highest], from which something is drawn uniformly."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field


def span(number: type, least: float, most: float) -> Any:
    """Return the type of a setting that holds the lowest and the highest value of something drawn.

    Args:
        number: ``int`` or ``float``, of both values.
        least: Smallest lowest value.
        most: Largest highest value.

    Returns:
        An annotation of a pydantic field; it refuses ranges that are not ordered or go beyond the limits.
    """

    def check(values: tuple) -> tuple:
        low, high = values
        if not least <= low <= high <= most:
            raise ValueError(f"wants [lowest, highest] with {least} <= lowest <= highest <= {most}")
        return values

    return Annotated[tuple[number, number], Field(strict=False), AfterValidator(check)]

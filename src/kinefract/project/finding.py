"""What a check of ``kinefract doctor`` returns."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        says: What is there, in a line.
        remedy: What to do about it; empty where nothing needs to be done.
        broken: Whether jobs fail because of it.
        values: The same as numbers and names, for programs.
    """

    says: str
    remedy: str = ""
    broken: bool = False
    values: dict[str, Any] = field(default_factory=dict)

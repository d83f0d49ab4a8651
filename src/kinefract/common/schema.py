"""The base class of all settings from YAML files: strict, immutable, and hashed to a digest."""

import difflib
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from kinefract.common.terminal import printable
from kinefract.common.words import first_of

DIGEST_LENGTH = 12
SHOWN = 20  # most problems, or names to choose from, that a message lists
LINE = 1000  # most characters of a line of a message


class Section(BaseModel):
    """A mapping with known keys: unknown keys, wrong types, NaN and infinity are rejected.

    Values never change.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, validate_default=True, allow_inf_nan=False
    )


def is_none(value: Any) -> bool:
    """Return whether a setting is not given; as ``exclude_if`` it keeps digests as they were."""
    return value is None


def is_zero(value: Any) -> bool:
    """Return whether a number is 0; as ``exclude_if`` of a later setting it keeps digests as they were."""
    return value == 0


def is_one(value: Any) -> bool:
    """Return whether a number is 1; as ``exclude_if`` of a later setting it keeps digests as they were."""
    return value == 1


def merged(settings: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return settings with some replaced; a mapping among the changes is merged recursively."""
    result = dict(settings)
    for key, value in changes.items():
        part = result.get(key)
        result[key] = merged(part, value) if isinstance(part, dict) and isinstance(value, dict) else value
    return result


def digest_of(value: Any) -> str:
    """Return 12 hexadecimal digits that name a JSON-like value, whatever the order of its keys."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:DIGEST_LENGTH]


def listed(lines: Sequence[str]) -> list[str]:
    """Return the lines of a message: the first of many, and how many more there are; long ones cut.

    What cannot be printed is escaped, so that a line stays a line.
    """
    shown = [printable(line) for line in first_of(lines, SHOWN)]
    return [line if len(line) <= LINE else f"{line[: LINE - 3]}..." for line in shown]


def not_one_of(value: Any, allowed: Iterable[str]) -> str:
    """Return ``'x' is not one of: a, b`` with a suggestion where a name is close."""
    names = sorted(map(str, allowed))
    choice = ", ".join(listed(names))
    if isinstance(value, list | dict):
        return f"{short(value)} is not one of: {choice} (one name is wanted)"
    return f"{short(str(value))} is not one of: {choice}{suggestion(value, names)}"


def suggestion(value: Any, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` if a known name is close to a mistyped one, else nothing."""
    spelt = {name.casefold(): name for name in list(known)[:1000]}
    close = difflib.get_close_matches(str(value).casefold(), spelt, n=1)
    return f" (did you mean {spelt[close[0]]!r}?)" if close else ""


def short(value: Any) -> str:
    """Return a value as a message shows it: at most 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."

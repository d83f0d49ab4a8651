"""The base class of all settings from YAML files: strict, immutable, and hashed to a digest."""

import difflib
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from kinefract.common.terminal import printable

DIGEST_LENGTH = 12
SHOWN = 20  # most problems, or names to choose from, that a message lists
LINE = 1000  # most characters of a line of a message
ONE_VALUE = {"string_type", "int_type", "float_type", "bool_type", "literal_error"}  # problems to pydantic


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


def problem_lines(error: ValidationError, at: str = "", vary: bool = False) -> list[str]:
    """Convert pydantic's report to one line per problem: key path, problem, value.

    Args:
        error: The report.
        at: The key path of the checked part.
        vary: Whether a study may vary it; the message for a list in place of a value then states that.
    """
    lines = []
    for problem in error.errors():
        path = ".".join(str(part) for part in (*([at] if at else []), *problem["loc"]))
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = "unknown key"
        elif problem["type"] == "missing":
            lines.append(f"{path}: missing")
            continue
        elif problem["type"] == "float_type" and _is_number(problem["input"]):
            message = "text to YAML, since its exponent lacks a point (write 1.0e-5 for 1e-5)"
        elif problem["type"] in ("float_type", "int_type") and isinstance(problem["input"], bool):
            message = "wants a number; yes, no, on and off are true or false to YAML"
        # A problem of a document as a whole has no path, and the document is not shown as value.
        line = f"{path}: {message}, got {short(problem['input'])}" if path else message
        several = vary and problem["type"] in ONE_VALUE and isinstance(problem["input"], list)
        lines.append(line + "; several are compared by a study's `vary`" * several)
    return lines


def in_one_line(error: ValidationError, at: str = "") -> str:
    """Return the lines of ``problem_lines`` as one, the first of many."""
    return "; ".join(listed(problem_lines(error, at)))


def listed(lines: Sequence[str]) -> list[str]:
    """Return the lines of a message: the first of many, and how many more there are; long ones cut.

    What cannot be printed is escaped, so that a line stays a line.
    """
    shown = [printable(line) for line in lines[:SHOWN]]
    shown = [line if len(line) <= LINE else f"{line[: LINE - 3]}..." for line in shown]
    return shown + [f"and {len(lines) - SHOWN:,} more"] * (len(lines) > SHOWN)


def not_one_of(value: Any, allowed: Iterable[str]) -> str:
    """Return ``'x' is not one of: a, b`` with a suggestion where a name is close."""
    names = sorted(map(str, allowed))
    choice = ", ".join(listed(names))
    if isinstance(value, list | dict):
        return f"{short(value)} is not one of: {choice} (one name is wanted)"
    close = difflib.get_close_matches(str(value), names[:1000], n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"{short(str(value))} is not one of: {choice}{hint}"


def _is_number(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True


def short(value: Any) -> str:
    """Return a value as a message shows it: at most 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."

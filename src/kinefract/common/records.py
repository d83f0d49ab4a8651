"""The reader of JSON that is read back from disk: it checks checksum, syntax and types in one place.

Whatever is wrong ends in one UserError that names the file and the field.
"""

import json
from collections.abc import Hashable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from kinefract.common import checksums
from kinefract.common.errors import UserError
from kinefract.common.problems import problem_lines
from kinefract.common.remedies import make_again
from kinefract.common.schema import listed

T = TypeVar("T")

# Of mappings that are read back: numbers are numbers and not text, and keys that are not named are kept.
AS_WRITTEN = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(ge=0)]


def read_json(path: Path, kind: type[T]) -> T:
    """Return the content of a JSON file as a type.

    Args:
        path: The file.
        kind: A type that pydantic can check, for example a ``TypedDict`` with ``AS_WRITTEN``.

    Raises:
        UserError: the file cannot be read, differs from its checksum, or does not hold such a value.
        FileNotFoundError: there is no such file.
    """
    content = _content(path)
    return _checked(path, _parsed(path, content, ""), kind, "")


def read_json_lines(path: Path, kind: type[T]) -> list[T]:
    """Return the values of a file with one JSON value a line; ``[]`` if there is no such file.

    Arguments and errors are those of ``read_json``.
    """
    try:
        lines = _content(path).split(b"\n")
    except FileNotFoundError:
        return []
    return [
        _checked(path, _parsed(path, line, f"line {number}"), kind, f"line {number}")
        for number, line in enumerate(lines, 1)
        if line
    ]


def damaged(path: Path, problem: object) -> UserError:
    """Return the error about a file that was read back and is not as it was written."""
    (text,) = listed([" ".join(str(problem).split())])
    return UserError(f"{path}: {text}; {make_again(path.parent)}")


def _content(path: Path) -> bytes:
    try:
        return checksums.read_bytes(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise damaged(path, f"cannot be read ({error.strerror})") from error


def _parsed(path: Path, content: bytes, where: str) -> Any:
    try:
        # RecursionError at many levels; ValueError at what is not UTF-8 or JSON, and at numbers too long.
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        place = f"{where} " if where else ""
        raise damaged(path, f"{place}cannot be read as JSON ({error})") from error


@lru_cache
def _adapter(kind: Hashable) -> TypeAdapter:
    return TypeAdapter(cast(Any, kind))  # building one takes milliseconds


def _checked(path: Path, value: Any, kind: type[T], where: str) -> T:
    try:
        return _adapter(cast(Hashable, kind)).validate_python(value, strict=True)
    except ValidationError as error:
        first, *more = problem_lines(error, where)
        raise damaged(path, first + (f" (and {len(more)} more)" if more else "")) from error

"""Problems of settings in words: a line for each key of pydantic's report, with a name that was meant."""

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, get_args

from pydantic import ValidationError

from kinefract.common.schema import Section, listed, short, suggestion
from kinefract.common.words import counted

ONE_VALUE = {"string_type", "int_type", "float_type", "bool_type", "literal_error"}  # problems to pydantic
WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "none_required": "null",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping of settings",
    "model_attributes_type": "a mapping of settings",
    "literal_error": "{expected}",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "string_pattern_mismatch": "text of the form {pattern}",
}
# What pydantic calls the branches of a union, between the keys of a path.
BRANCH = re.compile(r"constrained-\w+|literal\[.*\]|function-[\w-]+\[.*\]|int|float|str|bool|none|\w+\[.*\]")


def problem_lines(error: ValidationError, at: str = "", vary: bool = False) -> list[str]:
    """Convert pydantic's report to one line per problem: key path, problem, value.

    Args:
        error: The report.
        at: The key path of the checked part.
        vary: Whether a study may vary it; the message for a list in place of a value then states that.
    """
    lines = []
    for keys, problems in _by_key(error):
        first = problems[0]
        path = ".".join(str(part) for part in (*([at] if at else []), *keys))
        if first["type"] == "missing":
            lines.append(f"{path}: missing")
            continue
        message = _message(error.title, keys, problems)
        # A document, or a section, is not shown as the value that is wrong as a whole.
        whole = not keys and (not path or isinstance(first["input"], dict))
        line = ": ".join(filter(None, (path, message))) + f", got {short(first['input'])}" * (not whole)
        several = vary and first["type"] in ONE_VALUE and isinstance(first["input"], list)
        lines.append(line + "; several are compared by a study's `vary`" * several)
    return lines


def in_one_line(error: ValidationError, at: str = "") -> str:
    """Return the lines of ``problem_lines`` as one, the first of many."""
    return "; ".join(listed(problem_lines(error, at)))


def _by_key(error: ValidationError) -> Iterator[tuple[tuple, list[Any]]]:
    """Yield each key with its problems: one, or that of each branch where several types are allowed."""
    problems = error.errors()
    branches = defaultdict(set)  # the place of a union -> its branches
    for problem in problems:
        for place, part in enumerate(problem["loc"]):
            if place and _is_branch(part):
                branches[problem["loc"][:place]].add(part)
    found: dict[tuple, list[Any]] = {}
    inside = set()
    for problem in problems:
        loc, keys = problem["loc"], []
        for place, part in enumerate(loc):
            if len(branches.get(loc[:place], ())) > 1 and _is_branch(part):
                inside |= {loc[:place]} if place + 1 < len(loc) else set()
            else:
                keys.append(part)
        found.setdefault(tuple(keys), []).append(problem)
    # A mapping was given, so what is wrong inside it matters, not that it is no number.
    yield from ((keys, entries) for keys, entries in found.items() if keys not in inside)


def _is_branch(part: Any) -> bool:
    return isinstance(part, str) and (BRANCH.fullmatch(part) is not None or part in _sections())


def _message(title: str, keys: tuple, problems: list[Any]) -> str:
    first = problems[0]
    kind, given = first["type"], first["input"]
    if kind == "extra_forbidden":
        return "unknown key" + suggestion(keys[-1], _keys_of(title, keys[:-1]))
    if kind == "float_type" and _is_number(given):
        return "text to YAML, since its exponent lacks a point (write 1.0e-5 for 1e-5)"
    if kind in ("float_type", "int_type") and isinstance(given, bool):
        return "wants a number; yes, no, on and off are true or false to YAML"
    if any(_wanted(problem) is None for problem in problems):
        return first["msg"].removeprefix("Value error, ").replace("Input should be", "wants")
    names = re.findall(r"'([^']*)'", " ".join(str(problem.get("ctx", "")) for problem in problems))
    close = suggestion(given, names) if isinstance(given, str) else ""
    return "wants " + " or ".join(dict.fromkeys(str(_wanted(problem)) for problem in problems)) + close


def _wanted(problem: Any) -> str | None:
    """Return what is wanted in place of a value; None if pydantic's own words are to be taken."""
    kind, about = problem["type"], problem.get("ctx", {})
    match kind:
        case "too_short":
            return f"at least {counted(about['min_length'], 'entry')}"
        case "too_long":
            return f"at most {counted(about['max_length'], 'entry')}"
        case "string_too_short":
            return f"at least {counted(about['min_length'], 'character')}"
        case "string_too_long":
            return f"at most {counted(about['max_length'], 'character')}"
    return WANTED[kind].format(**about) if kind in WANTED else None


def _sections() -> dict[str, type[Section]]:
    """Return all classes of settings by name."""
    found: dict[str, type[Section]] = {}
    waiting = [Section]
    while waiting:
        section = waiting.pop()
        found.setdefault(section.__name__, section)
        waiting += section.__subclasses__()
    return found


@lru_cache(maxsize=64)
def _keys_of(title: str, keys: tuple) -> list[str]:
    """Return the names of the settings at a path below a class; none if the path leads to no class."""
    sections = [section] if (section := _sections().get(title)) else []
    for key in keys:
        fields = [section.model_fields[key] for section in sections if key in section.model_fields]
        sections = [inner for field in fields for inner in _inside(field.annotation)]
    return [name for section in sections for name in section.model_fields]


def _inside(annotation: Any) -> list[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [section for part in get_args(annotation) for section in _inside(part)]


def _is_number(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True


def not_taken_over(problems: dict[Any, list[str]], recipes: dict[Any, Any], section: str) -> list[str]:
    """Return the problems of recipes, but for those that the recipe of their ``like`` has as well.

    Args:
        problems: Name -> lines, each of which begins with ``<section>.<name>``.
        recipes: Name -> recipe as it is written.
        section: The section of these recipes.
    """
    found: list[str] = []
    for name, lines in problems.items():
        parent = recipes[name].get("like") if isinstance(recipes[name], dict) else None
        known = problems.get(parent, []) if isinstance(parent, str) else []
        taken_over = {line.replace(f"{section}.{parent}", f"{section}.{name}", 1) for line in known}
        found += [line for line in lines if line not in taken_over]
    return found

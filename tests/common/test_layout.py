"""The names of a project's files and folders: ``layout`` alone holds them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from kinefract.common import layout

SOURCE = Path(layout.__file__).parents[1]
# Words such as "shards" or "config" mean other things, too; what has an ending or a parent folder does not.
NAMES = {name for key, name in vars(layout).items() if key.isupper() and set(name) & {".", "/"}}
FOLDERS = tuple(f"{name}/" for name in NAMES if "/" in name)


def literals(code: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of every string of a module but docstrings."""
    tree = ast.parse(code)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def names_in(code: str) -> list[tuple[int, str]]:
    """Return the strings of a module that are, end in or begin with a name of the layout."""
    return [
        (line, text)
        for line, text in literals(code)
        if text.rpartition("/")[2] in NAMES or text in NAMES or text.startswith(FOLDERS)
    ]


@pytest.mark.parametrize(
    "code",
    ['folder / "result.json"', 'f"{folder}/result.json"', 'at("results/studies")', 'f"results/studies/{id}"'],
)
def test_a_name_is_found_however_it_is_written(code):
    assert names_in(code)


@pytest.mark.parametrize("code", ['"""result.json"""', '"my-result.json"', '"data"', "result.json"])
def test_other_strings_are_not_taken_for_names(code):
    assert not names_in(code)


def test_no_other_module_holds_a_name_of_the_layout():
    modules = [path for path in SOURCE.rglob("*.py") if path != Path(layout.__file__)]
    found = {
        f"{path.relative_to(SOURCE)}:{line}: {text}"
        for path in modules
        for line, text in names_in(path.read_text(encoding="utf-8"))
    }
    assert not found

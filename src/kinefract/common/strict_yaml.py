"""YAML files, read safely and within limits: plain values only, each key once, nothing that multiplies."""

import stat
from pathlib import Path
from typing import Any

import yaml

from kinefract.common.errors import UserError
from kinefract.common.schema import short
from kinefract.common.terminal import escaped_lines

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
NODES = 100_000  # most keys and values of a file, counted where aliases and merges put them
BYTES_PER_NODE = 50  # a file of NODES may have 5 MB
DEPTH = 50  # most levels of nesting
DIGITS = 100  # most digits of an integer; Python itself refuses to read more than 4,300
_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"  # of `<<`, of which YAML takes all
_TEXT = _TAG + "str"
_PLAIN = {_TEXT, *(_TAG + name for name in ("int", "float", "bool", "null"))}
_ENDS = {"", ".", ":", "[", "]"}  # what may follow a key in a path
_COLLECTIONS = {_TAG + "map", _TAG + "seq"}


def read(path: Path | str, nodes: int = NODES) -> Any:
    """Return the content of a YAML file.

    Args:
        path: The file.
        nodes: The most keys and values that it may hold, counted as of ``parse``.

    Raises:
        FileNotFoundError: There is no such file.
        UserError: It cannot be read, or ``parse`` refuses it; the message names the file and, where there is
            one, the line.
    """
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UserError("a folder or a device, where a YAML file is wanted")
        with path.open("rb") as stream:
            content = stream.read(nodes * BYTES_PER_NODE + 1)
        if len(content) > nodes * BYTES_PER_NODE:
            raise UserError(f"larger than {nodes * BYTES_PER_NODE // 1_000_000} MB, the most that is read")
        return parse(content.decode("utf-8"), nodes)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{path}: line {line}: not UTF-8; save the file in that encoding") from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def parse(text: str, nodes: int = NODES) -> Any:
    """Return the content of a YAML document.

    Args:
        text: The document.
        nodes: The most keys and values that it may hold. What an alias or a merge refers to counts each time.

    Raises:
        UserError: It is no YAML; it holds too much, a value that refers to itself, an unprintable character,
            or other values than text, numbers, true, false, null, lists and mappings; or a key occurs twice
            in one mapping, of which YAML itself would silently take the last one. The message has one line
            and names the line of the document.
    """
    try:
        _refuse_too_much(text, nodes)
        loader = LOADER(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return None
            _check(root, loader)
            return loader.construct_document(root)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        if mark and "".join(text.split("\n")[mark.line : mark.line + 1])[mark.column :].startswith("\t"):
            problem = "a tab; indent with spaces"
        raise UserError(f"cannot be read: {_line(mark)}{problem}") from error
    except yaml.YAMLError as error:
        raise UserError(f"cannot be read: {' '.join(str(error).split())}") from error


def compose(text: str) -> yaml.Node | None:
    """Return the nodes of a document that ``parse`` accepts, for ``line_of``."""
    return yaml.compose(text, Loader=LOADER)


def line_of(root: yaml.Node | None, path: str) -> int | None:
    """Return the line, from 1, of the deepest key to which a path leads; None if its first key is not there.

    Args:
        root: The nodes of the document.
        path: Keys as in ``studies.mine.seeds.0`` or ``run[0]``, whatever follows them. A key may hold dots.
    """
    node, line, rest = root, None, path
    while isinstance(node, yaml.CollectionNode):
        if isinstance(node, yaml.MappingNode):
            pairs = [(key.value, key, value) for key, value in node.value]
        else:
            pairs = [(str(number), value, value) for number, value in enumerate(node.value)]
        fitting = [pair for pair in pairs if rest.startswith(pair[0]) and rest[len(pair[0]) :][:1] in _ENDS]
        if not fitting:
            break
        name, key, node = max(fitting, key=lambda pair: len(pair[0]))
        line, rest = key.start_mark.line + 1, rest[len(name) :].lstrip(".:[] ")
    return line


def dump(value: Any) -> str:
    """Return a value as a YAML document, keys in their order."""
    return yaml.dump(value, Dumper=DUMPER, sort_keys=False, allow_unicode=True, width=110)


def _refuse_too_much(text: str, most: int) -> None:
    """Raise an error about a document that is too deep or too large, before anything is built of it."""
    opened: list[tuple[str | None, int]] = []  # the anchor of each open collection, and the nodes before it
    sizes: dict[str | None, int] = {}
    count = 0
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in opened):
                raise UserError(f"{_line(event.start_mark)}*{event.anchor} refers to what it is a part of")
            count += sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, count))
            count += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            sizes[anchor] = count - before
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            sizes[event.anchor] = 1
        if len(opened) > DEPTH:
            raise UserError(f"{_line(event.start_mark)}nested deeper than {DEPTH} levels")
        if count > most:
            raise UserError(
                f"{_line(event.start_mark)}more than {most:,} keys and values, those that aliases repeat "
                "included; use several files, or write less"
            )


def _check(root: yaml.Node, loader: Any) -> None:
    """Raise an error about the first value that is not plain, and the first key that stands twice."""
    waiting, known = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in known:  # an anchor, met again through an alias
            continue
        known.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            _check_scalar(node, loader)
        elif node.tag not in _COLLECTIONS:
            raise UserError(
                f"{_line(node.start_mark)}the tag {short(node.tag)}; only YAML without tags is read"
            )
        elif isinstance(node, yaml.MappingNode):
            _check_keys(node, loader)
            waiting += [value for _, value in reversed(node.value)]
        else:
            waiting += reversed(node.value)


def _check_scalar(node: yaml.ScalarNode, loader: Any) -> None:
    line, value = _line(node.start_mark), node.value
    if escaped_lines(value) != value:
        code = next(f"U+{ord(sign):04X}" for sign in value if escaped_lines(sign) != sign)
        raise UserError(f"{line}{short(value)} holds the unprintable character {code}; leave it out")
    if node.tag not in _PLAIN:
        kind = node.tag.removeprefix(_TAG)
        raise UserError(f"{line}{short(value)} is a {kind} to YAML; put it into quotes if it is text")
    if node.tag == _TEXT:
        return
    if len(value) > DIGITS:
        raise UserError(f"{line}a number of {len(value):,} digits; at most {DIGITS} are read")
    try:
        loader.construct_object(node)
    except (ValueError, LookupError) as error:
        kind = node.tag.removeprefix(_TAG)
        raise UserError(f"{line}{short(value)} is no {kind}; put it into quotes if it is text") from error


def _check_keys(node: yaml.MappingNode, loader: Any) -> None:
    lines: dict[Any, int] = {}
    for key in (key for key, _ in node.value if key.tag != _MERGE):
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise UserError(f"line {line}: a list or a mapping as a key, where a name is wanted")
        _check_scalar(key, loader)
        if "\n" in key.value or "\t" in key.value:
            raise UserError(f"line {line}: the key {short(key.value)} holds a tab or a line break")
        value = loader.construct_object(key)
        if value in lines:
            raise UserError(
                f"the key {short(key.value)} stands twice, in lines {lines[value]} and {line}; make them one"
            )
        lines[value] = line


def _line(mark: Any) -> str:
    return f"line {mark.line + 1}: " if mark else ""

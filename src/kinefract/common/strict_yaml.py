"""YAML files, read safely (by libyaml if available); a key that occurs twice is an error."""

from pathlib import Path
from typing import Any

import yaml

from kinefract.common.errors import UserError

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
MERGE = "tag:yaml.org,2002:merge"  # of `<<`, of which YAML takes all


def read(path: Path | str) -> Any:
    """Return the content of a YAML file.

    Raises:
        FileNotFoundError: There is no such file.
        UserError: It cannot be read, is no YAML or holds objects, or a key occurs twice in one mapping.
    """
    try:
        return parse(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def parse(text: str) -> Any:
    """Return the content of a YAML document.

    Raises:
        yaml.YAMLError: It is no YAML, or holds objects.
        UserError: A key occurs twice in one mapping; YAML itself would silently take the last one.
    """
    loader = LOADER(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _refuse_duplicates(node)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def dump(value: Any) -> str:
    """Return a value as a YAML document, keys in their order."""
    return yaml.dump(value, Dumper=DUMPER, sort_keys=False, allow_unicode=True, width=110)


def _refuse_duplicates(root: yaml.Node) -> None:
    waiting, known = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in known:  # an anchor, met again through an alias
            continue
        known.add(id(node))
        if isinstance(node, yaml.MappingNode):
            _refuse_duplicate_keys(node)
            waiting += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def _refuse_duplicate_keys(node: yaml.MappingNode) -> None:
    seen: dict[tuple[str, str], yaml.Node] = {}
    for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
        if key.tag == MERGE:
            continue
        if (first := seen.setdefault((key.tag, key.value), key)) is not key:
            lines = f"{first.start_mark.line + 1} and {key.start_mark.line + 1}"
            raise UserError(f"{key.value}: the key stands twice, in lines {lines}; make them one")

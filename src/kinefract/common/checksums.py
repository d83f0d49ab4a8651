"""Checksums of a result: the SHA-256 of every file in its folder, in the format of ``sha256sum``.

``SHA256SUMS`` is written just before the last file of a result gets its name, and it covers that file too.
Readers compare what they read with it. A folder without checksums was made by version 0.1, which kept none.
Nothing is compared there.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kinefract.common.errors import UserError
from kinefract.common.files import sha256, write_text, written_whole
from kinefract.common.layout import CHECKPOINT, CHECKSUMS, HUB_CARD, PARTIAL, PROGRESS, SHARDS
from kinefract.common.remedies import make_again

# Files and folders that come and go while a result is made, shards, which hold checksums of their own, and
# what a copy from the Hub has besides.
LEFT_OUT = {CHECKSUMS, CHECKPOINT, PROGRESS, PARTIAL, SHARDS, HUB_CARD}
LINE = re.compile(r"([0-9a-f]{64})  (.+)")


@contextmanager
def last_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path for the last file of a result; then write the checksums, and rename the file.

    Args:
        path: The last file, in the folder of the result.

    Raises:
        UserError: a file cannot be written.
    """
    with written_whole(path) as partial:
        yield partial
        sums = {name: sha256(path.parent / name) for name in _names(path.parent) if name != path.name}
        _write(path.parent, sums | {path.name: sha256(partial)})


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path for a file that takes the place of one of a finished result.

    Only its own checksum changes, so damage to other files stays known.

    Raises:
        UserError: a file cannot be written, or the checksums cannot be read.
    """
    with written_whole(path) as partial:
        yield partial
        sums = _sums(path.parent)
        if sums is not None:
            _write(path.parent, sums | {path.name: sha256(partial)})


def remove(folder: Path) -> None:
    """Remove the checksums of an earlier result, before a job changes its files."""
    (folder / CHECKSUMS).unlink(missing_ok=True)


def read_bytes(path: Path) -> bytes:
    """Return the content of a file in a result's folder, compared with its checksum.

    Raises:
        UserError: the content is not that of its checksum, or the checksums cannot be read.
        OSError: the file cannot be read.
    """
    content = path.read_bytes()
    _compare(path, hashlib.sha256(content).hexdigest())
    return content


def check(path: Path) -> None:
    """Compare a file in a result's folder with its checksum.

    Raises:
        UserError: the content is not that of its checksum, or a file cannot be read.
    """
    if (path.parent / CHECKSUMS).exists():
        try:
            _compare(path, sha256(path))
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from error


def check_all(folder: Path) -> None:
    """Compare all files of a folder with its checksums, if it has any.

    Raises:
        UserError: a file differs from its checksum or is missing; the message names the first.
    """
    if (folder / CHECKSUMS).exists() and (problems := differing(folder)):
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise UserError(f"{problems[0]}{more}; {make_again(folder)}")


def differing(folder: Path) -> list[str]:
    """Compare all files of a folder with its checksums; return a line for each that differs or is missing.

    Raises:
        UserError: the folder has no checksums, or they cannot be read.
    """
    sums = _sums(folder)
    if sums is None:
        raise UserError(f"{folder}: holds no {CHECKSUMS}, so its files have nothing to be compared with")
    problems = []
    for name in sorted({*sums, *_names(folder)}):
        path = folder / name
        if name not in sums:
            problems.append(f"{path}: not in {CHECKSUMS}, so it was added later")
        elif not path.is_file():
            problems.append(f"{path}: missing")
        elif sha256(path) != sums[name]:
            problems.append(f"{path}: changed since it was written")
    return problems


def _compare(path: Path, found: str) -> None:
    sums = _sums(path.parent)
    if sums is not None and sums.get(path.name) != found:
        raise UserError(
            f"{path}: changed since it was written ({CHECKSUMS} beside it has another checksum); "
            f"{make_again(path.parent)}"
        )


def _write(folder: Path, sums: dict[str, str]) -> None:
    write_text(folder / CHECKSUMS, "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)))


def _sums(folder: Path) -> dict[str, str] | None:
    """Return the checksums of a folder by name; None if there are none."""
    path = folder / CHECKSUMS
    try:
        *lines, rest = path.read_bytes().decode("utf-8", "backslashreplace").split("\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    found = [LINE.fullmatch(line) for line in lines]
    sums = {match[2]: match[1] for match in found if match}
    if not lines or rest or len(sums) < len(lines):
        raise UserError(f"{path}: damaged; {make_again(folder)}")
    return sums


def _names(folder: Path) -> Iterator[str]:
    """Yield the files below a folder that belong to its result, as paths relative to it."""
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if path.is_file() and not LEFT_OUT.intersection(parts) and not any(p.startswith(".") for p in parts):
            yield "/".join(parts)

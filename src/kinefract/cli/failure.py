"""The line that is printed about an error that ends a command, and the file with its traceback."""

import json
import os
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

from kinefract.cli.app import DEBUG
from kinefract.common.errors import UserError
from kinefract.common.layout import ERRORS, PARAMS_FILE
from kinefract.common.terminal import escaped, escaped_lines

LEFT_IN = "TORCHELASTIC_ERROR_FILE"  # the environment variable with the file that torchrun's agent reads
LONGEST = 400  # characters of the message of an unexpected error


def report(error: Exception) -> None:
    """Print ``error:`` and what happened to standard error.

    Of a ``UserError``, or an ``OSError`` that names a file, the message is printed. Of any other error the
    traceback is written to a file, which is named. In debug mode the traceback of every error is printed.

    A process that trains together with others leaves the message to the one that has started it.
    """
    told = escaped_lines(_told(error)) if _is_expected(error) else _unexpected(error)
    if os.environ.get(DEBUG, "0") not in ("", "0"):
        traceback.print_exception(error)
    if place := os.environ.get(LEFT_IN):
        with suppress(OSError):  # of a full disk, say
            left = {"message": told, "timestamp": int(time.time())}
            Path(place).write_text(json.dumps(left), encoding="utf-8")
            return
    print(f"error: {told}", file=sys.stderr)


def _is_expected(error: Exception) -> bool:
    return isinstance(error, UserError) or (isinstance(error, OSError) and error.filename is not None)


def _told(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{os.fsdecode(error.filename)}: {error.strerror or error}"
    # From a process that reads clips it comes wrapped in that one's traceback.
    return str(error).rpartition(f"{UserError.__module__}.{UserError.__name__}: ")[2].strip()


def _unexpected(error: Exception) -> str:
    """Return the kind of an error, a line of its message, and where its traceback is."""
    kind, lines = type(error).__name__, str(error).strip().splitlines()
    # The last line of what a process that reads clips says is its error; else the first line says most.
    wrapped = any(line.startswith("Original Traceback") for line in lines)
    message = (lines[-1] if wrapped else lines[0]) if lines else ""
    if isinstance(error, MemoryError) and not message:
        message = "memory ran out"
    about = message if message.startswith(f"{kind}: ") else f"{kind}: {message}" if message else kind
    about = escaped(about if len(about) <= LONGEST else f"{about[:LONGEST]}...")
    place = _written(error)
    if place is None:
        traceback.print_exception(error)
        return f"unexpected: {about}"
    return f"unexpected: {about}; the traceback is in {place}, and `kinefract --debug` shows it"


def _written(error: Exception) -> Path | None:
    """Write the traceback below the project, or else into a temporary folder; None if that fails."""
    import shlex
    import tempfile

    from kinefract import __version__

    name = f"{time.strftime('%Y-%m-%dT%H%M%S')}-{os.getpid()}.txt"
    text = f"kinefract {__version__}: {shlex.join(sys.argv)}\n{''.join(traceback.format_exception(error))}"
    folders = [lambda: Path(tempfile.mkdtemp(prefix="kinefract-"))]
    if Path(PARAMS_FILE).exists():
        folders.insert(0, lambda: Path(ERRORS))
    for choose in folders:
        with suppress(OSError):
            folder = choose()
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8", errors="backslashreplace")
            return folder / name
    return None

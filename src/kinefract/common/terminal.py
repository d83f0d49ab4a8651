"""Output for people: characters that a terminal cannot show, or that would deceive, are escaped."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, NoReturn, TextIO

PIPE_CLOSED = 141  # the exit code of a program that SIGPIPE ends, in a shell

# Control characters, those that break a line or change the direction of what follows, and bytes of file names
# that are no UTF-8.
_CONTROL = (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)
_DIRECTION = (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF)
_BYTES = range(0xD800, 0xE000)
_ESCAPES = {code: chr(code).encode("unicode_escape").decode() for code in (*_CONTROL, *_DIRECTION, *_BYTES)}
_IN_LINES = {code: text for code, text in _ESCAPES.items() if chr(code) not in "\n\t"}
_ON_STDERR = {code: text for code, text in _IN_LINES.items() if chr(code) != "\r"}  # of progress bars
_MOVES = set("\x1b[A\n\r")  # by which nested progress bars move


def escaped(text: str) -> str:
    r"""Return a name for use within a line; control and bidirectional characters become ``\u202e`` etc."""
    return text.translate(_ESCAPES)


def escaped_lines(text: str) -> str:
    """Return a text with such characters escaped, except ends of lines and tabs."""
    return text.translate(_IN_LINES)


def printable(text: str) -> str:
    """Return a text in one line for a message; each character that Python does not print is escaped."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def can_show(text: str) -> bool:
    """Return whether the encoding of standard output has the characters of a text."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def safe_output() -> Iterator[None]:
    """Hold a block in which all that is printed can be shown.

    What the encoding of an output lacks, control characters and bidirectional ones are escaped. If nobody
    reads the output any more, the block is left by ``SystemExit`` with the usual exit code, without a word.
    """
    with redirect_stdout(_Safe(sys.stdout, _IN_LINES)), redirect_stderr(_Safe(sys.stderr, _ON_STDERR)):
        yield
        sys.stdout.flush()


class _Safe:
    """A stream that escapes what it is given, and is else the stream beneath."""

    def __init__(self, stream: TextIO, escapes: dict[int, str]) -> None:
        self._stream, self._escapes = stream, escapes
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            moves = set(text) <= _MOVES and "\x1b" in text and 0xD not in self._escapes
            return self._stream.write(text if moves else text.translate(self._escapes))
        except BrokenPipeError:
            self._end()

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._end()

    def _end(self) -> NoReturn:
        # What the stream still holds is written when the interpreter ends; there must be a place for it.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        raise SystemExit(PIPE_CLOSED)

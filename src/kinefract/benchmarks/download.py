"""Fetching official files of benchmarks: over HTTPS, on from where a broken download stopped.

What authors hand out in another way is brought by hand, and ``fetch`` says from where.
"""

import json
import math
import os
import re
import shutil
import ssl
import time
from collections.abc import Iterator, Sequence
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, Request, build_opener

from kinefract import __version__, files
from kinefract.benchmarks.sources import SOURCES
from kinefract.errors import UserError
from kinefract.progress import progress, say
from kinefract.schema import not_one_of

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # seconds before each new attempt that nothing new came in
TIMEOUT = 60.0  # seconds that a server may be silent
CHUNK = 1_000_000
TRANSIENT = (408, 429, 500, 502, 503, 504)
PARTIAL, OUT_OF_RANGE = 206, 416
HERE = re.compile(r"http://127\.0\.0\.1:\d+/")


def fetch(kind: str, folder: Path) -> None:
    """Download the official files of a benchmark that are not in its folder yet, as they are.

    Args:
        kind: The benchmark, as ``kind`` in ``params.yaml`` names it, e.g. ``"ucf101"``.
        folder: Where its files go, e.g. ``data/raw/ucf101``; made where absent.

    Raises:
        UserError: there is no such benchmark; its files are to be brought by hand; or a download fails. The
            message names the home page and the page under ``docs/benchmarks``.
    """
    if kind not in SOURCES:
        raise UserError(f"no benchmark to download: {not_one_of(kind, SOURCES)}")
    source, folder = SOURCES[kind], Path(folder)
    missing = [file for file in source.files if not file.is_in(folder)]
    if not missing:
        say(f"{folder}: all files of {kind} are there")
        return
    names = "".join(f"  {file.name}\n" for file in missing)
    advice = f"Put these from {source.home} in {folder}:\n{names}docs/benchmarks/{kind}.md says more"
    if source.by_hand:
        raise UserError(f"{kind} is not downloaded: {source.by_hand}. {advice}")
    for file in missing:
        try:
            download(file.url, folder / file.name, file.sha256, file.size)
        except UserError as error:
            raise UserError(f"{error}\nWhere a browser fetches it: {advice}") from error


def download(
    url: str,
    place: Path,
    sha256: str | None = None,
    size: int | None = None,
    pauses: Sequence[float] = PAUSES,
) -> None:
    """Download a file, whole or not at all; a file that is there already is checked and left.

    What has arrived lies in ``<name>.partial`` beside the place, and what it is a part of (address, ETag or
    date, length) in ``<name>.partial.json``. The next attempt, or a later call, goes on from there if the
    server still has that same file, else from the start. Of several processes that want the file one
    downloads it and the others wait.

    Args:
        url: An ``https`` address, whose certificate is checked; it may redirect to others. The one exception
            is a server on this machine: ``http://127.0.0.1:<port>``.
        place: Where the file goes; its folder is made where absent.
        sha256: 64 hexadecimal digits it must have, if known.
        size: Bytes it must have, if known.
        pauses: Seconds to wait before each new attempt; they start again whenever more of the file arrives.

    Raises:
        UserError: the address is refused; the server has no such file, sends a web page or cannot be reached;
            the file is not the expected one (it is removed); or it cannot be written.
    """
    place = Path(place)
    if not (url.startswith("https://") or HERE.match(url)):
        raise UserError(f"{url}: not downloaded, since it is no https address")
    part = _Part(url, place.with_name(f"{place.name}.partial"))
    try:
        if _is_there(place, url, sha256, size):
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        with files.locked(place.with_name(f".{place.name}.lock"), f"downloads {place.name}"):
            if _is_there(place, url, sha256, size):  # by another process, while this one waited
                return
            _receive(part, size, checked=bool(sha256), pauses=pauses)
            if problem := _difference(part.path, sha256, size):
                part.remove()
                raise UserError(f"{url} is not the expected file: {problem}; it was removed")
            part.path.replace(place)
            part.remove()
    except OSError as error:
        raise UserError(f"cannot write {place}: {error.strerror or error}") from error


def _is_there(place: Path, url: str, sha256: str | None, size: int | None) -> bool:
    if not place.exists():
        return False
    if problem := _difference(place, sha256, size):
        raise UserError(f"{place} is not the file of {url}: {problem}; remove it to download it anew")
    return True


class _Broken(Exception):
    """An attempt that came to nothing, where the next may not."""


class _Part:
    """What has arrived of a file, and the note beside it that says of which file it is a part."""

    def __init__(self, url: str, path: Path) -> None:
        self.url, self.path, self.note = url, path, path.with_name(f"{path.name}.json")

    @property
    def bytes(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def known(self) -> tuple[str, int] | None:
        """Return ETag or date, and length, of the file this is a part of, where that is known."""
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
            known = (str(note["validator"]), int(note["length"])) if note["url"] == self.url else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return known if known and 0 < self.bytes <= known[1] else None

    def begin(self, validator: str | None, length: int | None) -> None:
        """Forget what has arrived; what arrives from now on is of another file."""
        self.remove()
        if validator and length:
            files.write_json(self.note, {"url": self.url, "validator": validator, "length": length})

    def remove(self) -> None:
        self.note.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


def _receive(part: _Part, size: int | None, checked: bool, pauses: Sequence[float]) -> None:
    """Attempt until the whole file has arrived, or no more of it does for as often as ``pauses`` says."""
    opener = build_opener(_Redirects, HTTPSHandler(context=ssl.create_default_context()))
    most, failures = part.bytes, 0
    while True:
        try:
            return _attempt(opener, part, size, checked)
        except _Broken as error:
            most, failures = (part.bytes, 0) if part.bytes > most else (most, failures)
            if failures == len(pauses):
                raise UserError(
                    f"{part.url}: {error}, {failures + 1} times in a row; run this again to go on from what "
                    f"has arrived in {part.path}"
                ) from error
            say(f"{part.path.stem}: {error}; trying again in {pauses[failures]:g} s")
            time.sleep(pauses[failures])
            failures += 1


def _attempt(opener: OpenerDirector, part: _Part, size: int | None, checked: bool) -> None:
    """Ask for what is missing and append it to what has arrived."""
    known = part.known()
    if known and part.bytes == known[1]:
        return
    headers = {"User-Agent": f"kinefract/{__version__}"}
    if known:
        headers |= {"Range": f"bytes={part.bytes}-", "If-Range": known[0]}
    with _open(opener, Request(part.url, headers=headers), part) as response:
        length = _agree(response, part, known, size, checked)
        missing = None if length is None else length - part.bytes
        if missing and missing > shutil.disk_usage(part.path.parent).free:
            raise UserError(f"{part.path.parent} has no room for the {missing:,} bytes missing of {part.url}")
        total = None if missing is None else math.ceil(missing / CHUNK)
        with part.path.open("ab") as stream:
            for chunk in progress(_chunks(response), f"downloading {part.path.stem}", total, unit="MB"):
                stream.write(chunk)
            stream.flush()
            os.fsync(stream.fileno())
    if length is not None and part.bytes != length:
        raise _Broken(f"the connection broke at {part.bytes:,} of {length:,} bytes")


def _agree(
    response: HTTPResponse, part: _Part, known: tuple[str, int] | None, size: int | None, checked: bool
) -> int | None:
    """Make sure that the answer continues what has arrived, or begin anew; return the whole file's length."""
    if response.headers.get_content_type() == "text/html":
        raise UserError(f"{part.url}: the server sends a web page, not the file, which may have moved")
    validator = _validator(response)
    if response.status == PARTIAL:
        continued = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        same = continued and known and (int(continued[1]), int(continued[2])) == (part.bytes, known[1])
        if not same or validator not in (None, known[0]):
            part.remove()
            raise _Broken("the file on the server has changed")
        return known[1]
    length = response.length
    if size is not None and length not in (None, size):
        part.remove()
        raise UserError(f"{part.url} is not the expected file: expected {size:,} bytes, found {length:,}")
    if length is None and not response.chunked and size is None and not checked:
        raise UserError(f"{part.url}: the server does not say how long the file is: a part would pass for it")
    part.begin(validator, length)
    return length


def _validator(response: HTTPResponse) -> str | None:
    """Return what a server tells one state of a file from another by: its ETag, unless weak, or its date."""
    etag = response.headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")


def _open(opener: OpenerDirector, request: Request, part: _Part) -> HTTPResponse:
    """Send a request; tell what may pass from what does not."""
    try:
        return opener.open(request, timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        answer = f"the server answers {error.code} {error.reason}"
        if error.code == OUT_OF_RANGE:
            part.remove()
        elif error.code not in TRANSIENT:
            raise UserError(f"{part.url}: {answer}") from error
        raise _Broken(answer) from error
    except URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise UserError(
                f"{part.url}: the server's certificate is not good ({error.reason.verify_message}), so that "
                "the file could be anyone's"
            ) from error
        raise _Broken(f"cannot reach the server ({error.reason})") from error
    except (OSError, HTTPException) as error:
        raise _Broken(f"cannot reach the server ({error})") from error


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    """Yield a body as it arrives."""
    try:
        while chunk := response.read(CHUNK):
            yield chunk
    except (OSError, HTTPException) as error:
        raise _Broken(f"the connection broke ({error})") from error


class _Redirects(HTTPRedirectHandler):
    """Follow no redirect that leaves HTTPS."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        here = HERE.match(req.full_url) and HERE.match(newurl)
        if not (here or newurl.startswith("https://")):
            raise UserError(f"{req.full_url}: redirects to {newurl}, which is no https address")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _difference(path: Path, sha256: str | None, size: int | None) -> str | None:
    """Say how a file differs from the expected one; ``None`` where it does not."""
    found = path.stat().st_size
    if size is not None and found != size:
        return f"expected {size:,} bytes, found {found:,}"
    if sha256 is not None and (digest := files.sha256(path)) != sha256.lower():
        return f"expected SHA-256 {sha256}, found {digest}"
    return None

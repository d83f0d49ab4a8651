"""Download of official files of benchmarks over HTTPS; an interrupted download is resumed.

Files that authors publish in another way have to be fetched by hand, and ``fetch`` names their address.
"""

import os
import re
import shutil
from pathlib import Path

import pooch
import requests

from kinefract import __version__
from kinefract.benchmarks.official.sources import SOURCES, File
from kinefract.common import files
from kinefract.common.errors import UserError
from kinefract.common.layout import LOCK
from kinefract.common.progress import log_line, progress
from kinefract.common.schema import not_one_of

RETRIES = 6  # new attempts in which nothing arrives; pooch waits 1, 2, 3, ... seconds before them
TIMEOUT = 60.0  # seconds that a server may be silent
CHUNK = 1_000_000
TRANSIENT = (408, 429, 500, 502, 503, 504)
PARTIAL, OUT_OF_RANGE = 206, 416
SAFE = re.compile(r"https://|http://127\.0\.0\.1:\d+/")


def fetch(kind: str, folder: Path) -> None:
    """Download the official files of a benchmark that are not in its folder yet, without unpacking them.

    Args:
        kind: The benchmark, as ``kind`` in the configuration names it, e.g. ``"ucf101"``.
        folder: The folder of its files, e.g. ``data/raw/ucf101``; it is made where absent.

    Raises:
        UserError: There is no such benchmark; its files are to be brought by hand; or a download fails. The
            message names the home page and the page under ``docs/benchmarks``.
    """
    if kind not in SOURCES:
        raise UserError(f"no benchmark to download: {not_one_of(kind, SOURCES)}")
    source, folder = SOURCES[kind], Path(folder)
    missing = [file for file in source.files if not file.is_in(folder)]
    if not missing:
        log_line(f"{folder}: all files of {kind} are there")
        return
    names = "".join(f"  {file.name}\n" for file in missing)
    advice = f"Put these from {source.home} in {folder}:\n{names}docs/benchmarks/{kind}.md says more"
    if source.by_hand:
        raise UserError(f"{kind} is not downloaded: {source.by_hand}. {advice}")
    for file in missing:
        try:
            download(file, folder)
        except UserError as error:
            raise UserError(f"{error}\nWhere a browser fetches it: {advice}") from error


def download(file: File, folder: Path, retries: int = RETRIES) -> None:
    """Download a file, whole or not at all; an existing file that is not known to differ is kept.

    The received part is kept in ``<name>.partial`` beside the file, and the ETag or date of the whole file in
    ``<name>.partial.state``. The next attempt, or a later call, resumes from there if the server still has
    that file; otherwise it starts again. If several processes need the file, one downloads it and the others
    wait.

    Args:
        file: The file. Its address must be ``https``, and so must be all addresses that it redirects to; the
            one exception is a server on this machine, ``http://127.0.0.1:<port>``. Certificates are checked.
        folder: The folder of the file; it is made where absent.
        retries: How many new attempts are made after one in which nothing arrives.

    Raises:
        UserError: The address is not ``https``; the server has no such file, sends a web page or cannot be
            reached; the file is not the expected one (it is removed); or it cannot be written.
    """
    if not SAFE.match(file.url):
        raise UserError(f"{file.url}: not downloaded, since it is no https address")
    store = pooch.create(
        folder, "", registry={file.name: file.sha256}, urls={file.name: file.url}, retry_if_failed=retries
    )
    downloader = _Downloader(file, folder)
    try:
        with files.locked(folder / f".{file.name}{LOCK}", f"downloads {file.name}"):
            store.fetch(file.name, downloader=downloader)
    except requests.RequestException as error:
        raise UserError(
            f"{file.url}: {error}; run this again to go on from what has arrived in {downloader.partial}"
        ) from error
    except ValueError as error:
        raise UserError(f"{file.url} is not the expected file: {error}") from error
    except OSError as error:
        raise UserError(f"cannot write {folder / file.name}: {error.strerror or error}") from error


class _Downloader:
    """A downloader for pooch that resumes from the part that an earlier attempt or call received."""

    def __init__(self, file: File, folder: Path) -> None:
        self.file = file
        self.partial = folder / f"{file.name}.partial"
        self.state = folder / f"{file.name}.partial.state"

    def __call__(self, url: str, output_file: str, _: pooch.Pooch) -> None:
        while True:
            before = self._size()
            try:
                self._receive(url)
            except requests.RequestException as error:
                log_line(f"{self.file.name}: {error}")
                if self._size() <= before:
                    raise  # pooch counts it, waits and tries again
            else:
                self.partial.replace(output_file)
                self._forget()
                return

    def _size(self) -> int:
        return self.partial.stat().st_size if self.partial.exists() else 0

    def _forget(self) -> None:
        self.state.unlink(missing_ok=True)
        self.partial.unlink(missing_ok=True)

    def _receive(self, url: str) -> None:
        """Request the missing part and append it to the received one."""
        state = self.state.read_text() if self.state.exists() else ""
        headers = {"User-Agent": f"kinefract/{__version__}", "Accept-Encoding": "identity"}
        if state and self._size():
            headers |= {"Range": f"bytes={self._size()}-", "If-Range": state}
        try:
            response = requests.get(url, headers=headers, stream=True, timeout=TIMEOUT)
        except requests.exceptions.SSLError as error:
            if "CERTIFICATE_VERIFY_FAILED" not in str(error):
                raise
            raise UserError(
                f"{url}: the server's certificate is not good, so that the file could be anyone's ({error}); "
                "for a certificate of your own network set REQUESTS_CA_BUNDLE"
            ) from error
        with response:
            self._check(response)
            length = self._begin(response, state)
            missing = length - self._size() if length else None
            if missing and missing > shutil.disk_usage(self.partial.parent).free:
                raise UserError(
                    f"{self.partial.parent} has no room for the {missing:,} missing bytes of {url}"
                )
            with self.partial.open("ab") as stream:
                total = -(-missing // CHUNK) if missing else None
                what = f"downloading {self.file.name}"
                for chunk in progress(response.iter_content(CHUNK), what, total, unit="MB"):
                    stream.write(chunk)
                stream.flush()
                os.fsync(stream.fileno())
        if length not in (None, self._size()):
            raise requests.ConnectionError(f"the connection broke at {self._size():,} of {length:,} bytes")

    def _check(self, response: requests.Response) -> None:
        """Raise an error if the response is not the file."""
        for answer in (*response.history, response):
            if not SAFE.match(answer.url):
                raise UserError(f"{self.file.url}: redirects to {answer.url}, which is no https address")
        if response.status_code == OUT_OF_RANGE:
            self._forget()
        if not response.ok:
            text = f"the server answers {response.status_code} {response.reason}"
            if response.status_code in (OUT_OF_RANGE, *TRANSIENT):
                raise requests.HTTPError(text)
            raise UserError(f"{self.file.url}: {text}")
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise UserError(
                f"{self.file.url}: the server sends a web page, not the file, which may have moved"
            )

    def _begin(self, response: requests.Response, state: str) -> int | None:
        """Start again unless the response continues the received part; return the whole file's length."""
        headers, file = response.headers, self.file
        etag = headers.get("ETag", "W/")
        new_state = headers.get("Last-Modified", "") if etag.startswith("W/") else etag
        if response.status_code == PARTIAL:
            span = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", headers.get("Content-Range", ""))
            if not span or int(span[1]) != self._size() or new_state not in ("", state):
                self._forget()
                raise requests.RequestException("the file on the server has changed")
            return int(span[2])
        self._forget()
        length = int(headers["Content-Length"]) if "Content-Length" in headers else file.size
        if file.size not in (None, length):
            raise UserError(
                f"{file.url} is not the expected file: expected {file.size:,} bytes, found {length:,}"
            )
        if length is None and not file.sha256 and headers.get("Transfer-Encoding") != "chunked":
            raise UserError(
                f"{file.url}: the server does not say how long the file is: a part would pass for it"
            )
        if new_state:
            files.write_text(self.state, new_state)
        return length

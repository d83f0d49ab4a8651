"""Downloads from a server on this machine that breaks off, changes and lies; the table against its pages."""

import hashlib
import json
import re
import shutil
import ssl
import subprocess
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request

import pytest
import yaml

from kinefract import params, plan
from kinefract.benchmarks import download as module
from kinefract.benchmarks.catalog import BENCHMARKS
from kinefract.benchmarks.download import download, fetch
from kinefract.benchmarks.sources import SOURCES, File, Source
from kinefract.errors import UserError

PAGES = Path(__file__).parents[2] / "docs/benchmarks"
DATA = bytes(range(256)) * 12_000  # 3 MB
OTHER = DATA[::-1]
DIGEST = hashlib.sha256(DATA).hexdigest()
AT_ONCE = (0.0,) * 3


class Server:
    """A file server whose faults are set from outside; ``asked`` holds the Range of each request."""

    def __init__(self):
        self.data, self.etag, self.date = DATA, '"one"', None
        self.ranges = self.if_range = self.tell_length = True
        self.chunked = False
        self.statuses = []  # what the next requests are answered with, before files are
        self.drops = []  # after how many bytes of a body the connection breaks, for the next requests
        self.headers = {}
        self.asked = []
        self.answering = threading.Event()  # cleared, requests wait
        self.answering.set()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, name="file.zip", scheme="http"):
        return f"{scheme}://127.0.0.1:{self.http.server_port}/{name}"

    def handler(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.answer(self)

            def log_message(self, *_):
                pass

        return Handler

    def answer(self, request):
        asked = request.headers.get("Range")
        self.asked.append(asked)
        self.answering.wait(timeout=60)
        if self.statuses:
            request.send_response(self.statuses.pop(0))
            for item in self.headers.items():
                request.send_header(*item)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        drop = self.drops.pop(0) if self.drops else None
        condition = request.headers.get("If-Range")
        same = not self.if_range or condition in (None, self.etag, self.date)
        start = int(asked[6:-1]) if asked and self.ranges and same else 0
        if start and start >= len(self.data):
            request.send_error(416)
            return
        body = self.data[start:]
        request.send_response(206 if start else 200)
        for item in {"ETag": self.etag, "Last-Modified": self.date, **self.headers}.items():
            if item[1]:
                request.send_header(*item)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(self.data) - 1}/{len(self.data)}")
        if self.chunked:
            request.send_header("Transfer-Encoding", "chunked")
        elif self.tell_length and "Content-Length" not in self.headers:
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        body = body[:drop]
        if self.chunked:
            body = f"{len(body):x}\r\n".encode() + body + b"\r\n" + (b"" if drop else b"0\r\n\r\n")
        with suppress(OSError):  # the client may have had enough
            request.wfile.write(body)
        request.close_connection = True


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def place(tmp_path):
    return tmp_path / "raw/file.zip"


def alone(place):
    """Return whether nothing lies beside the file."""
    return [path.name for path in place.parent.iterdir()] == [place.name]


def part_of(place):
    return place.with_name(f"{place.name}.partial")


def test_a_file_arrives_whole_and_alone(server, place):
    download(server.url(), place, DIGEST, len(DATA), AT_ONCE)
    assert place.read_bytes() == DATA
    assert alone(place)
    assert server.asked == [None]


def test_a_file_that_is_there_is_left_where_nothing_can_be_written(server, place):
    place.parent.mkdir()
    place.write_bytes(DATA)
    place.with_name(f".{place.name}.lock").mkdir()  # so that no lock can be had
    download(server.url(), place, DIGEST)
    assert not server.asked and place.read_bytes() == DATA


def test_of_two_that_want_a_file_one_downloads_it(server, place):
    first = threading.Thread(target=download, args=(server.url(), place))
    server.answering.clear()
    first.start()
    while not server.asked:
        assert first.is_alive()
    second = threading.Thread(target=download, args=(server.url(), place))
    second.start()
    second.join(timeout=0.2)
    assert second.is_alive() and len(server.asked) == 1
    server.answering.set()
    for thread in (first, second):
        thread.join(timeout=60)
    assert place.read_bytes() == DATA and server.asked == [None]
    assert list(place.parent.iterdir()) == [place]


def test_an_empty_file_arrives(server, place):
    server.data = b""
    download(server.url(), place, hashlib.sha256().hexdigest(), 0, AT_ONCE)
    assert place.read_bytes() == b""


def test_a_file_that_is_there_is_checked_and_left(server, place):
    place.parent.mkdir()
    place.write_bytes(DATA)
    download(server.url(), place, DIGEST, len(DATA), AT_ONCE)
    with pytest.raises(UserError, match=f"(?s)file.zip is not the file of .*found {DIGEST}.*remove it"):
        download(server.url(), place, "0" * 64, None, AT_ONCE)
    with pytest.raises(UserError, match="expected 7 bytes, found 3,072,000"):
        download(server.url(), place, None, 7, AT_ONCE)
    assert place.read_bytes() == DATA
    assert server.asked == []


@pytest.mark.parametrize("known_by", ["etag", "date"])
def test_a_broken_connection_is_gone_on_from(server, place, known_by):
    if known_by == "date":
        server.etag, server.date = None, "Wed, 21 Oct 2015 07:28:00 GMT"
    server.drops = [1_500_000, 0, 700_000]
    download(server.url(), place, DIGEST, len(DATA), AT_ONCE)
    assert place.read_bytes() == DATA
    assert alone(place)
    assert server.asked == [None, "bytes=1500000-", "bytes=1500000-", "bytes=2200000-"]


def test_many_breaks_do_not_matter_while_more_arrives(server, place):
    server.drops = [200_000] * 15
    download(server.url(), place, DIGEST, len(DATA), AT_ONCE)
    assert place.read_bytes() == DATA
    assert len(server.asked) == 16


def test_a_later_call_goes_on_after_one_that_gave_up(server, place):
    server.drops = [1_000_000, 0, 0, 0]
    with pytest.raises(
        UserError, match=r"(?s)broke at 1,000,000 of 3,072,000 bytes, 4 times in a row; run this again"
    ):
        download(server.url(), place, DIGEST, None, AT_ONCE)
    assert not place.exists()
    assert part_of(place).read_bytes() == DATA[:1_000_000]
    download(server.url(), place, DIGEST, None, AT_ONCE)
    assert place.read_bytes() == DATA
    assert server.asked[-1] == "bytes=1000000-"
    assert alone(place)


def test_all_that_was_missing_is_the_last_step(server, place):
    server.drops = [len(DATA) - 1, 0]
    with pytest.raises(UserError):
        download(server.url(), place, pauses=())
    part_of(place).write_bytes(DATA)
    asked = len(server.asked)
    download(server.url(), place, DIGEST, pauses=())
    assert place.read_bytes() == DATA
    assert len(server.asked) == asked


def test_a_server_without_ranges_sends_it_all_again(server, place):
    server.ranges = False
    server.drops = [1_500_000, 2_500_000]
    download(server.url(), place, DIGEST, None, AT_ONCE)
    assert place.read_bytes() == DATA
    assert alone(place)


def test_a_server_without_ranges_that_always_breaks_is_given_up(server, place):
    server.ranges = False
    server.drops = [1_500_000, 1_000_000] * 10
    with pytest.raises(UserError, match="4 times in a row"):
        download(server.url(), place, DIGEST, None, AT_ONCE)
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    ("etag", "date"), [(None, None), ('W/"weak"', None)], ids=["neither ETag nor date", "a weak ETag"]
)
def test_what_cannot_be_recognised_is_begun_anew(server, place, etag, date):
    server.etag, server.date = etag, date
    server.drops = [1_500_000]
    download(server.url(), place, None, None, AT_ONCE)
    assert place.read_bytes() == DATA
    assert server.asked == [None, None]


@pytest.mark.parametrize("if_range", [True, False], ids=["heeds If-Range", "ignores If-Range"])
def test_a_file_changed_between_parts_is_begun_anew(server, place, if_range):
    server.drops, server.if_range = [1_500_000], if_range
    with pytest.raises(UserError):
        download(server.url(), place, pauses=())
    server.data, server.etag = OTHER, '"two"'
    download(server.url(), place, pauses=AT_ONCE)
    assert place.read_bytes() == OTHER
    assert alone(place)


def test_a_file_changed_in_length_alone_is_begun_anew(server, place):
    server.drops, server.if_range = [1_500_000], False
    with pytest.raises(UserError):
        download(server.url(), place, pauses=())
    server.data = OTHER + b"more"
    download(server.url(), place, pauses=AT_ONCE)
    assert place.read_bytes() == server.data


def test_a_file_that_has_become_shorter_than_the_part_is_begun_anew(server, place):
    server.drops, server.if_range = [1_500_000], False
    with pytest.raises(UserError):
        download(server.url(), place, pauses=())
    server.data = b"short"
    download(server.url(), place, pauses=AT_ONCE)
    assert place.read_bytes() == b"short"


@pytest.mark.parametrize(
    "note", ["", "{", "[]", "{}", '{"url": "https://other", "validator": "x", "length": 3072000}']
)
def test_a_part_of_unknown_origin_is_not_gone_on_from(server, place, note):
    place.parent.mkdir()
    part_of(place).write_bytes(b"something else")
    place.with_name("file.zip.partial.json").write_text(note)
    download(server.url(), place, pauses=())
    assert place.read_bytes() == DATA
    assert server.asked == [None]


def test_a_wrong_checksum_removes_the_file(server, place):
    server.data = OTHER
    found = hashlib.sha256(OTHER).hexdigest()
    with pytest.raises(UserError, match=f"not the expected file: expected SHA-256 {DIGEST}, found {found}"):
        download(server.url(), place, DIGEST, None, AT_ONCE)
    assert list(place.parent.iterdir()) == []


def test_a_wrong_size_is_refused_before_it_arrives(server, place):
    with pytest.raises(UserError, match="expected 12 bytes, found 3,072,000"):
        download(server.url(), place, None, 12, AT_ONCE)
    assert list(place.parent.iterdir()) == []


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_file_that_is_not_there_is_not_asked_for_again(server, place, status):
    server.statuses = [status] * 9
    with pytest.raises(UserError, match=f"file.zip: the server answers {status}"):
        download(server.url(), place, None, None, AT_ONCE)
    assert len(server.asked) == 1
    assert not place.exists()


def test_a_busy_server_is_asked_again(server, place):
    server.statuses = [503, 429, 500]
    download(server.url(), place, DIGEST, None, AT_ONCE)
    assert place.read_bytes() == DATA


def test_a_server_that_is_not_there_is_named(server, place):
    url = server.url()
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(UserError, match=r"(?s)127.0.0.1.*cannot reach the server .*refused.*2 times"):
        download(url, place, None, None, (0.0,))


def test_a_web_page_is_not_the_file(server, place):
    server.headers = {"Content-Type": "text/html; charset=utf-8"}
    with pytest.raises(UserError, match="sends a web page"):
        download(server.url(), place, None, None, AT_ONCE)
    assert not place.exists()


def test_a_file_of_unsaid_length_must_be_recognisable(server, place):
    server.tell_length = False
    with pytest.raises(UserError, match="does not say how long"):
        download(server.url(), place, None, None, AT_ONCE)
    server.drops = [1_000_000]
    with pytest.raises(UserError, match="not the expected file"):
        download(server.url(), place, DIGEST, None, AT_ONCE)
    download(server.url(), place, DIGEST, None, AT_ONCE)
    assert place.read_bytes() == DATA


def test_a_body_in_pieces_is_whole_or_asked_for_again(server, place):
    server.http.RequestHandlerClass.protocol_version = "HTTP/1.1"
    server.chunked = True
    server.drops = [1_000_000]
    download(server.url(), place, None, None, AT_ONCE)
    assert place.read_bytes() == DATA
    assert len(server.asked) == 2


def test_a_file_larger_than_the_disk_is_refused_at_once(server, place):
    server.headers = {"Content-Length": str(10**18)}
    with pytest.raises(UserError, match="no room for the 1,000,000,000,000,000,000 bytes"):
        download(server.url(), place, None, None, AT_ONCE)


def test_a_place_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "raw").write_text("a file where a folder is needed")
    with pytest.raises(UserError, match=r"cannot write .*raw/file.zip"):
        download(server.url(), tmp_path / "raw/file.zip", None, None, AT_ONCE)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/file.zip",
        "http://127.0.0.1:80@example.org/file.zip",
        "http://127.0.0.1.example.org:80/file.zip",
        "ftp://example.org/file.zip",
        "file:///etc/hostname",
        "/etc/hostname",
    ],
)
def test_only_https_is_asked(url, place):
    with pytest.raises(UserError, match="no https address"):
        download(url, place, pauses=())


@pytest.mark.parametrize("target", ["http://example.org/file.zip", "ftp://example.org/file.zip"])
def test_a_redirect_away_from_https_is_refused(server, place, target):
    server.statuses, server.headers = [302], {"Location": target}
    with pytest.raises(UserError, match=f"redirects to {re.escape(target)}, which is no https address"):
        download(server.url(), place, None, None, AT_ONCE)
    assert not place.exists()


def test_a_redirect_to_a_file_of_this_machine_is_refused(server, place):
    server.statuses, server.headers = [302], {"Location": "file:///etc/hostname"}
    with pytest.raises(UserError, match="not allowed"):
        download(server.url(), place, None, None, AT_ONCE)
    assert not place.exists()


def test_no_https_server_leads_to_this_machine():
    with pytest.raises(UserError, match="no https address"):
        module._Redirects().redirect_request(
            Request("https://example.org/a"), None, 302, "", {}, "http://127.0.0.1:80/a"
        )


def test_a_redirect_is_followed(server, place):
    server.statuses, server.headers = [301], {"Location": server.url("elsewhere.zip")}
    download(server.url(), place, DIGEST, None, AT_ONCE)
    assert place.read_bytes() == DATA


@pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl, which makes a certificate, is not installed"
)
def test_certificates_are_checked(server, place, tmp_path, monkeypatch):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
    with pytest.raises(UserError, match=r"certificate is not good .*self.signed"):
        download(server.url(scheme="https"), place, None, None, AT_ONCE)
    assert not place.exists()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server.drops = [1_000_000]
    download(server.url(scheme="https"), place, DIGEST, None, AT_ONCE)
    assert place.read_bytes() == DATA


def test_what_may_be_fetched_has_an_address_and_the_rest_a_reason():
    for source in SOURCES.values():
        for file in source.files:
            assert file.url.startswith("https://") != bool(source.by_hand)
            assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)


@pytest.mark.parametrize("kind", SOURCES)
def test_the_page_of_a_benchmark_says_what_the_table_says(kind):
    page = (PAGES / f"{kind}.md").read_text(encoding="utf-8")
    source = SOURCES[kind]
    assert f"<{source.home}>" in page
    for file in source.files:
        assert f"`{file.name}`" in page
        assert all(part in page for part in file.holds)
        assert file.size is None or f"{file.size:,} bytes" in page
        assert file.sha256 is None or file.sha256 in page
    assert ("kinefract download" in page) != bool(source.by_hand)
    if kind in BENCHMARKS:
        assert source.home == BENCHMARKS[kind].HOME


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_the_settings_of_a_page_are_accepted(page, own_settings):
    """What a page says to write can be added to the configuration."""
    settings = own_settings
    blocks = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        for section, entries in yaml.safe_load(block).items():
            settings[section].update(entries)
    plan.resolve(params.parse(settings, page.name))


@pytest.mark.parametrize("kind", [kind for kind, source in SOURCES.items() if source.by_hand])
def test_what_is_brought_by_hand_is_said(kind, tmp_path):
    with pytest.raises(UserError) as error:
        fetch(kind, tmp_path / "raw")
    for part in (SOURCES[kind].home, str(tmp_path / "raw"), f"docs/benchmarks/{kind}.md"):
        assert part in str(error.value)
    assert all(file.name in str(error.value) for file in SOURCES[kind].files)
    assert not (tmp_path / "raw").exists()


@pytest.mark.parametrize("kind", ["volleyball", "ucf101", "yup"])
def test_what_is_there_is_not_fetched(kind, tmp_path):
    for name in [name for file in SOURCES[kind].files for name in file.holds]:
        (tmp_path / name).mkdir()
    fetch(kind, tmp_path)


@pytest.mark.parametrize("kind", ["ucf11", "motions"])
def test_an_unknown_benchmark_is_named(kind, tmp_path):
    with pytest.raises(UserError, match=f"'{kind}' is not one of: diving48, egtea, hmdb51"):
        fetch(kind, tmp_path)


def test_fetching_brings_each_missing_file(server, tmp_path, monkeypatch):
    files = [File(server.url(f"{name}.zip"), (name,), len(DATA), DIGEST) for name in ("one", "two")]
    monkeypatch.setitem(SOURCES, "ucf101", Source("https://home", tuple(files)))
    (tmp_path / "one").mkdir()
    fetch("ucf101", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two.zip"]


def test_a_failed_fetch_says_what_a_browser_would_do(server, tmp_path, monkeypatch):
    server.statuses = [404]
    file = File(server.url("one.zip"), ("one",))
    monkeypatch.setitem(SOURCES, "ucf101", Source("https://home", (file,)))
    with pytest.raises(UserError, match=r"(?s)answers 404.*https://home.*one.zip.*docs/benchmarks/ucf101.md"):
        fetch("ucf101", tmp_path)


def test_the_note_says_what_the_part_is_of(server, place):
    server.drops = [1_000_000]
    with pytest.raises(UserError):
        download(server.url(), place, pauses=())
    note = json.loads(place.with_name("file.zip.partial.json").read_text())
    assert note == {"url": server.url(), "validator": '"one"', "length": len(DATA)}

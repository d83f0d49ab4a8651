"""Downloads from a server on this machine that breaks off, changes and lies; the table against its pages."""

import hashlib
import re
import shutil
import ssl
import subprocess
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from kinefract.benchmarks.kinds import BENCHMARKS
from kinefract.benchmarks.official import download as module
from kinefract.benchmarks.official.download import fetch
from kinefract.benchmarks.official.sources import SOURCES, File, Source
from kinefract.common.errors import UserError
from kinefract.config import params, plan

PAGES = Path(__file__).parents[2] / "docs/benchmarks"
DATA = bytes(range(256)) * 12_000  # 3 MB, which arrives in pieces of 1 MB
OTHER = DATA[::-1]
DIGEST = hashlib.sha256(DATA).hexdigest()
ETAG = {"ETag": '"one"'}


class Server:
    """A file server whose faults are set from outside; ``asked`` holds the Range of each request."""

    def __init__(self):
        self.data, self.headers = DATA, ETAG
        self.ranges = self.if_range = self.has_length = True
        self.statuses = []  # what the next requests are answered with, before files are
        self.drops = []  # after how many bytes of a body the connection breaks, for the next requests
        self.asked = []
        self.answering = threading.Event()  # cleared, requests wait
        self.answering.set()
        answers = {"do_GET": lambda request: self.answer(request), "log_message": lambda *_: None}
        handler = type("Handler", (BaseHTTPRequestHandler,), answers)
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, name="file.zip", scheme="http"):
        return f"{scheme}://127.0.0.1:{self.http.server_port}/{name}"

    def stop(self):
        self.http.shutdown()
        self.http.server_close()

    def answer(self, request):
        asked = request.headers.get("Range")
        self.asked.append(asked)
        self.answering.wait(timeout=60)
        same = not self.if_range or request.headers.get("If-Range") in self.headers.values()
        start = int(asked[6:-1]) if asked and self.ranges and same else 0
        status = self.statuses.pop(0) if self.statuses else 206 if start else 200
        body = self.data[start:] if status < 300 else b""
        request.send_response(416 if start >= len(self.data) > 0 else status)
        headers = {"Content-Length": len(body)} if self.has_length else {}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"
        for item in (headers | self.headers).items():
            request.send_header(*item)
        request.end_headers()
        with suppress(OSError):  # the client may have had enough
            request.wfile.write(body[: self.drops.pop(0) if self.drops else None])


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("time.sleep", lambda _: None)
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def place(tmp_path):
    return tmp_path / "raw/file.zip"


def download(url, place, sha256=None, size=None, retries=3):
    module.download(File(url, size=size, sha256=sha256), place.parent, retries)


def is_alone(place):
    return list(place.parent.iterdir()) == [place]


def test_a_file_arrives_whole_and_alone(server, place):
    download(server.url(), place, DIGEST, len(DATA))
    assert place.read_bytes() == DATA
    assert is_alone(place)
    assert server.asked == [None]


def test_a_file_that_is_there_is_left(server, place):
    place.parent.mkdir()
    place.write_bytes(OTHER)
    download(server.url(), place)
    assert place.read_bytes() == OTHER and not server.asked


def test_of_two_that_want_a_file_one_downloads_it(server, place):
    threads = [threading.Thread(target=download, args=(server.url(), place)) for _ in range(2)]
    server.answering.clear()
    threads[0].start()
    while not server.asked:
        assert threads[0].is_alive()
    threads[1].start()
    threads[1].join(timeout=0.2)
    assert threads[1].is_alive() and len(server.asked) == 1
    server.answering.set()
    for thread in threads:
        thread.join(timeout=60)
    assert place.read_bytes() == DATA and server.asked == [None]
    assert is_alone(place)


@pytest.mark.parametrize("headers", [ETAG, {"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}])
def test_a_broken_download_goes_on_from_where_it_stopped(server, place, headers):
    server.headers, server.drops = headers, [1_500_000, 0]
    download(server.url(), place, DIGEST, len(DATA))
    assert place.read_bytes() == DATA
    assert is_alone(place)
    assert server.asked == [None, "bytes=1000000-", "bytes=1000000-"]


def test_breaks_do_not_count_while_more_arrives(server, place):
    server.drops = [1_000_000] * 3
    download(server.url(), place, DIGEST, retries=0)
    assert place.read_bytes() == DATA
    assert server.asked == [None, "bytes=1000000-", "bytes=2000000-", "bytes=3000000-"]


def test_a_later_call_goes_on_after_one_that_gave_up(server, place):
    server.drops = [1_000_000, 0]
    with pytest.raises(UserError, match=r"run this again to go on from what .*file\.zip\.partial"):
        download(server.url(), place, DIGEST, retries=0)
    assert not place.exists()
    assert place.with_name("file.zip.partial").read_bytes() == DATA[:1_000_000]
    download(server.url(), place, DIGEST, retries=0)
    assert place.read_bytes() == DATA and server.asked[-1] == "bytes=1000000-"
    assert is_alone(place)


def test_a_server_without_ranges_sends_it_all_again(server, place):
    server.ranges, server.drops = False, [1_500_000, 2_500_000]
    download(server.url(), place, DIGEST)
    assert place.read_bytes() == DATA


def test_a_server_that_always_breaks_is_given_up(server, place):
    server.ranges, server.drops = False, [1_500_000] * 10
    with pytest.raises(UserError, match=r"file\.zip: .*run this again"):
        download(server.url(), place, DIGEST)
    assert len(server.asked) == 5  # one that brought something, one that did not, and three more
    assert not place.exists()


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}], ids=["neither ETag nor date", "a weak ETag"])
def test_what_cannot_be_recognised_is_begun_anew(server, place, headers):
    server.headers, server.drops = headers, [1_500_000]
    download(server.url(), place)
    assert place.read_bytes() == DATA
    assert server.asked == [None, None]


@pytest.mark.parametrize("if_range", [True, False], ids=["heeds If-Range", "ignores If-Range"])
@pytest.mark.parametrize("data", [OTHER, b"short"], ids=["as long", "shorter"])
def test_a_file_changed_between_parts_is_begun_anew(server, place, data, if_range):
    server.drops, server.if_range = [1_500_000, 0], if_range
    with pytest.raises(UserError):
        download(server.url(), place, retries=0)
    server.data, server.headers = data, {"ETag": '"two"'}
    download(server.url(), place)
    assert place.read_bytes() == data
    assert is_alone(place)


def test_a_part_of_unknown_origin_is_begun_anew(server, place):
    place.parent.mkdir()
    place.with_name("file.zip.partial").write_bytes(b"something else")
    download(server.url(), place)
    assert place.read_bytes() == DATA


def test_a_wrong_checksum_removes_the_file(server, place):
    server.data = OTHER
    found = hashlib.sha256(OTHER).hexdigest()
    with pytest.raises(UserError, match=f"not the expected file: .*expected {DIGEST} but got {found}"):
        download(server.url(), place, DIGEST, retries=0)
    assert not list(place.parent.iterdir())


def test_a_wrong_size_is_refused_before_it_arrives(server, place):
    with pytest.raises(UserError, match="expected 12 bytes, found 3,072,000"):
        download(server.url(), place, None, 12)
    assert not list(place.parent.iterdir())


def test_a_file_that_is_not_there_is_not_asked_for_again(server, place):
    server.statuses = [404] * 9
    with pytest.raises(UserError, match=r"file\.zip: the server answers 404"):
        download(server.url(), place)
    assert len(server.asked) == 1 and not place.exists()


def test_a_busy_server_is_asked_again(server, place):
    server.statuses = [503, 429, 500]
    download(server.url(), place, DIGEST)
    assert place.read_bytes() == DATA


def test_a_server_that_is_not_there_is_named(server, place):
    url = server.url()
    server.stop()
    with pytest.raises(UserError, match=r"127\.0\.0\.1.*refused"):
        download(url, place, retries=1)


def test_a_web_page_is_not_the_file(server, place):
    server.headers = {"Content-Type": "text/html; charset=utf-8"}
    with pytest.raises(UserError, match="sends a web page"):
        download(server.url(), place)
    assert not place.exists()


def test_a_file_of_unsaid_length_must_be_recognisable(server, place):
    server.has_length = False
    with pytest.raises(UserError, match="does not say how long"):
        download(server.url(), place)
    assert not place.exists()


def test_a_file_of_unsaid_length_is_known_by_its_digest(server, place):
    server.has_length = False
    server.drops = [1_000_000]
    with pytest.raises(UserError, match="not the expected file"):
        download(server.url(), place, DIGEST, retries=0)
    download(server.url(), place, DIGEST)
    assert place.read_bytes() == DATA


def test_a_file_larger_than_the_disk_is_refused_at_once(server, place):
    server.headers = {"Content-Length": str(10**18)}
    with pytest.raises(UserError, match="no room for the 1,000,000,000,000,000,000 missing bytes"):
        download(server.url(), place)


def test_a_place_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "raw").write_text("a file where a folder is needed")
    with pytest.raises(UserError, match=r"cannot write .*raw"):
        download(server.url(), tmp_path / "raw/file.zip")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/file.zip",
        "http://127.0.0.1:80@example.org/file.zip",
        "http://127.0.0.1.example.org:80/file.zip",
        "ftp://example.org/file.zip",
        "file:///etc/hostname",
    ],
)
def test_only_https_is_asked(url, place):
    with pytest.raises(UserError, match="no https address"):
        download(url, place)


def test_a_redirect_is_followed(server, place):
    server.statuses, server.headers = [301], {"Location": server.url("elsewhere.zip")}
    download(server.url(), place, DIGEST)
    assert place.read_bytes() == DATA


def test_a_redirect_away_from_https_is_refused(server, place):
    insecure = server.url("file.zip").replace("127.0.0.1", "localhost")
    server.statuses, server.headers = [302], {"Location": insecure}
    with pytest.raises(UserError, match=f"redirects to {re.escape(insecure)}, which is no https address"):
        download(server.url(), place)
    assert not place.exists()


@pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl, which makes a certificate, is not there"
)
def test_certificates_are_checked(server, place, tmp_path, monkeypatch):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=here"
    )
    command += f" -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {certificate}"
    subprocess.run(command.split(), check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
    with pytest.raises(UserError, match=r"certificate is not good.*self.signed"):
        download(server.url(scheme="https"), place)
    assert not place.exists()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    download(server.url(scheme="https"), place, DIGEST)
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

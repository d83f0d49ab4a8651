"""Archives are unpacked whole or not at all: round trips, hostile archives, damage, programs, kills."""

import base64
import gzip
import random
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from functools import partial
from pathlib import Path
from shutil import which
from zlib import crc32

import pytest

from kinefract.benchmarks.official import archives
from kinefract.benchmarks.official.archives import unpack
from kinefract.common.errors import UserError

sys.path.insert(0, str(Path(__file__).parent))
from hostile import KINDS, Entry, pack, rar_bytes, tar_bytes, zip_bytes

GB = 10**9
TREE = [
    Entry("UCF-101/Archery/v_Archery_g01_c01.avi", b"RIFF" + bytes(range(256)) * 30),
    Entry("UCF-101/Archery/empty.avi"),
    Entry("lists/train list 01.txt", b"a\r\nb\r\n"),
    Entry("$(touch evil)/-rf *?[a] 'ü'.avi", b"odd"),
]
BYTES = b"".join(entry.data for entry in TREE)
# Two compressed files in a solid RAR 3 archive, from the tests of rarfile (ISC licence).
SOLID_RAR = """
UmFyIRoHADvQcwgADQAAAAAAAAArNHSAkCwAXAAAAAAIAAADoua3xbBmzD4dMwoApIEAAHN0ZXN0MS50eHQAwBEMzP6MnrD+MYGrrLG7QHeo
CmTWSzeDwQe8AeCFku77th0ACCAACIjpeAzSDAdhOkF4S7Nun1IK2sonQLrnC2SKYnH7uACRnlAv2FX/+sZY6+vE14h+VJaHH03s2RZ0kJAs
AA4AAAAACAAAA6Lmt8WwZsw+HTMKAKSBAABzdGVzdDIudHh0AMCxIACIB+vyCmn6/JTe0MQ9ewBABwA="""
UNPACK = (
    "import sys; from pathlib import Path; from kinefract.benchmarks.official.archives import unpack\n"
    "unpack(Path(sys.argv[1]), Path(sys.argv[2]), 'test')"
)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def expected(entries, under=""):
    return {under + entry.name: entry.data for entry in entries if entry.kind != "folder"}


@pytest.fixture
def put(tmp_path):
    """Write bytes as an archive; the name says nothing of the kind."""
    (tmp_path / "in").mkdir()

    def write(data, name="-official 'download'"):
        path = tmp_path / "in" / name
        path.write_bytes(data)
        return path

    return write


@pytest.fixture
def target(tmp_path):
    (tmp_path / "raw").mkdir()
    return tmp_path / "raw/bench"


def refusal(archive, target):
    """Return the message; nothing is left around the target or the archive."""
    with pytest.raises(UserError) as error:
        unpack(archive, target, "test")
    assert not list(target.parent.iterdir()) and list(archive.parent.iterdir()) == [archive]
    return str(error.value)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_packed_is_unpacked(kind, put, target):
    entries = [*TREE, Entry("none/in/here", kind="folder")]
    assert unpack(put(pack(kind, entries)), target, "test") == target
    assert contents(target) == expected(TREE)
    assert (target / "none/in/here").is_dir()
    assert list(target.parent.iterdir()) == [target]


def test_compressed_members_of_a_zip(put, target):
    entries = [*TREE, Entry("big", random.Random(1).randbytes(3000) * 1000)]  # more than is read at a time
    unpack(put(zip_bytes(entries, zipfile.ZIP_DEFLATED)), target, "test")
    assert contents(target) == expected(entries)


def test_a_zip_may_separate_folders_as_windows_does(put, target):
    unpack(put(zip_bytes([Entry("d\\"), Entry("d\\f.avi", b"x")])), target, "test")
    assert contents(target) == {"d/f.avi": b"x"}


def test_hmdb51_is_a_rar_of_rars(put, target):
    outer = [
        Entry("brush_hair.rar", rar_bytes(TREE)),
        Entry("deep/recognised by its content", rar_bytes([Entry("inner.rar", rar_bytes(TREE))])),
        Entry("readme.rar", b"no archive"),
    ]
    unpack(put(rar_bytes(outer)), target, "HMDB51")
    third = {"deep/inner.rar": rar_bytes(TREE), "readme.rar": b"no archive"}
    assert contents(target) == expected(TREE) | third


def test_a_folder_that_is_there_is_complete(put, target):
    target.mkdir()
    assert unpack(put(zip_bytes(TREE)), target, "test") == target
    assert contents(target) == {}


# ---- hostile archives

EVIL = {  # label: a member that no kind of archive may bring, and what the message says of it
    "up": (Entry("../evil", b"x"), "'../evil' leads out of its folder"),
    "up in the middle": (Entry("a/../../evil", b"x"), "leads out"),
    "backslash": (Entry("..\\evil", b"x"), "leads out"),
    "absolute": (Entry("/tmp/kinefract-evil", b"x"), "leads out"),
    "drive": (Entry("C:/evil", b"x"), "leads out"),
    "symlink": (Entry("link", b"..", "symlink"), "'link' is"),
    "twice": (Entry(f"./{TREE[0].name}", b"other"), "has the name of another"),
    "file in a file": (Entry(f"{TREE[0].name}/x", b"x"), "cannot unpack"),
    "too large": (Entry("huge", b"x", size=300 * GB), "'huge' is too large"),
}


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "rar"])
@pytest.mark.parametrize("label", EVIL)
def test_an_evil_member_stops_all(kind, label, put, target):
    evil, why = EVIL[label]
    assert why in refusal(put(pack(kind, [*TREE, evil, Entry("after", b"x")])), target)


def long_header(size):
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, size
    return info.tobuf(tarfile.GNU_FORMAT)


UP, LINK = (EVIL[label][0] for label in ("up", "symlink"))
MORE = Entry("more", b"12345", size=2, crc=crc32(b"12345"))
HOSTILE = {  # label: what makes the archive, and what the message says
    "hard link": (partial(tar_bytes, [*TREE, Entry("l", b"/etc/passwd", "hardlink")]), "'l' is neither"),
    "device": (partial(tar_bytes, [*TREE, Entry("null", kind="device")]), "'null' is neither"),
    "negative size": (partial(tar_bytes, [*TREE, Entry("minus", size=-512)]), "has a negative size"),
    "bomb in gzip": (lambda: gzip.compress(tar_bytes([Entry("bomb", size=2 * GB)])), "is too large"),
    "bomb in a header": (
        lambda: tar_bytes(TREE)[:-1024] + long_header(8 * GB),
        "a header claims 8000000000 bytes",
    ),
    "bomb after the end": (
        lambda: gzip.compress(tar_bytes(TREE)) + gzip.compress(bytes(10**7)) * 3,
        "it goes on after its end",
    ),
    "bomb in a zip": (
        lambda: zip_bytes([*TREE, Entry("bomb", bytes(9), size=2 * GB)], zipfile.ZIP_DEFLATED),
        "is too large",
    ),
    "more bytes than declared, zip": (partial(zip_bytes, [*TREE, MORE]), "damaged"),
    "fewer bytes than declared, zip": (partial(zip_bytes, [Entry("less", b"1", size=9)]), "damaged"),
    "fewer bytes than declared, rar": (partial(rar_bytes, [Entry("less", b"1", size=9)]), "damaged"),
    "wrong checksum, zip": (partial(zip_bytes, [Entry("changed", b"12345", crc=1)]), "damaged"),
    "wrong checksum, rar": (partial(rar_bytes, [Entry("changed", b"12345", crc=1)]), "damaged"),
    "encrypted, zip": (partial(zip_bytes, [Entry("s", b"s", encrypted=True)]), "is encrypted"),
    "encrypted, rar": (partial(rar_bytes, [Entry("s", b"s", encrypted=True)]), "is encrypted"),
    "unknown method of a zip": (lambda: zip_bytes(TREE).replace(b"\0\0\0\0!\0", b"\x09\0\0\0!\0"), "by hand"),
    "up in a rar in a rar": (partial(rar_bytes, [Entry("c.rar", rar_bytes([UP]))]), "c.rar is not unpacked"),
    "link in a rar in a rar": (partial(rar_bytes, [Entry("c.rar", rar_bytes([LINK]))]), "is a link"),
    "damaged header of a tar": (lambda: tar_bytes(TREE)[:-1024] + b"!" * 512, "damaged header"),
    "rar without an end": (partial(rar_bytes, TREE, end=False), "no end of archive"),
    "empty zip": (partial(zip_bytes, []), "holds no files"),
    "empty file": (lambda: b"", "is no zip, tar or RAR"),
    "a page that asks to log in": (lambda: b"<html>Please log in</html>" * 50, "is no zip, tar or RAR"),
}


@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_archives_are_refused(label, put, target):
    make, why = HOSTILE[label]
    message = refusal(put(make()), target)
    assert why in message and "\n" not in message


def test_too_many_members(put, target, monkeypatch):
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    assert "is one of too many" in refusal(put(zip_bytes(TREE)), target)


def test_a_disk_without_room(put, target, monkeypatch):
    monkeypatch.setattr(archives, "MOST_TIMES", 10**18)
    monkeypatch.setattr(archives, "MOST_BYTES", 10**18)
    assert "no room to unpack" in refusal(put(zip_bytes([Entry("huge", b"x", size=10**15)])), target)


def test_a_write_that_fails(put, target):
    """The system lets no file grow beyond 1 kB."""
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n{UNPACK}"
    archive = put(zip_bytes(TREE))
    done = subprocess.run(
        [sys.executable, "-Bc", limited, archive, target], capture_output=True, text=True, check=False
    )
    assert f"cannot unpack {archive}: File too large" in done.stderr
    assert not list(target.parent.iterdir())


@pytest.mark.parametrize("kind", KINDS)
def test_archives_cut_short_are_refused(kind, put, target):
    whole = pack(kind, TREE)
    last = len(whole) - (1024 if kind == "tar" else 1)
    for cut in [*range(0, last, 97 if kind != "tar" else 512), last]:
        refusal(put(whole[:cut]), target)


@pytest.mark.parametrize("kind", ["tar.gz", "tar.bz2", "tar.xz", "rar"])
def test_a_flipped_bit_is_found(kind, put, target):
    whole, rng = pack(kind, TREE), random.Random(3)
    for at in range(60):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        try:  # some bits mean nothing, such as a time
            found = contents(unpack(put(bytes(damaged)), target.with_name(str(at)), "test"))
        except UserError:
            assert not target.with_name(str(at)).exists()
        else:
            assert found == expected(TREE)


# ---- compressed rars, read by a program


@pytest.mark.skipif(not which("unar") and not which("unrar"), reason="neither unrar nor unar is installed")
def test_a_real_compressed_rar(put, target):
    unpack(put(base64.b64decode(SOLID_RAR)), target, "test")
    found = {name: (len(data), crc32(data)) for name, data in contents(target).items()}
    assert found == dict.fromkeys(("stest1.txt", "stest2.txt"), (2048, 0xC5B7E6A2))


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a program on the PATH that notes its arguments and runs some Python; no other is there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def write(code, name="unrar"):
        path = folder / name
        path.write_text(
            f"#!{sys.executable}\nimport pathlib, sys, time\nDATA, out = {BYTES!r}, sys.stdout.buffer\n"
            f"pathlib.Path({str(folder)!r}, 'calls').open('a').write(repr(sys.argv[1:]) + '\\n')\n{code}\n"
        )
        path.chmod(0o755)
        return folder / "calls"

    return write


COMPRESSED = rar_bytes(TREE, compressed=True)


def test_no_name_of_a_member_reaches_the_command_line(program, put, target):
    archive = put(COMPRESSED)
    calls = program("out.write(DATA)")
    unpack(archive, target, "test")
    assert contents(target) == expected(TREE)
    assert (
        calls.read_text() == f"{['p', '-inul', '-p-', '--', str(archive)]!r}\n" * 2
    )  # a trial, and all files


def test_a_stored_rar_needs_no_program(program, put, target):
    assert "compressed RAR" in refusal(put(COMPRESSED), target)
    unpack(put(rar_bytes(TREE)), target, "test")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("sys.exit(3)", "install unrar"),
        ("out.write(DATA[1:])", "install unrar"),
        ("out.write(DATA[:-1])", "stopped early"),
        ("out.write(DATA[:-1] + b'!')", "wrong checksum"),
    ],
)
def test_a_program_that_fails(code, why, program, put, target):
    program(code)
    assert why in refusal(put(COMPRESSED), target)


def test_the_first_program_that_reads_the_archive_is_taken(program, put, target):
    program("sys.exit('no rar')", "7z")
    program("out.write(DATA)", "bsdtar")
    unpack(put(COMPRESSED), target, "test")
    assert contents(target) == expected(TREE)


# ---- stops


def test_a_killed_unpacking_is_not_taken_for_finished(program, put, target):
    program("out.write(DATA[:-1]); out.flush(); time.sleep(60)")
    process = subprocess.Popen([sys.executable, "-c", UNPACK, put(COMPRESSED), target])
    first = target.with_name(".bench.partial") / TREE[2].name
    for _ in range(600):
        if first.exists():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert first.exists() and not target.exists()
    unpack(put(rar_bytes(TREE[:1])), target, "test")
    assert contents(target) == expected(TREE[:1])
    assert list(target.parent.iterdir()) == [target]


def test_of_two_processes_one_unpacks_and_the_other_waits(program, put, target, capfd):
    calls = program("time.sleep(1); out.write(DATA)")
    archive = put(COMPRESSED)
    processes = [subprocess.Popen([sys.executable, "-c", UNPACK, archive, target]) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert "another process is unpacking test, waiting for it" in capfd.readouterr().err
    assert len(calls.read_text().splitlines()) == 2  # a trial and all files, once
    assert contents(target) == expected(TREE)
    assert list(target.parent.iterdir()) == [target]


def test_a_link_in_place_of_the_partial_folder_is_not_followed(put, target, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other/kept").write_text("kept")
    target.with_name(".bench.partial").symlink_to(tmp_path / "other")
    with pytest.raises(UserError, match="File exists"):
        unpack(put(zip_bytes(TREE)), target, "test")
    assert contents(tmp_path / "other") == {"kept": b"kept"}

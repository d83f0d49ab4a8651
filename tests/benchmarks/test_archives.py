"""Archives unpacked whole or not at all: round trips, a hundred hostile ones, damage of every kind, kills."""

import os
import random
import re
import signal
import stat
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path
from zlib import crc32

import pytest

from kinefract.benchmarks.archives import Limits, unpack
from kinefract.errors import UserError

sys.path.insert(0, str(Path(__file__).parent))
from hostile import (
    KINDS,
    Entry,
    hostile_archives,
    outcome,
    pack,
    rar4_bytes,
    rar5_bytes,
    snapshot,
    tar_bytes,
    zip_bytes,
)

TREE = [
    Entry("UCF-101/Archery/v_Archery_g01_c01.avi", b"RIFF" + bytes(range(256)) * 30),
    Entry("UCF-101/Archery/empty.avi"),
    Entry("lists/train list 01.txt", b"a\r\nb\r\n"),
    Entry("top.txt", b"top"),
]
ODD = [
    Entry(name, name.encode("utf-8", "surrogateescape"))
    for name in (
        "a b/'c' \"d\".avi",
        "$(touch evil)/`touch evil`;touch evil.avi",
        "-rf",
        "@list",
        "--/-o",
        "*?[a].avi",
        "line\nbreak.avi",
        "%s%n{0}.avi",
        " lead and trail ",
        "...",
        "Прыжок/跳水/é.avi",
        "ümlaut.avi",
        "nul",
        "name.",
        "Case",
        "case",
        "~root",
    )
]


def contents(folder):
    """What lies in a folder: the bytes of its files, by path; ``None`` for a folder that holds nothing."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            found[str(path.relative_to(folder))] = path.read_bytes()
        elif not any(path.iterdir()):
            found[str(path.relative_to(folder))] = None
    return found


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def expected(entries):
    return {os.path.normpath(e.name): None if e.kind == "folder" else e.data for e in entries}


@pytest.fixture
def put(tmp_path):
    """Write bytes as an archive; the name says nothing of the kind."""
    (tmp_path / "in").mkdir()

    def write(data, name="official download"):
        path = tmp_path / "in" / name
        path.write_bytes(data)
        return path

    return write


@pytest.fixture
def target(tmp_path):
    return tmp_path / "raw" / "bench"


def refused(archives, target, **limits):
    """The message of the refusal; whatever lies around is as it was."""
    target.parent.mkdir(exist_ok=True)
    before = snapshot(target.parent)
    with pytest.raises(UserError) as error:
        unpack(archives, target, "test", Limits(**limits))
    assert snapshot(target.parent) == before
    return str(error.value)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_packed_is_unpacked(kind, put, target):
    entries = [*TREE, Entry("none/in/here", kind="folder")]
    assert unpack([put(pack(kind, entries))], target, "test") == target
    assert contents(target) == expected(entries)
    assert names(target.parent) == ["bench"]


@pytest.mark.parametrize("kind", KINDS)
def test_odd_names_are_kept(kind, put, target):
    unpack([put(pack(kind, ODD), "-odd 'name' $(x)")], target, "test")
    assert contents(target) == expected(ODD)


@pytest.mark.parametrize("kind", KINDS)
def test_modes_of_the_archive_and_the_user_are_not_taken_over(kind, put, target):
    entries = [
        Entry("d", kind="folder", mode=0o000),
        Entry("d/f", b"1", mode=0o4777),
        Entry("g", b"2", mode=0),
    ]
    old = os.umask(0o077)
    try:
        unpack([put(pack(kind, entries))], target, "test")
    finally:
        os.umask(old)
    modes = {
        str(p.relative_to(target.parent)): stat.S_IMODE(p.stat().st_mode) for p in target.parent.rglob("*")
    }
    assert modes == {"bench": 0o755, "bench/d": 0o755, "bench/d/f": 0o644, "bench/g": 0o644}


def test_compressed_zips(put, target):
    entries = [*TREE, Entry("big", random.Random(1).randbytes(3000) * 1000)]  # more than is read at a time
    unpack([put(zip_bytes(entries, zipfile.ZIP_DEFLATED))], target, "test")
    assert contents(target) == expected(entries)
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        message = refused([put(zip_bytes(entries, method))], target.with_name("other"))
        assert f"is compressed by method {method}, which cannot be read here" in message


def test_zip_names_without_the_utf8_flag_are_cp437(put, target):
    data = zip_bytes([Entry("m@ller.avi", b"x"), Entry("und@.avi", b"y")])
    unpack([put(data.replace(b"m@ller", b"m\x81ller").replace(b"und@", b"und\xff"))], target, "test")
    assert contents(target) == {"müller.avi": b"x", "und\u00a0.avi": b"y"}


def test_zips_of_windows_programs_may_hold_backslashes(put, target):
    data = bytearray(zip_bytes([Entry("d\\", b""), Entry("d\\f.avi", b"x")]))
    at = -1
    while (at := data.find(b"PK\x01\x02", at + 1)) >= 0:
        data[at + 5] = 0  # the system it was made on
    unpack([put(bytes(data))], target, "test")
    assert contents(target) == {"d/f.avi": b"x"}


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "rar4", "rar5"])
def test_bytes_that_are_no_text_are_kept(kind, put, target):
    spelled = [b"clip\xff.avi", b"long clip\xfe.avi", b"\xe9t\xe9/x"]
    entries = [Entry(os.fsdecode(name), name) for name in spelled]
    unpack([put(pack(kind, entries))], target, "test")
    assert {os.fsencode(name): data for name, data in contents(target).items()} == {n: n for n in spelled}


def test_tars_as_gnu_tar_and_pax_write_them(put, target):
    spelled = ["./", "./a/", "./a/" + "long" * 60, "./ü/" + "é" * 90]
    entries = [Entry(n, kind="folder") if n.endswith("/") else Entry(n, n.encode()) for n in spelled]
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        out = target.with_name(f"form{form}")
        unpack([put(tar_bytes(entries, form))], out, "test")
        assert contents(out) == {os.path.normpath(n): n.encode() for n in spelled[2:]}


@pytest.mark.parametrize("outer", [rar4_bytes, rar5_bytes])
def test_hmdb51_is_a_rar_of_rars(outer, put, target):
    inner = {
        name: [Entry(f"{name}/{name} {at}.avi", f"{name}{at}".encode()) for at in range(3)]
        for name in ("brush_hair", "cartwheel")
    }
    classes = [
        Entry("brush_hair.rar", rar4_bytes(inner["brush_hair"])),
        Entry("deep/cartwheel.part", rar5_bytes(inner["cartwheel"])),  # told by its content
        Entry("readme.rar", b"no rar"),
    ]
    unpack([put(outer(classes))], target, "HMDB51")
    assert contents(target) == {
        **expected(inner["brush_hair"]),
        **{f"deep/{name}": data for name, data in expected(inner["cartwheel"]).items()},
        "readme.rar": b"no rar",
    }


def test_only_the_first_rars_in_a_rar_are_unpacked(put, target):
    third = rar5_bytes([Entry("x", b"x")])
    unpack([put(rar5_bytes([Entry("second.rar", rar5_bytes([Entry("third.rar", third)]))]))], target, "test")
    assert contents(target) == {"third.rar": third}
    other = target.with_name("other")
    unpack([put(zip_bytes([Entry("third.rar", third)]))], other, "test")
    assert contents(other) == {"third.rar": third}


def test_several_archives_make_one_tree_and_may_share_files(put, target):
    archives = [
        put(zip_bytes(TREE[:3]), "one"),
        put(tar_bytes(TREE[2:]), "two"),
        put(rar5_bytes(TREE), "three"),
    ]
    unpack(archives, target, "test")
    assert contents(target) == expected(TREE)
    message = refused(
        [archives[0], put(tar_bytes([Entry(TREE[2].name, b"A\r\nb\r\n")]))], target.with_name("b")
    )
    assert "train list 01.txt' has the name of another member that differs" in message


def test_a_folder_that_is_there_is_complete(put, target):
    target.mkdir(parents=True)
    assert unpack([put(zip_bytes(TREE))], target, "test") == target
    assert contents(target) == {}


def test_what_cannot_begin(put, target, tmp_path):
    assert "no archive to unpack" in refused([], target)
    assert f"no archive {tmp_path / 'gone'}" in refused([tmp_path / "gone"], target)
    assert "no archive:" in refused([put(b"")], target)
    target.parent.mkdir(exist_ok=True)
    target.write_text("a file")
    assert "in the way" in refused([put(zip_bytes(TREE))], target)


# ---- hostile archives


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return hostile_archives(tmp_path_factory.mktemp("hostile") / "in", 120)  # every attack, and some again


@pytest.mark.parametrize("number", range(120))
def test_hostile_archives_are_refused(number, hostile, tmp_path):
    found = outcome(hostile[number], tmp_path / "out" / "target")
    assert (hostile[number].name, found) == (hostile[number].name, "refused")


def test_a_hundred_attacks_differ_and_are_the_same_each_time(hostile, tmp_path):
    again = hostile_archives(tmp_path / "again", 100)
    attacks = [path.name.split("-", 1)[1] for path in again]
    assert len(set(attacks)) == 100
    for path, first in zip(again, hostile, strict=False):
        assert path.name == first.name
        assert path.read_bytes() == first.read_bytes() or "absolute" in path.name  # that names the folder


def test_without_its_evil_member_each_kind_is_unpacked(tmp_path):
    """The refusals are of the evil members, not of all the small writers make."""
    (tmp_path / "in").mkdir()
    for kind in KINDS:
        path = tmp_path / "in" / kind
        path.write_bytes(pack(kind, TREE))
        assert outcome(path, tmp_path / "out" / kind) == "unpacked"


@pytest.mark.parametrize(
    ("evil", "why"),
    [
        (Entry("../evil", b"x"), "'../evil' leads out of its folder"),
        (Entry("/etc/passwd", b"x"), "'/etc/passwd' has an absolute path"),
        (Entry("c:evil", b"x"), "'c:evil' has a drive letter"),
        (Entry("l", b"x", "symlink"), "'l' is a (symbolic )?link"),
        (Entry("p", kind="fifo"), "'p' is neither a file nor a folder"),
        (Entry("top.txt", b"pot"), "'top.txt' has the name of another member that differs"),
        (Entry("top.txt/x", b"x"), "'top.txt/x' needs a folder where another member is a file"),
        (Entry("lists", b"x"), "'lists' is a file where a folder is needed"),
        (Entry("a\u202e\udcff\n" + "b" * 300, b"x"), r"'a\\u202e\\udcff\\nb+'\.\.\. has a name too long"),
    ],
)
def test_messages_say_which_member_and_why(evil, why, put, target):
    for kind in ("zip", "tar", "rar4", "rar5"):
        if kind == "zip" and "\udcff" in evil.name:
            continue  # there is no such name in a zip
        archive = put(pack(kind, [*TREE, evil]))
        message = refused([archive], target)
        assert message.startswith(f"{archive} is refused: member '")
        assert re.search(why, message)
        message.encode("ascii")


def test_limits(put, target):
    for kind in ("zip", "tar", "tar.xz", "rar4", "rar5"):
        archive = put(pack(kind, [Entry(f"d/{at}", bytes(10**5)) for at in range(10)]))
        assert "member 'd/5' brings the total to" in refused([archive], target, total=599_999)
        assert "member 'd/9' is one of more than 10" in refused([archive], target, members=10)
        unpack([archive], target.with_name(kind), "test", Limits(total=10**6, members=11))
    small = put(pack("tar.xz", [Entry(f"d/{at}", bytes(10**5)) for at in range(10)]))
    assert "a bomb" in refused([small], target, ratio=200, ratio_from=10**5)
    assert "brings the total to" in refused([small, small], target, total=15 * 10**5)
    both = unpack([small, small], target.with_name("both"), "test", Limits(ratio=1, ratio_from=10**6))
    assert len(contents(both)) == 10
    inner = rar5_bytes([Entry("x", bytes(1000))])
    assert "more than 1" in refused([put(rar5_bytes([Entry("c.rar", inner)]))], target, members=1)
    assert "total" in refused([put(rar5_bytes([Entry("c.rar", inner)]))], target, total=len(inner) + 999)


def test_more_bytes_than_declared_are_named_as_such(put, target):
    more = Entry("more", bytes(10**6), size=10, crc=crc32(bytes(10)))
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        message = refused([put(zip_bytes([*TREE, more], method))], target)
        assert "member 'more' holds more than the 10 bytes it declares" in message


def test_a_directory_of_a_zip_that_names_fewer_members(put, target):
    data = zip_bytes(TREE)
    end = data.rindex(b"PK\x05\x06")
    size = struct.unpack_from("<L", data, end + 12)[0]
    first = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", first + 4)
    shorter = bytearray(data[:first] + data[second:])
    struct.pack_into("<L", shorter, len(shorter) - 22 + 12, size - (second - first))
    assert "4 members announced, 3 found" in refused([put(bytes(shorter))], target)


def test_little_is_read_on_the_word_of_a_tar(put, target):
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 2**25
    claim = header.tobuf(tarfile.GNU_FORMAT) + bytes(2**25)
    assert f"a header claims {2**25} bytes" in refused([put(claim + tar_bytes(TREE))], target)
    assert "goes on after its end" in refused([put(tar_bytes(TREE) + bytes(2**24 + 2**20))], target)
    unpack([put(tar_bytes(TREE) + bytes(2**20))], target, "padded to a record of a tape")


def test_no_room_on_the_disk(put, target, tmp_path):
    """A file with a hole as large as the free room and more: its size is true, its bytes are not there."""
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    size = (free + 10**9) // 512 * 512
    header = tarfile.TarInfo("hole")
    header.size = size
    archive = put(header.tobuf(tarfile.GNU_FORMAT))
    try:
        os.truncate(archive, 512 + size + 1024)
    except OSError:
        pytest.skip("this file system has no files with holes of that size")
    assert "no room to unpack" in refused([archive], target, total=10**18)


def test_a_write_that_fails(put, target):
    """The system refuses to let a file grow beyond 100 kB."""
    archive = put(zip_bytes([*TREE, Entry("large", bytes(10**6))]))
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (10**5, 10**5))\n"
        "from pathlib import Path; from kinefract.benchmarks.archives import unpack\n"
        "from kinefract.errors import UserError\n"
        "try: unpack([Path(sys.argv[1])], Path(sys.argv[2]), 'test')\n"
        "except UserError as error: print('refused:', error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, archive, target], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("refused: cannot unpack test into")
    assert names(target.parent) == []


# ---- damage


@pytest.mark.parametrize("kind", KINDS)
def test_archives_cut_short(kind, put, target):
    whole = pack(kind, TREE)
    rng = random.Random(2)
    cuts = {*range(0, 600, 40), *(rng.randrange(len(whole)) for _ in range(60))}
    cuts |= {
        len(whole) - left for left in (*range(1, 40), 511, 512, 513, 1023, 1024, 1025) if left < len(whole)
    }
    for at, cut in enumerate(sorted(cuts)):
        right_or_refused(put(whole[:cut]), target.with_name(str(at)))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "tar"])
def test_flipped_bits(kind, put, target):
    entries = [Entry("a/one.avi", bytes(range(200))), Entry("b", b"two" * 9), Entry("c", kind="folder")]
    whole = pack(kind, entries)
    rng = random.Random(3)
    for at in range(250):
        damaged = bytearray(whole)
        for _ in range(rng.choice((1, 1, 1, 2, 8))):
            damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        right_or_refused(put(bytes(damaged)), target.with_name(str(at)), entries)


def test_flipped_bits_in_headers_of_tars(put, target):
    """A plain tar file has checksums of its headers alone."""
    whole = tar_bytes(TREE, tarfile.USTAR_FORMAT)
    with tarfile.open(put(whole)) as tar:
        headers = [info.offset for info in tar] + [len(whole) - 1024]
    rng = random.Random(4)
    for at in range(250):
        damaged = bytearray(whole)
        damaged[rng.choice(headers) + rng.randrange(512)] ^= 1 << rng.randrange(8)
        right_or_refused(put(bytes(damaged)), target.with_name(str(at)))


@pytest.mark.parametrize("kind", KINDS)
def test_random_bytes_after_the_start(kind, put, target):
    rng = random.Random(5)
    for at in range(60):
        damaged = pack(kind, TREE)[: rng.randrange(3, 300)] + rng.randbytes(rng.randrange(2000))
        assert "Traceback" not in refused([put(damaged)], target.with_name(str(at)))


def right_or_refused(archive, target, entries=TREE):
    try:
        unpack([archive], target, "test")
    except UserError:
        assert not target.exists()
    else:
        assert contents(target) == expected(entries)
    assert not target.with_name(f".{target.name}.partial").exists()


# ---- compressed rars, read by a program: here one that writes what it is told


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put an ``unrar`` on the PATH that notes its arguments and runs some Python; nothing else is there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def write(code, name="unrar"):
        path = folder / name
        path.write_text(
            f"#!{sys.executable}\nimport os, pathlib, sys, time\n"
            f"pathlib.Path({str(folder)!r}, 'arguments').write_text(repr(sys.argv[1:]))\n"
            f"out = sys.stdout.buffer\n{code}\n"
        )
        path.chmod(0o755)
        return folder / "arguments"

    return write


def compressed(entries):
    """A rar whose members say they are compressed."""
    data = bytearray(rar4_bytes(entries))
    at = 20
    while data[at + 2] == 0x74:
        data[at + 25] = 0x33
        size, packed = struct.unpack_from("<H", data, at + 5)[0], struct.unpack_from("<L", data, at + 7)[0]
        struct.pack_into("<H", data, at, crc32(data[at + 2 : at + size]) & 0xFFFF)
        at += size + packed
    return bytes(data)


def test_compressed_rars_are_read_by_a_program(program, put, target):
    entries = [*TREE, *(Entry(name, name.encode()) for name in ("-inul", "@/etc/passwd", "*", "a/$(x)"))]
    archive = put(compressed(entries), "-@ $(x).rar")
    arguments = program(f"out.write({b''.join(entry.data for entry in entries)!r})")
    unpack([archive], target, "test")
    assert contents(target) == expected(entries)
    assert arguments.read_text() == repr(["p", "-inul", "-p-", "--", str(archive)])


def test_no_program(program, put, target):
    message = refused([put(compressed(TREE))], target)
    assert "compressed rar" in message and "install unrar" in message
    unpack([put(rar4_bytes(TREE))], target, "stored rars need none")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("sys.exit(3)", "unrar cannot read"),
        ("out.write(b'x' * 10**6)", "unrar cannot read"),
        ("out.write(DATA[:-1])", "unrar stopped early"),
        ("out.write(DATA[:-1] + b'!')", "wrong checksum from unrar"),
        ("out.write(DATA + b'!')", "more bytes from unrar than declared"),
        ("out.write(DATA); sys.stdout.close(); os._exit(3)", "unrar ended with status 3"),
        ("while True: out.write(DATA)", "more bytes from unrar than declared"),
    ],
)
def test_a_program_that_fails(code, why, program, put, target):
    program(f"DATA = {b''.join(entry.data for entry in TREE)!r}\n{code}")
    assert why in refused([put(compressed(TREE))], target)


def test_the_first_program_that_reads_the_archive_is_taken(program, put, target):
    program("sys.exit('no rar')", "7z")
    program(f"out.write({b''.join(entry.data for entry in TREE)!r})", "bsdtar")
    unpack([put(compressed(TREE))], target, "test")
    assert contents(target) == expected(TREE)


# ---- stops


def test_killed_half_way_it_starts_over(program, put, target, tmp_path):
    program(f"out.write({TREE[0].data!r}); out.flush(); time.sleep(60)")
    archive = put(compressed(TREE))
    code = "import sys; from pathlib import Path; from kinefract.benchmarks.archives import unpack\n"
    code += "unpack([Path(sys.argv[1])], Path(sys.argv[2]), 'test')"
    process = subprocess.Popen([sys.executable, "-c", code, archive, target])
    partial = target.with_name(".bench.partial")
    for _ in range(600):
        if (partial / TREE[0].name).exists():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not target.exists() and (partial / TREE[0].name).exists()
    (partial / "left over").mkdir()
    (partial / "left over" / "link").symlink_to(tmp_path / "in")
    unpack([put(rar5_bytes(TREE))], target, "test")
    assert contents(target) == expected(TREE)
    assert names(target.parent) == ["bench"]
    assert archive.exists()


def test_of_two_processes_one_unpacks_and_the_other_waits(program, put, target, capfd):
    calls = target.parent.parent / "calls"
    program(
        f"pathlib.Path({str(calls)!r}).open('a').write('once\\n'); time.sleep(1)\n"
        f"out.write({b''.join(entry.data for entry in TREE)!r})"
    )
    archive = put(compressed(TREE))
    unpack([archive], target.with_name("alone"), "test")
    alone = calls.read_text()
    calls.unlink()
    code = "import sys; from pathlib import Path; from kinefract.benchmarks.archives import unpack\n"
    code += "unpack([Path(sys.argv[1])], Path(sys.argv[2]), 'test')"
    processes = [subprocess.Popen([sys.executable, "-c", code, archive, target]) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert "another process is unpacking test, waiting for it" in capfd.readouterr().err
    assert calls.read_text() == alone
    assert contents(target) == expected(TREE) and names(target.parent) == ["alone", "bench"]


def test_a_link_in_place_of_the_partial_folder_is_not_followed(put, target, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "kept").write_text("kept")
    target.parent.mkdir()
    target.with_name(".bench.partial").symlink_to(tmp_path / "other")
    unpack([put(zip_bytes(TREE))], target, "test")
    assert contents(target) == expected(TREE) and contents(tmp_path / "other") == {"kept": b"kept"}

"""Hostile files of the configuration end within seconds, in one short error that names file and place."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parameter_files import BROKEN, TINY, WRONG

from kinefract.common.errors import UserError
from kinefract.common.layout import SPEC_FILE
from kinefract.common.schema import LINE, SHOWN
from kinefract.config import files as config_files
from kinefract.config import params, plan
from kinefract.config.specs import DatasetSpec, Spec

ROOT = Path(__file__).parents[2]
SECONDS = 10  # of CPU; each case takes less than two on an idle machine
PATIENCE = 60  # seconds until reading is taken to wait for something
LINKS = 2000
# What means much to YAML or to the configuration.
TOKENS = [
    *(
        b"&a ",
        b"*a",
        b"<<: *a\n",
        b"!!int ",
        b"! ",
        b"[",
        b"}",
        b"? ",
        b"- ",
        b": ",
        b"\n",
        b"\t",
        b"'",
        b'"\\',
    ),
    *(b".nan", b"-.inf", b"1e999", b"9" * 5000, b"-1", b"0x_", b"null", b"true", b"2024-13-99", b"="),
    *(b"\xff", b"\0", b"\x1b", "\u202e".encode(), b"---\n", b"%YAML 9\n"),
    *(b"like: tiny\n", b"vary: {}\n", b"version: 1\n"),
]


@contextmanager
def in_time() -> Iterator[None]:
    """Fail where what happens within takes more CPU time than ``SECONDS``, or waits for ``PATIENCE``."""

    def give_up(number: int, *_: object) -> None:
        pytest.fail(
            f"waited {PATIENCE} s" if number == signal.SIGALRM else f"took more than {SECONDS} s of CPU"
        )

    timers = {
        signal.SIGPROF: (signal.ITIMER_PROF, SECONDS),
        signal.SIGALRM: (signal.ITIMER_REAL, PATIENCE),
    }
    before = {number: signal.signal(number, give_up) for number in timers}
    for timer, seconds in timers.values():
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for number, (timer, _) in timers.items():
            signal.setitimer(timer, 0)
            signal.signal(number, before[number])


def resolve(path: Path) -> plan.Plan:
    return plan.resolve(params.load(path))


def main_file(folder: Path) -> tuple[Path, Callable]:
    """Return the path of a ``params.yaml``, and how it is read."""
    return folder / "params.yaml", lambda: resolve(folder / "params.yaml")


def other_file(folder: Path) -> tuple[Path, Callable]:
    """Return the path of a file beside a valid ``params.yaml``, and how both are read."""
    (folder / "params.yaml").write_text(TINY, encoding="utf-8")
    (folder / "config/studies").mkdir(parents=True)
    return folder / "config/studies/mine.yaml", lambda: resolve(folder / "params.yaml")


def spec_file(folder: Path) -> tuple[Path, Callable]:
    """Return the path of a spec, and how it is read."""
    return folder / SPEC_FILE, lambda: DatasetSpec.read(folder / SPEC_FILE)


READERS = [main_file, other_file, spec_file]


def _specs() -> dict[type[Spec], Spec]:
    """Return a spec of each kind: a dataset, a benchmark, a pre-training, a fine-tuning and a study."""
    found = plan.resolve(params.load(ROOT / ".test/params.yaml"))
    shelves = (found.datasets, found.benchmarks, found.pretrains, found.finetunes, found.studies)
    return {type(spec): spec for shelf in shelves for spec in [*shelf.values()][-1:]}


SPECS = _specs()


def write(path: Path, content: bytes | str) -> None:
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def refusal(read: Callable) -> str:
    """Return the message of the error in which reading must end, of at most a line for each problem shown."""
    with in_time(), pytest.raises(UserError) as caught:
        read()
    lines = str(caught.value).splitlines()
    assert len(lines) <= SHOWN + 2
    assert all(line.isprintable() and len(line) <= LINE + 10 for line in lines)
    return str(caught.value)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_plain_yaml_is_one_line_with_file_and_place(tmp_path, reader, name):
    content, told = BROKEN[name]
    path, read = reader(tmp_path)
    write(path, content)
    message = refusal(read)
    assert message.startswith(f"{path}: ")
    assert told in message
    assert "\n" not in message


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_configuration_is_named(tmp_path, name):
    content, told = WRONG[name]
    path, read = main_file(tmp_path)
    write(path, content)
    message = refusal(read)
    assert re.search(told, message, re.DOTALL), message


@pytest.mark.parametrize(
    ("reader", "content"),
    [
        *((reader, content) for reader in READERS for content in ("- a\n", "a\n", "1\n")),
        *((reader, content) for reader in (main_file, spec_file) for content in ("", "# nothing yet\n")),
    ],
)
def test_what_is_no_mapping_is_one_problem(tmp_path, reader, content):
    path, read = reader(tmp_path)
    write(path, content)
    assert f"{path}: {'not a spec' if reader is spec_file else 'holds no settings'}" in refusal(read)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "device"]
)
def test_what_is_no_file_is_not_read(tmp_path, reader, make):
    path, read = reader(tmp_path)
    make(path)
    assert refusal(read) == f"{path}: a folder or a device, where a YAML file is wanted"


@pytest.mark.parametrize("reader", [main_file, spec_file])
def test_a_folder_in_place_of_a_file(tmp_path, reader):
    path, read = reader(tmp_path)
    path.mkdir()
    assert refusal(read) == f"{path}: a folder or a device, where a YAML file is wanted"


@pytest.mark.parametrize("reader", READERS)
def test_a_link_that_leads_nowhere(tmp_path, reader):
    path, read = reader(tmp_path)
    path.symlink_to("nowhere")
    assert refusal(read).startswith(f"{path}: no such file")


@pytest.fixture
def open_folder():
    """Return a new folder that every user may enter, unlike the test runner's."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def as_nobody():
    """Have a block run without the rights of root, who may read everything."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.mark.parametrize("reader", READERS)
def test_a_file_that_may_not_be_read(open_folder, reader):
    path, read = reader(open_folder)
    write(path, TINY)
    path.chmod(0)
    with as_nobody():
        found = refusal(read)
    assert found == f"{path}: cannot be read: Permission denied"


def test_a_folder_of_settings_that_may_not_be_read(open_folder):
    path, read = other_file(open_folder)
    path.parent.chmod(0)
    try:
        with as_nobody():
            found = refusal(read)
        assert found == f"{path.parent}: cannot be read: Permission denied"
    finally:
        path.parent.chmod(0o700)


def test_links_that_lead_back_to_a_folder_are_followed_once(tmp_path):
    path, read = other_file(tmp_path)
    write(path, "studies: {mine: {like: tiny, seeds: [7]}}")
    for name in "abcd":
        (path.parent / name).symlink_to(path.parent.parent)
    with in_time():
        assert len(read().studies) == 2


def test_a_folder_with_all_the_world_in_it_is_not_searched(tmp_path):
    for number in range(config_files.FOLDERS + 1):
        (tmp_path / str(number)).mkdir()
    write(tmp_path / "params.yaml", TINY)
    message = refusal(lambda: params.load(tmp_path / "params.yaml", tmp_path))
    assert message == f"{tmp_path}: has more than 500 subfolders; name a folder of settings alone"


def test_a_long_chain_of_likes_is_followed_in_time(tmp_path):
    links = "".join(f"  l{n}: {{like: {f'l{n + 1}' if n < LINKS else 'small'}}}\n" for n in range(LINKS + 1))
    write(tmp_path / "params.yaml", TINY.replace("finetuning:\n", f"finetuning:\n{links}"))
    with in_time():
        read = params.load(tmp_path / "params.yaml").finetuning
    assert read["l0"] == read["small"]


def test_a_study_may_ask_for_more_runs(tmp_path):
    text = TINY.replace("seeds: [1, 2]", f"seeds: {[*range(6)]}\n    max_runs: %d")
    for allowed in (12, 11):
        write(tmp_path / "params.yaml", text % allowed)
        if allowed == 12:
            assert len(resolve(tmp_path / "params.yaml").finetunes) == 12
        else:
            assert "max_runs: 12 runs" in refusal(lambda: resolve(tmp_path / "params.yaml"))


@pytest.mark.parametrize("kind", SPECS, ids=lambda kind: kind.__name__)
def test_a_key_that_stands_twice_in_a_spec_is_refused(tmp_path, kind):
    path = SPECS[kind].write(tmp_path)
    path.write_text(path.read_text(encoding="utf-8") + f"version: {kind.VERSION}\n", encoding="utf-8")
    assert "the key 'version' stands twice, in lines 2 and " in refusal(lambda: kind.read(path))


@pytest.mark.parametrize("name", ["aliases that multiply", "nan", "cross product"])
def test_snakemake_ends_with_the_same_error(tmp_path, name):
    content = BROKEN[name][0] if name in BROKEN else WRONG[name][0]
    told = re.escape(BROKEN[name][1]) if name in BROKEN else WRONG[name][1]
    write(tmp_path / "params.yaml", content)
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "-q", "-s", ROOT / "Snakefile", "-d", tmp_path],
        capture_output=True,
        text=True,
        timeout=60,
    )
    text = done.stdout + done.stderr
    assert done.returncode == 1
    assert re.search(told, text)
    assert "Traceback" not in text
    assert len(text.splitlines()) < 8, text


@st.composite
def mutated(draw, files: list[bytes]) -> bytes:
    """Draw a file with some of its bytes removed, repeated, changed or replaced by tokens."""
    content = draw(st.sampled_from(files))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 40)))
        part = draw(
            st.one_of(
                st.sampled_from(TOKENS),
                st.binary(max_size=4),
                st.integers(0, len(content)).map(lambda at, whole=content: whole[at : at + 30]),
            )
        )
        content = content[:start] + part + content[end:]
    return content


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("mutated")


SHIPPED = [path.read_bytes() for path in config_files.find(ROOT / "params.yaml")]


@given(content=mutated([TINY.encode(), *SHIPPED]))
def test_a_mutated_configuration_is_valid_or_refused(folder, content):
    path = folder / "params.yaml"
    write(path, content)
    with in_time():
        try:
            resolve(path)
        except UserError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize("kind", SPECS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_a_mutated_spec_is_the_same_or_refused(folder, kind, data):
    path = folder / SPEC_FILE
    write(path, data.draw(mutated([SPECS[kind].to_yaml().encode()])))
    with in_time():
        try:
            assert kind.read(path) == SPECS[kind]
        except UserError as error:
            assert str(path) in str(error)

import pytest
from pydantic import with_config
from typing_extensions import TypedDict

from kinefract.common.errors import UserError
from kinefract.common.records import AS_WRITTEN, Share, damaged, read_json, read_json_lines


@with_config(AS_WRITTEN)
class Entry(TypedDict):
    """An entry of a file that is read back."""

    name: str
    share: Share


def test_other_keys_are_kept(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"name": "a", "share": 1, "more": [null]}')
    assert read_json(path, Entry) == {"name": "a", "share": 1, "more": [None]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot be read as JSON"),
        (b"\xff", "cannot be read as JSON"),
        (b"\0", "cannot be read as JSON"),
        (100_000 * b"[", "cannot be read as JSON"),
        (b'{"name": "a", "share": ' + 5000 * b"1" + b"}", "cannot be read as JSON"),
        (b"[]", "wants a mapping"),
        (b"null", "wants a mapping"),
        (b'{"share": 0.5}', "name: missing"),
        (b'{"name": 3, "share": 0.5}', "name: .* got 3"),
        (b'{"name": "a", "share": "0.5"}', "share: .* got '0.5'"),
        (b'{"name": "a", "share": true}', "share: .* got True"),
        (b'{"name": "a", "share": NaN}', "share: .* got nan"),
        (b'{"name": "a", "share": 1e999}', "share: .* got inf"),
        (b'{"name": "a", "share": -0.1}', "share: .* got -0.1"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_field(tmp_path, content, said):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(
        UserError, match=rf"^{path}: .*{said}.*; delete {tmp_path} to make it again$"
    ) as caught:
        read_json(path, Entry)
    assert len(str(caught.value)) < 500
    (tmp_path / "a.jsonl").write_bytes(b'{"name": "a", "share": 1}\n' + content + b"\n")
    if content:
        with pytest.raises(UserError, match=rf"^{tmp_path}/a.jsonl: line 2"):
            read_json_lines(tmp_path / "a.jsonl", Entry)


def test_a_long_value_is_cut_in_the_message(tmp_path):
    assert len(str(damaged(tmp_path / "a.json", "phase: is " + 5000 * "9"))) < 1200 + len(str(tmp_path)) * 2


def test_no_file_is_no_lines(tmp_path):
    assert read_json_lines(tmp_path / "a.jsonl", Entry) == []
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "a.json", Entry)


def test_a_folder_in_its_place_is_named(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_json(tmp_path, Entry)

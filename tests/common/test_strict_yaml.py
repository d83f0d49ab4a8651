"""YAML is read safely, and a key that stands twice is refused with its lines."""

import pytest
import yaml

from kinefract.common import strict_yaml
from kinefract.common.errors import UserError


@pytest.fixture(params=["libyaml", "python"], autouse=True)
def loader(request, monkeypatch):
    """Read with either loader: libyaml is not everywhere."""
    if request.param == "python":
        monkeypatch.setattr(strict_yaml, "LOADER", yaml.SafeLoader)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("run: [a]\nstudies: {}\nrun: [b]\n", "the key 'run' stands twice, in lines 1 and 3"),
        ("studies:\n  a: {}\n  b: {}\n  a:\n    seeds: [1]\n", "the key 'a' stands twice, in lines 2 and 4"),
        ("studies:\n  a: {seeds: [1], seeds: [2]}\n", "the key 'seeds' stands twice, in lines 2 and 2"),
        ("- b\n- [{c: 1, c: 2}]\n", "the key 'c' stands twice, in lines 2 and 2"),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_its_lines(tmp_path, text, told):
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        strict_yaml.read(path)
    assert str(caught.value) == f"{path}: {told}; make them one"


def test_a_merged_mapping_may_be_overridden():
    read = strict_yaml.parse("a: &a {x: 1}\nb: {c: &c {<<: *a, x: 2}}\nd: {<<: *c, x: 3}\n")
    assert read == {"a": {"x": 1}, "b": {"c": {"x": 2}}, "d": {"x": 3}}


def test_a_mapping_that_holds_itself_is_refused():
    with pytest.raises(UserError, match=r"line 2: \*a refers to what it is a part of"):
        strict_yaml.parse("a: &a\n  b: *a\n")


def test_yaml_that_would_build_objects_is_refused(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("run: !!python/object/apply:os.system ['touch " + str(tmp_path / "made") + "']\n")
    with pytest.raises(UserError, match=r"line 1: the tag .*os\.system"):
        strict_yaml.read(path)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_document_is_none(text):
    assert strict_yaml.parse(text) is None


def test_what_is_dumped_comes_back_in_its_order():
    value = {"b": [1, 2.5, None, "ä: x"], "a": {"yes": True, "text": "1e-4"}}
    assert list(strict_yaml.parse(strict_yaml.dump(value))) == ["b", "a"]
    assert strict_yaml.parse(strict_yaml.dump(value)) == value


def test_what_an_alias_repeats_counts_each_time():
    text = "a: &a [1, 2, 3]\nb: [*a, *a]\n"  # the mapping, two keys, and lists of 4, 1 + 2 * 4
    assert strict_yaml.parse(text, nodes=16)["b"] == [[1, 2, 3], [1, 2, 3]]
    with pytest.raises(UserError, match="line 2: more than 15 keys and values"):
        strict_yaml.parse(text, nodes=15)


def test_a_merged_mapping_counts_each_time():
    text = "a: &a {k: 1}\nb: {<<: *a}\n"
    assert strict_yaml.parse(text, nodes=11)["b"] == {"k": 1}
    with pytest.raises(UserError, match="line 2: more than 10 keys and values"):
        strict_yaml.parse(text, nodes=10)


@pytest.mark.parametrize("text", ["سلام", "שלום", "नमस्ते", "👩‍🔬", "two\nlines", "a\tb", "ﬁ±½"])
def test_text_of_any_script_is_read(text):
    assert strict_yaml.parse(strict_yaml.dump({"question": text})) == {"question": text}


def test_windows_line_ends_and_byte_order_marks_are_read(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes("\ufeffa: 1\r\nb: |\r\n  two\r\n  lines\r\n".encode())
    assert strict_yaml.read(path) == {"a": 1, "b": "two\nlines\n"}

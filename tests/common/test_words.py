"""Numbers in words."""

import re
from pathlib import Path

import pytest

from kinefract.common.words import counted, duration, first_of

PACKAGE = Path(__file__).parents[2] / "src/kinefract"


@pytest.mark.parametrize(
    ("count", "noun", "words"),
    [
        (1, "shard", "1 shard"),
        (0, "shard", "0 shards"),
        (1200, "class", "1,200 classes"),
        (2, "study", "2 studies"),
        (2, "key", "2 keys"),
        (2, "index", "2 indexes"),
        (3, "fine-tuning run", "3 fine-tuning runs"),
    ],
)
def test_a_noun_agrees_with_its_count(count, noun, words):
    assert counted(count, noun) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.25, "0.2 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (18720, "5 h 12 min"),
    ],
)
def test_durations_are_in_the_units_that_suit_them(seconds, words):
    assert duration(seconds) == words


def test_no_module_makes_a_plural_by_hand():
    by_hand = re.compile(r"""\{len\([^{}]*\)\} [a-z-]+s\b|\{["']s["'] \*""")
    found = [
        f"{path.name}: {line.strip()}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if by_hand.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("most", "lines"),
    [(0, ["and 3 more"]), (2, ["a", "b", "and 1 more"]), (3, ["a", "b", "c"]), (9, ["a", "b", "c"])],
)
def test_first_of_many_lines(most: int, lines: list[str]) -> None:
    assert first_of(["a", "b", "c"], most) == lines

"""Hostile or odd files of the configuration, and what the one error about each must name."""

from pathlib import Path

from kinefract.common import strict_yaml

TINY = (Path(__file__).parents[2] / ".test/params.yaml").read_text(encoding="utf-8")

_lists = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 12))
_merges = "".join(f"m{n}: &m{n} {{<<: [*m{n - 1}, *m{n - 1}], k{n}: 1}}\n" for n in range(1, 40))
_numbers = ", ".join(map(str, range(strict_yaml.NODES)))

# What no reader of YAML takes, whatever the file is for: name -> content, and what the error names.
BROKEN: dict[str, tuple[bytes | str, str]] = {
    "latin-1": ("run: [tiny]\n# für".encode("latin-1"), "line 2: not UTF-8"),
    "utf-16": ("run: [tiny]".encode("utf-16"), "line 1: not UTF-8"),
    "nul": ("run: [ti\0ny]", "#x0000: "),
    "escape": ("run:\n- 'a\x1b[31m'", "#x001b: "),
    "escaped escape": ('run:\n- "a\\x1b[31m"', r"line 2: 'a\x1b[31m' holds the unprintable character U+001B"),
    "override": ("a: b\u202ec", r"line 1: 'b\u202ec' holds the unprintable character U+202E"),
    "override in a key": ("x: 1\na\u202eb: 1", r"line 2: 'a\u202eb' holds"),
    "line separator": ('a: "b\\u2028c"', r"'b\u2028c' holds the unprintable character U+2028"),
    "half a surrogate": ('a: "\\ud800"', "line 1: "),
    "line break in a key": ('"a\\nb": 1', r"line 1: the key 'a\nb' holds a tab or a line break"),
    "object": ("run: !!python/object/apply:os.system [date]", "line 1: the tag "),
    "own tag": ("a: 1\nb: !mine {c: 1}", "line 2: the tag '!mine'"),
    "binary": ("a: !!binary gQ==", "line 1: 'gQ==' is a binary to YAML"),
    "tag that lies": ("a: !!int abc", "line 1: 'abc' is no int"),
    "date": ("a: 2024-13-99", "line 1: '2024-13-99' is a timestamp to YAML; put it into quotes"),
    "equals sign": ("a: =", "line 1: '=' is a value to YAML; put it into quotes"),
    "digits": (f"a: {'9' * 5000}", "line 1: a number of 5,000 digits"),
    "digits of a key": (f"{'9' * 900}: a", "line 1: a number of 900 digits"),
    "no digits": ("a: 0x_", "line 1: '0x_' is no int"),
    "deep lists": ("[" * 100_000, "line 1: nested deeper than 50 levels"),
    "deep mappings": ("{a: " * 500 + "1" + "}" * 500, "line 1: nested deeper than 50 levels"),
    "deep blocks": ("\n".join(" " * n + "a:" for n in range(500)), "line 51: nested deeper than 50 levels"),
    "aliases that multiply": (f"l0: &l0 [x]\n{_lists}", "line 6: more than 100,000 keys and values"),
    "merges that multiply": (f"m0: &m0 {{k: 1}}\n{_merges}", "more than 100,000 keys and values"),
    "many values": (f"a: [{_numbers}]", "line 1: more than 100,000 keys and values"),
    "large": ("#" * 6_000_000, "larger than 5 MB"),
    "part of itself": ("a: &a\n  b: [*a]", "line 2: *a refers to what it is a part of"),
    "no anchor": ("a: *b", "line 1: found undefined alias"),
    "key that stands twice": ("a: 1\nb: 2\na: 3", "the key 'a' stands twice, in lines 1 and 3"),
    "key that stands twice in other words": (
        "yes: 1\ntrue: 2",
        "the key 'true' stands twice, in lines 1 and 2",
    ),
    "list as a key": ("? [a]\n: 1", "line 1: a list or a mapping as a key"),
    "two documents": ("a: 1\n---\nb: 2", "line 2: expected a single document"),
    "open bracket": ("run: [tiny\n", "cannot be read: line 2: "),
    "tab": ("a:\n\tb: 1", "cannot be read: line 2: a tab; indent with spaces"),
}

SEEDS = "seeds: [1, 2]"
VARY = "vary: {pretraining.objective: [scratch, supervised]}"
FINITE = "wants a finite number, got"


def _changed(old: str, new: str) -> str:
    assert old in TINY, old
    return TINY.replace(old, new)


def _pretraining(settings: str) -> str:
    return _changed("    objective: supervised\n", f"    objective: supervised\n    {settings}\n")


def _objective(name: str) -> str:
    text = _changed("objective: supervised\n", f"objective: {name}\n")
    return text.replace("batch_size: 4", "batch_size: 1")


def _studies(count: int, recipe: str) -> str:
    """Return further studies ``s0``, ``s1``, ...; in the recipe {n} is the number, {m} the next one."""
    numbers = ((str(n), str((n + 1) % count)) for n in range(count))
    return "".join(f"  s{n}: {recipe}\n".replace("{n}", n).replace("{m}", m) for n, m in numbers)


def _vary(keys: int, values: int, key: str = "finetuning.k") -> str:
    parts = ", ".join(f"{key}{number}: {[*range(values)]}" for number in range(keys))
    return _changed(VARY, f"vary: {{{parts}}}")


def _finetunings(count: int) -> str:
    """Return fine-tunings of which each is like the next, and adds a key."""
    links = "".join(f"  f{n}: {{like: f{n + 1}, k{n}: 1}}\n" for n in range(count))
    return _changed("finetuning:\n", f"finetuning:\n{links}  f{count}: {{}}\n")


# What is YAML, and no configuration: name -> content of params.yaml, and a pattern of what the error names.
WRONG: dict[str, tuple[str, str]] = {
    "nan": (_pretraining("lr: .nan"), f"pretraining.small.lr: {FINITE} nan"),
    "infinity": (_pretraining("lr: .inf"), f"pretraining.small.lr: {FINITE} inf"),
    "infinity by its size": (_pretraining("lr: 1.0e+999"), f"pretraining.small.lr: {FINITE} inf"),
    "nan in a pair": (_pretraining("betas: [.nan, 0.9]"), f"pretraining.small.betas.0: {FINITE} nan"),
    "nan in a study": (
        _changed(VARY, "vary: {finetuning.lr: [.nan]}"),
        f"tiny.vary: finetuning.lr: {FINITE}",
    ),
    "nan in a part": (_pretraining("filmed: {shake: {noise: .nan}}"), "small.filmed.shake.noise: wants"),
    "epochs": (_changed("epochs: 2\n", f"epochs: {10**30}\n"), f"epochs: wants at most .* {10**30}"),
    "seed": (_changed(SEEDS, f"seeds: [{2**32}]"), f"tiny.seeds.0: wants at most {2**32 - 1}, got"),
    "shards": (
        _changed("classes: 3", "classes: 1000000"),
        "clips_per_shard: makes 571,429 shards, at most",
    ),
    "one clip for SimCLR": (_objective("simclr"), "small: batch_size: simclr compares clips of a batch"),
    "one clip for BYOL": (_objective("byol"), "small: batch_size: byol compares clips of a batch"),
    "line break in a name": (
        _changed("run: [tiny]", 'run: ["tiny\\n"]'),
        r"run\[0\]: 'tiny\\n' is not one of",
    ),
    "line break in a dataset": (
        _changed("dataset: f", 'dataset: "f\\n"\n    #'),
        "small.dataset: wants text",
    ),
    "long name": (f"{TINY}  {'x' * 101}: {{like: tiny}}", "studies.'xxx.*at most 100 of them"),
    "number as a name": (f"{TINY}  1: {{like: tiny}}", "studies.1: a name is lower-case letters"),
    "list as a name": (_changed("run: [tiny]", "run: [tiny, {a: 1}]"), r"run\[1\]: {'a': 1} is not one of"),
    "mapping as a text": (
        _changed("Does the chain hold?", "{}"),
        "tiny.question: wants text",
    ),
    "text for a number": (_pretraining("lr: 1e-3"), "pretraining.small.lr: text to YAML"),
    "cross product": (_vary(6, 10), "tiny.max_runs: 2,000,000 runs, with its seeds and benchmarks, are more"),
    "cross product without an end": (_vary(4000, 2), "studies.tiny.max_runs: over 10.15 runs"),
    "many seeds": (
        _changed(SEEDS, f"seeds: {[*range(50_000)]}"),
        "tiny.max_runs: 100,000 runs, with its seeds",
    ),
    "aliases in seeds": (
        _changed(SEEDS, f"seeds: &s {[*range(4000)]}") + _studies(20, "{like: tiny, seeds: *s}"),
        "168,000 runs of all studies without `max_runs` are more than 50,000",
    ),
    "unknown keys": (TINY + "".join(f"    k{n}: 1\n" for n in range(20_000)), "k0: unknown.*and 19,980 more"),
    "unknown sections": (TINY + "".join(f"k{n}: 1\n" for n in range(20_000)), "k0: unknown.*and 19,980 more"),
    "unknown names": (
        TINY + _studies(4000, "{like: tiny, pretraining: x{n}}"),
        "'x0' is not.*and 3,980 more",
    ),
    "unknown likes": (TINY + _studies(4000, "{like: x{n}}"), "s0.like: 'x0' is not one of: .*and 3,980 more"),
    "unknown studies": (
        _changed("[tiny]", f"[{', '.join('x' * 30_000)}]"),
        r"run\[0\]: 'x' is not .*29,980 more",
    ),
    "circle": (
        TINY + _studies(2000, "{like: s{m}}"),
        "goes round in a circle: s0 -> s1 -> .* -> s1999 -> s0",
    ),
    "likes that pile up": (_finetunings(9000), "finetuning have more than 500,000 keys and values"),
}

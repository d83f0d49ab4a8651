"""Bytes that disks, networks and editors changed: a strategy for tests of readers."""

from hypothesis import strategies as st

BITS, BYTES, LENGTHS = st.integers(0, 7), st.binary(min_size=1, max_size=8), st.integers(1, 400)
NUMBERS = ("-", "9" * 5000, "nan", "inf", "1e999", "²")
TEXTS = (*NUMBERS, '"', ",", "\n", "\r", "\0", "\u202e", "\ufeff", "a" * 300)


@st.composite
def mutated(draw: st.DrawFn, data: bytes, texts: tuple[str, ...] = ()) -> bytes:
    """Draw a copy of ``data`` with one to four changes; texts are put in as well, if there are any."""
    kinds = ["flip", "replace", "insert", "remove", "repeat", "zeros", "cut"] + ["text"] * 4 * bool(texts)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        kind = draw(st.sampled_from(kinds))
        head, tail = data[:at], data[at:]
        if kind == "flip" and tail:
            data = head + bytes([tail[0] ^ (1 << draw(BITS))]) + tail[1:]
        elif kind == "replace":
            new = draw(BYTES)
            data = head + new + tail[len(new) :]
        elif kind == "insert":
            data = head + draw(BYTES) + tail
        elif kind == "remove":
            data = head + tail[draw(LENGTHS) :]
        elif kind == "repeat":
            data = head + tail[: draw(LENGTHS)] + tail
        elif kind == "zeros":
            length = draw(LENGTHS)
            data = head + bytes(min(length, len(tail))) + tail[length:]
        elif kind == "cut":
            data = head
        elif kind == "text":
            data = head + draw(st.sampled_from(texts)).encode() + tail
    return data

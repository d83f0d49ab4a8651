"""Random streams addressed by a key, so that any class, clip, crop or order can be drawn again alone."""

import hashlib

import numpy as np


def stream(seed: int, purpose: str | int, *numbers: int) -> np.random.Generator:
    """Return the random stream of one purpose, e.g. ``stream(1, "class", 17)``.

    Equal keys give equal streams; streams of different keys are independent (NumPy's ``SeedSequence`` and the
    counter-based ``Philox``). But ``SeedSequence`` pads keys with zeros, to four words of 32 bits, so that
    ``stream(1, "class")`` is ``stream(1, "class", 0)``: give each purpose a fixed count of numbers.

    Args:
        seed: The seed of a recipe or a run, at least 0.
        purpose: The purpose, which separates the streams of one seed. Text is hashed to a number of 32 bits,
            a number is used unchanged.
        numbers: The numbers of the stream within its purpose, each at least 0 and below 2**32; a larger one
            counts as two.
    """
    if isinstance(purpose, str):
        purpose = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:4], "big")
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, purpose, *numbers])))

"""Random streams: the same for equal keys, others for different ones, and those of earlier versions."""

import numpy as np

from kinefract.common.streams import stream


def test_a_number_as_purpose_is_part_of_the_key_as_it_is():
    expected = np.random.Generator(np.random.Philox(np.random.SeedSequence([3, 2, 5, 7])))
    np.testing.assert_array_equal(stream(3, 2, 5, 7).random(4), expected.random(4))


def test_text_as_purpose_is_the_first_32_bits_of_its_sha_256():
    word = 0xBA7816BF  # of "abc", as published by NIST
    np.testing.assert_array_equal(stream(1, "abc", 4).random(4), stream(1, word, 4).random(4))


def test_streams_of_different_keys_differ():
    keys = [(1, "class", 0), (2, "class", 0), (1, "clip", 0), (1, "class", 1)]
    assert len({stream(*key).random() for key in keys}) == len(keys)

import pickle
import time

import numpy as np
import pytest

from kinefract.common.errors import UserError
from kinefract.training.frame_store import FrameStore

LENGTHS, SHAPES = [3, 0, 5, 1], [(2, 2), (2, 2), (1, 2, 3), (4,)]


def frames_of(clip):
    """Return the frames of a clip, each filled with a value of its own."""
    values = 10 * clip + np.arange(LENGTHS[clip], dtype=np.uint8)
    return np.broadcast_to(values.reshape(-1, *[1] * len(SHAPES[clip])), (LENGTHS[clip], *SHAPES[clip]))


@pytest.fixture
def store(tmp_path):
    store = FrameStore(tmp_path, LENGTHS, SHAPES)
    assert not store.is_made()
    store.make(lambda clip: [frames_of(clip)], "making", "clips")
    return store


def test_clips_are_read_as_they_were_written(store):
    assert store.is_made()
    for clip, length in enumerate(LENGTHS):
        for chosen in ([], range(length), [*range(length)][::-1], [length - 1] * min(length, 2)):
            assert np.array_equal(store.read(clip, chosen), frames_of(clip)[np.array(chosen, int)])
    assert store.everything().tolist() == np.concatenate([frames_of(c).ravel() for c in range(4)]).tolist()


def test_another_process_reads_them_too(store):
    store.read(0, [0])
    copy = pickle.loads(pickle.dumps(store))
    assert np.array_equal(copy.read(2, [4, 1]), frames_of(2)[[4, 1]])


def test_each_flipped_bit_is_found_by_who_reads_the_frame(store):
    content = store.path.read_bytes()
    for place in range(8 * len(content)):
        changed = bytearray(content)
        changed[place // 8] ^= 1 << place % 8
        store.path.write_bytes(changed)
        fresh = FrameStore(store.path.parent, LENGTHS, SHAPES)
        with pytest.raises(
            UserError, match=rf"frames\.bin: frame \d of clip \d .*; delete {store.path.parent}"
        ):
            fresh.everything()


def test_checksums_of_another_size_are_not_taken_for_finished(store):
    (store.path.parent / "frames.crc32").write_bytes(b"1234")
    assert not store.is_made()


def test_more_than_the_disk_holds_is_refused_before_anything_is_made(tmp_path):
    store = FrameStore(tmp_path, [1], [(1 << 55,)])
    with pytest.raises(UserError, match=r"it takes 36028\.8 TB, .* are free"):
        store.make(lambda clip: pytest.fail("made"), "making", "clips")
    assert not list(tmp_path.iterdir())


def test_clips_come_to_their_places_whatever_the_order_they_end_in(tmp_path):
    def pieces(clip):
        time.sleep(0.02 * (4 - clip))
        for frame in frames_of(clip):
            yield frame[None]

    store = FrameStore(tmp_path, LENGTHS, SHAPES)
    store.make(pieces, "making", "clips")
    for clip, length in enumerate(LENGTHS):
        assert np.array_equal(store.read(clip, range(length)), frames_of(clip))


@pytest.mark.parametrize(("frames", "said"), [(1, "fewer"), (3, "more")])
def test_a_clip_of_another_length_is_noticed(tmp_path, frames, said):
    store = FrameStore(tmp_path, [2], [(5,)])
    with pytest.raises(ValueError, match=f"clip 0 has {said} frames"):
        store.make(lambda clip: [np.zeros((frames, 5), np.uint8)], "making", "clips")
    assert not list(tmp_path.iterdir())

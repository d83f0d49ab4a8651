"""Changed videos give frames or one clear error, and what was cut is never taken for whole."""

from pathlib import Path

import pytest
from damaged import FRAMES, made_video
from hypothesis import given
from hypothesis import strategies as st
from mutations import mutated

from kinefract import video
from kinefract.common.errors import UserError

WHOLE = {
    "mp4": made_video("mp4", "libx264"),
    "avi": made_video("avi", "mpeg4"),
    "mkv": made_video("matroska", "libx264"),
    "webm": made_video("webm", "libvpx"),
}


def frames_of(path: Path) -> int | None:
    """Return the number of frames that both readers find; None if the file is refused."""
    try:
        frames = video.probe(path).frames
    except UserError as error:
        assert str(error).startswith(f"cannot read video {path}")
        return None
    assert len(video.decode(path)) == frames
    return frames


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("videos")


@pytest.mark.parametrize("container", WHOLE)
@given(data=st.data())
def test_a_changed_video_is_counted_as_it_is_decoded_or_refused(folder, container, data):
    path = folder / f"changed.{container}"
    path.write_bytes(data.draw(mutated(WHOLE[container])))
    frames_of(path)


@pytest.mark.parametrize("container", WHOLE)
@given(data=st.data())
def test_a_part_of_a_video_is_refused_unless_all_frames_are_there(folder, container, data):
    path = folder / f"part.{container}"
    path.write_bytes(WHOLE[container][: data.draw(st.integers(0, len(WHOLE[container])))])
    assert frames_of(path) in (None, FRAMES)

"""Whole files are taken and cut ones refused, whatever headers count, in the containers of ffmpeg."""

import io
import shlex
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

from kinefract import video
from kinefract.common.errors import UserError
from kinefract.video.wholeness import lacking

PICTURES = "-f lavfi -i testsrc2=size=64x48:rate=25:duration=2"
LONG_SOUND = "-f lavfi -i sine=duration=3"  # a second longer than the pictures
GAPS = "-vf 'select=lt(mod(n\\,5)\\,3)*not(between(n\\,20\\,30))' -fps_mode vfr"  # 23 frames of 50
H264 = "-c:v libx264 -preset superfast -g 10 -bf 3"
MPEG2 = "-c:v mpeg2video -g 10 -bf 2"
VP8 = "-c:v libvpx -g 10 -deadline realtime"
THEORA = "-c:v libtheora -g 10"
FAST = "-movflags +faststart"
PIECES = "-movflags frag_keyframe+empty_moov"
WHOLE = {
    "table_last.mp4": H264,
    "table_first.mp4": f"{H264} {FAST}",
    "variable_rate.mp4": f"{GAPS} {H264} {FAST}",
    "long_sound.mp4": f"{LONG_SOUND} {H264} {FAST}",
    "shortest.mp4": f"{LONG_SOUND} {H264} -shortest {FAST}",
    "fragmented.mp4": f"{H264} {PIECES}",
    "fragmented_long_sound.mp4": f"{LONG_SOUND} {H264} {PIECES}",
    "fragmented_piped.mp4": f"{H264} {PIECES} -f mp4",
    "table_first.mov": f"{H264} {FAST}",
    "plain.3gp": H264,
    "plain.mkv": H264,
    "long_sound.mkv": f"{LONG_SOUND} {H264}",
    "shortest.mkv": f"{LONG_SOUND} {H264} -shortest",
    "variable_rate.mkv": f"{GAPS} {H264}",
    "cues_first.mkv": f"{H264} -cues_to_front 1",
    "small_clusters.mkv": f"{H264} -cluster_time_limit 300",
    "live.mkv": f"{H264} -live 1",
    "piped.mkv": f"{H264} -f matroska",
    "plain.webm": VP8,
    "long_sound.webm": f"{LONG_SOUND} {VP8} -c:a libopus",
    "piped.webm": f"{VP8} -f webm",
    "plain.avi": H264,
    "long_sound.avi": f"{LONG_SOUND} {H264}",
    "variable_rate.avi": f"{GAPS} {H264}",
    "mpeg4.avi": "-c:v mpeg4 -g 10",
    "packed.avi": "-c:v libxvid -g 10 -bf 2",
    "piped.avi": f"{H264} -f avi",
    "piped_long_sound.avi": f"{LONG_SOUND} {H264} -f avi",
    "plain.ogv": THEORA,
    "long_sound.ogv": f"{LONG_SOUND} {THEORA} -c:a libvorbis",
    "piped.ogv": f"{THEORA} -f ogg",
    "plain.ts": H264,
    "long_sound.ts": f"{LONG_SOUND} {H264}",
    "piped.ts": f"{H264} -f mpegts",
    "plain.m2ts": H264,
    "plain.mpg": MPEG2,
    "long_sound.mpg": f"{LONG_SOUND} {MPEG2}",
    "plain.flv": H264,
    "piped.flv": f"{H264} -f flv",
    "plain.wmv": "-c:v wmv2",
    "plain.gif": "",
}


def ffmpeg(arguments: str, target: Path) -> bytes:
    command = ["ffmpeg", "-v", "error", "-nostdin", "-threads", "1", *shlex.split(arguments), "-threads", "1"]
    piped = "piped" in target.name
    done = subprocess.run([*command, "-" if piped else str(target)], capture_output=True)
    if b"Unknown encoder" in done.stderr:
        pytest.skip(f"this ffmpeg: {done.stderr.decode().strip()}")
    assert done.returncode == 0, done.stderr
    if piped:
        target.write_bytes(done.stdout)
    return target.read_bytes()


def made(folder: Path, name: str) -> bytes:
    return ffmpeg(f"{PICTURES} {WHOLE[name]}", folder / name)


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_is_taken_and_a_cut_one_is_refused_unless_all_frames_are_there(tmp_path, name):
    data = made(tmp_path, name)
    frames = video.probe(tmp_path / name).frames
    assert frames == len(video.decode(tmp_path / name))
    assert frames == 23 if "variable" in name else frames == 50 or name.startswith("packed") or "ogv" in name
    rng = np.random.Generator(np.random.Philox(len(name)))
    places = [len(data) * share // 100 for share in (20, 40, 60, 80)]
    cut, refused = tmp_path / f"cut-{name}", 0
    for place in [*places, *rng.integers(1, len(data), 4).tolist(), len(data) - 1]:
        # A cut at the end of a packet shows in none of these containers.
        cut.write_bytes(data[: place - place % 188 - 7 if name.endswith(("ts", "mpg")) else place])
        try:
            assert video.probe(cut).frames == frames, (name, place)
        except UserError as error:
            refused += "truncated" in str(error)
    assert refused >= (2 if "long_sound" in name else 3)


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("table_first.mp4", r"truncated, \d+ of 50 frames are there"),
        ("table_last.mp4", r"truncated, 0 frames there, at least [\d,]+ bytes are missing"),
        ("plain.avi", r"truncated, \d+ of 50 frames are there"),
        ("plain.mkv", r"truncated, \d+ frames there, at least [\d,]+ bytes are missing"),
        ("plain.webm", r"truncated, \d+ frames there, at least [\d,]+ bytes are missing"),
        ("plain.ogv", r"truncated, \d+ frames there, its end is missing"),
        ("plain.ts", r"truncated, \d+ frames there, at least \d+ bytes are missing"),
    ],
)
def test_of_a_half_downloaded_file_is_told_how_much_is_there(tmp_path, name, there):
    data = made(tmp_path, name)
    (tmp_path / name).write_bytes(data[: len(data) // 376 * 188 + 100])
    with pytest.raises(UserError, match=f"{name}: {there}; copy or download it again"):
        video.probe(tmp_path / name)


def test_an_edit_list_that_ends_before_the_stored_frames_makes_no_cut(tmp_path):
    path = tmp_path / "trimmed.mp4"
    data = bytearray(ffmpeg(f"{PICTURES} {H264}", path))
    at = data.find(b"elst") + 12  # of its one entry: milliseconds that are shown, then where they begin
    data[at : at + 4] = (1000).to_bytes(4)
    path.write_bytes(data)
    assert video.probe(path).frames == len(video.decode(path)) == 25


def test_a_cut_by_copying_is_whole_and_its_half_is_not(tmp_path):
    ffmpeg(f"{PICTURES} {LONG_SOUND} {H264}", tmp_path / "whole.mp4")
    path = tmp_path / "copied.mp4"
    data = ffmpeg(f"-ss 0.5 -t 1 -i {tmp_path}/whole.mp4 -c copy {FAST}", path)
    assert video.probe(path).frames == len(video.decode(path)) < 30
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=r"truncated, [0-9]+ of [0-9]+ frames are there"):
        video.probe(path)


def test_empty_packets_repeat_a_frame_and_are_no_error(tmp_path):
    path = tmp_path / "repeats.ogv"
    ffmpeg(f"{PICTURES} {THEORA}", path)
    with av.open(str(path)) as container:
        full = sum(packet.size > 0 for packet in container.demux(video=0))
    assert full < 50, "made without an empty packet"
    assert video.probe(path).frames == len(video.decode(path)) == full


@pytest.mark.parametrize("stated", [60, 1 << 20, (1 << 30) - 1])
def test_an_avi_header_that_counts_too_many_frames_makes_no_cut(tmp_path, stated):
    path = tmp_path / "more.avi"
    data = bytearray(ffmpeg(f"{PICTURES} {H264}", path))
    for at in (data.find(b"avih") + 8 + 16, data.find(b"strh") + 8 + 32):
        data[at : at + 4] = stated.to_bytes(4, "little")
    path.write_bytes(data)
    assert video.probe(path).frames == len(video.decode(path)) == 50


def test_a_file_that_lacks_its_index_and_sound_alone_is_whole(tmp_path):
    for name, index in (("long_sound.avi", b"idx1"), ("plain.mkv", b"\x1c\x53\xbb\x6b")):
        data = made(tmp_path, name)
        (tmp_path / name).write_bytes(data[: data.rfind(index) + 20])
        assert video.probe(tmp_path / name).frames == 50


@pytest.mark.parametrize(
    "head", [b"RIFF\xff\xff\xff\xffAVI LIST\0\0\0\0movi", b"\x1aE\xdf\xa3", b"OggS", b"FLV"]
)
def test_zeros_and_noise_after_a_head_end_the_walk_through_a_file(head):
    for rest in (bytes(1_000_000), np.random.default_rng(1).bytes(100_000)):
        assert lacking(io.BytesIO(head + rest)) >= 0

"""Reading and writing video: frames keep their number, damage is told, never passed over."""

import gc
import json
import resource
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from damaged import damaged_videos, made_video

from kinefract import video
from kinefract.common.errors import UserError
from kinefract.synth.dataset_recipe import Points
from kinefract.synth.families.fractal import FractalRecipe
from kinefract.video import reading


def numbered(frames: int, size=(48, 64)) -> np.ndarray:
    """Return frames whose grey level tells their number: 10 x number."""
    levels = np.arange(frames, dtype=np.uint8) * 10
    return np.broadcast_to(levels[:, None, None], (frames, *size)).copy()


def test_grey_and_coloured_clips_come_back(tmp_path):
    grey = numbered(20)
    assert np.abs(video.decode(video.encode(grey, 12, 10), grey=True).astype(int) - grey).max() <= 3
    colour = np.stack([grey, 255 - grey, np.full_like(grey, 90)], axis=-1)
    path = tmp_path / "clip.mp4"
    path.write_bytes(video.encode(colour, 12, 10))
    assert np.abs(video.decode(path).astype(int) - colour).mean() < 3
    assert video.probe(path) == (20, 12.0, 64, 48)


def test_encoding_the_same_frames_gives_the_same_bytes_at_every_call():
    # x264 left to itself encodes some of these in several ways on processors with AVX-512.
    recipe = FractalRecipe(classes=6, clips_per_class=1, size=48, points=Points(steps=300, discard=50))
    for frames in (recipe.clip(index) for index in range(6)):
        assert len({video.encode(frames, 12, 23) for _ in range(20)}) == 1


def test_frames_are_picked_by_number_in_the_order_asked_for():
    data = video.encode(numbered(20), 12, 10)
    levels = video.decode(data, [19, 0, 7, 7], grey=True).mean((1, 2)) / 10
    assert np.allclose(levels, [19, 0, 7, 7], atol=0.3)


def test_frames_of_a_real_video_are_those_that_ffmpeg_shows(shared, tmp_path):
    path = next((shared / "data/ucf101_original/UCF-101").glob("*/*.avi"))
    info = video.probe(path)
    picked = [0, 7, info.frames // 2, info.frames - 1]
    choose = "+".join(rf"eq(n\,{number})" for number in picked)
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        str(path),
        "-vf",
        f"select={choose}",
        "-fps_mode",
        "passthrough",
    ]
    raw = subprocess.run(
        [*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True
    ).stdout
    expected = np.frombuffer(raw, np.uint8).reshape(4, info.height, info.width, 3)
    assert np.abs(video.decode(path, picked).astype(int) - expected).mean() < 2


def test_a_video_for_people_has_what_was_put_in(tmp_path):
    frames = np.stack([numbered(12)] * 3, axis=-1)
    video.write_for_people(tmp_path / "sheet.mp4", frames, 12)
    assert video.probe(tmp_path / "sheet.mp4") == (12, 12.0, 64, 48)
    assert np.abs(video.decode(tmp_path / "sheet.mp4").astype(int) - frames).mean() < 3


def test_a_video_for_people_plays_everywhere_and_needs_no_other_program(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # no ffmpeg
    frames = np.random.default_rng(2).integers(0, 256, (6, 32, 48, 3), np.uint8)
    for name in ("once.mp4", "again.mp4"):
        video.write_for_people(tmp_path / name, frames, 12)
    assert (tmp_path / "once.mp4").read_bytes() == (tmp_path / "again.mp4").read_bytes()
    with av.open(str(tmp_path / "once.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")  # what browsers decode


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "truncated"])
def test_an_unreadable_video_is_a_clear_error(tmp_path, damage):
    path = tmp_path / "clip.mp4"
    whole = video.encode(numbered(20), 12, 23)
    if damage != "missing":
        path.write_bytes(
            {"empty": b"", "text": b"no video " * 100, "truncated": whole[: len(whole) // 2]}[damage]
        )
    for read in (video.probe, video.decode):
        with pytest.raises(UserError, match=r"cannot read video .*clip\.mp4"):
            read(path)


def test_a_real_video_cut_short_is_not_taken_for_whole(shared, tmp_path):
    source = next((shared / "data/ucf101_original/UCF-101").glob("*/*.avi"))
    path = tmp_path / "cut.avi"
    path.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    with pytest.raises(UserError, match="truncated"):
        video.probe(path)


def test_asking_past_the_end_is_an_error():
    with pytest.raises(UserError, match="ends"):
        video.decode(video.encode(numbered(5), 12, 23), [0, 5])


def test_a_video_for_people_that_the_disk_cuts_short_is_one_clear_error(tmp_path):
    rng = np.random.Generator(np.random.Philox(1))
    frames = rng.integers(0, 256, (12, 64, 64, 3), dtype=np.uint8)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limit[1]))  # as a full disk, without root
    try:
        with pytest.raises(UserError, match=r"cannot write .*clips\.mp4"):
            video.write_for_people(tmp_path / "clips.mp4", frames, 12)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert list(tmp_path.iterdir()) == []


MOVING = "testsrc2=size=96x64:rate=25:duration=4"  # 100 frames, each other than the last
GAPS = "select=lt(mod(n\\,5)\\,3)*not(between(n\\,40\\,60))"  # 47 frames of them
MADE = {
    "closed_gop.mp4": "-c:v libx264 -g 20 -bf 3",
    "open_gop.mp4": "-c:v libx264 -g 20 -bf 3 -x264-params open-gop=1:scenecut=0",
    "open_gop.ts": "-c:v libx264 -g 20 -bf 3 -x264-params open-gop=1:scenecut=0",
    "closed_gop.ts": "-c:v libx264 -g 20 -bf 3",
    "pyramid.avi": "-c:v libx264 -g 25 -bf 5 -x264-params b-pyramid=normal",
    "closed_gop.mkv": "-c:v libx264 -g 20 -bf 2",
    "every_frame_a_key.mp4": "-c:v libx264 -g 1",
    "slices.mp4": "-c:v libx264 -g 20 -bf 2 -slices 4",
    "interlaced.mp4": "-c:v libx264 -g 20 -bf 2 -flags +ildct+ilme",
    "ten_bits.mp4": "-c:v libx264 -g 20 -pix_fmt yuv420p10le",
    "full_colour.mp4": "-c:v libx264 -g 20 -pix_fmt yuv444p",
    "full_range.mp4": "-c:v libx264 -g 20 -pix_fmt yuvj420p",
    "grey.mp4": "-c:v libx264 -g 20 -pix_fmt gray",
    "uneven.mkv": "-vf crop=93:61:0:0 -c:v libx264 -g 20 -pix_fmt yuv444p",
    "variable_rate.mp4": f"-vf {GAPS} -fps_mode vfr -c:v libx264 -g 12",
    "variable_rate.mkv": f"-vf {GAPS} -fps_mode vfr -c:v libx264 -g 12",
    "one_frame.mp4": "-frames:v 1 -c:v libx264",
    "two_frames.avi": "-frames:v 2 -c:v mpeg4",
    "xvid.avi": "-c:v libxvid -g 12 -bf 0",
    "xvid_packed.avi": "-c:v libxvid -g 12 -bf 2",
    "mpeg4.mp4": "-c:v mpeg4 -g 12",
    "mpeg4.avi": "-c:v mpeg4 -g 12",
    "no_b_frames.avi": "-c:v libx264 -g 20 -bf 0",
    "mpeg4_b_frames.avi": "-c:v mpeg4 -g 12 -bf 2",
    "empty_chunks.avi": f"-vf {GAPS} -fps_mode vfr -c:v mpeg4 -g 10",
    "empty_chunks_h264.avi": f"-vf {GAPS} -fps_mode vfr -c:v libx264 -g 10 -bf 0",
    "mpeg2.ts": "-c:v mpeg2video -g 12 -bf 2",
    "vp8.webm": "-c:v libvpx -g 20 -auto-alt-ref 1 -lag-in-frames 16",
    "vp9.webm": "-c:v libvpx-vp9 -g 20 -deadline realtime -cpu-used 8",
    "motion_jpeg.avi": "-c:v mjpeg",
    "palette.gif": "-c:v gif",
    "with_sound.mp4": "-f lavfi -i sine=duration=4 -c:v libx264 -g 20 -c:a aac -shortest",
}
COUNTS = {"one_frame.mp4": 1, "two_frames.avi": 2} | {
    name: 47 for name in MADE if name.startswith(("variable", "empty"))
}


def ffmpeg(*arguments: str | Path) -> None:
    command = ["ffmpeg", "-v", "error", "-nostdin", "-threads", "1", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if "Unknown encoder" in done.stderr:
        pytest.skip(f"this ffmpeg: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr


def make(folder: Path, name: str) -> Path:
    ffmpeg("-f", "lavfi", "-i", MOVING, *MADE[name].split(), "-threads", "1", folder / name)
    return folder / name


def decoded_plainly(path: Path) -> np.ndarray:
    """Return all frames as PyAV's own loop gives them, in RGB."""
    convert = reading.converter()
    with av.open(str(path), metadata_errors="replace") as container:
        container.streams.video[0].codec_context.thread_count = 1
        return np.stack([convert(frame, "rgb24").to_ndarray() for frame in container.decode(video=0)])


def windows(frames: int, count: int, seed: int) -> list[list[int]]:
    rng = np.random.Generator(np.random.Philox(seed))
    picked = []
    for _ in range(count):
        start, stride, length = rng.integers(frames), rng.choice([1, 2, 6, 19]), rng.choice([1, 3, 8])
        picked.append([min(int(start + stride * at), frames - 1) for at in range(length)])
    return [*picked, [frames - 1], [0], [frames // 2, 0, frames - 1, 0]]


def frames_that_were_decoded(path: Path, wanted: list[int]) -> list[int]:
    with av.open(str(path)) as container:
        return [number for number, _ in reading._skipping(container, container.streams.video[0], wanted)]


@pytest.mark.parametrize("name", MADE)
def test_any_window_of_any_made_video_is_that_of_plain_decoding(tmp_path, name):
    path = make(tmp_path, name)
    expected = decoded_plainly(path)
    info = video.probe(path)
    # XviD's packed stream loses the last pictures in this encoder; everything else keeps all.
    assert info.frames == len(expected) == COUNTS.get(name, 98 if name == "xvid_packed.avi" else 100)
    assert (info.width, info.height) == expected.shape[2:0:-1]
    for picked in windows(len(expected), 10, 1):
        assert np.array_equal(video.decode(path, picked), expected[picked]), picked
    assert np.array_equal(video.decode(path.read_bytes(), [0]), expected[:1])
    assert video.decode(path, [0], grey=True).shape == (1, *expected.shape[1:3])
    with pytest.raises(UserError, match="it ends after"):
        video.decode(path, [0, len(expected)])


def test_any_window_of_real_videos_is_that_of_plain_decoding(shared):
    whole = sorted((shared / "data/ucf101_original/UCF-101").glob("*/*.avi"))
    whole += sorted((shared / "data/hmdb51_sample/hmdb51_org").glob("*/*.avi"))
    whole += sorted((shared / "data/ucf101_10/UCF-101").glob("*/*.avi"))[::40]
    assert len(whole) > 20
    for seed, path in enumerate(whole):
        expected = decoded_plainly(path)
        assert video.probe(path).frames == len(expected)
        for picked in windows(len(expected), 4, seed):
            assert np.array_equal(video.decode(path, picked), expected[picked]), (path, picked)


@pytest.mark.parametrize(
    ("name", "wanted", "expected"),
    [
        ("closed_gop.mp4", [25, 93], [*range(20, 40), *range(80, 100)]),
        ("closed_gop.ts", [99], list(range(80, 100))),
        ("pyramid.avi", [50], list(range(50, 75))),
        ("xvid.avi", [24, 30, 60], [*range(24, 36), *range(60, 72)]),
        ("mpeg4.mp4", [97], list(range(96, 100))),
    ],
)
def test_stretches_without_a_wanted_frame_are_not_decoded(tmp_path, name, wanted, expected):
    assert frames_that_were_decoded(make(tmp_path, name), wanted) == expected


@pytest.mark.parametrize("name", ["xvid_packed.avi", "mpeg4_b_frames.avi", "interlaced.mp4", "vp9.webm"])
def test_where_packets_are_not_surely_frames_nothing_is_left_out(tmp_path, name):
    with pytest.raises(reading._Doubt):
        frames_that_were_decoded(make(tmp_path, name), [97])


def remuxed(source: Path, target: Path, change) -> np.ndarray:
    """Write ``change(packets)``, a list of bytes, where ``source`` has packets; return all frames of that."""
    with av.open(str(source)) as given, av.open(str(target), "w") as container:
        stream = container.add_stream_from_template(given.streams.video[0])
        packets = [bytes(packet) for packet in given.demux(video=0) if packet.size]
        for number, data in enumerate(change(packets)):
            packet = av.Packet(data)
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, number, number, Fraction(1, 25)
            packet.is_keyframe = number % 10 == 0
            container.mux(packet)
    return decoded_plainly(target)


@pytest.mark.parametrize("padding", [0, 40])
@pytest.mark.parametrize("place", [13, 25])
def test_a_frame_that_is_not_coded_shifts_no_number(tmp_path, padding, place):
    def change(packets: list[bytes]) -> list[bytes]:
        # Type (2 bits), modulo time base 0, marker, time (5 bits as 25 make a second), marker, coded or not.
        data = packets[place]
        at = data.index(reading.MPEG4_PICTURE) + 4
        header = int.from_bytes(data[at : at + 2]) >> 6 << 6 & ~(1 << 5)
        packets[place] = data[:at] + header.to_bytes(2) + bytes(padding)
        return packets

    source = make(tmp_path, "mpeg4.avi")
    path = tmp_path / "uncoded.avi"
    expected = remuxed(source, path, change)
    assert len(expected) == 99
    # Padded, it is told from a coded frame only once it is decoded.
    for picked in windows(99, 8, 5) if not padding else [[place, 90], [place - 1, 97]]:
        assert np.array_equal(video.decode(path, picked), expected[picked]), picked


@pytest.mark.parametrize("name", ["no_b_frames.avi", "mpeg4.avi"])
def test_several_pictures_in_a_packet_are_noticed_and_shift_no_number(tmp_path, name):
    def change(packets: list[bytes]) -> list[bytes]:
        return [*packets[:30], packets[30] + packets[31], *packets[32:]]

    source = make(tmp_path, name)
    path = tmp_path / "joined.avi"
    expected = remuxed(source, path, change)
    with pytest.raises(reading._Doubt):
        frames_that_were_decoded(path, [95])
    for picked in windows(len(expected), 8, 6):
        assert np.array_equal(video.decode(path, picked), expected[picked]), picked


def test_parameters_that_change_within_a_stretch_left_out_are_not_missed(tmp_path):
    ffmpeg(*f"-f lavfi -i {MOVING} -c:v libx264 -g 20 -bf 0 -coder 0".split(), tmp_path / "other.avi")
    with av.open(str(tmp_path / "other.avi")) as container:
        other = [bytes(packet) for packet in container.demux(video=0) if packet.size]

    def change(packets: list[bytes]) -> list[bytes]:
        idr = other[40].index(b"\x00\x00\x01\x65")
        return [*packets[:20], *other[:40], other[40][idr:], *other[41:60]]  # 40 goes on with those of 0

    path = tmp_path / "changed.avi"
    expected = remuxed(make(tmp_path, "no_b_frames.avi"), path, change)
    assert len(expected) == 80
    with pytest.raises(reading._Doubt):
        frames_that_were_decoded(path, [75])
    for picked in [*windows(80, 8, 7), [5, 75]]:
        assert np.array_equal(video.decode(path, picked), expected[picked]), picked


def test_a_b_frame_in_a_stream_that_claims_none_is_noticed(tmp_path):
    with av.open(str(make(tmp_path, "mpeg4_b_frames.avi"))) as container:
        first, *more = (packet for packet in container.demux(video=0) if packet.size)
        assert reading._mpeg4_starts(first)
        with pytest.raises(reading._Doubt):
            for packet in more:
                reading._mpeg4_starts(packet)


def test_empty_chunks_are_counted_by_the_header_and_make_no_frame(tmp_path):
    path = make(tmp_path, "empty_chunks.avi")
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 98
    assert video.probe(path).frames == 47


def test_a_cut_that_an_edit_list_makes_is_followed(tmp_path):
    whole = make(tmp_path, "closed_gop.mp4")
    path = tmp_path / "cut.mp4"
    ffmpeg("-ss", "0.9", "-i", whole, "-c", "copy", path)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert packets[0].pts < 0 and any(packet.is_discard for packet in packets)
    expected = decoded_plainly(path)
    assert 1 < len(expected) < len(packets)
    assert video.probe(path).frames == len(expected)
    for picked in windows(len(expected), 12, 3):
        assert np.array_equal(video.decode(path, picked), expected[picked]), picked
    assert min(frames_that_were_decoded(path, [len(expected) - 1])) > 40


def test_a_video_of_pieces_that_do_not_fit_falls_back_or_is_exact(tmp_path):
    # Transport streams can be joined byte by byte: clocks jump back and the second piece starts anew.
    first, second = make(tmp_path, "closed_gop.ts"), make(tmp_path, "open_gop.ts")
    path = tmp_path / "joined.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    expected = decoded_plainly(path)
    for picked in windows(len(expected), 8, 4):
        assert np.array_equal(video.decode(path, picked), expected[picked]), picked


CORNERS = np.zeros((48, 64, 3), np.uint8)
CORNERS[:24, :32], CORNERS[:24, 32:], CORNERS[24:, :32] = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.mark.parametrize(("hflip", "vflip"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_frames_are_upright_as_ffmpeg_shows_them(tmp_path, degrees, hflip, vflip):
    path = tmp_path / "turned.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.set_display_rotation(degrees, hflip=hflip, vflip=vflip)
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(CORNERS, format="rgb24")))
        container.mux(stream.encode())
    shown = tmp_path / "shown.png"
    ffmpeg("-i", path, "-frames:v", "1", shown)  # it turns by the display matrix, too
    with av.open(str(shown)) as container:
        expected = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    frames = video.decode(path, [2])
    assert frames[0].shape == expected.shape
    assert np.abs(frames[0] - expected).mean() < 8
    assert video.probe(path)[2:] == (expected.shape[1], expected.shape[0])


@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
def test_a_turn_that_the_stream_tells_holds_for_every_frame(tmp_path, container):
    plain, turned = tmp_path / "plain.mp4", tmp_path / f"turned.{container}"
    plain.write_bytes(made_video("mp4", "libx264"))
    orientation = "h264_metadata=display_orientation=insert:rotate=90"
    ffmpeg("-i", plain, "-c", "copy", "-bsf:v", orientation, turned)
    whole, info = video.decode(turned), video.probe(turned)
    assert whole.shape[1:3] == video.decode(plain).shape[2:0:-1] == (info.height, info.width)
    for index in range(len(whole)):
        assert np.array_equal(video.decode(turned, [index])[0], whole[index])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nwhole.ts\n#EXT-X-ENDLIST\n"),
        ("list.mp4", "ffconcat version 1.0\nfile whole.ts\n"),
    ],
)
def test_a_list_that_names_other_files_opens_none(tmp_path, name, content):
    (tmp_path / "whole.ts").write_bytes(made_video("mpegts", "libx264"))
    (tmp_path / name).write_text(content, encoding="utf-8")
    with av.open(str(tmp_path / name)) as container:
        assert len(list(container.decode(video=0))) == 30  # libav itself would
    for read in (video.probe, video.decode):
        with pytest.raises(UserError, match="cannot read video"):
            read(tmp_path / name)


def test_a_name_that_looks_like_a_protocol_is_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("concat:a.mp4").write_bytes(made_video("mp4", "libx264"))
    assert video.probe("concat:a.mp4").frames == 30


def test_a_header_that_claims_a_giant_picture_is_refused(tmp_path):
    data = made_video("avi", "ffv1")
    header = data.index(b"strf") + 12  # width and height, after chunk size and structure size
    path = tmp_path / "giant.avi"
    path.write_bytes(data[:header] + (10_000).to_bytes(4, "little") * 2 + data[header + 8 :])
    with pytest.raises(UserError, match=r"giant\.avi: 10000x10000 is too large"):
        video.probe(path)


def test_sound_alone_and_a_cover_picture_are_no_video(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", tmp_path / "sound.mp4")
    ffmpeg("-f", "lavfi", "-i", MOVING, "-frames:v", "1", tmp_path / "cover.png")
    inputs = ["-f", "lavfi", "-i", "sine=duration=1", "-i", tmp_path / "cover.png", "-map", "0", "-map", "1"]
    ffmpeg(*inputs, "-c:v", "png", "-disposition:v", "attached_pic", tmp_path / "album.mp4")
    for name in ("sound.mp4", "album.mp4"):
        for read in (video.probe, video.decode):
            with pytest.raises(UserError, match=f"{name}: it holds no moving pictures"):
                read(tmp_path / name)


def test_frames_that_change_their_size_are_refused(tmp_path):
    path = tmp_path / "grows.ts"
    for size, name in (("64x48", "a.ts"), ("96x64", "b.ts")):
        ffmpeg("-f", "lavfi", "-i", f"testsrc2=size={size}:duration=1", "-c:v", "mpeg2video", tmp_path / name)
    path.write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    for read in (video.probe, video.decode):
        with pytest.raises(UserError, match="differ in size, 64x48 and 96x64"):
            read(path)


def test_numbers_before_the_first_frame_and_none_at_all_are_mistakes_of_the_caller():
    data = video.encode(numbered(5), 12, 23)
    for indices in ([], [-1], [0, -2]):
        with pytest.raises(ValueError, match="frame numbers from 0 on"):
            video.decode(data, indices)


READ_ALL = """
import json, resource, sys
from pathlib import Path
from kinefract import video
from kinefract.common.errors import UserError

resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
for path in sorted(Path(sys.argv[1]).iterdir()):
    for name, read in (
        ("probe", video.probe), ("decode", video.decode), ("window", lambda path: video.decode(path, [3, 25]))
    ):
        try:
            result = read(path)
            outcome = "read" if name == "probe" else f"read {result.shape}"
        except UserError as error:
            outcome = f"refused: {error}"
        print(json.dumps([path.name, name, outcome]), flush=True)
"""


def test_damaged_videos_give_frames_or_a_clear_error_and_nothing_hangs(tmp_path):
    paths = damaged_videos(tmp_path / "damaged", seed=4)
    assert len(paths) == 100 and sorted(paths) == paths
    done = subprocess.run(
        [sys.executable, "-c", READ_ALL, str(tmp_path / "damaged")],
        capture_output=True,
        text=True,
        timeout=120,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (lines[-1:], done.stderr[-2000:])
    assert [line[:2] for line in lines] == [
        [path.name, read] for path in paths for read in ("probe", "decode", "window")
    ]
    counts = Counter((read, outcome.split()[0].strip(":")) for _, read, outcome in lines)
    assert counts["probe", "refused"] >= 50 and counts["probe", "read"] >= 10, counts
    for name, read, outcome in lines:
        kind = name[4:].split("-")[0].split(".")[0]
        if kind == "wrong_extension":
            assert outcome.startswith("read"), (name, read, outcome)
        elif kind in ("empty", "text", "playlist", "list_of_files", "noise", "archive", "empty_folder"):
            assert outcome.startswith("refused: cannot read"), (name, read, outcome)


def test_a_folder_of_pictures_is_a_video(tmp_path):
    from PIL import Image

    for number in range(8, 12):
        Image.fromarray(np.full((20, 30, 3), number * 10, np.uint8)).save(tmp_path / f"{number}.png")
    assert video.probe(tmp_path) == (4, 25.0, 30, 20)
    assert video.decode(str(tmp_path), [3, 0])[:, 0, 0, 0].tolist() == [110, 80]
    assert video.decode(tmp_path, grey=True).shape == (4, 20, 30)


def test_frames_do_not_outlive_their_reading(tmp_path):
    path = tmp_path / "a.mp4"
    noise = np.random.Generator(np.random.Philox(1)).integers(0, 256, (60, 160, 240, 3), dtype=np.uint8)
    path.write_bytes(video.encode(noise, 25, 40))

    def memory():
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    video.probe(path)
    gc.disable()  # what waits for the collector is not counted by it, since libav holds it
    try:
        before = memory()
        for _ in range(40):
            video.probe(path)
            video.decode(path, range(0, 60, 2))
        grown = memory() - before
    finally:
        gc.enable()
    assert grown < 60 * 160 * 240 * 1.5 * 10  # of 80 readings, ten

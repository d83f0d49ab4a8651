"""Reading and writing videos: frames by number, folders of pictures, sheets that people look at."""

from kinefract.video.files import decode, encode, probe, require_ffmpeg, scikit_video, stamp, write_for_people
from kinefract.video.reading import VideoInfo

__all__ = [
    "VideoInfo",
    "decode",
    "encode",
    "probe",
    "require_ffmpeg",
    "scikit_video",
    "stamp",
    "write_for_people",
]

"""Reading and writing of videos: frames by number, folders of pictures, and sheets for viewing."""

from kinefract.video.files import decode, encode, probe, size, stamp, write_for_people
from kinefract.video.reading import VideoInfo

__all__ = [
    "VideoInfo",
    "decode",
    "encode",
    "probe",
    "size",
    "stamp",
    "write_for_people",
]

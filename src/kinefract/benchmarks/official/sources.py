"""The official files of each benchmark: addresses, sizes, checksums, and files to be fetched by hand.

Files are downloaded if their authors' servers publish them over HTTPS without a login. The pages under
``docs/benchmarks``, one for each benchmark, give the same addresses, sizes and checksums.
"""

from pathlib import Path
from typing import NamedTuple


class File(NamedTuple):
    """An official file.

    Attributes:
        url: Its address; for a file that is fetched by hand, only its name.
        holds: Its unpacked contents in the benchmark's folder; if all exist, the file is not needed.
        size: Bytes, if known.
        sha256: 64 hexadecimal digits, if published.
    """

    url: str
    holds: tuple[str, ...] = ()
    size: int | None = None
    sha256: str | None = None

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]

    def is_in(self, folder: Path) -> bool:
        """Return whether the file, or all its contents, are in the benchmark's folder."""
        unpacked = [(folder / name).exists() for name in self.holds]
        return (folder / self.name).exists() or (bool(unpacked) and all(unpacked))


class Source(NamedTuple):
    """The source of a benchmark's files; ``by_hand`` is the reason if they cannot be downloaded."""

    home: str
    files: tuple[File, ...]
    by_hand: str = ""


BROWN = "https://serre-lab.clps.brown.edu"
UCF = "https://www.crcv.ucf.edu/data"
YORK = "https://vision.eecs.yorku.ca"

HMDB51_FILES = f"{BROWN}/wp-content/uploads/2013/10"
UCF101_LISTS = "UCF101TrainTestSplits-RecognitionTask.zip"
# As TensorFlow Datasets records it; the authors publish none.
UCF101_LISTS_SHA256 = "5c0d1a53b8ed364a2ac830a73f405e51bece7d98ce1254fd19ed4a36b224bd27"
YUP_HOLDS = ("camera_stationary", "camera_moving", "10_90_randsplit_1.txt")

SOURCES = {
    "hmdb51": Source(
        f"{BROWN}/resource/hmdb-a-large-human-motion-database/",
        (
            File(f"{HMDB51_FILES}/hmdb51_org.rar", ("hmdb51_org",)),
            File(f"{HMDB51_FILES}/test_train_splits.rar", ("testTrainMulti_7030_splits",)),
        ),
    ),
    "ucf101": Source(
        f"{UCF}/UCF101.php",
        (
            File(f"{UCF}/UCF101/UCF101.rar", ("UCF-101",), 6_932_971_618),
            File(f"{UCF}/UCF101/{UCF101_LISTS}", ("ucfTrainTestlist",), 113_943, UCF101_LISTS_SHA256),
        ),
    ),
    "diving48": Source(
        "http://www.svcl.ucsd.edu/projects/resound/dataset.html",
        (
            File("Diving48_rgb.tar.gz", ("rgb",)),
            File("Diving48_V2_train.json"),
            File("Diving48_V2_test.json"),
            File("Diving48_vocab.json"),
        ),
        by_hand="its addresses are plain HTTP, where a file may be changed on the way",
    ),
    "egtea": Source(
        "https://cbs.ic.gatech.edu/fpv/",
        (
            File("video_clips.tar", ("cropped_clips",)),
            File("action_annotation.zip", ("action_idx.txt", "train_split1.txt", "test_split1.txt")),
        ),
        by_hand="its home page hands the files out through Dropbox, by links that change",
    ),
    "volleyball": Source(
        "https://github.com/mostafa-saad/deep-activity-rec",
        (File("volleyball_.zip", ("videos",)),),
        by_hand="its home page hands the file out through Google Drive, which wants a browser",
    ),
    "yup": Source(f"{YORK}/research/dynamic-scenes/", (File(f"{YORK}/WebShare/YUP++.zip", YUP_HOLDS),)),
}

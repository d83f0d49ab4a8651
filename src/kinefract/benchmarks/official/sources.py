"""The official files of each benchmark: addresses, sizes, checksums, and which are brought by hand.

Fetched are those that their authors' own servers hand out over HTTPS, without a login. The pages under
``docs/benchmarks``, one for each benchmark, give the same addresses, sizes and checksums.
"""

from pathlib import Path
from typing import NamedTuple


class File(NamedTuple):
    """An official file.

    Attributes:
        url: Its address; of a file that is brought by hand, its name alone.
        holds: What comes out of it, in the benchmark's folder: where all of that is there, it is not needed.
        size: Bytes, where known.
        sha256: 64 hexadecimal digits, where published.
    """

    url: str
    holds: tuple[str, ...] = ()
    size: int | None = None
    sha256: str | None = None

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]

    def is_in(self, folder: Path) -> bool:
        """Tell whether the file, or all it holds, is in the benchmark's folder."""
        unpacked = [(folder / name).exists() for name in self.holds]
        return (folder / self.name).exists() or (bool(unpacked) and all(unpacked))


class Source(NamedTuple):
    """Where a benchmark's files come from; ``by_hand`` says why they are not fetched, if they are not."""

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

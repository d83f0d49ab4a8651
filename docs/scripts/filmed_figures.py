"""Measures src/kinefract/cards/filmed.json anew: the figures of filmed video beside which data cards stand.

It takes the index folder of a benchmark of filmed videos.
"""

import argparse
from pathlib import Path

from kinefract.cards import filmed
from kinefract.cards.page import Column
from kinefract.cards.studies import measured_benchmark
from kinefract.common.files import write_json

SIDES = (48, 64, 80, 128)
FPS = 12  # that of the recipes by default
CLIPS = 96


def main() -> None:
    """Measure the videos at each side and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index", type=Path, help="index folder of the benchmark")
    parser.add_argument("name", help="heading of the column, for example UCF101")
    parser.add_argument("source", help="which videos these are, a sentence without its full stop")
    options = parser.parse_args()
    scales = {}
    for side in SIDES:
        like = Column("", options.index, {"fps": FPS, "measured": {"side": side}})
        found = measured_benchmark(str(options.index), like, CLIPS).card
        scales[str(side)] = {"measured": found["measured"], "figures": found["figures"]}
    write_json(filmed.FILE, {"name": options.name, "source": options.source, "fps": FPS, "scales": scales})


if __name__ == "__main__":
    main()

"""Figures of filmed video that come with kinefract, as a column beside every data card.

``docs/scripts/filmed_figures.py`` measured them as cards are measured, and wrote ``filmed.json``.
"""

from pathlib import Path
from typing import Any

from kinefract.common.records import read_json

FILE = Path(__file__).with_name("filmed.json")


def reference(side: int) -> dict[str, Any]:
    """Return the figures of filmed video at the measured scale that is nearest to a side.

    Args:
        side: Side in pixels at which a dataset was measured; of two scales as near the larger is taken.

    Returns:
        ``name`` (a heading), ``source`` (which videos these are), ``fps``, and ``measured`` and ``figures``
        as in a card.
    """
    known = read_json(FILE, dict[str, Any])
    scale = min(known["scales"], key=lambda text: (abs(int(text) - side), -int(text)))
    return {key: known[key] for key in ("name", "source", "fps")} | known["scales"][scale]

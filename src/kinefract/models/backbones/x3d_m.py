"""X3D-M: depth factor 2.2 (method, section 5); published for clips of 16 frames at 224 px."""

from kinefract.models.x3d import X3D


def build(width: int, frames: int, classes: int, dropout: float) -> X3D:
    """Build the network, which takes clips of any length; arguments as for ``kinefract.models.build``."""
    return X3D(2.2, width, classes, dropout)

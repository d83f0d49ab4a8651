"""X3D-XL: depth factor 8, the method's deepened variant (section 5); no weights of it are published."""

from kinefract.models.x3d import X3D


def build(width: int, frames: int, classes: int, dropout: float) -> X3D:
    """Build the network, which takes clips of any length; arguments as for ``kinefract.models.build``."""
    return X3D(8, width, classes, dropout)

"""X3D-M: depth factor 2.2 (method, section 5); published for clips of 16 frames at 224 px."""

from typing import TYPE_CHECKING, ClassVar

from kinefract.models import BACKBONES, BackboneEntry, Wanted

if TYPE_CHECKING:
    from kinefract.models.base import Backbone


@BACKBONES.register
class X3dM(BackboneEntry):
    """X3D of medium size; it takes clips of any length."""

    NAME: ClassVar[str] = "x3d_m"

    @staticmethod
    def build(wanted: Wanted) -> "Backbone":
        from kinefract.models.x3d import X3D

        return X3D(2.2, wanted.width, wanted.classes, wanted.dropout)

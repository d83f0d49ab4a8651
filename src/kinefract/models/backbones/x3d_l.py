"""X3D-L: depth factor 5 (method, section 5); published for clips of 16 frames at 312 px."""

from typing import TYPE_CHECKING, ClassVar

from kinefract.models import BACKBONES, BackboneEntry, Wanted

if TYPE_CHECKING:
    from kinefract.models.base import Backbone


@BACKBONES.register
class X3dL(BackboneEntry):
    """X3D of large size; it takes clips of any length."""

    NAME: ClassVar[str] = "x3d_l"

    @staticmethod
    def build(wanted: Wanted) -> "Backbone":
        from kinefract.models.x3d import X3D

        return X3D(5, wanted.width, wanted.classes, wanted.dropout)

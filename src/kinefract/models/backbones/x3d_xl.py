"""X3D-XL: depth factor 8, the method's deepened variant (section 5); no weights of it are published."""

from typing import TYPE_CHECKING, ClassVar

from kinefract.models import BACKBONES, BackboneEntry, Wanted

if TYPE_CHECKING:
    from kinefract.models.base import Backbone


@BACKBONES.register
class X3dXL(BackboneEntry):
    """X3D of extra large size; it takes clips of any length."""

    NAME: ClassVar[str] = "x3d_xl"

    @staticmethod
    def build(wanted: Wanted) -> "Backbone":
        from kinefract.models.x3d import X3D

        return X3D(8, wanted.width, wanted.classes, wanted.dropout)

"""ViT-Base for video: 768 values a patch, 12 blocks of 12 heads; published for 16 frames of 224 px."""

from typing import TYPE_CHECKING, ClassVar

from kinefract.models import BACKBONES, BackboneEntry, Wanted

if TYPE_CHECKING:
    from kinefract.models.base import Backbone


@BACKBONES.register
class VitBase(BackboneEntry):
    """A vision transformer of the base size, whose patches span 16 px and 2 frames."""

    NAME: ClassVar[str] = "vit_base"
    PATCHES: ClassVar[tuple[int, int] | None] = (16, 2)

    @classmethod
    def build(cls, wanted: Wanted) -> "Backbone":
        from kinefract.models.vit import VideoViT

        return VideoViT(wanted, 768, 12, *cls.patches(wanted.patch, wanted.tubelet))

"""ViT-Tiny for video: 192 values a patch, 12 blocks of 3 heads; published for 16 frames of 224 px."""

from typing import TYPE_CHECKING, ClassVar

from kinefract.models import BACKBONES, BackboneEntry, Wanted

if TYPE_CHECKING:
    from kinefract.models.base import Backbone


@BACKBONES.register
class VitTiny(BackboneEntry):
    """A vision transformer of the tiny size, whose patches span 16 px and 2 frames."""

    NAME: ClassVar[str] = "vit_tiny"
    PATCHES: ClassVar[tuple[int, int] | None] = (16, 2)

    @classmethod
    def build(cls, wanted: Wanted) -> "Backbone":
        from kinefract.models.vit import VideoViT

        return VideoViT(wanted, 192, 3, *cls.patches(wanted.patch, wanted.tubelet))

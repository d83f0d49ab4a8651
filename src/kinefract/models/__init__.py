"""The registry of backbones. Importing it loads no torch: that is imported when a backbone is built."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from kinefract.common.registry import Registry

if TYPE_CHECKING:
    from kinefract.models.base import Backbone


@dataclass(frozen=True)
class Wanted:
    """What a backbone is built for.

    Attributes:
        width: Channels of a ResNet's first stage. The other networks scale all their layers by width / 64, so
            that 64 makes the published form of each.
        frames: Frames of a clip.
        classes: Outputs of the classifier.
        dropout: Probability of dropping a feature before the classifier.
        size: Height and width of a clip in pixels, which transformers alone have to know.
        patch: Side of a transformer's patches in pixels; None for the published one.
        tubelet: Frames of a transformer's patches; None for the published number.
        drop_path: Largest probability of dropping a residual branch of a transformer, that of the last block.
    """

    width: int
    frames: int
    classes: int
    dropout: float
    size: int = 0
    patch: int | None = None
    tubelet: int | None = None
    drop_path: float = 0.0


class BackboneEntry(ABC):
    """A backbone as the registry holds it: a name, and how the network is built.

    ``PATCHES`` is the published side and number of frames of a transformer's patches; other networks have
    none.
    """

    NAME: ClassVar[str]
    PATCHES: ClassVar[tuple[int, int] | None] = None

    @staticmethod
    @abstractmethod
    def build(wanted: Wanted) -> "Backbone":
        """Build the network, its weights drawn from torch's current generator."""

    @classmethod
    def patches(cls, patch: int | None, tubelet: int | None) -> tuple[int, int]:
        """Return side and frames of the patches of a transformer; the published ones where None is given.

        Raises:
            ValueError: one is given, and the network has no patches; the message begins with the setting.
        """
        if cls.PATCHES is None:
            given = "patch" if patch else "tubelet"
            raise ValueError(f"{given}: {cls.NAME} is no transformer, and has no patches")
        return patch or cls.PATCHES[0], tubelet or cls.PATCHES[1]

    @classmethod
    def check(cls, frames: int, size: int, patch: int | None, tubelet: int | None) -> None:
        """Check that clips can be cut into the network's patches, if it has any.

        Raises:
            ValueError: they cannot; the message begins with the setting's name.
        """
        if cls.PATCHES is None and not patch and not tubelet:
            return
        side, deep = cls.patches(patch, tubelet)
        if size % side:
            raise ValueError(f"patch: {side} px does not divide the size of {size} px")
        if frames % deep:
            raise ValueError(f"tubelet: {deep} does not divide {frames} frames")


BACKBONES: Registry[BackboneEntry] = Registry("kinefract.backbones")
BACKBONES.fill(f"{__name__}.backbones")


def build(name: str, width: int, frames: int, classes: int, dropout: float, **more: Any) -> "Backbone":
    """Build a backbone with a classifier, its weights drawn from torch's current generator.

    Args:
        name: A key of ``BACKBONES``.
        width, frames, classes, dropout, more: As in ``Wanted``.

    Returns:
        A module that maps clips (B, T, 3, H, W) to logits (B, classes).
    """
    return BACKBONES[name].build(Wanted(width, frames, classes, dropout, **more))

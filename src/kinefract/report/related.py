"""Published numbers of related work, for context: other backbones and protocols, not interchangeable."""

from dataclasses import dataclass, field

BENCHMARKS = ("UCF101", "HMDB51", "DIVING48")
NOTE = "Other backbones and protocols: for orientation, not interchangeable with the numbers of the studies."
YU = "Yu, Chen and Gandelsman 2024, VideoMAE ViT-B, fine-tuned"
YU_SOURCE = "arXiv 2410.24213"
USERS = "users' reports"


@dataclass(frozen=True)
class Related:
    """One line of published numbers of related work: ``top1`` by benchmark, in percent."""

    work: str
    data: str
    source: str
    top1: dict[str, str] = field(default_factory=dict)


RELATED = (
    Related(YU, "none", YU_SOURCE, {"UCF101": "51.4", "HMDB51": "18.2"}),
    Related(YU, "moving circles", YU_SOURCE, {"UCF101": "85.2", "HMDB51": "52.0"}),
    Related(YU, "accelerating transforming shapes", YU_SOURCE, {"UCF101": "88.1", "HMDB51": "58.9"}),
    Related(YU, "StyleGAN crops (best fully synthetic)", YU_SOURCE, {"UCF101": "90.2", "HMDB51": "64.1"}),
    Related(YU, "UCF101 itself", YU_SOURCE, {"UCF101": "91.3", "HMDB51": "63.0"}),
    Related("TSM ResNet-50 from ImageNet", "ImageNet", USERS, {"UCF101": "83.5", "HMDB51": "51"}),
    Related("3D ResNet-50 from scratch", "none", USERS, {"UCF101": "about 40"}),
)

"""Entry points for ``torch.hub``: the networks that come with kinefract.

torch.hub.load("/path/to/kinefract", "fractal_tsm_resnet18", source="local", classes=10)
"""

import sys
from pathlib import Path as _Path  # what has no underscore is an entry point

dependencies = ["torch", "safetensors", "pydantic", "yaml", "numpy", "tqdm"]

sys.path.insert(0, str(_Path(__file__).parent / "src"))  # the package of this checkout, installed or not


def fractal_tsm_resnet18(classes=1, dropout=0.0):
    """Build a TSM ResNet-18 of width 16, pre-trained on fractal clips; ``kinefract.released`` has its card.

    Args:
        classes: Outputs of its classifier, which starts near zero; ``features(clips)`` needs none.
        dropout: Probability of dropping a feature before the classifier, in training.

    Returns:
        A module that maps clips (B, 8, 3, H, W), normalised with ImageNet's mean and deviation, to logits
        (B, classes). It was trained at 64 x 64 pixels.
    """
    from kinefract import released

    return released.load("fractal-tsm-resnet18", classes, dropout)

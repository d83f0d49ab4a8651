"""Mirroring, blurring and normalising of batches on the training device, with random draws per clip."""

import torch
from torch.nn.functional import pad

from kinefract.common.share import Share

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
BLUR_SIGMA = (0.1, 2.0)  # pixels


def normalise(clips: torch.Tensor) -> torch.Tensor:
    """Normalise clips with ImageNet's mean and deviation: as for ``augment``, to float (B, T, 3, H, W)."""
    mean = torch.tensor(IMAGENET_MEAN, device=clips.device).view(3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=clips.device).view(3, 1, 1)
    return (as_pictures(clips) - mean).div_(std)  # broadcasting makes grey clips three-channelled


def as_pictures(clips: torch.Tensor) -> torch.Tensor:
    """Convert uint8 to float in [0, 1]; float tensors are returned unchanged."""
    return clips if clips.is_floating_point() else clips.float() / 255


def pixels(clips: torch.Tensor) -> torch.Tensor:
    """Undo ``normalise``: float (..., 3, H, W) to uint8 of the same shape."""
    mean = torch.tensor(IMAGENET_MEAN, device=clips.device).view(3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=clips.device).view(3, 1, 1)
    return ((clips * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)


def mirror(clips: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """Mirror the chosen clips left to right.

    Args:
        clips: (B, T, C, H, W).
        chosen: bool, (B,).
    """
    return torch.where(chosen.view(-1, 1, 1, 1, 1), clips.flip(-1), clips)


def blur(clips: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Blur each clip with a 3 x 3 Gaussian of its own width; borders are reflected.

    Args:
        clips: float, (B, T, C, H, W).
        sigma: (B,), in pixels; 0 leaves a clip unchanged.
    """
    side = torch.where(sigma > 0, torch.exp(-0.5 / sigma.clamp_min(1e-3) ** 2), 0.0)
    side = (side / (1 + 2 * side)).view(-1, 1, 1, 1, 1)
    for border, axis in (((0, 0, 1, 1), -2), ((1, 1, 0, 0), -1)):
        length = clips.shape[axis]
        padded = pad(clips.flatten(0, 1), border, mode="reflect").unflatten(0, clips.shape[:2])
        before, after = padded.narrow(axis, 0, length), padded.narrow(axis, 2, length)
        clips = (before + after).sub_(clips, alpha=2).mul_(side).add_(clips)
    return clips


def augment(
    clips: torch.Tensor,
    flip: float,
    blurred: float,
    generator: torch.Generator,
    share: Share | None = None,
) -> torch.Tensor:
    """Augment and normalise a batch, or a share of one.

    Args:
        clips: (B, T, C, H, W), C 1 or 3. They are uint8, or float in [0, 1] after other augmentations.
        flip: Probability of mirroring a clip.
        blurred: Probability of blurring a clip, sigma U[0.1, 2] pixels.
        generator: A generator on the CPU, so that the draws do not depend on the device of the clips.
        share: Which clips of a batch these are; by default they are the whole batch.

    Returns:
        float32, (B, T, 3, H, W), normalised.
    """
    share = share or Share.whole(len(clips))
    chosen = torch.rand(share.total, generator=generator) < flip
    sigma = torch.empty(share.total).uniform_(*BLUR_SIGMA, generator=generator)
    sigma *= torch.rand(share.total, generator=generator) < blurred
    chosen, sigma = share.of(chosen), share.of(sigma)
    # Clips are augmented before they are normalised, since grey clips then still have one channel.
    pictures = mirror(as_pictures(clips), chosen.to(clips.device))
    return normalise(blur(pictures, sigma.to(clips.device)))

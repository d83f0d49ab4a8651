"""Baselines: the variant with which each variant of a study is compared, and whether the two compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from kinefract.common.words import counted
from kinefract.config.networks import NetworkRecipe
from kinefract.config.phases import FinetuneRecipe
from kinefract.models import BACKBONES

START = ("init", "pretraining.objective")  # the settings that decide from what a variant starts
# The setting of a study that decides each part of a setup.
DECIDED_BY = {
    "backbone": "pretraining.backbone",
    "width": "pretraining.width",
    "patch": "pretraining.patch",
    "tubelet": "pretraining.tubelet",
    "frames": "finetuning.frames",
    "size": "finetuning.size",
}


class Compared(Protocol):
    """A variant of a study, as a spec or as a row of results."""

    @property
    def label(self) -> str: ...
    @property
    def values(self) -> Mapping[str, Any]: ...
    @property
    def baseline(self) -> str | None: ...
    @property
    def scratch(self) -> bool: ...


C = TypeVar("C", bound=Compared)


@dataclass(frozen=True)
class Setup:
    """The network of a fine-tuning and the clips that it sees, which two compared variants share.

    ``resize`` goes with ``size``, and is not compared.
    """

    backbone: str
    width: int
    patch: int | None  # of a transformer, as the next
    tubelet: int | None
    frames: int
    size: int
    resize: int = field(compare=False)

    @classmethod
    def of(cls, network: NetworkRecipe, recipe: FinetuneRecipe) -> "Setup":
        """Return the setup of a fine-tuning."""
        entry = BACKBONES[network.backbone]
        patch, tubelet = entry.patches(network.patch, network.tubelet) if entry.PATCHES else (None, None)
        view = recipe.frames, recipe.size, recipe.resize
        return cls(network.backbone, network.width, patch, tubelet, *view)

    def __str__(self) -> str:
        patches = f", patches of {self.patch} px and {counted(self.tubelet, 'frame')}" if self.tubelet else ""
        return f"{self.backbone} of width {self.width}{patches}, {self.frames} frames of {self.size} px"


def baseline_of(variant: C, variants: Sequence[C]) -> C | None:
    """Return the baseline with which a variant is compared; None if the variant is itself a baseline.

    It is the one that the variant's ``baseline`` names. Otherwise, if some variants are from scratch and
    others not, it is the variant from scratch that agrees with this one in the most varied settings, apart
    from those that decide from what it starts; among several it is the first. Otherwise it is the first
    variant of the study. A setting that a variant lacks has the recipe's value; two variants that both lack
    it agree.

    Args:
        variant: One of the variants.
        variants: All variants of the study.
    """
    if variant.baseline is not None:
        return next(other for other in variants if other.label == variant.baseline)
    untrained = [other for other in variants if other.scratch]
    if not untrained or len(untrained) == len(variants):
        return None if variant is variants[0] else variants[0]
    return None if variant.scratch else _closest(variant, untrained, variants)


def comparable(variants: Sequence[C], setups: Mapping[str, Sequence[Setup]]) -> dict[str, str]:
    """Return the variants whose settings alone do not lead to a baseline with their network, frames and size.

    A study without a variant from scratch compares with its first variant. There a difference in a setting
    that the study varies is its question, not a mistake.

    Args:
        variants: All variants of a study.
        setups: Label -> the setup on each benchmark.

    Returns:
        Label -> label of the variant from scratch to take in its place.

    Raises:
        ValueError: There is no such variant. The message names the variant, its baseline, what differs, and
            the variant to add.
    """
    untrained = [other for other in variants if other.scratch]
    replaced = {}
    for variant in variants:
        base = baseline_of(variant, variants)
        if base is None or setups[variant.label] == setups[base.label]:
            continue
        if base.scratch and not variant.scratch:
            alike = [other for other in untrained if setups[other.label] == setups[variant.label]]
            if not alike:
                raise ValueError(_unequal(variant, base, setups))
            replaced[variant.label] = _closest(variant, alike, variants).label
        elif _by_mistake(variant, base, setups):
            raise ValueError(_unequal(variant, base, setups))
    return replaced


def _closest(variant: C, candidates: Sequence[C], variants: Sequence[C]) -> C:
    varied = {key for other in variants for key in other.values} - {*START}

    def agreement(other: C) -> tuple[int, int]:
        stated = [[side.values[key] for side in (variant, other) if key in side.values] for key in varied]
        lacking = sum(len(values) == 1 for values in stated)
        unlike = sum(len(values) == 2 and values[0] != values[1] for values in stated)
        # The recipe's value, which holds for the variant without the setting, may equal that of the other.
        return len(varied) - lacking - unlike, lacking

    return max(candidates, key=agreement)


def _differing(first: Setup, second: Setup) -> list[str]:
    return [name for name in DECIDED_BY if getattr(first, name) != getattr(second, name)]


def _by_mistake(variant: Compared, base: Compared, setups: Mapping[str, Sequence[Setup]]) -> bool:
    """Return whether two variants differ in a part of their setup that the study does not vary."""
    varied = {*variant.values, *base.values}
    pairs = zip(setups[variant.label], setups[base.label], strict=True)
    parts = {name for pair in pairs for name in _differing(*pair)}
    return any(DECIDED_BY[name] not in varied for name in parts)


def _unequal(variant: Compared, base: Compared, setups: Mapping[str, Sequence[Setup]]) -> str:
    pairs = zip(setups[variant.label], setups[base.label], strict=True)
    own, other = next(pair for pair in pairs if pair[0] != pair[1])
    parts = _differing(own, other)
    settings = [f"{DECIDED_BY[name]}: {value}" for name in parts if (value := getattr(own, name)) is not None]
    settings += [f"finetuning.resize: {own.resize}"] * (own.resize != other.resize and "size" in parts)
    return (
        f"{variant.label!r} ({own}) would be compared with {base.label!r} ({other}), which differs in "
        f"{' and '.join(parts)}; add a variant from scratch with the same, under `variants`: "
        f"{variant.label} from scratch: {{init: scratch, {', '.join(settings)}}}"
    )

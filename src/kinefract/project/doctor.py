"""What ``kinefract doctor`` tells: is all there that jobs need, and what they would use."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kinefract.common.terminal import escaped
from kinefract.project import machine, software
from kinefract.project.finding import Finding

CHECKS: dict[str, Callable[[Path], Finding]] = {
    "kinefract": software.kinefract,
    "python": software.python,
    "packages": software.packages,
    "extras": software.extras,
    "torch": machine.torch,
    "devices": machine.devices,
    "training": machine.training,
    "encoders": machine.encoders,
    "kernels": machine.kernels,
    "cores": machine.cores,
    "memory": machine.memory,
    "disk": machine.disk,
    "snakemake": software.snakemake,
    "project": software.project,
    "git": software.git,
    "dvc": software.dvc,
    "mlflow": software.mlflow,
    "ffmpeg": software.ffmpeg,
    "rar": software.rar,
}
PACKAGES = {"torch": "torch", "devices": "torch", "training": "torch", "encoders": "av", "kernels": "numba"}


def examine(root: Path | str) -> dict[str, Finding]:
    """Look at everything, and return what was found by its name.

    Args:
        root: The folder of a project; one that is none is told of.
    """
    return {name: _found(name, Path(root)) for name in CHECKS}


def text(findings: dict[str, Finding]) -> str:
    """Return a line for each finding, with what to do where something is amiss, and one that sums up."""
    width = max(map(len, findings))
    lines = [f"{name:{width}}  {escaped(_line(finding))}" for name, finding in findings.items()]
    broken = [name for name, finding in findings.items() if finding.broken]
    lines.append(f"\nBroken: {', '.join(broken)}" if broken else "\nAll that jobs need is there.")
    return "\n".join(lines)


def facts(findings: dict[str, Finding]) -> dict[str, Any]:
    """Return what was found as JSON takes it."""
    return {name: asdict(finding) for name, finding in findings.items()}


def any_broken(findings: dict[str, Finding]) -> bool:
    """Return whether something is broken that jobs need."""
    return any(finding.broken for finding in findings.values())


def _line(finding: Finding) -> str:
    mark = "BROKEN: " if finding.broken else ""
    return f"{mark}{finding.says}; {finding.remedy}" if finding.remedy else f"{mark}{finding.says}"


def _found(name: str, root: Path) -> Finding:
    """Return what a check finds. An installation may be broken in any way, so every error is a finding."""
    try:
        return CHECKS[name](root)
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        says = f"{type(error).__name__}: {first}"
        package = PACKAGES.get(name, "kinefract")
        return Finding(says, f"install it anew: pip install --force-reinstall {package}", broken=True)

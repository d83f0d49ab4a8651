"""What started this process, as Fabric is told: `torchrun`, or nothing that Fabric has to know."""

from lightning_fabric.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    TorchElasticEnvironment,
)


def environment() -> ClusterEnvironment:
    """Return the environment of `torchrun` if it started this process, else that of a single process.

    Left to itself, Fabric would take a job of SLURM for one of several processes, and would print a hint
    wherever the program `srun` is installed.
    """
    return TorchElasticEnvironment() if TorchElasticEnvironment.detect() else LightningEnvironment()

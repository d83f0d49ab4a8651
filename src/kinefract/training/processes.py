"""Processes that train one network together, one per GPU, started by `torchrun`; usually there is one."""

import inspect
import logging
import os
import warnings
from typing import Any, Literal, TypeVar, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
from torch import Tensor, nn

from kinefract.common.progress import log_line
from kinefract.training.devices import own_gpu
from kinefract.training.division import Division
from kinefract.training.environment import environment
from kinefract.training.synced_norm import synced

OTHER_ENDED = "another process of this run has ended"

# Buffers are not sent before each step, since statistics and queues are the same everywhere. The option has
# another name until torch 2.12.
_OPTIONS = inspect.signature(nn.parallel.DistributedDataParallel).parameters
_NOT_SENT: dict[str, Any] = {
    "forward_sync_buffers" if "forward_sync_buffers" in _OPTIONS else "broadcast_buffers": False
}

T = TypeVar("T")
M = TypeVar("M", bound=nn.Module)


def computes_in_bfloat16() -> bool:
    """Return whether this machine's CPU multiplies bfloat16 numbers in hardware (AVX-512 or AMX)."""
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


def lost_another(error: RuntimeError) -> bool:
    """Return whether an error says that a process that was to send something has gone."""
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error).lower()


class Processes:
    """The processes of a training run: the rank of this one, and their communication.

    Attributes:
        fabric: Devices and precision.
        rank: The number of this process; 0 is the one that writes and logs.
        size: Number of processes.
        nodes: Number of machines that they run on.
    """

    def __init__(
        self, precision: Literal["32-true", "bf16-mixed", "16-mixed"], accelerator: str = "auto"
    ) -> None:
        """Join the other processes if `torchrun` started them.

        Raises:
            UserError: a GPU is requested and there is none, or there are fewer GPUs than processes.
        """
        gpu = own_gpu(accelerator)
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        local = int(os.environ.get("LOCAL_WORLD_SIZE", str(self.size)))
        self.nodes = self.size // local
        self.fabric = Fabric(
            accelerator="cpu" if gpu is None else "cuda",
            devices=local if self.size > 1 or gpu is None else [gpu],
            num_nodes=self.nodes,
            strategy=DDPStrategy(**_NOT_SENT) if self.size > 1 else "auto",
            precision=precision,
            plugins=environment(),
        )
        if self.size > 1:
            logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it says that processes join
            self.fabric.launch()
        self.rank = self.fabric.global_rank
        if precision == "bf16-mixed" and self.device.type == "cpu" and not computes_in_bfloat16():
            log_line(
                "this CPU has no instructions for bfloat16, and precision: bf16-mixed takes several times "
                "as long on it as 32-true"
            )

    @property
    def device(self) -> torch.device:
        return self.fabric.device

    @property
    def facts(self) -> dict[str, int | str]:
        """The number of processes and of nodes, and the device's name."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "CPU"
        return {"processes": self.size, "nodes": self.nodes, "device": name}

    def prepare(self, module: M) -> M:
        """Have batch norms normalise by what all processes normalise together."""
        if self.size == 1:
            return module
        if self.device.type == "cuda":
            return nn.SyncBatchNorm.convert_sync_batchnorm(module)
        return cast(M, synced(module, self.size, self.gather))

    def division(self, batch_size: int, parts: int) -> Division:
        """Return the clips of a batch that this process takes.

        Raises:
            UserError: the clips cannot be divided evenly.
        """
        return Division(batch_size, parts, self.size, self.rank)

    def gather(self, tensor: Tensor) -> Tensor:
        """Concatenate (B, ...) of all processes to (size * B, ...); gradients flow back."""
        if self.size == 1:
            return tensor
        with warnings.catch_warnings():  # Fabric calls what torch 2.13 wants to be called by another name
            warnings.filterwarnings("ignore", "torch.distributed.nn.functional.all_gather", FutureWarning)
            gathered = self.fabric.all_gather(tensor, sync_grads=tensor.requires_grad)
        return cast(Tensor, gathered).flatten(0, 1)

    def total(self, values: list[float]) -> list[float]:
        """Return the sums over all processes."""
        if self.size == 1:
            return values
        own = torch.tensor(values, dtype=torch.float64, device=self.device)
        return cast(Tensor, self.fabric.all_reduce(own, reduce_op="sum")).tolist()

    def agree(self, value: T) -> T:
        """Return the value of the first process, so that all processes use the same."""
        return self.fabric.broadcast(value) if self.size > 1 else value

"""Processes that train one network together, one per GPU, started by `torchrun`; usually there is one."""

import os
from typing import Literal, TypeVar, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from kinefract.common.errors import UserError
from kinefract.common.progress import log_line
from kinefract.training.devices import own_gpu
from kinefract.training.launcher import launcher

T = TypeVar("T")
M = TypeVar("M", bound=nn.Module)


def computes_in_bfloat16() -> bool:
    """Return whether this machine's CPU multiplies bfloat16 numbers in hardware (AVX-512 or AMX)."""
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


class Processes:
    """The processes of a training run: the rank of this one, and their communication.

    Attributes:
        fabric: Devices and precision.
        rank: The number of this process; 0 is the one that writes and logs.
        size: Number of processes.
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
        self.fabric = Fabric(
            accelerator=accelerator,
            devices=local if self.size > 1 or gpu is None else [gpu],
            num_nodes=self.size // local,
            strategy="ddp" if self.size > 1 else "auto",
            precision=precision,
            plugins=launcher(),
        )
        if self.size > 1:
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

    def prepare(self, module: M) -> M:
        """Let batch norm use the batch of all processes if several GPUs share it."""
        if self.size > 1 and self.device.type == "cuda":
            return nn.SyncBatchNorm.convert_sync_batchnorm(module)
        return module

    def check_batch(self, batch_size: int) -> None:
        """Raise a UserError unless every process gets the same number of clips of a batch."""
        if batch_size % self.size:
            raise UserError(f"batch_size: {batch_size} clips cannot be shared by {self.size} processes")

    def gather(self, tensor: Tensor) -> Tensor:
        """Concatenate (B, ...) of all processes to (size * B, ...); gradients flow back."""
        if self.size == 1:
            return tensor
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

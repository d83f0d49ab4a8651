"""Batch norm over the batches of several processes that compute on CPUs; torch has one for GPUs alone."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class SyncedBatchNorm(_BatchNorm):
    """Batch norm by the mean and variance of what all processes normalise together.

    Parameters and statistics have the names of every batch norm. Sums of the processes are added in their
    order, and gradients flow back to all of them.
    """

    # Every norm of our networks has these.
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def __init__(self, norm: _BatchNorm, processes: int, gather: Callable[[Tensor], Tensor]) -> None:
        """Take the place of a norm.

        Args:
            norm: The norm, whose parameters and statistics are used.
            processes: Number of processes.
            gather: Concatenates (N, ...) of every process, gradients included.
        """
        super().__init__(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        self.weight, self.bias = norm.weight, norm.bias
        for name, statistic in norm.named_buffers():
            setattr(self, name, statistic)
        self.train(norm.training)
        self._processes, self._gather = processes, gather

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, ...) of this process, in single precision at least."""
        if not self.training:
            return super().forward(x)
        precise = x.to(torch.promote_types(x.dtype, torch.float32))
        others = [axis for axis in range(x.ndim) if axis != 1]
        shape = [-1 if axis == 1 else 1 for axis in range(x.ndim)]
        mean = self._mean(precise.mean(others))
        centred = precise - mean.view(shape)
        variance = self._mean(centred.square().mean(others))
        self._follow(mean.detach(), variance.detach(), self._processes * x[:, 0].numel())
        scale = (variance + self.eps).rsqrt() * self.weight
        return (centred * scale.view(shape) + self.bias.view(shape)).to(x.dtype)

    def _mean(self, own: Tensor) -> Tensor:
        """Return the mean over the processes, each of which has as many clips."""
        return self._gather(own[None]).mean(0)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics, whose variance is that of a sample."""
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"batch norm wants (N, C, ...), got {tuple(input.shape)}")


def synced(module: nn.Module, processes: int, gather: Callable[[Tensor], Tensor]) -> nn.Module:
    """Replace every batch norm of a module, or the module if it is one, and return it."""
    if isinstance(module, _BatchNorm):
        return SyncedBatchNorm(module, processes, gather)
    for name, child in module.named_children():
        setattr(module, name, synced(child, processes, gather))
    return module

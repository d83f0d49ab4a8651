"""One step's loss and gradient, of a batch that passes through the network whole or in parts.

In parts it needs less memory. The loss is that of the whole batch, and so is its gradient. Where the loss
compares clips with each other, the outputs of all parts are computed first, then the gradient of the loss by
them, then that of the network, a part at a time (Gao et al., "Scaling Deep Contrastive Learning Batch Size
under Memory Limited Setup", RepL4NLP 2021). Batch norm normalises by the statistics of a part.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import _FabricModule
from torch import Tensor

from kinefract.objectives.base import Gather, Objective, Outcome, Outputs

Parts = Callable[[], Iterator[list[Tensor]]]  # the views of each part, the same at every call


@dataclass(frozen=True)
class Step:
    """What a step needs: the objective, how it is called, and the processes that share the batch.

    Attributes:
        objective: The objective.
        called: The objective as it is called: set up by ``fabric``, which adds up the gradients of processes.
        fabric: Devices and precision.
        gather: Collects a tensor from all processes.
        parts: Number of parts.
    """

    objective: Objective
    called: _FabricModule
    fabric: Fabric
    gather: Gather
    parts: int

    def backward(self, views: Parts, labels: Tensor, clips: Tensor) -> Outcome:
        """Compute loss and gradient of a batch.

        Args:
            views: Iterates over the views of each part.
            labels: int64 (B,), classes.
            clips: int64 (B,), the index of each clip in the dataset.

        Returns:
            The loss without its gradient, and the number of correct clips of this process.
        """
        if self.objective.PER_CLIP or self.parts == 1:
            return self._each(views(), labels.chunk(self.parts), clips.chunk(self.parts))
        return self._compared(views, labels, clips)

    def _each(
        self, parts: Iterator[list[Tensor]], labels: Sequence[Tensor], clips: Sequence[Tensor]
    ) -> Outcome:
        outcomes = []
        for part, (views, of_labels, of_clips) in enumerate(zip(parts, labels, clips, strict=True)):
            with self._adding_up(part):
                outcome = self._outcome(self.called(views), of_labels, of_clips)
                self.fabric.backward(outcome.loss / self.parts)
            outcomes.append(outcome)
        losses, correct = (torch.stack(values) for values in zip(*outcomes, strict=True))
        return Outcome(losses.detach().mean(), correct.sum())

    def _compared(self, views: Parts, labels: Tensor, clips: Tensor) -> Outcome:
        outputs = self._outputs(views())
        loss, correct = self._outcome(outputs, labels, clips)
        gradients = torch.autograd.grad(loss, outputs, allow_unused=True)
        for part, seen in enumerate(views()):
            with self._adding_up(part):
                # A sum whose gradient by the outputs is the one that was computed.
                pulls = [
                    (output * gradient.chunk(self.parts)[part]).sum()
                    for output, gradient in zip(self.called(seen), gradients, strict=True)
                    if gradient is not None and output.requires_grad
                ]
                self.fabric.backward(torch.stack(pulls).sum())
        return Outcome(loss.detach(), correct)

    def _outcome(self, outputs: Outputs, labels: Tensor, clips: Tensor) -> Outcome:
        with self.fabric.autocast():
            return self.objective.outcome(outputs, labels, clips, self.gather)

    @torch.no_grad()
    def _outputs(self, parts: Iterator[list[Tensor]]) -> Outputs:
        """Return the outputs of all parts; statistics of norms do not change, since the parts come again."""
        statistics = [(buffer, buffer.clone()) for buffer in self.objective.buffers()]
        of_parts = [self.called(views) for views in parts]
        for buffer, before in statistics:
            buffer.copy_(before)
        return tuple(torch.cat(tensors).requires_grad_() for tensors in zip(*of_parts, strict=True))

    def _adding_up(self, part: int) -> AbstractContextManager:
        """Have processes exchange gradients after the last part only."""
        return self.fabric.no_backward_sync(self.called, enabled=part < self.parts - 1)

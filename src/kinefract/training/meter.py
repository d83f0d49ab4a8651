"""Measurements of a training epoch: means over its steps, and the shares of its time."""

import math
import resource
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch

COUNTED = ("loss", "correct", "norm", "skipped", "steps", "clips")  # counted by each process for its share
STAGES = ("data", "augment", "network")  # of a step, in their order


class Meter:
    """Sums over the steps of one epoch. A resumed run continues with the sums of the run before.

    If there are several processes, the first continues with the sums of all and the others start from zero.

    On a GPU times are measured by events of the GPU, so that nothing waits for them before the epoch ends.
    """

    def __init__(self, device: torch.device, state: dict[str, Any] | None = None) -> None:
        self._device = device
        self._sums: dict[str, float] = {
            "loss": 0.0,
            "correct": 0.0,
            "norm": 0.0,
            "skipped": 0,
            "steps": 0,
            "clips": 0,
        }
        self._sums |= {"seconds": 0.0, **dict.fromkeys(STAGES, 0.0)} | (state or {})
        self._new: list[torch.Tensor] = []
        self._start = time.perf_counter()
        self._marks: list[tuple[str, Any]] = [("", self._now())]

    def mark(self, stage: str) -> None:
        """Record that a stage of the step, one of ``STAGES``, took the time since the last call."""
        self._marks.append((stage, self._now()))

    def step_done(
        self, loss: torch.Tensor, correct: torch.Tensor, norm: torch.Tensor | None, clips: int
    ) -> None:
        """Add the figures of one step, left on the device; a step whose norm is not finite was skipped."""
        norm = torch.zeros(()) if norm is None else norm
        self._new.append(torch.stack([loss.detach().float(), correct.float(), norm.to(loss.device).float()]))
        self._sums["clips"] += clips
        self.mark("network")

    def state(self, total: Callable[[list[float]], list[float]] = list) -> dict[str, float]:
        """Return the sums so far, as plain numbers: counts over all processes, times of this process.

        Args:
            total: A function that adds numbers over all processes.
        """
        if self._new:
            if self._device.type == "cuda":
                torch.cuda.synchronize(self._device)
            # Values are added one by one in double precision, so a run that is cut in two has the same sums.
            for loss, correct, norm in torch.stack(self._new).double().tolist():
                self._sums["loss"] += loss
                self._sums["correct"] += correct
                self._sums["norm"] += norm if math.isfinite(norm) else 0.0
                self._sums["skipped"] += not math.isfinite(norm)
            self._sums["steps"] += len(self._new)
            for (_, begin), (stage, end) in pairwise(self._marks):
                self._sums[stage] += self._between(begin, end)
            self._new, self._marks = [], self._marks[-1:]
        now = time.perf_counter()
        self._sums["seconds"] += now - self._start
        self._start = now
        counted = total([self._sums[key] for key in COUNTED])
        return self._sums | dict(zip(COUNTED, counted, strict=True))

    def metrics(self, total: Callable[[list[float]], list[float]] = list) -> dict[str, float]:
        """Return loss, top1, grad_norm, clips_per_second, the shares of the time, megabytes and seconds.

        ``total`` is as for ``state``.
        """
        sums = self.state(total)
        clips, seconds = sums["clips"], sums["seconds"]
        return {
            "loss": sums["loss"] / sums["steps"],
            "top1": sums["correct"] / clips,
            "grad_norm": sums["norm"] / max(1, sums["steps"] - sums["skipped"]),
            "clips_per_second": round(clips / seconds, 2),
            **{f"{part}_share": round(sums[part] / seconds, 4) for part in STAGES},
            "megabytes": round(self._megabytes()),
            "seconds": round(seconds, 3),
        }

    def _now(self):
        if self._device.type != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _between(self, begin, end) -> float:
        return begin.elapsed_time(end) / 1000 if self._device.type == "cuda" else end - begin

    def _megabytes(self) -> float:
        """Return the peak memory so far in megabytes: of the GPU, or of the process."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) / 1e6
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3

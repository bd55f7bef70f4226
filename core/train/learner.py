"""One step of a training: a batch's loss, its slopes, what moves the weights, their average.

Nothing in a step waits for a GPU, and where batches are alike it is recorded as a CUDA graph.
"""

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from dlcc.core.errors import DataError
from dlcc.core.train.config import FitConfig
from dlcc.core.train.distributed import team
from dlcc.core.train.graphs import Graphs
from dlcc.core.train.optimizers import optimizers_of, set_rate
from dlcc.core.train.runtime import autocast
from dlcc.core.train.task import RecordableTask, Task

_READS = 0.2  # seconds between two looks at what a GPU has computed


class Learner:
    """A task's model with all that moves its weights."""

    def __init__(self, task: Task, config: FitConfig) -> None:
        self.task, self.config, self.model = task, config, task.model
        self.device = next(self.model.parameters()).device
        self.team = team()
        self.parameters: list[Tensor] = [p for p in self.model.parameters() if p.requires_grad]
        recorded = config.cuda_graphs and self.device.type == "cuda" and self.team.size == 1
        self._graphs = Graphs() if recorded else None
        self.optimizers = optimizers_of(self.model, config, recorded)
        self.averaged = [*self.parameters, *filter(_can_be_averaged, self.model.buffers())]
        self.average = [t.detach().clone() for t in self.averaged] if config.ema_decay else []

    def begin_together(self) -> None:
        """Let all processes begin with the same weights.

        Raises:
            DataError: they have read different data.
        """
        described = json.dumps([self.task.config, self.task.about.get("data")], default=str)
        if not self.team.alike([described.encode(), *self.task.files.values()]):
            raise DataError("the processes have read different data: give all of them the same")
        self.team.same([each.data for each in (*self.averaged, *self.average)])

    def step(self, batch: Any, done: float, rate: float, number: int) -> tuple[Tensor, int]:
        """Learn from a batch.

        Args:
            batch: of the task's.
            done: the share of the training that is behind.
            rate: the learning rate.
            number: steps before it, which with the seed decides its random numbers.

        Returns:
            The mean loss, where it was computed, and the items of the batch.
        """
        torch.manual_seed(self.config.seed * 1_000_003 + number)
        set_rate(self.optimizers, rate)
        if self._graphs and isinstance(self.task, RecordableTask):
            step = self.task.recordable(batch, done)
            learn = partial(self._learn, step.loss)
            mean, items = self._graphs.run(step.kind, learn, step.inputs).clone(), step.items
        else:
            with autocast(self.device, self.config.bfloat16):
                loss, items = self.task.loss(batch, done)
            mean = self._descend(loss)
        if self.average:
            decay = min(self.config.ema_decay, (1 + number) / (10 + number))
            get_ema_multi_avg_fn(decay)(self.average, self.averaged, None)
        return mean, items

    def _learn(self, loss: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        with autocast(self.device, self.config.bfloat16):
            value = loss(*inputs)
        return self._descend(value)

    def _descend(self, loss: Tensor) -> Tensor:
        """Move the weights against the slope of a loss, which is returned."""
        self.model.zero_grad(set_to_none=True)
        loss.backward()
        mean = loss.detach()
        self.team.average([mean, *(p.grad for p in self.parameters if p.grad is not None)])
        if self.config.clip_norm:
            nn.utils.clip_grad_norm_(self.parameters, self.config.clip_norm)
        for optimizer in self.optimizers:
            optimizer.step()
        return mean

    def swap_average(self) -> None:
        """Exchange the raw and the averaged weights, in place."""
        for raw, average in zip(self.averaged, self.average, strict=False):
            raw.data, average.data = average.data, raw.data

    def not_finite(self) -> str:
        """The name of a weight that is no number; empty where all are."""
        weights = self.model.named_parameters()
        return next((name for name, each in weights if not each.isfinite().all()), "")


def _can_be_averaged(buffer: Tensor) -> bool:
    """Running statistics can, counters and masks of infinities cannot."""
    return buffer.is_floating_point() and bool(buffer.isfinite().all())


class Losses:
    """The losses of steps as a device computes them. A GPU that is asked for a number has to be
    waited for, so it is asked for many at once, now and then."""

    def __init__(self, device: torch.device) -> None:
        self.mean = float("nan")
        """Of the steps that were read last."""
        self._waits = device.type != "cpu"
        self._read_at = 0.0
        self._unread: list[tuple[Tensor, int]] = []

    def add(self, loss: Tensor, items: int) -> None:
        """Keep a step's mean loss [] of its items, to be read later."""
        self._unread.append((loss, items))

    @property
    def are_due(self) -> bool:
        """Whether it is time to read them; a CPU's are read at every step."""
        return not self._waits or time.monotonic() - self._read_at > _READS

    def read(self) -> list[tuple[float, int]]:
        """(loss, items) of each step since the last reading."""
        if not self._unread:
            return []
        values = torch.stack([loss for loss, _ in self._unread]).tolist()
        read = [(value, items) for value, (_, items) in zip(values, self._unread, strict=True)]
        self._unread, self._read_at = [], time.monotonic()
        self.mean = sum(values) / len(values)
        return read

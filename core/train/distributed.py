"""Several processes that train one model, on one machine or more: started by torchrun, joined by
torch.distributed.

Each has all of the model and of the data, and takes its share of every batch; gradients are summed
over all of them before a step, so that each takes the same step as one process alone would. The
first one writes, prints and validates.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from dlcc.core.errors import DeviceError, DlccError

if TYPE_CHECKING:
    from torch import Tensor

_PATIENCE = timedelta(days=1)  # a validation, which the others wait for; an end is heard at once
Value = TypeVar("Value")


def is_one_of_several() -> bool:
    """Whether torchrun started this process, perhaps alone."""
    return {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR"} <= os.environ.keys()


def was_restarted() -> bool:
    """Whether torchrun started it again after one of its processes had ended."""
    return _restarts() > 0


def _restarts() -> int:
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


def may_restart() -> bool:
    """Whether it may do so."""
    return int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0")) > 0


@dataclass(frozen=True)
class Team:
    """The processes of one training; alone, all of this does nothing."""

    rank: int = 0
    """The number of this process, from 0."""
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes, prints and validates."""
        return self.rank == 0

    def share(self, counts: int | Sequence[int]) -> tuple[slice, float]:
        """Which rows of a batch this process computes, and by what its mean loss of them is
        multiplied so that the mean over all processes is that of all rows. What is drawn before is
        drawn alike by all processes, what is drawn after by each for itself.

        Args:
            counts: how many rows there are; or of each, how many items its loss is a mean of.
        """
        each = [1] * counts if isinstance(counts, int) else counts
        if self.size == 1:
            return slice(0, len(each)), 1.0
        if self.rank:
            import torch

            torch.manual_seed(torch.initial_seed() + 7_368_787 * self.rank)
        start, end = (len(each) * n // self.size for n in (self.rank, self.rank + 1))
        if start == end:  # fewer rows than processes
            return slice(0, 1), 0.0
        return slice(start, end), self.size * sum(each[start:end]) / sum(each)

    def average(self, tensors: "Sequence[Tensor]") -> None:
        """Replace tensors by their means over all processes, all in one message.

        Raises:
            DlccError: a process has ended.
        """
        if self.size == 1 or not tensors:
            return
        import torch
        from torch import distributed

        whole = torch.cat([each.flatten().float() for each in tensors])
        with _others_there():
            distributed.all_reduce(whole)
        whole /= self.size
        parts = whole.split([each.numel() for each in tensors])
        for each, part in zip(tensors, parts, strict=True):
            each.copy_(part.view_as(each))

    def same(self, tensors: "Sequence[Tensor]") -> None:
        """Replace tensors by the first process's."""
        if self.size == 1:
            return
        from torch import distributed

        with _others_there():
            for each in tensors:
                distributed.broadcast(each, 0)

    def agreed(self, value: Value) -> Value:
        """What the first process has."""
        if self.size == 1:
            return value
        from torch import distributed

        values = [value]
        with _others_there():
            distributed.broadcast_object_list(values, 0)
        return values[0]

    def any(self, value: bool) -> bool:
        """Whether it is so in one of the processes."""
        if self.size == 1:
            return value
        import torch
        from torch import distributed

        number = torch.tensor(float(value))
        with _others_there():
            distributed.all_reduce(number)
        return bool(number)

    def alike(self, values: Sequence[bytes]) -> bool:
        """Whether the values are the first process's, in all of them."""
        return not self.any(self.agreed(values) != values)


_team = Team()


def team() -> Team:
    """The processes that train with this one."""
    return _team


@contextmanager
def joined() -> Iterator[Team]:
    """Within it this process trains with the others that torchrun started, if it was.

    Raises:
        DeviceError: this machine has fewer GPUs than processes.
    """
    global _team
    if not is_one_of_several():
        yield _team
        return
    import torch
    from torch import distributed
    from torch.distributed.rendezvous import rendezvous

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if gpus:
        local = int(os.environ["LOCAL_RANK"])
        if local >= gpus:
            raise DeviceError(f"there are {gpus} GPUs: start no more than {gpus} processes here")
        torch.cuda.set_device(local)
    store, rank, size = next(rendezvous("env://"))
    # torchrun's store outlives its restarts: the addresses in it are of processes that are gone.
    store = distributed.PrefixStore(f"restart {_restarts()}", store)
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if gpus else "gloo",
        timeout=_PATIENCE,
        store=store,
        rank=rank,
        world_size=size,
    )
    _team = Team(rank, size)
    try:
        yield _team
    finally:
        _team = Team()
        distributed.destroy_process_group()


@contextmanager
def first_here() -> Iterator[None]:
    """Within it the first process of each machine is before the others: what it leaves in the
    cache, they find there."""
    if _team.size == 1:
        yield
        return
    from torch import distributed

    waits = os.environ.get("LOCAL_RANK") != "0"
    if waits:
        with _others_there():
            distributed.barrier()
    yield
    if not waits:
        with _others_there():
            distributed.barrier()


@contextmanager
def _others_there() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:  # of gloo or NCCL: a connection was closed
        raise DlccError("another process of this training has ended: resume the run") from error

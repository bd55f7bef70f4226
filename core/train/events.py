"""What `fit` tells of a training while it runs."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Started:
    """Training begins, or goes on from `step`."""

    run: Path
    steps_per_epoch: int
    step: int
    epochs: int
    num_parameters: int
    device: str
    bfloat16: bool


@dataclass(frozen=True)
class Stepped:
    """One batch was learned from."""

    epoch: int
    step: int
    """Steps since the start of the whole training."""
    progress: float
    """Share of the schedule that is done, from 0 to 1."""
    loss: float
    items: int
    learning_rate: float
    seconds: float
    """Training time so far, over all resumed parts."""


@dataclass(frozen=True)
class EpochEnded:
    """An epoch was validated and saved."""

    epoch: int
    metrics: dict[str, float]
    is_best: bool
    sample: str


@dataclass(frozen=True)
class Finished:
    """Training is over, or was asked to stop; `reason` is epochs, minutes, patience or stopped."""

    reason: str
    best: float
    seconds: float


Event = Started | Stepped | EpochEnded | Finished

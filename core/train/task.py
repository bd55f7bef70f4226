"""What `fit` trains, a model with its data, and the events by which it tells of it."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from dlcc.core.trace.trace import AttentionTrace


class Task(Protocol):
    """A model, its data and what a good one is.

    One with an attribute `progress` finds the function there that is told how far a validation is.
    """

    kind: str
    """The model family, as checkpoints name it."""
    config: dict[str, Any]
    """JSON values that build the model again."""
    files: dict[str, bytes]
    """What a checkpoint needs besides, such as tokenizer.json."""
    about: dict[str, Any]
    """JSON values for the checkpoint: command, data, split hash."""
    metric: str
    """The key of `validate` that decides which weights are best."""
    higher_is_better: bool

    @property
    def model(self) -> nn.Module:
        """On the device it is trained on."""
        ...

    def batches(self, epoch: int) -> Sequence[Any]:
        """The batches of one epoch; the same for the same epoch."""
        ...

    def loss(self, batch: Any, done: float) -> tuple[Tensor, int]:
        """Mean loss of a batch, when the share `done` of the training is behind, and the number of
        items (tokens, texts, pictures) in it.

        Where several processes train, `distributed.team().share` says which rows this one computes;
        a task that does not ask computes all of them in each.
        """
        ...

    def validate(self) -> dict[str, float]:
        """Metrics on the validation part; the model is in eval mode, without gradients."""
        ...

    def sample(self) -> str:
        """One line that shows what the model does now; may be empty."""
        ...

    def traces(self) -> list[AttentionTrace]:
        """Attention on a fixed example, kept each epoch; may be empty."""
        ...


@dataclass(frozen=True)
class Recordable:
    """A step that a GPU can be told once, to do it again with other inputs."""

    kind: Hashable
    """Steps of one kind, with inputs of the same shapes, do the same."""
    loss: Callable[..., Tensor]
    """The mean loss of the inputs. It asks for no value of a tensor in Python."""
    inputs: tuple[Tensor, ...]
    """All that differs from step to step, but for random numbers."""
    items: int
    """As of `Task.loss`."""


@runtime_checkable
class RecordableTask(Protocol):
    """A task whose batches are alike."""

    def recordable(self, batch: Any, done: float) -> Recordable:
        """What `Task.loss` does with a batch."""
        ...


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
    step_in_epoch: int = 0
    steps_in_epoch: int = 0


@dataclass(frozen=True)
class Validating:
    """An epoch's steps are done; it is validated now."""

    epoch: int


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


Event = Started | Stepped | Validating | EpochEnded | Finished
